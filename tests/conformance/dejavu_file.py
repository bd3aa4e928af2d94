"""A translated property as a whole invariant file, and a log's lines as events for it.

The same predicates twice: as CEL, which the loader and the engine read, and as plain facts, which
the reference and the machine read. The two must come to the same violations.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Final

from invariants.formula.ast import Formula
from invariants.formula.format import format_formula
from invariants.model.fact import Fact, Truth, canonical
from invariants.model.trace_point import TracePoint
from tests.conformance.dejavu import Pred
from tests.conformance.dejavu_rewriting import SECOND_NS, holds, predicate_name
from tests.support.engines import make_moment

Value = str | int
_SIGNS: Final = {"=": "=="}


def invariant_file(formulas: Sequence[Formula], predicates: Iterable[Pred]) -> str:
    """YAML with one predicate for each event that the formulas name, and one invariant each."""
    lines = ["version: 1", "predicates:"]
    for name, pred in sorted({predicate_name(pred): pred for pred in predicates}.items()):
        when = f'kind == "{pred.name}" && size(args.a) == {len(pred.terms)}'
        for sign, position, value in pred.conditions:
            when += f" && args.a[{position}] {_SIGNS.get(sign, sign)} {value}"
        lines += [f"  {name}:", f"    when: {when}"]
        if pred.terms:
            lines.append("    with:")
            lines += [f"      a{n}: args.a[{n}]" for n in range(len(pred.terms))]
    lines.append("invariants:")
    for number, formula in enumerate(formulas):
        lines += [f"  - id: part-{number}", "    severity: warning"]
        lines.append(f"    never: '{format_formula(formula)}'")
    return "\n".join(lines) + "\n"


def events(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The log's lines: an untimed log has a line each second."""
    made = []
    for number, line in enumerate(case["log"]):
        name, *arguments = line.split(",")
        time_s = int(arguments.pop()) if case["timed"] else number
        made.append(
            {
                "session": "log",
                "seq": number,
                "ts": time_s * SECOND_NS,
                "kind": name or "nothing",  # One log has an empty line.
                "args": {"a": [_value(argument) for argument in arguments]},
            }
        )
    return made


def are_times_rising(case: dict[str, Any]) -> bool:
    """Whether each event is later than the one before it."""
    times = [event["ts"] for event in events(case)]
    return all(before < after for before, after in itertools.pairwise(times))


def moments(case: dict[str, Any], predicates: Iterable[Pred]) -> list[TracePoint]:
    """The log as formulas see it. A time that runs back is raised to the one before it."""
    used = {predicate_name(pred): pred for pred in predicates}
    trace: list[TracePoint] = []
    for number, event in enumerate(events(case)):
        kind, values = event["kind"], event["args"]["a"]
        facts = {name: _fact(values) for name, p in used.items() if _is_met(p, kind, values)}
        before_ns = trace[-1].time_ns if trace else 0
        trace.append(make_moment(number, max(event["ts"], before_ns), facts))
    return trace


def _value(text: str) -> Value:
    return int(text) if text.lstrip("-").isdigit() else text


def _is_met(pred: Pred, name: str, values: Sequence[Value]) -> bool:
    is_named = name == pred.name and len(values) == len(pred.terms)
    return is_named and all(_holds(values[at], sign, v) for sign, at, v in pred.conditions)


def _holds(left: Value, sign: str, right: object) -> bool:
    assert isinstance(right, str | int)
    return holds(left, sign, right)


def _fact(values: Sequence[Value]) -> Fact:
    kept = {f"a{n}": canonical(value) for n, value in enumerate(values)}
    assert None not in kept.values(), "a missing value would make the event inconclusive"
    return Fact(Truth.TRUE, {name: (value,) for name, value in kept.items() if value is not None})
