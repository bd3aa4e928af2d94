"""Predicates and sources: each of their expressions parsed, typed, and fit for its place.

Output: the checked form, or None after an error, and all faults and warnings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .cel.asked import NO_SOURCES, SourcePlaces
from .cel.checked import CheckedExpression, check_expression
from .checked import CheckedPredicate, CheckedSource
from .errors import Fault
from .spec import PredicateSpec, SourceSpec


def check_predicate(
    spec: PredicateSpec,
    *,
    file: str,
    lists: Mapping[str, Sequence[Any]],
    sources: SourcePlaces = NO_SOURCES,
) -> tuple[CheckedPredicate | None, list[Fault]]:
    """`when` must be able to be a truth value, and each value to be usable."""
    faults: list[Fault] = []
    checked: list[CheckedExpression] = []
    for written in (spec.when, *(value for _, value in spec.values)):
        expression, found = check_expression(written, file=file, lists=lists, sources=sources)
        faults += found
        if expression is not None:
            checked.append(expression)
    if len(checked) <= len(spec.values):
        return None, faults
    when, *values = checked
    faults += _type_faults(spec, file, when, values)
    if any(fault.severity == "error" for fault in faults):
        return None, faults
    named = tuple((name, value) for (name, _), value in zip(spec.values, values, strict=True))
    return CheckedPredicate(spec.name, when, named, spec.place), faults


def values_of_faulty(
    spec: PredicateSpec, *, file: str, lists: Mapping[str, Sequence[Any]], sources: SourcePlaces
) -> Iterator[tuple[str, CheckedExpression]]:
    """The values without an error of a predicate with one: what is compared with them is told."""
    for name, written in spec.values:
        expression, _ = check_expression(written, file=file, lists=lists, sources=sources)
        if expression is not None:
            yield name, expression


def _type_faults(
    spec: PredicateSpec, file: str, when: CheckedExpression, values: Sequence[CheckedExpression]
) -> list[Fault]:
    """`when` that is certainly no truth value, and values that are certainly missing."""
    faults: list[Fault] = []
    if when.type not in ("bool", "any"):
        message = f"`when` of `{spec.name}` is {when.type}, not a truth value"
        faults.append(Fault(file, spec.when.place, "E104", message, "compare it with something"))
    for (name, source), value in zip(spec.values, values, strict=True):
        if value.type in ("map", "null"):
            message = f"`{name}` of `{spec.name}` is {value.type}, which cannot be a value"
            faults.append(Fault(file, source.place, "E104", message, "name one of its fields"))
    return faults


def check_source(
    spec: SourceSpec, *, file: str, lists: Mapping[str, Sequence[Any]], sources: SourcePlaces
) -> tuple[CheckedSource | None, list[Fault]]:
    """`when` must be able to be a truth value; neither part may ask what was shown before."""
    faults: list[Fault] = []
    checked: list[CheckedExpression] = []
    for written in (spec.when, spec.values):
        expression, found = check_expression(written, file=file, lists=lists, sources=sources)
        faults += found
        if expression is None:
            continue
        checked.append(expression)
        if expression.sources:
            message = f"the source `{spec.name}` uses `seen` or `only_from`"
            mend = "use `seen` and `only_from` only in predicates"
            faults.append(Fault(file, written.place, "E110", message, mend))
    if len(checked) == 2 and checked[0].type not in ("bool", "any"):
        message = f"`when` of `{spec.name}` is {checked[0].type}, not a truth value"
        mend = "compare it with something"
        faults.append(Fault(file, spec.when.place, "E104", message, mend))
    if any(fault.severity == "error" for fault in faults):
        return None, faults
    when, values = checked
    return CheckedSource(spec.name, when, values, spec.place), faults
