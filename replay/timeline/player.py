"""Plays recorded lines to the engine: the same one as live, given the same inputs in their order.

Nothing here, or in anything that this imports, can act on the outside: findings come back to the
caller, and that is all (`tests/test_codebase.py` holds the replay room to it).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, assert_never

import msgspec

from invariants.model.event import Event, Origin
from invariants.model.limits import Limits
from invariants.runtime.program import Program
from monitor.detection.scoring import Scoring
from monitor.findings.model import SEVERITIES, Finding, mode_of_all
from monitor.ingest.provenance import Provenance
from monitor.ingest.read_record import read_record
from monitor.ingest.rejected import Rejected
from monitor.kernel.births import NO_BIRTHS, Births
from monitor.kernel.evaluate import evaluate
from monitor.kernel.kernel import Kernel
from monitor.kernel.scope import EMPTY_LOAD, LoadedScope
from monitor.kernel.settings import KernelSettings
from monitor.principals.model import Credentials, Principals, PrincipalsVersion
from monitor.trace_key import TraceKey
from monitor.transport.base import Record
from replay.recording.format import (
    PLAIN,
    CloseLine,
    RecordedSettings,
    RecordingHeader,
    RecordLine,
    TickLine,
    content_of,
)

InputLine = RecordLine | TickLine | CloseLine
"""The inputs of the engine; all other lines only describe it."""

Fate = Literal["taken", "repeat", "refused", "rejected", "other"]
"""The treatment of a record: seen by the invariants; a duplicate; refused by provenance; rejected;
or of a session other than the selected one."""

SCOPES_IN_MEMORY_MAX: Final = 2_000
"""Chosen: the others rest on disk; a session's memory may hold thousands of entries."""


@dataclass(frozen=True, slots=True)
class Played:
    """The result of one line. `event` has its effective time and its trace's principal if
    accepted.
    """

    findings: list[Finding]
    event: Event | None = None
    traces: tuple[TraceKey, ...] = ()
    """Those that the event enters, or may concern."""
    rejected: Rejected | None = None
    fate: Fate = "taken"


class Player:
    """One engine to which recorded lines are played; only for some session ids, if given.

    For a session's id the traces of all principals are played: the users of an id decide which
    session an approval means.

    Sessions do not change each other's verdicts, so one can be played without the others; then the
    verdicts of wider scopes are left out. `read_ns` is when a plain file is read.
    """

    def __init__(
        self,
        header: RecordingHeader,
        program: Program,
        load: Callable[[str], LoadedScope] = lambda scope: EMPTY_LOAD,
        session: str = "",
        scoring: Scoring | None = None,
        *,
        births: Births = NO_BIRTHS,
        principals: Principals | None = None,
        read_ns: int | None = None,
    ) -> None:
        self._sessions = ids_of(session)
        self._read_ns = read_ns
        program = replace(program, wider=()) if session else program
        settings = engine_settings(header.settings, is_finished_file=header.source.kind == PLAIN)
        self.kernel = Kernel(
            program, replace(settings, births=births, principals=principals), load, scoring
        )
        self._provenance = _provenance(header.settings)

    def play(self, line: InputLine) -> Played:
        """Give one line to the engine."""
        match line:
            case RecordLine():
                return self._play_record(line)
            case TickLine(time_ns=time_ns):
                return Played(self.kernel.tick(time_ns))
            case CloseLine(scope=scope, time_ns=time_ns, principal=principal):
                return Played(self.kernel.close(TraceKey(principal, scope), time_ns))
            case _:
                assert_never(line)

    def _play_record(self, line: RecordLine) -> Played:
        event = read_line(line, is_trusted=self._provenance.is_trusted)
        if isinstance(event, Rejected):
            is_ours = not self._sessions or event.known.session in self._sessions
            found = self.kernel.unread(event) if is_ours else []
            return Played(found, rejected=event, fate="rejected")
        if self._sessions and event.session not in self._sessions:
            return Played([], event, fate="other")
        if self._read_ns is not None:
            event = msgspec.structs.replace(event, read_ns=self._read_ns)
        stepped = evaluate(self.kernel, self._provenance, event, "")
        return Played(stepped.findings, stepped.event, stepped.traces, fate=stepped.fate)


def principals_in(header: RecordingHeader) -> Principals | None:
    """The principals that the live monitor knew; None if it had no file of them."""
    if not header.principals:
        return None
    versions = (
        PrincipalsVersion(one.number, one.since_ns, one.standings, Credentials((), {}))
        for one in sorted(header.principals, key=lambda one: one.since_ns)
    )
    return Principals(tuple(versions), header.principals_digest)


def ids_of(session: str) -> frozenset[str]:
    """The session ids that `ID` or `NAME/ID` may mean; a principal's name has no `/`."""
    return frozenset({session, session.partition("/")[2]} - {""})


def read_line(line: RecordLine, *, is_trusted: bool = False) -> Event | Rejected:
    """The event that a recorded line holds, as its source vouched for it then."""
    value = content_of(line)
    assert value is not None, "only control records are tombstones"
    record = Record(
        origin=Origin(line.topic, line.partition, line.offset),
        key=None,
        value=value,
        arrival_ns=line.arrival_ns,
        not_before_ns=line.not_before_ns,
    )
    event = read_record(record, is_trusted=is_trusted)
    if isinstance(event, Event) and event.principal != line.principal:
        return msgspec.structs.replace(event, principal=line.principal)
    return event


def engine_settings(
    settings: RecordedSettings, *, is_finished_file: bool = False
) -> KernelSettings:
    """The engine's settings as they were live, or as a finished file is read."""
    return KernelSettings(
        lateness_ns=settings.lateness_ns,
        skew_ns=settings.skew_ns,
        trust_ts=settings.trust_ts,
        gate_lateness_ns=settings.gate_lateness_ns,
        linger_ns=settings.linger_ns,
        idle_close_ns=settings.idle_close_ns,
        ids_max=settings.ids_max,
        is_finished_file=is_finished_file,
        scopes_in_memory_max=SCOPES_IN_MEMORY_MAX,
        mode_cap=mode_of_all(settings.mode),
        severities={
            name: severity
            for name, severity in settings.severities.items()
            if severity in SEVERITIES
        },
    )


def limits_of(settings: RecordedSettings) -> Limits:
    """The bounds that the machine had live: past one of them verdicts are unknown."""
    return Limits(
        slices_max=settings.slices_max,
        window_entries_max=settings.window_entries_max,
        pending_max=settings.pending_max,
        pairs_max=settings.pairs_max,
    )


def _provenance(settings: RecordedSettings) -> Provenance:
    asserts = {topic: frozenset(kinds) for topic, kinds in settings.asserts.items()}
    return Provenance(settings.is_trusted, asserts)
