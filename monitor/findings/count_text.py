"""Counts as text."""

from __future__ import annotations


def count_of(number: int, one: str, many: str = "") -> str:
    """`1 session`, `1,234 sessions`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
