"""A table of scopes: those in memory, those that changed, and when time next changes one.

It owns no clock, file or socket: scopes that are not in memory are read with `load`, and
`take_changes` returns the content to write. `ScopeKind` says what one kind of scope adds.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from monitor.kernel.births import Births
from monitor.kernel.scope import EMPTY_LOAD, Load, LoadedScope, ScopeChange, ScopeT

KeyT = TypeVar("KeyT", bound=tuple[Any, ...])
KeyT_contra = TypeVar("KeyT_contra", bound=tuple[Any, ...], contravariant=True)


class ScopeKind(Protocol[KeyT_contra, ScopeT]):
    """The part that a kind of scope adds: its bytes, its due times, births of invariants in it."""

    def stored_name(self, key: KeyT_contra) -> str:
        """The name under which a store keeps the scope."""

    def restored(self, key: KeyT_contra, loaded: LoadedScope) -> ScopeT:
        """The scope as a store gave it, or a new one. Raises StateError if it is damaged."""

    def renew(self, key: KeyT_contra, scope: ScopeT, births: Births) -> None:
        """Let invariants be born that have not seen its past."""

    def wake_ns(self, key: KeyT_contra, scope: ScopeT) -> int | None:
        """When time alone next changes something about it."""

    def change(self, key: KeyT_contra, scope: ScopeT, wake_ns: int | None) -> ScopeChange:
        """The changes to write; from now on they count as written."""


class ScopeTable(Generic[KeyT, ScopeT]):
    """All scopes of one kind, or of several that share their keys' type."""

    def __init__(
        self,
        kind: ScopeKind[KeyT, ScopeT],
        load: Load,
        births: Births,
        *,
        scopes_max: int,
        pairs_max: int,
    ) -> None:
        self.births = births
        self._kind, self._load = kind, load
        self._scopes_max, self._pairs_max = scopes_max, pairs_max
        self._scopes: OrderedDict[KeyT, ScopeT] = OrderedDict()
        self._changed: dict[KeyT, ScopeT] = {}
        self._dropped: dict[KeyT, None] = {}
        self._wakes: list[tuple[int, KeyT]] = []
        self._pairs_count = 0

    def __len__(self) -> int:
        """The number of scopes in memory."""
        return len(self._scopes)

    def held(self, key: KeyT) -> ScopeT | None:
        """The scope if it is in memory."""
        return self._scopes.get(key)

    def stored(self, key: KeyT) -> LoadedScope:
        """The content of the store. A scope that was dropped in this batch is still there, and must
        not come back from it.
        """
        return EMPTY_LOAD if key in self._dropped else self._load(self._kind.stored_name(key))

    def scope(self, key: KeyT) -> ScopeT:
        """The scope, from memory or from the store, or a new one."""
        scope = self._scopes.get(key)
        if scope is None:
            scope = self._kind.restored(key, self.stored(key))
            self._scopes[key] = scope
            self._pairs_count += scope.progress.shown.length
        else:
            self._scopes.move_to_end(key)
        births = self.births
        if scope.header.epoch != births.epoch or births.recorded:
            self._kind.renew(key, scope, births)
        return scope

    def changed(self, key: KeyT, scope: ScopeT, *, grown_pairs: int = 0) -> None:
        """The scope has another header or progress now: it is to be written, and may be due at
        another time.
        """
        self._pairs_count += grown_pairs
        self._changed[key] = scope
        self.queue(key, scope)

    def wake_ns(self, key: KeyT, scope: ScopeT) -> int | None:
        """When time alone next changes something about it."""
        return self._kind.wake_ns(key, scope)

    def queue(self, key: KeyT, scope: ScopeT) -> None:
        """Keep at most one useful entry a scope; later ones are found when it pops."""
        due_ns = self._kind.wake_ns(key, scope)
        if due_ns is None or (scope.queued_ns is not None and scope.queued_ns <= due_ns):
            return
        scope.queued_ns = due_ns
        heapq.heappush(self._wakes, (due_ns, key))

    def pop_due(self, time_ns: int) -> tuple[int, KeyT] | None:
        """The earliest entry if it is due before `time_ns`. It may be old: the scope was touched
        since, or is gone.
        """
        if self._wakes and self._wakes[0][0] < time_ns:
            return heapq.heappop(self._wakes)
        return None

    def put_back(self, entries: Iterable[tuple[int, KeyT]]) -> None:
        """Entries that were popped, and could not be decided yet."""
        for entry in entries:
            heapq.heappush(self._wakes, entry)

    def expect(self, entries: Iterable[tuple[int, KeyT]]) -> None:
        """The due times in the store, after a start, in place of all others."""
        self._wakes = list(entries)
        heapq.heapify(self._wakes)

    def waited_for(
        self, is_wanted: Callable[[KeyT], bool] = lambda key: True
    ) -> Iterator[tuple[KeyT, ScopeT]]:
        """Every scope that something is due for, the earliest first; those that were not in memory
        leave it again.
        """
        for key in dict.fromkeys(key for _, key in sorted(self._wakes)):
            if not is_wanted(key):
                continue
            is_here = key in self._scopes
            scope = self.scope(key)
            if scope.header.position:
                yield key, scope
            if not is_here and key not in self._changed:
                self.forget(key)

    def drop(self, key: KeyT) -> None:
        """The scope is over: it leaves memory, and the store with the next changes."""
        self.forget(key)
        self._changed.pop(key, None)
        self._dropped[key] = None

    def forget(self, key: KeyT) -> None:
        """The scope leaves memory as it was stored."""
        self._pairs_count -= self._scopes.pop(key).progress.shown.length

    def forget_where(self, gone: Iterable[KeyT]) -> None:
        """Scopes that another monitor has now leave memory, unwritten."""
        for key in list(gone):
            self.forget(key)
            self._changed.pop(key, None)

    def items(self) -> Iterable[tuple[KeyT, ScopeT]]:
        """The scopes in memory."""
        return self._scopes.items()

    def take_changes(self) -> tuple[list[ScopeChange], list[str]]:
        """The changes to write since the last call, and the evicted scopes."""
        kind = self._kind
        changes = [
            kind.change(key, scope, kind.wake_ns(key, scope))
            for key, scope in self._changed.items()
        ]
        dropped = [kind.stored_name(key) for key in self._dropped]
        self._changed, self._dropped = {}, {}
        while self._is_crowded():
            self.forget(next(iter(self._scopes)))
        return changes, dropped

    def _is_crowded(self) -> bool:
        """One scope may be larger than all should be: it stays."""
        count = len(self._scopes)
        return count > self._scopes_max or (count > 1 and self._pairs_count > self._pairs_max)
