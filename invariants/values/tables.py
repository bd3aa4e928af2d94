"""Tables of names, written as text: one name after the other, blanks between."""

from __future__ import annotations


def table(names: str) -> frozenset[str]:
    """The names of a text."""
    return frozenset(names.split())
