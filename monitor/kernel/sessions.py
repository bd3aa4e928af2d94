"""Sessions as scopes: which events they know, when they rest, and what is stored of them."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import Final

import msgspec

from invariants.codec.progress import decode_progress, encode_progress
from invariants.model.event import Event, EventRecord, Origin
from invariants.runtime.scope_program import ScopeProgram
from monitor.detection.scoring import ScoredScope, Scoring
from monitor.findings.model import Finding
from monitor.ingest.sequence import Header, holes_told
from monitor.ingest.standing_history import noted
from monitor.kernel.births import Births, bear
from monitor.kernel.build_finding import hole_findings
from monitor.kernel.scope import LoadedScope, Scope, ScopeChange, read_header
from monitor.kernel.settings import KernelSettings
from monitor.kernel.table import ScopeTable
from monitor.scope_key import stored_trace
from monitor.trace_key import TraceKey

Seen = OrderedDict[bytes, bytes]
"""Digest of an event's id -> digest of its content."""

_ID_DIGEST_BYTES: Final = 16


class SessionScope(Scope[Header], kw_only=True):
    """A session in memory."""

    seen: Seen
    seen_added: list[tuple[bytes, bytes]] = msgspec.field(default_factory=list)
    scored: ScoredScope | None = None
    """The detector's state for it, if there is a detector."""

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


class SessionKind:
    """How sessions are stored and woken."""

    def __init__(
        self, program: ScopeProgram, settings: KernelSettings, scoring: Scoring | None
    ) -> None:
        self._program, self._settings, self._scoring = program, settings, scoring

    def stored_name(self, key: TraceKey) -> str:
        """The name of the session in a store."""
        return stored_trace(key)

    def restored(self, key: TraceKey, loaded: LoadedScope) -> SessionScope:
        """A session as a store gave it, or a new one. Raises StateError if it is damaged."""
        header = header_in(loaded)
        progress = self._program.initial
        if loaded.header is not None:
            progress = decode_progress(self._program, header.position, loaded.states)
        seen = OrderedDict(loaded.seen)
        scope = SessionScope(header=header, progress=progress, stored=progress, seen=seen)
        if self._scoring is not None:
            scope.scored = self._scoring.restore(loaded.states, header.position)
        return scope

    def renew(self, key: TraceKey, scope: SessionScope, births: Births) -> None:
        """Let invariants be born that have not seen its past."""
        header, name = scope.header, str(key)
        due = births.due("session", name, header.position - 1, header.epoch)
        epoch = header.epoch if births.recorded else births.epoch
        if due:
            past_ns = births.past_ns(due, header.time_ns)
            scope.progress, scope.owed = bear(self._program, scope.progress, past_ns, name, due)
            epoch = max(due.values())
        if epoch != header.epoch:
            scope.header = msgspec.structs.replace(header, epoch=epoch)

    def wake_ns(self, key: TraceKey, scope: SessionScope) -> int | None:
        """When a tick decides a deadline, ends the session or evicts it."""
        due_ns = due_ns_of(scope, self._settings)
        if due_ns is None:
            return None
        return due_ns + self._settings.held_back_ns(scope.header)

    def change(self, key: TraceKey, scope: SessionScope, wake_ns: int | None) -> ScopeChange:
        """The changes to write; from now on they count as written."""
        now_ns = scope.header.time_ns
        states = encode_progress(self._program, scope.progress, scope.stored, now_ns)
        if self._scoring is not None and scope.scored is not None:
            states |= self._scoring.take_change(scope.scored)
        seen = tuple(scope.seen_added)
        scope.seen_added = []
        scope.stored = scope.progress
        return ScopeChange(
            stored_trace(key), msgspec.msgpack.encode(scope.header), wake_ns, states, seen
        )


def header_in(loaded: LoadedScope) -> Header:
    """The stored content of a session besides states. Raises StateError if it is damaged."""
    if loaded.header is None:
        return Header()
    return read_header(loaded.header, Header)


def rest_ns_of(header: Header, settings: KernelSettings) -> int | None:
    """When an idle session ends, or an ended one is evicted."""
    if header.ended_ns is not None:
        return header.touched_ns + settings.linger_ns
    idle_ns = settings.idle_close_ns
    return None if idle_ns is None else header.touched_ns + idle_ns


def due_ns_of(scope: SessionScope, settings: KernelSettings) -> int | None:
    """When a deadline passes, or the session ends or is evicted."""
    deadline_ns, rest_ns = scope.progress.next_deadline_ns, rest_ns_of(scope.header, settings)
    if deadline_ns is None or rest_ns is None:
        return rest_ns if deadline_ns is None else deadline_ns
    return min(deadline_ns, rest_ns)


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
        header,
        position=header.position + 1,
        time_ns=ended_ns,
        ended_ns=ended_ns,
        standings=noted(header.standings, header.position, None),
    )
    return event, after


def holes_of(
    sessions: ScopeTable[TraceKey, SessionScope], settings: KernelSettings
) -> list[Finding]:
    """Numbers that did not come in the whole file, reported once."""
    findings: list[Finding] = []
    for key, scope in sessions.waited_for():
        header = scope.header
        if header.holes:
            scope.header = holes_told(header)
            sessions.changed(key, scope)
            findings += hole_findings(header, key, settings.severities, settings.ids_max)
    return findings


def is_made(event: Event) -> bool:
    """True if the event is such an end, which no client sent."""
    return not event.origin.topic


def is_repeat(seen: Seen, id_digest: bytes, digest: bytes) -> bool | None:
    """True if an event with this id and this content is known; None if the id is new."""
    first = seen.get(id_digest)
    return None if first is None else digest in (first, seen.get(_other_key(id_digest, digest)))


def _other_key(id_digest: bytes, digest: bytes) -> bytes:
    """The name for a content of an id that is not its first."""
    return blake2b(id_digest + digest, digest_size=_ID_DIGEST_BYTES).digest()


def id_digest_of(id_: str) -> bytes:
    """Ids are the producer's text of any length; 16 bytes of a digest represent them."""
    return blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=_ID_DIGEST_BYTES).digest()
