"""Traces that other programs have recorded, as events of our own."""
