"""DejaVu's own test cases: the violating events must be theirs, for reference, machine and engine.

The cases are data of others (`../shared/data/conformance/dejavu.jsonl`); `dejavu.py` reads and
`dejavu_rewriting.py` translates them. What our language cannot say is counted by the construct that
it lacks, and the counts are asserted: no case can fall silent. docs/conformance.md tells more.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from interlock.limits import stated_time
from invariants.check.specs import read_specs
from invariants.formula.ast import Formula
from invariants.image.compile import compile_program
from invariants.model.errors import SpecError
from invariants.model.event import Event, Origin
from invariants.runtime.program import Program
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from tests.conformance.dejavu import CannotSay, Pred, read
from tests.conformance.dejavu_file import are_times_rising, events, invariant_file, moments
from tests.conformance.dejavu_rewriting import predicates_of, violations_of
from tests.conformance.totals import begin
from tests.conftest import require_or_skip
from tests.support.engines import Verdicts, final_verdicts, make_invariant

CASES = Path(__file__).parents[3] / "shared" / "data" / "conformance" / "dejavu.jsonl"
CASES_COUNT = 127

CONSTRUCTS = {
    "E406": "a variable that the event at hand does not name (DejaVu: all values, or those seen)",
    "E407": "a value that only earlier events join or hold (DejaVu: all values, or those seen)",
    "E408": "a left side of `since` with a variable that its right side lacks",
}
"""By the code of our loader's fault."""

LACKING = Counter(
    {
        "recursive rules (`where`)": 27,
        CONSTRUCTS["E406"]: 24,
        CONSTRUCTS["E407"]: 17,
        CONSTRUCTS["E408"]: 6,
        "`Z`, the strict since, in a log whose times stand still or run back": 1,
    }
)
"""How many cases our language cannot say, by construct."""


def test_violations_are_those_that_dejavu_finds() -> None:
    """Every case that our language can say; the others by what it lacks."""
    if not CASES.is_file():
        require_or_skip("data", f"`{CASES}` is not there")
    cases = [json.loads(line) for line in CASES.read_text().splitlines()]
    tally = begin("DejaVu", "cases")
    for case in cases:
        try:
            formulas, predicates = translated(case)
            program = loaded(formulas, predicates)
        except CannotSay as error:
            tally.lacking[str(error)] += 1
            continue
        by_engine = engine_violations(program, case)
        by_machine, by_reference = formula_violations(formulas, predicates, case)
        theirs = set(case["violations_at_event"])
        is_equal = by_engine == by_machine == by_reference == theirs
        found = f"engine {by_engine}, machine {by_machine}, reference {by_reference}"
        tally.note(case["id"], "" if is_equal else f"{found}, DejaVu {theirs}")
    assert not tally.failures, "\n".join(tally.failures)
    assert tally.lacking == LACKING
    assert tally.passed_count + tally.lacking.total() == len(cases) == CASES_COUNT


def translated(case: dict[str, Any]) -> tuple[list[Formula], list[Pred]]:
    """Formulas that say what violates any property of the case, and what they name."""
    trees = read(case["property"])
    is_rising = are_times_rising(case)
    formulas = [f for tree in trees for f in violations_of(tree, are_times_rising=is_rising)]
    return formulas, [pred for tree in trees for pred in predicates_of(tree)]


def loaded(formulas: list[Formula], predicates: list[Pred]) -> Program:
    """Through the loader, which refuses what our language cannot say."""
    try:
        specs, _ = read_specs([("translated.yaml", invariant_file(formulas, predicates))])
    except SpecError as error:
        fault = next(fault for fault in error.faults if fault.code.startswith("E"))
        raise CannotSay(CONSTRUCTS.get(fault.code, str(fault))) from None
    return compile_program(specs)


def engine_violations(program: Program, case: dict[str, Any]) -> set[int]:
    """The numbers, from 1, of the violating events, from bytes to findings."""
    engine = Kernel(program, KernelSettings(trust_ts=True))
    found: set[int] = set()
    for number, content in enumerate(events(case), start=1):
        stated = {**content, "ts": stated_time(content["ts"])}
        event = decode_event(msgspec.json.encode(stated), Origin("dejavu", "0", number))
        assert isinstance(event, Event), "a line of a log is an event"
        for finding in engine.step(event):
            assert finding.type == "violated", f"{finding.type}: nothing is unknown in these logs"
            found.add(number)
    return found


def formula_violations(
    formulas: list[Formula], predicates: list[Pred], case: dict[str, Any]
) -> tuple[set[int], set[int]]:
    """The same by the machine and by the reference, which must agree on every verdict."""
    trace = moments(case, predicates)
    found: tuple[set[int], set[int]] = (set(), set())
    for formula in formulas:
        invariant = make_invariant("never", formula)
        machine = final_verdicts("machine", invariant, trace)
        reference = final_verdicts("reference", invariant, trace)
        assert machine == reference, f"{case['id']}: machine {machine}, reference {reference}"
        for numbers, verdicts in zip(found, (machine, reference), strict=True):
            numbers |= violated(verdicts)
    return found


def violated(verdicts: Verdicts) -> set[int]:
    """Event numbers from 1."""
    return {position + 1 for (position, _), kind in verdicts.items() if kind == "violated"}
