"""Recordings: the format, and its files."""
