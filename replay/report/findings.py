"""One finding as a card: what it says, what it rests on, and every part of its formula."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from monitor.finding import Finding, WitnessEvent
from monitor.finding_text import absence_span, binding_text, time_text, visible
from monitor.trace_key import TraceKey
from replay.look import look_at
from replay.report.view import Detail, FindingCard, Tone, WhyLine, WitnessLine
from replay.session_inputs import CLOSED
from replay.standing import BoundValues, FormulaValue, InvariantStanding
from replay.timeline import Timeline

TEXT_CHARACTERS: Final = 2_000
WITNESS_MAX: Final = 50

_WORDS: Final[Mapping[str, str]] = {
    "violated": "violated",
    "inconclusive": "cannot be decided",
    "gap": "events are missing",
    "lost": "events may be missing",
    "id_conflict": "one id, two contents",
    "provenance": "not theirs to say",
    "contested": "another's session ID",
    "unowned": "acts for nobody",
    "split": "on two partitions",
    "after_end": "after the end",
    "unscoped": "names no scope",
    "unread": "inconclusive: a record could not be read",
    "disorder": "inconclusive: times run back",
    "capacity": "a bound was reached",
    "unevaluable": "could not be judged",
    "anomaly": "unusual",
    "birth": "newly watched",
}


def verdict_word(finding: Finding) -> str:
    """What a finding says, in few words."""
    return _WORDS.get(finding.type, finding.type)


def finding_card(
    timeline: Timeline, finding: Finding, number: int, anchor: str, shown: frozenset[int]
) -> FindingCard:
    """`shown` are the positions of the session that stand in the page, to be pointed at."""
    standing = _standing(timeline, finding)
    tone: Tone = finding.severity
    facts = [Detail("invariant", visible(finding.invariant))] if finding.invariant else []
    facts.append(
        Detail("at", f"event {finding.anchor.position}, {time_text(finding.anchor.time_ns)}")
    )
    if finding.decided_ns != finding.anchor.time_ns:
        facts.append(Detail("known at", time_text(finding.decided_ns)))
    if finding.scope_kind != "session":
        whose = f"all sessions of the {finding.scope_kind} {visible(finding.scope)}"
        facts.append(
            Detail("across", whose if finding.scope else f"no {finding.scope_kind} is named")
        )
    if finding.binding:
        facts.append(Detail("for", binding_text(finding)))
    if finding.detail:
        facts.append(Detail("because", visible(finding.detail, TEXT_CHARACTERS)))
    return FindingCard(
        anchor=f"{anchor}-finding-{number}",
        number=number,
        tone=tone,
        heading=visible(finding.summary or finding.invariant or verdict_word(finding)),
        verdict=_verdict(finding),
        facts=tuple(facts),
        formula="" if standing is None else visible(standing.formula, TEXT_CHARACTERS),
        why=tuple(_why(standing, finding)) if standing is not None else (),
        witness=tuple(_witness(finding, anchor, shown)),
        done=tuple(_done(finding)),
        id=finding.id,
    )


def _verdict(finding: Finding) -> str:
    said = verdict_word(finding)
    return f"{said}, since doubt counts as a violation" if finding.is_escalated else said


def _standing(timeline: Timeline, finding: Finding) -> InvariantStanding | None:
    """How the finding's invariant stood at its anchor; None where that is not to be had."""
    index = timeline.sessions.get(finding.trace)
    position = finding.anchor.position
    if not finding.invariant or index is None or position >= len(index.trace):
        return None
    number = index.trace[position]
    if number == CLOSED:
        return None
    standing = look_at(timeline, number)
    return next((i for i in standing.invariants if i.digest == finding.invariant_digest), None)


def _why(standing: InvariantStanding, finding: Finding) -> list[WhyLine]:
    bound = next((b for b in standing.bindings if b.binding == finding.binding), None)
    bound = bound or (standing.bindings[0] if len(standing.bindings) == 1 else None)
    return [_why_line(value) for value in _values(bound)]


def _values(bound: BoundValues | None) -> list[FormulaValue]:
    return [] if bound is None else list(bound.values)


def _why_line(value: FormulaValue) -> WhyLine:
    since = ""
    if value.since is not None:
        words = "at least since" if value.since.is_at_least else "since"
        since = f"{words} event {value.since.position}"
    return WhyLine(min(value.depth, 8), visible(value.text, TEXT_CHARACTERS), value.value, since)


def _witness(finding: Finding, anchor: str, shown: frozenset[int]) -> list[WitnessLine]:
    def place_of(event: WitnessEvent) -> str:
        is_shown = event.is_of(finding.trace) and event.position in shown
        return f"{anchor}-event-{event.position}" if is_shown else ""

    lines = [
        WitnessLine(f"{_event(finding, ref)}: {said}{_roles(ref)}", place_of(ref))
        for said, refs in (("happened", finding.witness), ("could not be told", finding.unknowns))
        for ref in refs[:WITNESS_MAX]
    ]
    for absence in finding.absences[:WITNESS_MAX]:
        formula = visible(absence.formula, TEXT_CHARACTERS)
        lines.append(WitnessLine(f"{absence_span(absence)} never: {formula}"))
        if (ended := absence.undone_by) is not None:
            text = f"{_event(finding, ended)}: ended what had held"
            lines.append(WitnessLine(text, place_of(ended)))
    return lines


def _event(finding: Finding, event: WitnessEvent) -> str:
    trace = TraceKey(event.principal, event.session)
    where = "" if event.is_of(finding.trace) else f" of session {visible(str(trace), 80)}"
    return f"event {event.position}{where}, {visible(event.id, 80)}"


def _roles(event: WitnessEvent) -> str:
    return f" ({visible(', '.join(event.roles), TEXT_CHARACTERS)})" if event.roles else ""


def _done(finding: Finding) -> list[str]:
    if finding.type != "violated" or not finding.respond:
        return []
    asked = ", ".join(visible(word, 40) for word in finding.respond)
    if finding.mode == "observe":
        return [f"The invariant asks for {asked}; in the mode `observe` it only tells."]
    return [f"The invariant asks for {asked}, and enforces it."]
