"""The lesson of docs/language.md: its tables are computed, its files show what is violated."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from invariants.check.checked import CheckedSpec
from invariants.check.specs import RefusedNames, check_specs, read_specs
from invariants.formula.parser import parse_formula
from invariants.spec.load import load_spec
from invariants.spec.model import Example, Spec
from monitor.authoring.examples import prepare_trial

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "language.md").read_text()
LESSON = PAGE[PAGE.index("## In fifteen minutes") : PAGE.index("That is the language.")]
FILE = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"^\| event \| `.*\n\|[-|]+\n((?:\|.*\n)+)", re.MULTILINE)
WORDS_MAX = 2_600
"""Chosen: what fifteen minutes are enough for, files included."""


def _checked(text: str) -> CheckedSpec:
    return read_specs([("page.yaml", text)])[0][0]


def _spec(text: str) -> Spec:
    spec, faults = load_spec(text, "page.yaml")
    assert spec is not None, faults
    return spec


def _tables() -> list[tuple[str, str]]:
    """Each table of formulas, with the file that stands before it."""
    files = list(FILE.finditer(LESSON))
    return [
        ([file[1] for file in files if file.start() < table.start()][-1], table[0])
        for table in TABLE.finditer(LESSON)
    ]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def _is_true_at(spec: CheckedSpec, formula: str, example: Example) -> frozenset[int]:
    """Where a formula is true: it is there that the engine says that it must never be."""
    said = replace(spec.invariants[0], form="never", formula=parse_formula(formula), examples=())
    (marks,) = prepare_trial(replace(spec, invariants=(said,)), [said]).marks(example.events)
    assert not marks.inconclusive_at
    return marks.violated_at


@pytest.mark.parametrize(("file", "table"), _tables(), ids=["once", "since"])
def test_tables_are_computed(file: str, table: str) -> None:
    """Each cell of a table is what the engine says of its formula at its event."""
    head, _, *rows = table.strip().split("\n")
    formulas = [cell.strip("`") for cell in _cells(head)[1:]]
    spec = _checked(file)
    examples = [example for invariant in spec.invariants for example in invariant.examples]
    (example,) = [example for example in examples if len(example.events) == len(rows)]
    truths = [_is_true_at(spec, formula, example) for formula in formulas]
    computed = [
        [str(n), *("yes" if n in truth else "no" for truth in truths)] for n in range(len(rows))
    ]
    assert [_cells(row) for row in rows] == computed


@pytest.mark.parametrize("file", FILE.findall(LESSON), ids=lambda file: file.split("\n")[0])
def test_every_file_of_the_lesson_shows_a_violation(file: str) -> None:
    """Each invariant has an example in which it is violated, and events at which it is not."""
    for invariant in _spec(file).invariants:
        assert any(example.violated_at for example in invariant.examples), invariant.id
        assert any(len(e.events) > len(e.violated_at) for e in invariant.examples), invariant.id


def test_a_variable_that_no_event_names_is_refused() -> None:
    """As the lesson says, word for word, of `y`."""
    wrong = "never: payment(to=x) and once approved(to=y)"
    assert f"`{wrong}` is\nrefused" in LESSON
    (file,) = [file for file in FILE.findall(LESSON) if file.startswith("# payments.yaml")]
    right = "always: payment(to=x) implies once[10m] approved(to=x)"
    assert right in file
    text = file.replace(right, wrong)
    assert "E406" in {fault.code for fault in check_specs([(_spec(text), RefusedNames())]).faults}
    some = text.replace("approved(to=y)", "approved(to=_)")
    assert not [
        fault
        for fault in check_specs([(_spec(some), RefusedNames())]).faults
        if fault.severity == "error"
    ]


def test_the_lesson_can_be_read_in_fifteen_minutes() -> None:
    """It is short, and has its parts in the order in which they are needed."""
    assert len(LESSON.split()) <= WORDS_MAX
    parts = ("never: drops_table", "once secret_read", "implies once green", "since green")
    parts += (
        "once[10m]",
        "on_unknown: violate",
        "count(failed",
        "eventually[15m]",
        "Data memories",
    )
    places = [LESSON.index(part) for part in parts]
    assert places == sorted(places)
