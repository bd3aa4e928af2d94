"""Predicates and sources: each of their expressions parsed, typed, and fit for its place.

Output: the checked form, or None after an error, and all faults and warnings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..cel.checked import CheckedExpression, check_expression
from ..cel.data_functions import NO_SOURCES, SourcePlaces
from ..model.errors import Fault
from ..model.source_text import SourceText
from ..spec.model import PredicateSpec, SourceSpec
from .checked import CheckedPredicate, CheckedSource


def check_predicate(
    spec: PredicateSpec,
    *,
    file: str,
    lists: Mapping[str, Sequence[Any]],
    sources: SourcePlaces = NO_SOURCES,
) -> tuple[CheckedPredicate | None, list[Fault]]:
    """`when` must be able to be a truth value, and each value to be usable."""
    written = (spec.when, *(value for _, value in spec.values))
    checked, faults = _checked(written, file=file, lists=lists, sources=sources)
    if len(checked) < len(written):
        return None, faults
    when, *values = checked
    faults += [*_when_faults(spec, file, when), *_value_faults(spec, file, values)]
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


def _checked(
    written: Sequence[SourceText],
    *,
    file: str,
    lists: Mapping[str, Sequence[Any]],
    sources: SourcePlaces,
) -> tuple[list[CheckedExpression], list[Fault]]:
    """The expressions without an error, and the faults of all."""
    checked: list[CheckedExpression] = []
    faults: list[Fault] = []
    for source in written:
        expression, found = check_expression(source, file=file, lists=lists, sources=sources)
        checked += () if expression is None else (expression,)
        faults += found
    return checked, faults


def _when_faults(
    spec: PredicateSpec | SourceSpec, file: str, when: CheckedExpression
) -> Iterator[Fault]:
    """`when` that is certainly not a truth value."""
    if when.type not in ("bool", "any"):
        message = f"`when` of `{spec.name}` is {when.type}, not a truth value"
        yield Fault(file, spec.when.place, "E104", message, "compare it with something")


def _value_faults(
    spec: PredicateSpec, file: str, values: Sequence[CheckedExpression]
) -> Iterator[Fault]:
    """Values that are certainly missing."""
    for (name, source), value in zip(spec.values, values, strict=True):
        if value.type in ("map", "null"):
            message = f"`{name}` of `{spec.name}` is {value.type}, which cannot be a value"
            yield Fault(file, source.place, "E104", message, "name one of its fields")


def check_source(
    spec: SourceSpec, *, file: str, lists: Mapping[str, Sequence[Any]], sources: SourcePlaces
) -> tuple[CheckedSource | None, list[Fault]]:
    """`when` must be able to be a truth value; neither part may ask what was shown before."""
    written = (spec.when, spec.values)
    checked, faults = _checked(written, file=file, lists=lists, sources=sources)
    for expression in checked:
        if expression.sources:
            message = f"the source `{spec.name}` uses `seen` or `only_from`"
            mend = "use `seen` and `only_from` only in predicates"
            faults.append(Fault(file, expression.place, "E110", message, mend))
    if len(checked) == len(written):
        faults += _when_faults(spec, file, checked[0])
    if any(fault.severity == "error" for fault in faults):
        return None, faults
    when, values = checked
    return CheckedSource(spec.name, when, values, spec.place), faults
