"""A scope in memory and in a store: what sessions, agents, users and tenants have in common.

A store holds states by name: an invariant's under its digest, others under their own names
(`invariants/codec/progress.py`, `monitor/detection/scoring.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

import msgspec

from invariants.codec.state import DAMAGE, StateError
from invariants.runtime.scope_program import Progress
from monitor.ingest.sequence import Noticed

HeaderT = TypeVar("HeaderT", bound=msgspec.Struct)


class LoadedScope(msgspec.Struct, frozen=True):
    """The stored content of a scope."""

    header: bytes | None
    states: Mapping[str, bytes]
    seen: Mapping[bytes, bytes]


EMPTY_LOAD: Final = LoadedScope(None, {}, {})

Load = Callable[[str], LoadedScope]
"""Reads a scope from the store, by its stored name."""


class ScopeChange(msgspec.Struct, frozen=True):
    """The changes of one scope after a batch. `states` contains those that changed."""

    scope: str
    header: bytes
    wake_ns: int | None
    states: Mapping[str, bytes]
    seen: tuple[tuple[bytes, bytes], ...]


class Scope(msgspec.Struct, Generic[HeaderT]):
    """A scope in memory: the only mutable record here, private to the kernel.

    It is mutable because it is written once per event (Measured: a third of the engine's cost as a
    frozen record). Header and progress are immutable values: a step replaces them, and who keeps
    the old ones can compare, or go back. `stored` is the content in the store, so that changes are
    detected by identity.
    """

    header: HeaderT
    progress: Progress
    stored: Progress
    queued_ns: int | None = None
    """The earliest wake-up that the heap holds for this scope."""
    owed: tuple[Noticed, ...] = ()
    """Notices from its loading, to be reported with the next input."""

    def is_at(self, before: tuple[HeaderT, Progress] | None) -> bool:
        """True if it still has this header and this progress."""
        return before is not None and self.header is before[0] and self.progress is before[1]

    def take_owed(self) -> tuple[Noticed, ...]:
        """Pending notices, reported once."""
        owed, self.owed = self.owed, ()
        return owed


ScopeT = TypeVar("ScopeT", bound=Scope[Any])


def read_header(data: bytes, type_: type[HeaderT]) -> HeaderT:
    """The stored header of a scope. Raises StateError if it is damaged."""
    try:
        return msgspec.msgpack.decode(data, type=type_)
    except DAMAGE as error:
        raise StateError(f"the stored header of a scope cannot be read: {error}") from error
