"""Names of the scopes in a store, in memory: most scopes that are asked for are new.

A query for a new scope finds nothing and costs as much as one for a stored one. Beyond `NAMES_MAX`
scopes the names are let go of, and each question is a query again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

NAMES_MAX: Final = 100_000
"""Chosen: some 10 MB, read in a tenth of a second at the first question."""


class StoredNames:
    """`read(limit)` returns up to `limit` names of the store; nobody else may write to it."""

    def __init__(self, read: Callable[[int], Iterable[str]]) -> None:
        self._read = read
        self._names: set[str] | None = None
        self._has_room = True

    def may_have(self, scope: str) -> bool:
        """False if the store is known to hold nothing of this name."""
        if self._names is None:
            if not self._has_room:
                return True
            self._hold(set(self._read(NAMES_MAX + 1)))
        return self._names is None or scope in self._names

    def change(self, dropped: Iterable[str], written: Iterable[str]) -> None:
        """These scopes were dropped, and then these were written."""
        if self._names is not None:
            self._names.difference_update(dropped)
            self._names.update(written)
            self._hold(self._names)

    def _hold(self, names: set[str]) -> None:
        self._has_room = len(names) <= NAMES_MAX
        self._names = names if self._has_room else None
