"""One finding: its text, its proof, and the value of every part of its formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from interlock.control_record import ControlRecord
from invariants.model.event import Event
from monitor.findings.count_text import count_of
from monitor.findings.model import Finding, WitnessEvent
from monitor.kernel.standing import BoundValues, FormulaValue, InvariantStanding
from monitor.presentation import absence_span, binding_text, run_text, time_text, visible
from monitor.trace_key import TraceKey
from replay.report.control import Coverage, response_text
from replay.report.events import event_text
from replay.report.mask import masked
from replay.report.tally import GroupKey, group_of, others_of
from replay.report.view import Detail, FindingPart, Member, ShownTime, WhyLine, WitnessLine
from replay.report.words import offset_text, verdict_text
from replay.snapshot.take import look_at
from replay.timeline.session_inputs import CLOSED
from replay.timeline.timeline import Timeline

TEXT_CHARACTERS: Final = 2_000
WITNESS_MAX: Final = 50
WHY_MAX: Final = 200
MEMBERS_MAX: Final = 50


class Around(NamedTuple):
    """The context of a finding: the shown events and the control records of its session."""

    anchor: str
    events: Mapping[int, Event]
    first_ns: int | None
    records: Sequence[ControlRecord]
    coverage: Coverage
    groups: Mapping[GroupKey, int]
    """The number of each group."""

    def shown(self, finding: Finding, event: WitnessEvent) -> Event | None:
        """The event, if it is shown. After a restart of the session its position can be reused."""
        shown = self.events.get(event.position)
        is_it = shown is not None and shown.id == event.id and event.is_of(finding.trace)
        return shown if is_it else None

    def place_of(self, finding: Finding, event: WitnessEvent) -> str:
        """The anchor of the event in the page; empty if the event is not shown."""
        is_shown = self.shown(finding, event) is not None
        return f"{self.anchor}-event-{event.position}" if is_shown else ""

    def moment_of(self, time_ns: int) -> ShownTime:
        """A time, and its offset from the session's first event."""
        if self.first_ns is None:
            return ShownTime(time_text(time_ns))
        return ShownTime(time_text(time_ns), offset_text(time_ns - self.first_ns))


def finding_part(timeline: Timeline, finding: Finding, number: int, around: Around) -> FindingPart:
    """The finding with the number `number` of a session."""
    standing = _standing(timeline, finding)
    at = around.moment_of(finding.anchor.time_ns)
    if finding.type == "unread" and not finding.anchor.time_ns:
        at = ShownTime("an unknown time")
    event = around.shown(finding, finding.anchor)
    asked = response_text(finding, around.records, around.coverage)
    return FindingPart(
        anchor=f"{around.anchor}-finding-{number}",
        number=number,
        tone=finding.severity,
        groups=" ".join(
            str(around.groups[key]) for key in (group_of(finding), *others_of(finding))
        ),
        verdict=verdict_text(finding),
        position=str(finding.anchor.position),
        event_anchor=around.place_of(finding, finding.anchor),
        event="" if event is None else event_text(event),
        at=at,
        facts=tuple(_facts(finding, around)),
        formula="" if standing is None else visible(standing.formula, TEXT_CHARACTERS),
        why=tuple(_why(standing, finding)) if standing is not None else (),
        witness=tuple(_witness(finding, around)),
        members=tuple(_members(finding, around)),
        done=tuple([asked] if asked else []),
        id=finding.id,
    )


def _facts(finding: Finding, around: Around) -> list[Detail]:
    facts = [Detail("description", visible(text)) for text in finding.description.splitlines()[:5]]
    if finding.owner:
        facts.append(Detail("owner", visible(finding.owner)))
    if finding.tags:
        facts.append(Detail("tags", visible(", ".join(finding.tags))))
    facts += [Detail("reference", visible(text)) for text in finding.references[:5]]
    if finding.decided_ns != finding.anchor.time_ns:
        known = around.moment_of(finding.decided_ns)
        facts.append(Detail("decided at", f"{known.time} {known.offset}".strip()))
    if finding.is_of_known_run:
        facts.append(Detail("run", run_text(finding)))
    if finding.scope_kind != "session":
        of = f"all sessions of the {finding.scope_kind} {visible(finding.scope)}"
        facts.append(Detail("scope", of if finding.scope else f"no {finding.scope_kind} is named"))
    if finding.binding:
        facts.append(Detail("binding", masked(binding_text(finding))))
    if finding.detail:
        facts.append(Detail("reason", visible(finding.detail, TEXT_CHARACTERS)))
    if finding.could_concern:
        named = visible(", ".join(finding.could_concern), TEXT_CHARACTERS)
        facts.append(Detail("could concern", named))
    if finding.prevention == "prevented":
        facts.append(Detail("call", "was stopped before it ran"))
    return facts


