"""`make eval`: how good the shipped model and the rules around it are, beside peers, on the same sets in one run."""
