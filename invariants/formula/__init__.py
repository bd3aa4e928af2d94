"""Temporal formulas: text to syntax, and back."""
