"""Every case of `fixtures/cases/` through both engines: the reference and the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cases import Case, load_cases, show_verdicts
from tests.support.engines import Engine, history

DIRECTORY = Path(__file__).parents[2] / "fixtures" / "cases"
CASES = load_cases(DIRECTORY)
NOT_YET_IN_THE_MACHINE = {}
"""By file: what the machine must fail today."""


def parameters() -> list[object]:
    """Each case with each engine; what the machine cannot do yet fails, and must fail."""
    chosen: list[object] = []
    for case in CASES:
        chosen.append(pytest.param("reference", case, id=f"reference-{case.name}"))
        reason = NOT_YET_IN_THE_MACHINE.get(case.file)
        marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
        chosen.append(pytest.param("machine", case, id=f"machine-{case.name}", marks=marks))
    return chosen


@pytest.mark.parametrize(("engine", "case"), parameters())
def test_case(engine: Engine, case: Case) -> None:
    """At every checkpoint the engine has told exactly the verdicts that the case lists."""
    stages = [{}, *map(show_verdicts, history(engine, case.invariant, case.steps))]
    for steps_count, expected in case.checkpoints:
        assert stages[steps_count] == expected, f"{case.note}: after {steps_count} steps"


def test_all_sixteen_cases_are_there() -> None:
    """docs/language.md ends with sixteen cases; each has at least one case here."""
    numbers = {case.name.split("-")[0] for case in CASES}
    assert {f"{number:02}" for number in range(1, 17)} <= numbers
