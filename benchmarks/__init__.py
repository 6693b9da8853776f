"""How fast and how big, printed beside peers in the same run. Never a test: absolute times differ by machine."""
