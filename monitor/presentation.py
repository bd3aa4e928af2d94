"""Findings as text: one line in a list, a page for one finding."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from monitor.findings.model import UNJUDGED_TYPES, Finding, WitnessAbsence, WitnessEvent
from monitor.trace_key import TraceKey

if TYPE_CHECKING:
    from monitor.store.records import StoredAction  # Whoever reads findings need not plan actions.

CHARACTERS_MAX: Final = 200
_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Printable for Python, and nothing to see: two tools would have one name for an operator. Source:
Unicode 15, `Default_Ignorable_Code_Point`, and the blank Braille pattern."""

_WORDS: Final = {
    "violated": "violated",
    "inconclusive": "cannot be decided",
    "gap": "events are missing",
    "lost": "events may be missing",
    "id_conflict": "two events of different content have this ID",
    "provenance": "its topic may not assert this kind",
    "contested": "another principal used its ID before",
    "unowned": "not applied: no principal is named",
    "bypass": "its gate did not see it",
    "break_glass": "an operator opened the gate",
    "misplaced": "not applied: its session has a gate",
    "split": "comes from two partitions",
    "after_end": "came after the end",
    "unscoped": "names no scope",
    "unread": "inconclusive: a record could not be read",
    "disorder": "inconclusive: times run back",
    "capacity": "a bound was reached",
    "unevaluable": "could not be judged",
    "anomaly": "differs from ordinary sessions",
    "birth": "invariants were added to the session",
}