def _members(finding: Finding, around: Around) -> list[Member]:
    """The invariants that one unknown value leaves undecided, with their unknown predicates."""
    if len(finding.undecided) < 2:
        return []
    members = [
        Member(
            tone=member.severity,
            name=visible(member.invariant, 120),
            text=visible(", ".join(member.unknown) or member.summary),
            event=f"event {member.anchor.position}",
            anchor=around.place_of(finding, member.anchor),
        )
        for member in finding.undecided[:MEMBERS_MAX]
    ]
    left = len(finding.undecided) - len(members)
    more = Member("plain", f"and {count_of(left, 'more invariant')}", "", "", "")
    return [*members, more] if left else members


def _standing(timeline: Timeline, finding: Finding) -> InvariantStanding | None:
    """The state of the finding's invariant at its anchor; None if it cannot be reconstructed."""
    index = timeline.sessions.get(finding.trace)
    position = finding.anchor.position
    if not finding.invariant or index is None or position >= len(index.trace):
        return None
    number = index.trace[position]
    if number == CLOSED:
        return None
    standing = look_at(timeline, number, only=finding.invariant_digest)
    if standing.event.id != finding.anchor.id:
        return None  # The session began again, and its position was reused.
    return next((i for i in standing.invariants if i.digest == finding.invariant_digest), None)


def _why(standing: InvariantStanding, finding: Finding) -> list[WhyLine]:
    bound = next((b for b in standing.bindings if b.binding == finding.binding), None)
    bound = bound or (standing.bindings[0] if len(standing.bindings) == 1 else None)
    return [_why_line(value) for value in _values(bound)[:WHY_MAX]]


def _values(bound: BoundValues | None) -> list[FormulaValue]:
    return [] if bound is None else list(bound.values)


def _why_line(value: FormulaValue) -> WhyLine:
    since = ""
    if value.since is not None:
        words = "at least since" if value.since.is_at_least else "since"
        since = f"{words} event {value.since.position}"
    text = visible(masked(value.text), TEXT_CHARACTERS)
    return WhyLine(min(value.depth, 8), text, value.value, since)


def _witness(finding: Finding, around: Around) -> list[WitnessLine]:
    sorts = (("", finding.witness), (": unknown", finding.unknowns))
    lines = [
        _event(finding, ref, around, word + _roles(ref))
        for word, refs in sorts
        for ref in refs[:WITNESS_MAX]
    ]
    for absence in finding.absences[:WITNESS_MAX]:
        formula = visible(absence.formula, TEXT_CHARACTERS)
        lines.append(WitnessLine("", f"{absence_span(absence)} never: {formula}"))
        if (ended := absence.undone_by) is not None:
            lines.append(_event(finding, ended, around, ": it had held until this event"))
    held = (finding.witness, finding.unknowns, finding.absences)
    left = sum(max(0, len(refs) - WITNESS_MAX) for refs in held)
    return [*lines, WitnessLine("", f"{left:,} more are in the finding")] if left else lines


def _event(finding: Finding, event: WitnessEvent, around: Around, word: str) -> WitnessLine:
    """The position, time and text of an event; if the event is not shown, its id."""
    trace = TraceKey(event.principal, event.session)
    where = "" if event.is_of(finding.trace) else f" of session {visible(str(trace), 80)}"
    shown = around.shown(finding, event)
    said = visible(event.id, 80) if shown is None else event_text(shown)
    return WitnessLine(
        f"event {event.position}{where}",
        f"{time_text(event.time_ns)} {said}{word}",
        around.place_of(finding, event),
    )


def _roles(event: WitnessEvent) -> str:
    return f" ({visible(', '.join(event.roles), TEXT_CHARACTERS)})" if event.roles else ""
