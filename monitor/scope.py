"""A scope as the engine holds it, as a store gives it, and what of it must be written.

A store holds states by name: an invariant's under its digest, others under names of their own
(`invariants/state_progress.py`, `monitor/scoring.py`).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from invariants.event import Event, EventRecord, Origin
from invariants.program import Program, Progress
from invariants.state_progress import decode_progress, encode_progress
from monitor.order import Header
from monitor.scope_names import stored_name
from monitor.scoring import ScoredScope

Seen = OrderedDict[bytes, bytes]
"""Digest of an event's id -> digest of its content."""


@dataclass(frozen=True, slots=True)
class LoadedScope:
    """What the store holds of a scope."""

    header: bytes | None
    states: Mapping[str, bytes]
    seen: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class ScopeChange:
    """One scope after a batch: what must be written. `states` holds those that changed."""

    scope: str
    header: bytes
    wake_ns: int | None
    states: Mapping[str, bytes]
    seen: tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True)
class LiveScope:
    """A scope in memory: the one mutable record here, private to the engine.

    Mutable because it is written once an event (Measured: a third of the engine's cost as a
    frozen record); `stored` is what the store has, so that changes are told by identity.
    """

    header: Header
    progress: Progress
    seen: Seen
    stored: Progress
    seen_added: list[tuple[bytes, bytes]] = field(default_factory=list)
    queued_ns: int | None = None
    """The earliest wake-up that the engine's heap holds for this scope."""
    scored: ScoredScope | None = None
    """What a detector remembers of it, where there is one."""


EMPTY_LOAD: Final = LoadedScope(None, {}, {})


def restored(program: Program, loaded: LoadedScope) -> LiveScope:
    """A session's scope as a store gave it, or a new one. Raises StateError if it is damaged."""
    if loaded.header is None:
        initial = program.initial
        return LiveScope(Header(), initial, OrderedDict(), stored=initial)
    header = msgspec.msgpack.decode(loaded.header, type=Header)
    progress = decode_progress(program, header.position, loaded.states)
    return LiveScope(header, progress, OrderedDict(loaded.seen), stored=progress)


def take_change(
    program: Program,
    name: str,
    scope: LiveScope,
    wake_ns: int | None,
    more: Mapping[str, bytes],
) -> ScopeChange:
    """What must be written of a session's scope; from here on it counts as written.

    `more` are states under names of their own.
    """
    states = {**encode_progress(program, scope.progress, scope.stored), **more}
    seen = tuple(scope.seen_added)
    scope.seen_added = []
    scope.stored = scope.progress
    header = msgspec.msgpack.encode(scope.header)
    return ScopeChange(stored_name("session", name), header, wake_ns, states, seen)


def end_of(name: str, header: Header, ended_ns: int) -> tuple[Event, Header]:
    """The `session.ended` of an idle session, that nobody sent; and the header after it."""
    id_ = f"{name}/closed/{header.position}"
    record = EventRecord(id=id_, session=name, ts=ended_ns, kind="session.ended")
    origin = Origin("", "", 0)
    event = Event(record, id_, ended_ns, b"", origin, time_ns=ended_ns, first=header.first)
    after = msgspec.structs.replace(
        header, position=header.position + 1, time_ns=ended_ns, ended_ns=ended_ns
    )
    return event, after


def id_digest_of(id_: str) -> bytes:
    """Ids are the producer's text of any length; 16 bytes of a digest stand for them."""
    return hashlib.blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=16).digest()
