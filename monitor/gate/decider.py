"""A request, decided and written down: used when it is asked, and again when it is approved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec

from invariants.model.event import RAW_ABSENT
from invariants.model.excepted import EVERY_INVARIANT, exception_of
from invariants.runtime.declared import Declared
from monitor.findings.incident import incident_of
from monitor.findings.model import Finding
from monitor.gate import words
from monitor.gate.freshness import Freshness
from monitor.gate.judgement import judge
from monitor.gate.note import GateNote, Line
from monitor.gate.recorder import Recorder
from monitor.gate.stops import Stops
from monitor.gate.wire import DIGEST_BYTES, Reason, WitnessRef
from monitor.kernel.evaluate import attempted
from monitor.presentation import visible
from monitor.trace_key import TraceKey

WITNESS_MAX: Final = 8
ROLES_MAX: Final = 4
ROLE_CHARS_MAX: Final = 100
OMITTED: Final = "omitted"
"""The reason of a denial for arguments that are not known."""
REASONS_MAX: Final = 8
"""Chosen: what an answer lists, at most some 30 KiB; the findings have all of it."""

Hold = Callable[[Line, GateNote], GateNote]
"""Completes the note of a call that begins to wait."""


class Asked(NamedTuple):
    """The call that is asked for."""

    tool: str
    call: str
    args: msgspec.Raw = RAW_ABSENT
    attributes: msgspec.Raw = RAW_ABSENT

    def fields(self) -> dict[str, Any]:
        """As fields of an event."""
        return self._asdict()

    def digest(self) -> str:
        """Of everything that a repeated request must have in common with the first."""
        parts = [self.tool, self.call, bytes(self.args).decode(), bytes(self.attributes).decode()]
        return blake2b(msgspec.json.encode(parts), digest_size=DIGEST_BYTES).hexdigest()


class Decider:
    """Decides with the kernel, the stops in force, and nothing else."""

    def __init__(
        self, recorder: Recorder, stops: Stops, freshness: Freshness, *, denies_blind: bool
    ) -> None:
        self._recorder, self._stops, self._freshness = recorder, stops, freshness
        self._denies_blind = denies_blind
        invariants = recorder.kernel.program.invariants
        self._stating = {one.digest for one in invariants if one.declared.states_allowed}

    def decide(self, key: TraceKey, note: GateNote, asked: Asked, hold: Hold | None) -> Line:
        """The record of the decision. Without `hold` a call cannot wait, and is denied instead.

        Raises
        ------
        MalformedError, NotReadyError
            Nothing was decided, and nothing is written down.
        """
        recorder = self._recorder
        time_ns = recorder.reach_now()
        line = recorder.line(key, "tool.requested", time_ns, **asked.fields())
        event = recorder.event(line)
        is_open = bool(exception_of(event.excepted, EVERY_INVARIANT, time_ns))
        stop = self._stops.stop_of(key, recorder.book, asked.tool, time_ns, has_own=not is_open)
        if stop is not None:
            text = words.stopped(stop.state, stop.incident)
            return self.deny(line, _denied(note, text, stop.state, stop.incident))
        per = self._freshness.refusing(event, time_ns)
        if per is not None:
            return self.deny(line, _denied(note, words.stale(per), "stale"))
        kernel, denies_blind = recorder.kernel, self._denies_blind
        judgement = attempted(lambda: judge(kernel, event, denies_blind=denies_blind), event)
        if judgement is None and is_open:
            return self.record(_with(line, msgspec.structs.replace(note, decision="allow")))
        if judgement is None:
            return self.deny(line, _denied(note, words.not_judged(), "not judged"))
        enforced = judgement.enforced
        note = msgspec.structs.replace(
            note,
            invariants=_reasons(enforced),
            would_deny=_reasons(judgement.observed),
            excepted=_reasons(judgement.excepted),
        )
        if judgement.blind:
            note = msgspec.structs.replace(note, invariants=_unjudged(judgement.blind))
            return self.deny(line, _denied(note, words.blind(judgement.blind), OMITTED))
        if judgement.decision == "allow":
            line = _with(line, msgspec.structs.replace(note, decision="allow"))
            recorder.take(line, event, judgement.taken)
            return line
        incident = incident_of(enforced[0].id) if enforced else ""
        if not enforced:
            note = msgspec.structs.replace(note, invariants=_unjudged(judgement.unseen))
        if judgement.decision == "hold" and hold is not None:
            held = msgspec.structs.replace(
                note,
                decision="hold",
                message=words.held(enforced, judgement.unseen, self._stating),
                reason="approval",
                incident=incident,
            )
            return self.record(_with(line, hold(line, held), "approval.requested"))
        if not enforced:
            return self.deny(line, _denied(note, words.unseen(judgement.unseen), "unseen"))
        return self.deny(
            line, _denied(note, words.denied(enforced, self._stating), "violation", incident)
        )

    def deny(self, line: Line, note: GateNote) -> Line:
        """Write down that a call was refused, with the whole request."""
        return self.record(_with(line, note, "tool.denied", note.reason))

    def record(self, line: Line) -> Line:
        """Write an event down that needs no decision."""
        self._recorder.take(line, self._recorder.event(line))
        return line


def _with(line: Line, note: GateNote, kind: str = "", error: str = "") -> Line:
    return msgspec.structs.replace(line, kind=kind or line.kind, gate=note, error=error)


def _denied(note: GateNote, message: str, reason: str, incident: str = "") -> GateNote:
    return msgspec.structs.replace(
        note, decision="deny", message=message, reason=reason, incident=incident
    )


def _reasons(findings: list[Finding]) -> list[Reason]:
    return [
        Reason(
            finding.invariant,
            visible(finding.summary, words.SUMMARY_CHARS_MAX),
            finding.id,
            [
                WitnessRef(event.position, event.id, event.time_ns, _roles(event.roles))
                for event in finding.witness[:WITNESS_MAX]
            ],
            finding.excepted_by,
        )
        for finding in findings[:REASONS_MAX]
    ]


def _unjudged(invariants: Sequence[Declared]) -> list[Reason]:
    """No finding is about them: they were not judged."""
    return [
        Reason(one.id, visible(one.summary, words.SUMMARY_CHARS_MAX), "")
        for one in invariants[:REASONS_MAX]
    ]


def _roles(roles: list[str]) -> list[str]:
    return [visible(role, ROLE_CHARS_MAX) for role in roles[:ROLES_MAX]]
