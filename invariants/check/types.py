"""Values that can never be equal or summed because of their types (E412, E416).

Only types that are certain before any event are compared: those of literals, and of CEL expressions
whose type the checker knows. A value of type `any` causes no fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ..cel.ast import Call
from ..cel.checked import CheckedExpression
from ..formula.ast import (
    Aggregate,
    AggregateComparison,
    Anything,
    Comparison,
    Constant,
    Term,
    Variable,
)
from ..formula.format import format_literal
from ..model.errors import Fault, Place
from ..model.fact import Value
from ..spec.model import InvariantSpec
from .safety import atoms_of, subformulas

# Types of CEL as docs/language.md compares values; all others may turn out as anything.
_SORTS: Final = {
    "string": "text",
    "int": "a number",
    "double": "a number",
    "bool": "a truth value",
}


Values = Mapping[tuple[str, str], CheckedExpression]
"""By the names of the predicate and the value."""


def check_types(invariant: InvariantSpec, values: Values, file: str) -> Iterator[Fault]:
    """Faults of one invariant; `known` holds the certain types of its variables so far."""
    types = _value_types(invariant, values)
    sorts = {value: _SORTS[met] for value, met in types.items() if met in _SORTS}
    known: dict[str, str] = {}
    for atom in atoms_of(invariant.formula):
        for name, term in atom.arguments:
            sort = sorts.get((atom.predicate, name))
            what = f"`{name}` of `{atom.predicate}`"
            yield from _match(term, sort, known, what=what, place=atom.place, file=file)
    for node in subformulas(invariant.formula):
        if isinstance(node, Comparison):
            yield from _check_comparison(node, known, file)
        elif isinstance(node, AggregateComparison):
            yield from _check_bound(node, known, file)
            for aggregate in node.aggregates:
                yield from _check_aggregate(aggregate, sorts, node.place, file)
                yield from _check_lists(aggregate, types, node.place, file)


def _value_types(invariant: InvariantSpec, values: Values) -> Mapping[tuple[str, str], str]:
    """The CEL types of the values of the predicates that the invariant names, `any` left out."""
    used = {atom.predicate for atom in atoms_of(invariant.formula)}
    return {
        (predicate, name): type_
        for (predicate, name), value in values.items()
        if predicate in used
        if (type_ := _certain_type(value)) != "any"
    }


def _certain_type(value: CheckedExpression) -> str:
    """For CEL, `number(...)` is an int or a double, and so of no certain type; here it is one."""
    is_number = isinstance(value.node, Call) and value.node.function == "number"
    return "double" if is_number else value.type


def _sort_of_value(value: Value) -> str:
    if isinstance(value, str):
        return "text"
    return "a truth value" if isinstance(value, tuple) else "a number"


def _match(
    term: Term, sort: str | None, known: dict[str, str], *, what: str, place: Place, file: str
) -> Iterator[Fault]:
    """Faults of one argument; its type is stored in `known` for its variable."""
    if sort is None:
        return
    if isinstance(term, Constant) and _sort_of_value(term.value) != sort:
        literal = format_literal(term.value)
        message = f"{what} is {sort}, and `{literal}` is {_sort_of_value(term.value)}"
        yield Fault(file, place, "E412", message, f"they are never equal; compare with {sort}")
    elif isinstance(term, Variable) and known.setdefault(term.name, sort) != sort:
        message = f"{what} is {sort}, and `{term.name}` is {known[term.name]} elsewhere"
        yield Fault(file, place, "E412", message, "they are never equal; convert one in `with`")


def _check_comparison(node: Comparison, known: Mapping[str, str], file: str) -> Iterator[Fault]:
    left, right = (
        known.get(side.name) if isinstance(side, Variable) else _sort_of_value(side.value)
        for side in (node.left, node.right)
    )
    if left is not None and right is not None and left != right:
        message = f"`{node.operator}` compares {left} with {right}"
        yield Fault(file, node.place, "E412", message, "convert one of them in `with`")


def _check_bound(node: AggregateComparison, known: Mapping[str, str], file: str) -> Iterator[Fault]:
    bound = node.bound
    if isinstance(bound, Variable) and known.get(bound.name, "a number") != "a number":
        message = f"an aggregate is a number, and `{bound.name}` is {known[bound.name]}"
        yield Fault(file, node.place, "E412", message, "convert it in `with`: `number(...)`")


def _check_aggregate(
    aggregate: Aggregate, sorts: Mapping[tuple[str, str], str], place: Place, file: str
) -> Iterator[Fault]:
    if aggregate.value is None or aggregate.function == "distinct":
        return
    sort = sorts.get((aggregate.atom.predicate, aggregate.value), "a number")
    if sort != "a number":
        what = f"`{aggregate.value}` of `{aggregate.atom.predicate}`"
        message = f"`{aggregate.function}` takes numbers, and {what} is {sort}"
        yield Fault(file, place, "E412", message, "convert it in `with`: `number(...)`")


def _check_lists(
    aggregate: Aggregate, types: Mapping[tuple[str, str], str], place: Place, file: str
) -> Iterator[Fault]:
    """Two lists may not be arguments of one atom: their elements are not paired."""
    predicate, value = aggregate.atom.predicate, aggregate.value
    if value is None or types.get((predicate, value)) != "list":
        return
    for name, term in aggregate.atom.arguments:
        is_other_list = name != value and types.get((predicate, name)) == "list"
        if is_other_list and not isinstance(term, Anything):
            message = (
                f"`{value}` and `{name}` of `{predicate}` are lists; their elements are not paired"
            )
            mend = f"write `{name}=_`, or give one of them a single value in `with`"
            yield Fault(file, place, "E416", message, mend)
