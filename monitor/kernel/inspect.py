"""The invariants of one session at one of its events: memories, pending verdicts and values.

Input: a program, and the points of a session's trace up to the event. Nothing changes. Readers need
no other view of states: replay, the report and explanations look through this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

import msgspec

from invariants.model.verdict import EventRef
from invariants.operators.contract import Count, Key, Memory, Times, env_of
from invariants.operators.future import Anchor
from invariants.operators.nodes import Env
from invariants.runtime.scope_program import Compiled, ScopeProgram
from monitor.findings.grouping import members_of
from monitor.findings.model import Finding, WitnessEvent
from monitor.kernel.formula_values import (
    TRUTH_NAMES,
    CellsAtEvent,
    Point,
    env_text,
    reading_of,
    values_at,
)
from monitor.kernel.standing import (
    SHOWN_MAX,
    InvariantStanding,
    MemoryStanding,
    PendingStanding,
    SliceStanding,
    Status,
    TallyStanding,
    TruthName,
)

INT64_MAX: Final = 2**63 - 1


def standings(
    program: ScopeProgram, life: Sequence[Point], told: list[Finding], only: str = ""
) -> list[InvariantStanding]:
    """Each invariant at the last point of `life`, or the one with the digest `only`.

    `told` are the findings of the session up to then. Invariants about wider scopes cannot be told
    from the session alone.
    """
    is_whole = life[0].header.position == 1
    return [
        _invariant(program, index, compiled, life, told, is_whole=is_whole)
        for index, compiled in enumerate(program.invariants)
        if only in ("", compiled.digest)
    ]


def _invariant(
    program: ScopeProgram,
    index: int,
    compiled: Compiled,
    life: Sequence[Point],
    told: list[Finding],
    *,
    is_whole: bool,
) -> InvariantStanding:
    step = life[-1]
    declared, automaton = compiled.declared, compiled.automaton
    state = step.progress.states[index]
    reading = reading_of(program, index, step)
    values, bindings_count = values_at(program, index, life, is_whole=is_whole)
    pending = _pending(compiled, step, index)
    future = automaton.tables.future
    return InvariantStanding(
        id=declared.id,
        digest=compiled.digest,
        severity=declared.severity,
        mode=declared.mode,
        status=_status(compiled, step, told, pending),
        formula=declared.formula,
        violating=declared.violating,
        waits_for="" if future is None else future.text,
        bindings=values,
        bindings_count=bindings_count,
        memories=[_memory(compiled, memory, reading) for memory in automaton.tables.memories],
        pending=pending[:SHOWN_MAX],
        pending_count=state.pending.waiting_count,
        lost_count=state.lost_count,
    )


def _status(
    compiled: Compiled, step: Point, told: Sequence[Finding], pending: list[PendingStanding]
) -> Status:
    """By docs/language.md, Verdicts."""
    verdicts = (verdict for finding in told for verdict in members_of(finding))
    types = {verdict.type for verdict in verdicts if verdict.invariant_digest == compiled.digest}
    if "violated" in types:
        return "violated"
    if any(compiled.declared.id in finding.could_concern for finding in told):
        return "inconclusive"  # A record could not be read, or times run back.
    if step.header.ended_ns is not None and not pending:
        return "inconclusive" if "inconclusive" in types else "satisfied"
    is_bad = any(waiting.if_ended == "violated" for waiting in pending)
    return "currently_violated" if is_bad else "currently_satisfied"


def _pending(compiled: Compiled, step: Point, index: int) -> list[PendingStanding]:
    """Pending verdicts, oldest first."""
    automaton = compiled.automaton
    future, cell = automaton.tables.future, step.progress.states[index].pending
    if future is None or not cell.waiting_count:
        return []
    _, decisions = future.end(cell, step.event.time_ns)
    high_ns = future.window.high_ns
    escalates = compiled.declared.on_unknown == "violate"
    names = ("holds", "violated" if escalates else "inconclusive", "violated")

    def told(anchor: Anchor, truth: int) -> PendingStanding:
        return PendingStanding(
            anchor=_event(anchor.ref),
            binding=env_text(automaton, anchor.env),
            deadline_ns=None if high_ns is None else anchor.ref.time_ns + high_ns,
            if_ended=names[truth],
        )

    return [told(decision.anchor, decision.truth) for decision in decisions]


def _memory(compiled: Compiled, memory: Memory, reading: CellsAtEvent) -> MemoryStanding:
    """The content of an operator, for the first bindings in the order of their texts."""
    now, cells = reading
    content = memory.describe(now, cells)
    width = compiled.automaton.tables.width

    def binding_of(key: Key) -> tuple[dict[str, Any], Env]:
        env = env_of(key, memory.slots, width)
        return env_text(compiled.automaton, env), env

    slices = []
    for held in content.times:
        binding, env = binding_of(held.key)
        truth = memory.read(now, cells, env).truth
        slices.append(_slice(binding, TRUTH_NAMES[truth], held))
    tallies = [_tally(binding_of(held.key)[0], held) for held in content.counts]
    return MemoryStanding(
        text=memory.text,
        slices=sorted(slices, key=lambda one: _order(one.binding))[:SHOWN_MAX],
        tallies=sorted(tallies, key=lambda one: _order(one.binding))[:SHOWN_MAX],
        bindings_count=len(slices) + len(tallies),
        lost_count=content.lost_count,
    )


def _slice(binding: dict[str, Any], value: TruthName, held: Times) -> SliceStanding:
    return SliceStanding(
        binding=binding,
        value=value,
        certain=[_event(ref) for ref in held.certain[-SHOWN_MAX:]],
        possible=[_event(ref) for ref in held.possible[-SHOWN_MAX:]],
        has_lost=held.has_lost,
    )


def _tally(binding: dict[str, Any], held: Count) -> TallyStanding:
    return TallyStanding(
        binding=binding,
        certain_count=held.certain_count,
        possible_count=held.possible_count,
        least=None if held.range is None else _end(held.range[0]),
        greatest=None if held.range is None else _end(held.range[1]),
        newest=None if held.newest is None else _event(held.newest),
        has_lost=held.has_lost,
    )


def _end(number: int | Fraction | float) -> int | float | str | None:
    """An end of a range; None if it is open."""
    return None if isinstance(number, float) else plain_number(number)


def plain_number(number: int | Fraction) -> int | float | str:
    """An exact number as JSON can carry it."""
    if isinstance(number, int):
        return number if abs(number) <= INT64_MAX else f"{float(number):g}"
    try:
        return float(number)
    except OverflowError:
        return "beyond every double"


def _order(binding: dict[str, Any]) -> bytes:
    """An order of bindings that does not depend on the process."""
    return msgspec.json.encode(binding, order="sorted")


def _event(ref: EventRef) -> WitnessEvent:
    return WitnessEvent(ref.position, ref.time_ns, ref.id)
