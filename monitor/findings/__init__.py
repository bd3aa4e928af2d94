"""Findings as data, and groups of undecided ones."""
