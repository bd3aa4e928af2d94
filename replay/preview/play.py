"""Plays a recording as if a gate had been asked before each of its calls.

    Preview(header, program, ...).play(line) -> Asked | None

The decision is the gate's own (`monitor/gate/judgement.py`), by the same kernel. As at a gate, each
session belongs to one principal, its events are numbered anew, and what is due before an event is
decided before it. A denied call is not taken in: its outcome is left out, as it would not have run.
A held call counts as approved, by somebody who is not known. Whatever a refused agent would have
done instead is not in a recording: the rest is played as it was recorded.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final, NamedTuple

import msgspec

from invariants.model.event import Event
from invariants.runtime.program import Program
from monitor.findings.model import Finding, Mode
from monitor.gate.judgement import approval_of, judge
from monitor.gate.wire import Decision
from monitor.ingest.provenance import Provenance
from monitor.ingest.rejected import Rejected
from monitor.kernel.evaluate import attempted, evaluate
from monitor.kernel.kernel import Kernel
from monitor.kernel.owners import Unowned
from monitor.kernel.prepared import Taken
from monitor.kernel.prevented import DENIED, REQUESTED
from monitor.principals.model import Principals
from monitor.trace_key import TraceKey
from replay.recording.format import (
    PLAIN,
    CloseLine,
    Line,
    RecordingHeader,
    RecordLine,
    TickLine,
)
from replay.timeline.player import engine_settings, read_line

OUTCOMES: Final = frozenset({"tool.completed", "tool.failed"})
WAITING: Final = "approval.requested"
_OF_HELD_CALLS: Final = frozenset({REQUESTED, DENIED, "approval.granted", "approval.denied"})
NAMES_MAX: Final = 16
_TRUSTED: Final = Provenance(is_trusted=True)


class Asked(NamedTuple):
    """A call that was judged; `position` is its place among the events of its session, `args` are
    the names of its arguments.

    `stopped_by`: the session was stopped by these invariants before, so that the gate refuses the
    call whatever it is. Otherwise `findings` are the violations that the call would be, and `blind`
    the invariants that need arguments which its client omitted.
    """

    trace: TraceKey
    position: int
    tool: str
    args: list[str]
    decision: Decision
    findings: list[Finding]
    stopped_by: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()


class _Call(NamedTuple):
    """A call by its id, or by its tool if it has none."""

    trace: TraceKey
    call: str
    tool: str


class _Answered(msgspec.Struct):
    """The note of a gate in a record about a call that it was asked for."""

    decision: str = ""
    approval: str = ""


class Preview:
    """One recording. `enforces` takes every invariant as one in `mode: enforce`.

    Bounds: memory for the sessions of the recording and for each refused call.
    """

    def __init__(
        self,
        header: RecordingHeader,
        program: Program,
        *,
        enforces: bool,
        principals: Principals | None,
    ) -> None:
        self._is_plain = header.source.kind == PLAIN
        settings = engine_settings(header.settings, is_finished_file=self._is_plain)
        mode: Mode | None = "enforce" if enforces else None
        self._kernel = Kernel(program, replace(settings, mode_cap=mode))
        self._principals = principals
        self._numbers: Counter[TraceKey] = Counter()
        self._positions: Counter[TraceKey] = Counter()
        self._refused: Counter[_Call] = Counter()
        self._settled: set[_Call] = set()
        self._stopped: dict[TraceKey, tuple[str, ...]] = {}
        self.sessions: set[TraceKey] = set()
        self.unread_count = self.unjudged_count = 0
        """Records that are not events or belong to no session; calls that the engine failed on."""

    def play(self, line: Line) -> Asked | None:
        """Take in one line; the answer, if it is a call that a gate would be asked for."""
        match line:
            case RecordLine():
                return self._play_record(line)
            case TickLine(time_ns=time_ns):
                self._obey(self._kernel.tick(time_ns))
            case CloseLine(scope=scope, time_ns=time_ns, principal=principal):
                self._obey(self._kernel.close(TraceKey(principal, scope), time_ns))
        return None

    def _play_record(self, line: RecordLine) -> Asked | None:
        event = read_line(line, is_trusted=self._is_plain)
        owner = None if isinstance(event, Rejected) else self._kernel.owners.trace_of(event)
        if isinstance(event, Rejected) or owner is None or isinstance(owner, Unowned):
            self.unread_count += 1
            return None
        note = _note(event)
        event = self._as_a_gates(event, owner)
        if not isinstance(self._kernel.prepare(event), Taken):
            return None  # A copy of an event that was played.
        self.sessions.add(owner)
        position = self._positions[owner]
        self._positions[owner] += 1
        call = _call_of(event)
        if event.kind in OUTCOMES and self._refused[call]:
            self._refused[call] -= 1
        elif call in self._settled and event.kind in _OF_HELD_CALLS:
            pass  # It waited for an approval then, and got another answer here.
        elif _asks(event, note):
            return self._ask(event, position)
        else:
            self._obey(self._take(event))
        return None

    def _as_a_gates(self, event: Event, owner: TraceKey) -> Event:
        """The event as a gate would have recorded it."""
        standing, principals = event.standing, self._principals
        if standing is None and principals is not None:
            standing = principals.standing(owner.principal, event.ts_ns)
        record = msgspec.structs.replace(
            event.record, principal=owner.principal, seq=self._numbers[owner]
        )
        return msgspec.structs.replace(
            event, record=record, principal=owner.principal, standing=standing, is_of_gate=True
        )

    def _ask(self, event: Event, position: int) -> Asked | None:
        kernel, trace = self._kernel, TraceKey(event.principal, event.session)
        request = _as_kind(event, REQUESTED)
        self._obey(kernel.reach(request))
        asked = Asked(trace, position, event.record.tool, _names(event), "deny", [])
        if stopped_by := self._stopped.get(trace):
            self._refuse(event)
            return asked._replace(stopped_by=stopped_by)
        judgement = attempted(lambda: judge(kernel, request), request)
        if judgement is None:
            self.unjudged_count += 1
            self._refuse(event)
            return None
        if judgement.decision == "deny":
            self._refuse(event)
        elif judgement.decision == "allow":
            self._settle(event)
            self._obey(self._take(request))
        elif event.kind == WAITING:
            self._take(event)  # Its recorded approval follows, or none does.
        else:
            approval = approval_of(request)
            self._take(msgspec.structs.replace(approval, id=f"{request.id}/approval"))
            self._take(self._as_a_gates(request, trace))
        return asked._replace(
            decision=judgement.decision,
            findings=judgement.enforced,
            blind=tuple(one.id for one in judgement.blind),
        )

    def _refuse(self, event: Event) -> None:
        self._settle(event)
        self._refused[_call_of(event)] += 1
        self._take(_as_kind(event, DENIED))

    def _settle(self, event: Event) -> None:
        """The rest of the records of a call that waited does not happen again."""
        if event.kind == WAITING:
            self._settled.add(_call_of(event))

    def _take(self, event: Event) -> list[Finding]:
        stepped = evaluate(self._kernel, _TRUSTED, event, "")
        if stepped.fate == "taken":
            self._numbers[TraceKey(event.principal, event.session)] += 1
        return stepped.findings

    def _obey(self, findings: list[Finding]) -> None:
        """Note the sessions that are stopped from here on."""
        for finding in findings:
            if finding.stop is not None:
                by = self._stopped.get(finding.trace, ())
                if finding.invariant not in by:
                    self._stopped[finding.trace] = (*by, finding.invariant)


def _as_kind(event: Event, kind: str) -> Event:
    record = msgspec.structs.replace(event.record, kind=kind, error="")
    return msgspec.structs.replace(event, record=record)


def _call_of(event: Event) -> _Call:
    record = event.record
    trace = TraceKey(event.principal, event.session)
    return _Call(trace, record.call, "" if record.call else record.tool)


def _names(event: Event) -> list[str]:
    args = bytes(event.record.args)
    return list(msgspec.json.decode(args, type=dict[str, msgspec.Raw]))[:NAMES_MAX] if args else []


def _asks(event: Event, note: _Answered | None) -> bool:
    """True for a record of a call that nobody had judged before."""
    if note is not None and note.approval and event.kind != WAITING:
        return False
    if event.kind == REQUESTED:
        return True
    return note is not None and bool(note.decision) and event.kind in (DENIED, WAITING)


def _note(event: Event) -> _Answered | None:
    """The answer that a gate noted; None in a record that is not of a gate."""
    if not event.is_of_gate or event.kind not in (REQUESTED, DENIED, WAITING):
        return None
    try:
        return msgspec.json.decode(event.record.gate, type=_Answered)
    except msgspec.MsgspecError:
        return None
