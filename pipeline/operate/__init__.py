"""What people do to a running line: look at it, check it, mend it, run a night. Over ports only."""
