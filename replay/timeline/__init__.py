"""A recording played once, and one session forwards and backwards."""
