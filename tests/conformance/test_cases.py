"""Every case of `fixtures/cases/` through both engines: the reference and the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cases import Case, load_cases, show_verdicts
from tests.support.engines import Kernel, history

DIRECTORY = Path(__file__).parents[2] / "fixtures" / "cases"
CASES = load_cases(DIRECTORY)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("engine", ["reference", "machine"])
def test_case(engine: Kernel, case: Case) -> None:
    """At every checkpoint the engine has told exactly the verdicts that the case lists."""
    stages = [{}, *map(show_verdicts, history(engine, case.invariant, case.steps))]
    for steps_count, expected in case.checkpoints:
        assert stages[steps_count] == expected, f"{case.note}: after {steps_count} steps"


def test_all_sixteen_cases_are_there() -> None:
    """docs/language.md ends with sixteen cases; each has at least one case here."""
    numbers = {case.name.split("-")[0] for case in CASES}
    assert {f"{number:02}" for number in range(1, 17)} <= numbers
