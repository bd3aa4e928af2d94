"""DejaVu's own test cases through our loader and engine: the violating events must be theirs.

The cases are data of others (`../shared/data/conformance/dejavu.jsonl`); `dejavu.py` translates
them. What our language cannot say is counted by the construct that it lacks, and the counts are
asserted: no case can fall silent.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from invariants.check import read_specs
from invariants.errors import SpecError
from invariants.event import Event, Origin
from invariants.program import Program, compile_program
from monitor.decode.native import decode_event
from monitor.engine import Engine, EngineSettings
from tests.conformance.dejavu import CannotSay, formula_text, invariant_file, read
from tests.conftest import require_or_skip

CASES = Path(__file__).parents[3] / "shared" / "data" / "conformance" / "dejavu.jsonl"
SAID_MIN = 44

CONSTRUCTS = {
    "E406": "a quantified variable that the event at hand does not name",
    "E407": "a quantified variable inside an operator whose operand does not name it",
    "E408": "a left side of `since` with a variable that its right side lacks",
    "E409": "order between values inside a temporal operator",
}


def programs(text: str) -> list[Program]:
    """One program for each property of a specification. Raises CannotSay."""
    made = []
    for found in read(text):
        try:
            specs, _ = read_specs([("translated.yaml", invariant_file(formula_text(found)))])
        except SpecError as error:
            code = error.faults[0].code
            raise CannotSay(CONSTRUCTS.get(code, str(error.faults[0]))) from None
        made.append(compile_program(specs))
    return made


def violations(program: Program, case: dict[str, Any]) -> set[int]:
    """The numbers, from 1, of the events of the log at which the property is violated."""
    engine = Engine(program, EngineSettings(trust_ts=True))
    found: set[int] = set()
    for number, line in enumerate(case["log"]):
        name, *arguments = line.split(",")
        time_s = int(arguments.pop()) if case["timed"] else number
        content = {
            "session": "log",
            "seq": number,
            "ts": time_s * 1_000_000_000,
            "kind": name or "nothing",  # One log has an empty line.
            "args": {"a": [int(a) if a.lstrip("-").isdigit() else a for a in arguments]},
        }
        event = decode_event(msgspec.json.encode(content), Origin("dejavu", "0", number))
        assert isinstance(event, Event), "a line of a log is an event"
        for finding in engine.step(event):
            assert finding.type == "violated", f"{finding.type}: nothing is unknown in these logs"
            found.add(number + 1)
    return found


def test_violations_are_those_that_dejavu_finds(capsys: pytest.CaptureFixture[str]) -> None:
    """Every case that our language can say; the others by what it lacks."""
    if not CASES.is_file():
        require_or_skip("data", f"`{CASES}` is not there")
    cases = [json.loads(line) for line in CASES.read_text().splitlines()]
    lacking: Counter[str] = Counter()
    wrong: list[str] = []
    for case in cases:
        try:
            compiled = programs(case["property"])
        except CannotSay as error:
            lacking[str(error)] += 1
            continue
        found = set().union(*(violations(program, case) for program in compiled))
        if found != set(case["violations_at_event"]):
            wrong.append(f"{case['id']}: {sorted(found)} != {case['violations_at_event']}")
    said = len(cases) - lacking.total()
    with capsys.disabled():
        print(
            f"\nconformance: {said - len(wrong)} passed, {lacking.total()} cannot say, "
            f"{len(wrong)} failed (DejaVu, {len(cases)} cases)"
        )
        for construct, count in lacking.most_common():
            print(f"  {count} cannot say: {construct}")
    assert not wrong
    assert said >= SAID_MIN
    assert set(lacking) <= {*CONSTRUCTS.values(), *OTHERS}, "a construct that nobody named"


OTHERS = {
    "recursive rules (`where`)",
    "`Z` (strict since)",
    "`true` as a formula",
    "`false` as a formula",
}
