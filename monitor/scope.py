"""A scope in the engine and in a store, and the changes that must be written.

A store holds states by name: an invariant's under its digest, others under their own names
(`invariants/state_progress.py`, `monitor/scoring.py`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

import msgspec

from invariants.event import Event, EventRecord, Origin
from invariants.scope_program import Progress, ScopeProgram
from invariants.state_progress import decode_progress, encode_progress
from monitor.births import Births, bear
from monitor.engine_settings import EngineSettings
from monitor.order import Header, Noticed
from monitor.scope_names import stored_trace
from monitor.scoring import ScoredScope
from monitor.trace_key import TraceKey

Seen = OrderedDict[bytes, bytes]
"""Digest of an event's id -> digest of its content."""


class LoadedScope(msgspec.Struct, frozen=True):
    """The stored content of a scope."""

    header: bytes | None
    states: Mapping[str, bytes]
    seen: Mapping[bytes, bytes]


class ScopeChange(msgspec.Struct, frozen=True):
    """The changes of one scope after a batch. `states` contains those that changed."""

    scope: str
    header: bytes
    wake_ns: int | None
    states: Mapping[str, bytes]
    seen: tuple[tuple[bytes, bytes], ...]


class LiveScope(msgspec.Struct):
    """A scope in memory: the only mutable record here, private to the engine.

    It is mutable because it is written once per event (Measured: a third of the engine's cost as a
    frozen record). `stored` is the content in the store, so that changes are detected by identity.
    """

    header: Header
    progress: Progress
    seen: Seen
    stored: Progress
    seen_added: list[tuple[bytes, bytes]] = []
    queued_ns: int | None = None
    """The earliest wake-up that the engine's heap holds for this scope."""
    scored: ScoredScope | None = None
    """The detector's state for it, if there is a detector."""
    owed: tuple[Noticed, ...] = ()
    """Notices from its loading, to be reported with the next input."""

    def take_owed(self) -> tuple[Noticed, ...]:
        """Pending notices, reported once."""
        owed, self.owed = self.owed, ()
        return owed

    def renew(self, program: ScopeProgram, births: Births, name: str) -> None:
        """Let invariants be born that have not seen its past."""
        header = self.header
        due = births.due("session", name, header.position - 1, header.epoch)
        epoch = header.epoch if births.recorded else births.epoch
        if due:
            self.progress, self.owed = bear(
                program, self.progress, births.past_ns(due, header.time_ns), name, due
            )
            epoch = max(due.values())
        self.header = msgspec.structs.replace(header, epoch=epoch)

    def remember(self, id_: bytes, digest: bytes, ids_max: int) -> None:
        """Know an event from here on, and each content of an id that has several.

        Past `ids_max` the oldest is forgotten: its repeat then counts as a new event.
        """
        seen = self.seen
        key = _other_key(id_, digest) if id_ in seen else id_
        if len(seen) >= ids_max:
            seen.popitem(last=False)
        seen[key] = digest
        self.seen_added.append((key, digest))


EMPTY_LOAD: Final = LoadedScope(None, {}, {})


def restored(program: ScopeProgram, loaded: LoadedScope) -> LiveScope:
    """A session's scope as a store gave it, or a new one. Raises StateError if it is damaged."""
    header = header_in(loaded)
    if loaded.header is None:
        initial = program.initial
        return LiveScope(header, initial, OrderedDict(), stored=initial)
    progress = decode_progress(program, header.position, loaded.states)
    return LiveScope(header, progress, OrderedDict(loaded.seen), stored=progress)


def header_in(loaded: LoadedScope) -> Header:
    """The stored content of a trace besides states."""
    if loaded.header is None:
        return Header()
    return msgspec.msgpack.decode(loaded.header, type=Header)


def wake_ns_of(scope: LiveScope, settings: EngineSettings) -> int | None:
    """When time alone next changes something about a trace."""
    deadline_ns, rest_ns = scope.progress.next_deadline_ns, rest_ns_of(scope.header, settings)
    if deadline_ns is None or rest_ns is None:
        return rest_ns if deadline_ns is None else deadline_ns
    return min(deadline_ns, rest_ns)


def rest_ns_of(header: Header, settings: EngineSettings) -> int | None:
    """When an idle trace ends, or an ended one is evicted."""
    if header.ended_ns is not None:
        return header.touched_ns + settings.linger_ns
    idle_ns = settings.idle_close_ns
    return None if idle_ns is None else header.touched_ns + idle_ns


def take_change(
    program: ScopeProgram,
    key: TraceKey,
    scope: LiveScope,
    wake_ns: int | None,
    more: Mapping[str, bytes],
) -> ScopeChange:
    """The changes of a session's scope to write; from now on it counts as written.

    `more` contains states under their own names.
    """
    now_ns = scope.header.time_ns
    states = {**encode_progress(program, scope.progress, scope.stored, now_ns), **more}
    seen = tuple(scope.seen_added)
    scope.seen_added = []
    scope.stored = scope.progress
    header = msgspec.msgpack.encode(scope.header)
    return ScopeChange(stored_trace(key), header, wake_ns, states, seen)


def end_of(key: TraceKey, header: Header, ended_ns: int) -> tuple[Event, Header]:
    """The `session.ended` of an idle session, which no client sent, and the header after it."""
    id_ = f"{key.session}/closed/{header.position}"
    record = EventRecord(id=id_, session=key.session, ts=ended_ns, kind="session.ended")
    event = Event(
        record,
        id_,
        ended_ns,
        b"",
        Origin("", "", 0),
        principal=key.principal,
        time_ns=ended_ns,
        first=header.first,
    )
    after = msgspec.structs.replace(
        header, position=header.position + 1, time_ns=ended_ns, ended_ns=ended_ns
    )
    return event, after


def is_made(event: Event) -> bool:
    """True if the event is such an end, which no client sent."""
    return not event.origin.topic


def is_repeat(seen: Seen, id_digest: bytes, digest: bytes) -> bool | None:
    """True if an event with this id and this content is known; None if the id is new."""
    first = seen.get(id_digest)
    return None if first is None else digest in (first, seen.get(_other_key(id_digest, digest)))


def _other_key(id_digest: bytes, digest: bytes) -> bytes:
    """The name for a content of an id that is not its first."""
    return blake2b(id_digest + digest, digest_size=16).digest()


def id_digest_of(id_: str) -> bytes:
    """Ids are the producer's text of any length; 16 bytes of a digest represent them."""
    return blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=16).digest()
