"""One incident as one self-contained page that a person likes to read."""
