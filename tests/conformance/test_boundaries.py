"""Every operator and every pattern at each of its boundaries, through reference and machine.

`fixtures/boundaries/` holds, by operator, an invariant and its cases; a case names its boundary.
`low` is an invariant whose window begins above 0, `limit` one for what an aggregate is compared
with. What a case says of itself is checked: that a case of `above` really has an event (or a tick)
a nanosecond past the end of a window, and so on. The operators are taken from the types of formulas
and from the table of patterns, so that one that is new fails until it has its cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import pytest
import yaml

from invariants.formula import ast
from invariants.formula.ast import AggregateComparison, Formula, Window
from invariants.formula.format import format_formula
from invariants.model.trace_point import TracePoint
from invariants.spec.load import load_spec
from invariants.spec.pattern_table import PATTERNS
from tests.laws.census import nodes_of
from tests.support.cases import QUICK_LOADER, Case, parse_case, show_verdicts
from tests.support.engines import Kernel, history

DIRECTORY: Final = Path(__file__).parents[2] / "fixtures" / "boundaries"
EVERYWHERE: Final = {"empty", "first", "equal", "end"}
WINDOW: Final = {"below", "at", "above"}
LOW: Final = {"low_below", "low_at", "low_above"}
LIMIT: Final = {"limit_below", "limit_at", "limit_above"}
PATTERN_FILE: Final = """version: 1
predicates: {p: "true", a: "true", b: "true", c: "true"}
invariants:
  - id: x
    severity: info
    pattern: """


def words_of(node: type, name: str) -> tuple[str, ...]:
    """The operators that a kind of node may have."""
    return get_args(get_type_hints(node)[name])


AGGREGATES: Final = get_args(ast.AggregateFunction)
NEEDED: Final[dict[str, set[str]]] = {
    **dict.fromkeys(words_of(ast.Temporal, "operator"), EVERYWHERE | WINDOW | LOW),
    **dict.fromkeys(words_of(ast.Until, "operator"), EVERYWHERE | WINDOW | LOW),
    **dict.fromkeys(("exists", "session_end"), EVERYWHERE | WINDOW | LOW),
    **dict.fromkeys(AGGREGATES, EVERYWHERE | WINDOW | LIMIT),
    **dict.fromkeys(("not", *words_of(ast.Binary, "operator")), EVERYWHERE | {"values"}),
    **dict.fromkeys(get_args(ast.Operator), EVERYWHERE | LIMIT),
    **{
        name: EVERYWHERE
        | (WINDOW if "within" in pattern.optional else set())
        | (LIMIT if "times" in pattern.required or name == "exactly_once" else set())
        | ({"unless"} if "unless" in pattern.optional else set())
        for name, pattern in PATTERNS.items()
    },
}
"""By operator, the boundaries that it has."""
KINDS: Final[dict[type, str]] = {
    ast.Temporal: "operator",
    ast.Until: "operator",
    ast.Binary: "operator",
    ast.Comparison: "operator",
    ast.Aggregate: "function",
}
NAMES: Final[dict[type, str]] = {
    ast.Not: "not",
    ast.Exists: "exists",
    ast.SessionEnd: "session_end",
}
WITHOUT_OPERATOR: Final = {ast.Atom, AggregateComparison}


@dataclass(frozen=True)
class Boundary:
    """One case, with the operator and the boundary that it is about."""

    operator: str
    name: str
    case: Case


def load_boundaries() -> Iterator[Boundary]:
    """All cases of all operators."""
    for path in sorted(DIRECTORY.glob("*.yaml")):
        for operator, said in yaml.load(path.read_text("utf-8"), QUICK_LOADER).items():
            for number, written in enumerate(said["cases"]):
                name = written["boundary"]
                invariant = said.get(name.split("_")[0], said["invariant"])
                yield Boundary(
                    operator, name, _case(path.stem, operator, number, written, invariant)
                )


def _case(
    file: str, operator: str, number: int, written: dict[str, Any], invariant: dict[str, Any]
) -> Case:
    pattern = invariant.get("pattern")
    said = _expanded(pattern) if pattern else invariant
    note = f"{operator}: {written['boundary']}"
    document = {"note": note, "run": written["run"], "verdicts": written["verdicts"]}
    return parse_case(
        document | {"invariant": said}, file, f"-{operator}-{written['boundary']}-{number}"
    )


def _expanded(pattern: dict[str, Any]) -> dict[str, str]:
    spec, faults = load_spec(PATTERN_FILE + yaml.safe_dump(pattern, default_flow_style=True), "x")
    assert spec is not None, faults
    (loaded,) = spec.invariants
    return {loaded.form: format_formula(loaded.formula)}


CASES: Final = list(load_boundaries())


@pytest.mark.parametrize("engine", get_args(Kernel))
@pytest.mark.parametrize("boundary", CASES, ids=lambda boundary: boundary.case.name)
def test_boundary(engine: Kernel, boundary: Boundary) -> None:
    """At every checkpoint the engine has told exactly the verdicts that the case lists."""
    case = boundary.case
    stages = [{}, *map(show_verdicts, history(engine, case.invariant, case.steps))]
    for steps_count, expected in case.checkpoints:
        assert stages[steps_count] == expected, f"{case.note}: after {steps_count} steps"


def test_every_operator_has_every_boundary() -> None:
    """The matrix has no hole, no operator that is unknown, and no boundary that is misspelt."""
    have: dict[str, set[str]] = {}
    for boundary in CASES:
        have.setdefault(boundary.operator, set()).add(boundary.name)
    assert have == NEEDED


def test_every_kind_of_node_has_its_row() -> None:
    """A new kind of formula fails here until it is said what its boundaries are."""
    assert set(get_args(Formula)) | {ast.Aggregate} == {*KINDS, *NAMES, *WITHOUT_OPERATOR}


@pytest.mark.parametrize("boundary", CASES, ids=lambda boundary: boundary.case.name)
def test_a_case_is_about_its_boundary(boundary: Boundary) -> None:
    """The invariant has the operator, and the run has what the name of the boundary says."""
    nodes = list(nodes_of(boundary.case.invariant.formula))
    if boundary.operator not in PATTERNS:
        assert boundary.operator in {_name_of(node) for node in nodes}
    windows = [node for node in nodes if isinstance(node, Window)]
    assert _is_about(boundary, windows), boundary.case.note


def _name_of(node: object) -> str:
    if type(node) in KINDS:
        return str(getattr(node, KINDS[type(node)]))
    return NAMES.get(type(node), "")


def _is_about(boundary: Boundary, windows: list[Window]) -> bool:
    case = boundary.case
    moments = [step for step in case.steps if isinstance(step, TracePoint)]
    times = [step.time_ns if isinstance(step, TracePoint) else step for step in case.steps]
    gaps = {later - earlier for n, later in enumerate(times) for earlier in times[:n]}
    match boundary.name:
        case "empty":
            return not case.steps
        case "first":
            return len(moments) == 1 == len(case.steps)
        case "equal":
            return len(moments) > 1 and len(set(times)) == 1
        case "end":
            return any(moment.is_session_end for moment in moments)
        case "below" | "at" | "above":
            beside = {"below": -1, "at": 0, "above": 1}[boundary.name]
            return any(w.high_ns + beside in gaps for w in windows if w.high_ns is not None)
        case "low_below" | "low_at" | "low_above":
            beside = {"low_below": -1, "low_at": 0, "low_above": 1}[boundary.name]
            return any(window.low_ns > 0 and window.low_ns + beside in gaps for window in windows)
        case "values":
            return len(moments) >= 3
        case _:
            return bool(moments)


@pytest.mark.parametrize("operator", NEEDED)
def test_bounds_make_a_difference(operator: str) -> None:
    """What is expected just inside of a bound is not all that is expected just outside."""
    verdicts: dict[str, list[list[str]]] = {}
    for boundary in CASES:
        if boundary.operator == operator:
            expected = boundary.case.checkpoints[-1][1]
            verdicts.setdefault(boundary.name, []).append(sorted(expected.values()))
    for one, other in (("at", "above"), ("low_below", "low_at")):
        assert one not in verdicts or verdicts[one] != verdicts[other], (operator, one)
    limits = [verdicts[name][0] for name in sorted(LIMIT) if name in verdicts]
    assert not limits or len({str(limit) for limit in limits}) > 1, operator