def visible(text: str, characters_max: int = CHARACTERS_MAX) -> str:
    """Text of an event as a terminal may show it: printable, on one line, and bounded."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    shown = _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), shown)
    return shown if len(shown) <= characters_max else shown[: characters_max - 1] + "…"


def time_text(time_ns: int) -> str:
    """Nanoseconds since 1970 as RFC 3339 with milliseconds, in UTC; else the number itself."""
    seconds, rest_ns = divmod(time_ns, 1_000_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        # Foreign numbers, such as in a control record, may be no time at all.
        return f"{time_ns} ns" if abs(time_ns) < 2**64 else "no time"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest_ns // 1_000_000:03d}Z"


def binding_text(finding: Finding) -> str:
    """`x = "a", y = 3`, or nothing; `?` is a value that the event lacks."""
    if finding.binding == {"?": "?"}:
        return "a value is missing"
    pairs = (f"{name} = {value!r}" for name, value in sorted(finding.binding.items()))
    return visible(", ".join(pairs))


def line(finding: Finding) -> str:
    """One line: time, severity, invariant, session and values."""
    name = finding.invariant or finding.type
    told = f" ({binding_text(finding)})" if finding.binding else ""
    more = _others(finding) + _run_size(finding)
    return (
        f"{_when(finding)} {finding.severity:8} {name} "
        f"{_WORDS[finding.type]} {_place(finding)}{told}{more} [{finding.id}]"
    )


def _others(finding: Finding) -> str:
    """The number of further invariants that the same doubt concerns."""
    count = len(finding.undecided) - 1
    if count < 1:
        return ""
    return f"; the same doubt concerns {count} more invariant{'s' if count > 1 else ''}"


def _run_size(finding: Finding) -> str:
    """The size of a run of violations, and its end if it has one."""
    if not finding.is_of_known_run:
        return ""
    return f"; {run_text(finding)}"


def run_text(finding: Finding) -> str:
    """`295 violations in a row until 10:00:00Z, over at 10:05:00Z`; empty without a run."""
    run = finding.run
    if run is None:
        return ""
    if run.count == 1:
        return "1 violation"
    until = f"{run.count:,} violations in a row until {time_text(run.last.time_ns)}"
    return f"{until}, {'so far' if run.over is None else f'over at {time_text(run.over.time_ns)}'}"


def _when(finding: Finding) -> str:
    """The time of the anchor. A record that is not an event has none."""
    is_known = finding.type != "unread" or finding.anchor.time_ns
    return time_text(finding.anchor.time_ns) if is_known else "at no known time"


def _place(finding: Finding) -> str:
    """The session and the event. For a record that is not an event, neither is certain."""
    session = visible(str(finding.trace), 60)
    if finding.type == "unread":
        return f"in {session}" if session else "of no known session"
    return f"in {session} at {visible(finding.anchor.id, 60)}"


def unjudged_text(types: Iterable[str]) -> str:
    """`not everything could be judged: 1 gap, 2 inconclusive`; empty if all could be."""
    counts = Counter(type_ for type_ in types if type_ in UNJUDGED_TYPES)
    told = ", ".join(f"{count} {type_}" for type_, count in sorted(counts.items()))
    return f"not everything could be judged: {told}" if told else ""


def page(finding: Finding, actions: Iterable[StoredAction]) -> list[str]:
    """All fields of a finding, in words."""
    name = finding.invariant or finding.type
    lines = [
        f"{finding.id}: {name}: {_WORDS[finding.type]}",
        *([f"  {visible(finding.summary)}"] if finding.summary else []),
        *_about(finding),
        f"  severity   {finding.severity}",
        f"  session    {visible(finding.session)}",
        *_across(finding),
        *([f"  agent      {visible(finding.agent)}"] if finding.agent else []),
        *([f"  principal  {visible(finding.principal)}"] if finding.principal else []),
        *_roles(finding),
        *_excepted(finding),
        f"  event      {_event_text(finding.anchor)}",
        f"  decided    {time_text(finding.decided_ns)} ({finding.prevention})",
    ]
    if finding.binding:
        lines.append(f"  values     {binding_text(finding)}")
    if finding.detail and finding.anomaly is None:
        lines.append(f"  detail     {visible(finding.detail)}")
    if finding.could_concern:
        lines.append(f"  concerns   {visible(', '.join(finding.could_concern))}")
    lines += _anomaly(finding)
    if finding.is_escalated:
        lines.append("  note       inconclusive; `on_unknown: violate` makes it a violation")
    if finding.is_of_known_run:
        lines.append(f"  run        {run_text(finding)}")
    lines += _undecided(finding)
    lines += _grounds(finding)
    lines += _done(finding, actions)
    return lines


def _undecided(finding: Finding) -> list[str]:
    """Each invariant of a group, with the conditions that were unknown."""
    if len(finding.undecided) < 2:
        return []
    return [
        f"  the same doubt concerns {len(finding.undecided)} invariants:",
        *(
            f"    {member.severity:8} {member.invariant} ({member.digest}) at event "
            f"{member.anchor.position}: {visible(', '.join(member.unknown) or member.summary)}"
            for member in finding.undecided
        ),
    ]


def _about(finding: Finding) -> list[str]:
    """The description, owner, tags and references of the invariant."""
    lines = [f"  {visible(text)}" for text in finding.description.splitlines() if text.strip()]
    if finding.owner:
        lines.append(f"  owner      {visible(finding.owner)}")
    if finding.tags:
        lines.append(f"  tags       {visible(', '.join(finding.tags), CHARACTERS_MAX * 5)}")
    lines += [f"  see        {visible(text, CHARACTERS_MAX * 2)}" for text in finding.references]
    return lines


def _anomaly(finding: Finding) -> list[str]:
    """The score, and the features behind it with their usual ranges."""
    anomaly = finding.anomaly
    if anomaly is None:
        return []
    return [
        f"  score      {anomaly.score:.3g}, above {anomaly.threshold:.3g}: at most "
        f"{anomaly.p_value:.1%} of ordinary sessions reach this score",
        f"  model      {anomaly.model}; it only advises, and stops no session",
        "  because of these features:",
        *(
            f"    {feature.name} {feature.value:.3g} (usually {feature.usual[0]:.3g} to "
            f"{feature.usual[1]:.3g}), {feature.share:+.2f}: {feature.meaning}"
            for feature in anomaly.features
        ),
    ]


def _grounds(finding: Finding) -> list[str]:
    lines = []
    if finding.witness:
        lines.append("  because of these events:")
        lines += map(_witness_line, finding.witness)
    if finding.absences:
        lines.append("  and because there was none of these:")
    for absence in finding.absences:
        lines.append(f"    {visible(absence.formula)}, {absence_span(absence)}")
        if absence.undone_by is not None:
            ended = absence.undone_by
            lines.append(f"      it had held until {_event_text(ended)} ended it")
    if finding.unknowns:
        lines.append("  unknown at these events:")
        lines += map(_witness_line, finding.unknowns)
    return lines


def absence_span(absence: WitnessAbsence) -> str:
    """The span of an absence: at an event, or from one time or event to another."""
    if absence.first is not None and absence.first == absence.last:
        return f"at {_event_text(absence.first)}"
    end = (
        f"before {_event_text(absence.before)}"
        if absence.before
        else f"to {time_text(absence.to_ns)}"
    )
    if absence.after is not None:
        begin = f"after {_event_text(absence.after)}"
    elif absence.from_ns is None:
        begin = "from the beginning"
    else:
        begin = f"from {time_text(max(absence.from_ns, 0))}"
    return f"{begin} {end}"


def _witness_line(event: WitnessEvent) -> str:
    roles = f": {visible(', '.join(event.roles))}" if event.roles else ""
    return f"    {time_text(event.time_ns)}  {_event_text(event)}{roles}"


def _done(finding: Finding, actions: Iterable[StoredAction]) -> list[str]:
    lines = [
        f"    {stored.action.kind} {visible(stored.action.target)}: {_state(stored)}"
        for stored in actions
    ]
    return ["  what was done:", *lines] if lines else []


def _state(stored: StoredAction) -> str:
    if stored.state == "would":
        return "would have been done (mode: observe)"
    outcome = visible(stored.outcome or stored.action.reason)
    return f"{stored.state}{f': {outcome}' if outcome else ''}"


def _event_text(event: WitnessEvent) -> str:
    trace = TraceKey(event.principal, event.session)
    where = f" of session {visible(str(trace), 60)}" if event.session else ""
    return f"event {event.position} ({visible(event.id, 80)}){where}"


def _excepted(finding: Finding) -> list[str]:
    if not finding.excepted_by:
        return []
    id_ = visible(finding.excepted_by)
    return [f"  excepted   by an operator, in {id_}: nobody is stopped for it"]


def _roles(finding: Finding) -> list[str]:
    if finding.standing is None:
        return []
    roles = ", ".join(finding.standing.roles) or "none"
    return [f"  roles      {visible(roles)} (version {finding.standing.version})"]


def _across(finding: Finding) -> list[str]:
    """The agent, user or tenant, if the scope is wider than a session."""
    if finding.scope_kind == "session":
        return []
    whose = f"all sessions of the {finding.scope_kind} {visible(finding.scope)}"
    return [f"  across     {whose if finding.scope else f'no {finding.scope_kind} is named'}"]
