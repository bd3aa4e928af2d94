"""Drivers that carry out actions."""
