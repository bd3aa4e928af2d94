"""Measurements of the project by itself: each prints a ratio taken within one run."""
