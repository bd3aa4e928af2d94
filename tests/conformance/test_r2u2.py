"""R2U2's regression suite: the verdict of every time, and the time at which it is decided.

R2U2 prints a verdict once it and all verdicts before it are decided, and folds those that become
printable at one time and agree into one line, which names the last of them. So the lines tell when
each verdict was decided, and for formulas without past operators ours must make the same lines.
With past operators R2U2 decides ahead of the present (`O[5,7] p` five steps early) and goes on
after the last event; ours speaks of events that there are: there the values are compared.

At the end of the trace neither decides what the trace leaves open.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from invariants.formula.ast import Formula
from invariants.model.fact import Fact, Truth
from tests.conformance.dejavu import CannotSay
from tests.conformance.r2u2 import ANY_EVENT, SECOND_NS, has_past, parts_of, read
from tests.conformance.totals import begin
from tests.conftest import require_or_skip
from tests.support.engines import Kernel, Step, Verdicts, history, make_invariant, make_moment

CASES = Path(__file__).parents[3] / "shared" / "data" / "conformance" / "r2u2.jsonl"
HOLDS: Final = Fact(Truth.TRUE, {})
LACKING = Counter(
    {
        "inputs that are no booleans": 18,
        "a future operator inside another": 1,
        "two future operators under one `or`": 1,
        "inputs that hold between the times at which they are sampled": 2,
    }
)
"""By construct, how many formulas of the suite our language cannot say."""

Decided = tuple[int, bool]
"""The time at which a verdict became known, and the verdict."""


def test_verdicts_and_decided_times_are_those_of_r2u2() -> None:
    """Every formula over booleans that our language can say; the others by what it lacks."""
    if not CASES.is_file():
        require_or_skip("data", f"`{CASES}` is not there")
    tally = begin("R2U2", "formulas")
    for case in map(json.loads, CASES.read_text().splitlines()):
        lines = [re.fullmatch(r"(\d+):(\d+),([TF])", line) for line in case["oracle"]]
        told = [(int(m[1]), (int(m[2]), m[3] == "T")) for m in lines if m is not None]
        numbers = sorted({number for number, _ in told})
        try:
            steps = steps_of(case["trace"])
            formulas = read(case["spec"])
        except CannotSay as error:
            tally.lacking[str(error)] += len(numbers)
            continue
        assert numbers == [*range(len(formulas))], "as many formulas as R2U2 counts"
        for number, formula in enumerate(formulas):
            theirs = [line for of, line in told if of == number]
            try:
                parts = parts_of(formula)
            except CannotSay as error:
                tally.lacking[str(error)] += 1
                continue
            tally.note(f"{case['id']} formula {number}", difference(formula, parts, steps, theirs))
    assert not tally.failures, "\n".join(tally.failures)
    assert tally.lacking == LACKING


def steps_of(rows: Sequence[str]) -> list[Step]:
    """An event each second, and a tick just after it: what is decided by time is decided then."""
    names = [name.strip() for name in rows[0].lstrip("#").split(",")]
    if any(row.startswith("@") for row in rows):
        raise CannotSay("inputs that hold between the times at which they are sampled")
    steps: list[Step] = []
    for number, row in enumerate(rows[1:]):
        values = dict(zip(names, row.split(","), strict=True))
        letter = {name: HOLDS for name, value in values.items() if value.strip() == "1"}
        letter[ANY_EVENT.predicate] = HOLDS
        steps += [make_moment(number, number * SECOND_NS, letter), number * SECOND_NS + 1]
    return steps


def difference(
    formula: Formula, parts: Sequence[Formula], steps: Sequence[Step], theirs: list[Decided]
) -> str:
    """What R2U2 and we say of one formula on one trace, where that differs."""
    count = len(steps) // 2
    machine, reference = (decided(engine, parts, steps) for engine in ("machine", "reference"))
    if machine != reference:
        return f"machine {machine}, reference {reference}"
    if has_past(formula):
        ours = {at: value for at, (_, value) in machine.items()}
        meant = {at: value for at, value in unfolded(theirs).items() if at < count}
        return "" if ours == meant else f"{ours} != {meant}"
    lines = folded(machine)
    # Of a conjunction R2U2 may print two lines at once, one for each member that decided it.
    is_finer = len(parts) > 1 and set(lines) < set(theirs) and unfolded(lines) == unfolded(theirs)
    return "" if lines == theirs or is_finer else f"{lines} != {theirs}"


def decided(engine: Kernel, parts: Sequence[Formula], steps: Sequence[Step]) -> dict[int, Decided]:
    """For each time, when the formula's verdict became known, and the verdict."""
    histories = [[*history(engine, make_invariant("always", part), steps)] for part in parts]
    found: dict[int, Decided] = {}
    for time in range(len(steps) // 2):
        single = [first_decided(told, time) for told in histories]
        violations = [one for one in single if one is not None and not one[1]]
        if violations:
            found[time] = min(violations)
        elif None not in single:
            found[time] = max(one for one in single if one is not None)
    return found


def first_decided(told: Sequence[Verdicts], time: int) -> Decided | None:
    """A verdict that is not there holds: the event did not ask."""
    for index in range(2 * time, len(told)):
        kind = told[index].get((time, ()), "holds")
        if kind != "pending":
            return index // 2, kind == "holds"
    return None


def folded(verdicts: Mapping[int, Decided]) -> list[Decided]:
    """As R2U2 prints them: in order of time, one line where time and verdict of printing agree."""
    lines: list[tuple[int, Decided]] = []
    printed_at = 0
    for time in range(len(verdicts)):
        if time not in verdicts:
            break
        known_at, value = verdicts[time]
        printed_at = max(printed_at, known_at)
        if lines and lines[-1][1] == (printed_at, value):
            lines.pop()
        lines.append((time, (printed_at, value)))
    return [(time, value) for time, (_, value) in lines]


def unfolded(lines: Sequence[Decided]) -> dict[int, Any]:
    """The verdict of every time: a line speaks of all since the line before."""
    values: dict[int, bool] = {}
    for time, value in lines:
        values |= dict.fromkeys(range(len(values), time + 1), value)
    return values
