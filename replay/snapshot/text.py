"""A `Standing` as text for people: the important parts first, quiet invariants last.

Every text of an event goes through `visible`: a terminal interprets control characters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from monitor.findings.model import WitnessEvent
from monitor.kernel.standing import (
    BoundValues,
    FormulaValue,
    InvariantStanding,
    MemoryStanding,
    PendingStanding,
    SliceStanding,
    TallyStanding,
)
from monitor.presentation import line, time_text, visible
from replay.snapshot.model import EventSeen, SessionClock, Standing

_FATES: Final = {
    "taken": "",
    "repeat": "It is a duplicate and changes nothing.",
    "refused": "No invariant sees it (see the findings).",
    "rejected": "It is not a valid event: no invariant sees it, here or live.",
    "other": "It belongs to a session whose state has been evicted.",
}
_STATUS: Final = {
    "violated": "VIOLATED",
    "currently_violated": "violated if the session ended now",
    "inconclusive": "could not be decided",
    "satisfied": "satisfied",
    "currently_satisfied": "satisfied so far",
}
_RANK: Final = {
    "violated": 0,
    "currently_violated": 1,
    "inconclusive": 2,
    "currently_satisfied": 3,
    "satisfied": 3,
}
_LINES_MAX: Final = 20
"""Chosen: slices or pending verdicts of one invariant on a screen; JSON has more of them."""


def standing_lines(standing: Standing) -> list[str]:
    """The whole page."""
    lines = list(_event(standing.event))
    if standing.clock is not None:
        lines += _clock(standing.clock)
    if standing.findings:
        lines += ["", f"Found so far in this session ({len(standing.findings)}):"]
        lines += [f"  {line(finding)}" for finding in standing.findings]
    ordered = sorted(standing.invariants, key=lambda one: (_RANK[one.status], one.id))
    for invariant in ordered:
        if not _is_quiet(invariant):
            lines += ["", *_invariant(invariant)]
    quiet = [invariant.id for invariant in ordered if _is_quiet(invariant)]
    if quiet:
        lines += ["", f"Nothing to tell of: {', '.join(quiet)}"]
    return lines


def _event(event: EventSeen) -> Iterator[str]:
    where = f"{visible(event.topic, 60)}/{visible(event.partition, 60)}@{event.offset}"
    if not event.session:
        yield f"Record {event.record}, {where}: {visible(event.problem)}"
        yield _FATES[event.fate]
        return
    number = "a record" if event.position is None else f"event {event.position}"
    what = f"{event.kind} {event.tool}".strip()
    yield f"After {number} of session {visible(event.session, 80)}: {visible(what, 80)}"
    if _FATES[event.fate]:
        yield f"  {_FATES[event.fate]}"
    yield f"  id         {visible(event.id, 80)}"
    yield f"  recorded   as record {event.record}, from {where}"
    yield f"  happened   {time_text(event.ts_ns)} by its producer's clock"
    if event.arrival_ns is not None:
        yield f"  arrived    {time_text(event.arrival_ns)}"
    if event.time_ns:
        yield f"  counts as  {time_text(event.time_ns)}"


def _clock(clock: SessionClock) -> Iterator[str]:
    if clock.agent:
        yield f"  agent      {visible(clock.agent, 80)}"
    if clock.principal:
        yield f"  principal  {visible(clock.principal, 80)}"
    if clock.tick_ns is not None:
        yield f"  ticks      had reached {time_text(max(clock.tick_ns, 0))}"
    if clock.ended_ns is not None:
        yield f"  ended      {time_text(clock.ended_ns)}"
    if clock.missing_seq:
        holes = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in clock.missing_seq[:10])
        yield f"  missing    events numbered {holes}"


def _is_quiet(invariant: InvariantStanding) -> bool:
    """True if it remembers nothing, waits for nothing and has found nothing."""
    is_bad = _RANK[invariant.status] < 3
    is_idle = not invariant.pending_count and not any(m.bindings_count for m in invariant.memories)
    is_true = any(bound.values[0].value in ("true", "unknown") for bound in invariant.bindings)
    return is_idle and not is_bad and not is_true


def _invariant(invariant: InvariantStanding) -> Iterator[str]:
    yield f"{invariant.id} ({invariant.severity}): {_STATUS[invariant.status]}"
    yield f"  {visible(invariant.formula, 400)}"
    for bound in invariant.bindings[:_LINES_MAX]:
        yield from _bound(bound)
    yield from _more(invariant.bindings_count, len(invariant.bindings), "bindings")
    for memory in invariant.memories:
        if memory.bindings_count:
            yield from _memory(memory)
    if invariant.pending:
        yield f"  waits for {visible(invariant.waits_for, 200)}:"
        yield from (f"    {_pending(waiting)}" for waiting in invariant.pending[:_LINES_MAX])
        yield from _more(invariant.pending_count, len(invariant.pending), "waiting")
    if invariant.lost_count:
        yield f"  bounds were reached {invariant.lost_count} time(s): some of this is unknown"


def _bound(bound: BoundValues) -> Iterator[str]:
    name = _binding(bound.binding)
    yield f"  {f'for {name}, ' if name else ''}violated where the first of these is true:"
    for value in bound.values:
        yield f"    {value.value:8} {'  ' * value.depth}{visible(value.text)}{_since(value)}"


def _since(value: FormulaValue) -> str:
    since = value.since
    if since is None:
        return ""
    if since.is_at_least:
        return f"  (for longer than since event {since.position})"
    return f"  (since event {since.position}, {time_text(since.time_ns)})"


def _memory(memory: MemoryStanding) -> Iterator[str]:
    yield f"  {visible(memory.text, 200)} remembers:"
    lines = [_slice(one) for one in memory.slices] + [_tally(one) for one in memory.tallies]
    yield from (f"    {text}" for text in lines[:_LINES_MAX])
    yield from _more(memory.bindings_count, len(lines), "bindings")


def _slice(held: SliceStanding) -> str:
    name = _binding(held.binding)
    text = f"{name or 'it'} is {held.value}"
    if held.certain:
        text += f", by {_events(held.certain)}"
    if held.possible:
        text += f", perhaps by {_events(held.possible)}"
    return text + (", and some entries were not added at a bound" if held.has_lost else "")


def _tally(held: TallyStanding) -> str:
    name = _binding(held.binding)
    amount = "unknown" if held.least is None else f"{held.least}"
    if held.greatest != held.least:
        amount = f"between {held.least} and {held.greatest}"
        if held.greatest is None:
            amount = f"at least {held.least}"
        elif held.least is None:
            amount = f"at most {held.greatest}"
    text = f"{name or 'all'}: {amount}, of {held.certain_count} event(s)"
    if held.possible_count:
        text += f" and {held.possible_count} that may count"
    return text + (", and some entries were not added at a bound" if held.has_lost else "")


def _pending(waiting: PendingStanding) -> str:
    name = _binding(waiting.binding)
    until = (
        "without a deadline"
        if waiting.deadline_ns is None
        else f"until {time_text(waiting.deadline_ns)}"
    )
    text = f"since event {waiting.anchor.position} ({visible(waiting.anchor.id, 60)}), {until}"
    return f"{text}{f', for {name}' if name else ''}: {waiting.if_ended} if the session ended now"


def _events(events: list[WitnessEvent]) -> str:
    shown = ", ".join(f"event {e.position} ({visible(e.id, 40)})" for e in events[-3:])
    return shown if len(events) <= 3 else f"{shown} and {len(events) - 3} before"


def _binding(binding: dict[str, Any]) -> str:
    return visible(", ".join(f"{name} = {value!r}" for name, value in sorted(binding.items())))


def _more(count: int, shown: int, what: str) -> Iterator[str]:
    if count > min(shown, _LINES_MAX):
        yield f"    ... {count} {what} in all"
