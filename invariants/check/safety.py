"""Forbidden parts of a formula: future operators, unbound variables, order of values.

Input: one invariant. Output: faults E405 to E411. The rules are those of docs/language.md, sections
"Formulas" and "Variables". Each is applied to the violating formula, and each fault has the place
in the author's text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..formula.ast import (
    FUTURE_OPERATORS,
    AggregateComparison,
    Atom,
    Binary,
    Comparison,
    Constant,
    Exists,
    Formula,
    Not,
    SessionEnd,
    Temporal,
    Until,
)
from ..formula.format import format_formula
from ..model.errors import Fault, Place
from ..spec.model import InvariantSpec
from .future_mends import mend_of_future
from .normal_form import (
    bound_variables,
    free_variables,
    guarded_variables,
    term_variables,
    violating_formula,
)

# Chosen: `iff` doubles its operands, so a short text could expand to 2^100 nodes.
NORMAL_NODES_MAX: Final = 10_000


def subformulas(formula: Formula) -> Iterator[Formula]:
    """The formula and everything in it, from left to right."""
    yield formula
    match formula:
        case Not(body) | Temporal(body=body) | Exists(body=body):
            yield from subformulas(body)
        case Binary(_, left, right) | Until(_, _, left, right):
            yield from subformulas(left)
            yield from subformulas(right)
        case Atom() | SessionEnd() | Comparison() | AggregateComparison():
            pass


def atoms_of(formula: Formula) -> Iterator[Atom]:
    """Every atom, also those that aggregates count."""
    for node in subformulas(formula):
        if isinstance(node, Atom):
            yield node
        elif isinstance(node, AggregateComparison):
            yield from (aggregate.atom for aggregate in node.aggregates)


def check_formula(invariant: InvariantSpec, file: str) -> list[Fault]:
    """All faults of an invariant's formula that do not depend on the meaning of its names."""
    nodes_count = _normal_nodes_count(invariant.formula)
    if nodes_count > NORMAL_NODES_MAX:
        message = (
            f"expanded, this formula has {nodes_count} parts; the maximum is {NORMAL_NODES_MAX}"
        )
        mend = "use fewer nested `iff`, or name parts of it as predicates"
        return [Fault(file, invariant.formula_source.place, "E411", message, mend)]
    faults = [*_check_future(invariant, file), *_check_order(invariant.formula, file)]
    if invariant.report == "edge" and any(map(_is_future, subformulas(invariant.formula))):
        message = "`report: edge` needs immediate verdicts, and this formula has a future operator"
        mend = "write `report: first` or `report: every`"
        faults.append(Fault(file, invariant.place, "E413", message, mend))
    if any(fault.code == "E405" for fault in faults):
        return faults  # With a misplaced future operator, binding faults would be misleading.
    violating = violating_formula(invariant)
    faults += _check_bound(invariant, violating, file)
    for node in subformulas(violating):
        faults += _check_argument(node, invariant, file)
    return faults


def _normal_nodes_count(formula: Formula) -> int:
    match formula:
        case Not(body) | Temporal(body=body) | Exists(body=body):
            return 1 + _normal_nodes_count(body)
        case Binary("iff", left, right):
            return 3 + 2 * (_normal_nodes_count(left) + _normal_nodes_count(right))
        case Binary(_, left, right) | Until(_, _, left, right):
            return 1 + _normal_nodes_count(left) + _normal_nodes_count(right)
        case _:
            return 1


def _check_future(invariant: InvariantSpec, file: str) -> Iterator[Fault]:
    """Future operators are allowed only in `always: P implies F` and `never: P and not F`."""
    node = _misplaced_future(invariant)
    if node is not None:
        # Only the outermost misplaced operator is reported.
        message = f"`{node.operator}` is a future operator, which is allowed only once, at the top"
        mend = mend_of_future(invariant, node, _is_accepted)
        yield Fault(file, node.place, "E405", message, mend)


def _is_accepted(invariant: InvariantSpec) -> bool:
    return _misplaced_future(invariant) is None and not check_formula(invariant, "")


def _misplaced_future(invariant: InvariantSpec) -> Temporal | Until | None:
    top = _future_at_top(invariant)
    for node in subformulas(invariant.formula):
        if isinstance(node, Temporal | Until) and _is_future(node) and node is not top:
            return node
    return None


def _future_at_top(invariant: InvariantSpec) -> Formula | None:
    match invariant.form, invariant.formula:
        case "always", Binary("implies", _, right) if _is_future(right):
            return right
        case "never", Binary("and", _, Not(body)) if _is_future(body):
            return body
        case _:
            return None


def _is_future(formula: Formula) -> bool:
    return isinstance(formula, Temporal | Until) and formula.operator in FUTURE_OPERATORS


def _check_order(formula: Formula, file: str, *, is_inside: bool = False) -> Iterator[Fault]:
    """Order is compared at the event at hand, and never of truth values."""
    match formula:
        case Comparison(operator, left, right, place) if operator not in ("==", "!="):
            shown = format_formula(formula)
            if is_inside:
                message = f"`{shown}` compares order inside a temporal operator"
                mend = "compare in the predicate's `when`, or beside the operator"
                yield Fault(file, place, "E409", message, mend)
            if any(isinstance(s, Constant) and isinstance(s.value, tuple) for s in (left, right)):
                message = f"`{shown}` compares the order of a truth value, so it is always unknown"
                yield Fault(file, place, "E410", message, "write `==` or `!=`")
        case Not(body) | Exists(body=body):
            yield from _check_order(body, file, is_inside=is_inside)
        case Temporal(body=body):
            yield from _check_order(body, file, is_inside=True)
        case Binary(_, left_part, right_part):
            yield from _check_order(left_part, file, is_inside=is_inside)
            yield from _check_order(right_part, file, is_inside=is_inside)
        case Until(_, _, left_part, right_part):
            yield from _check_order(left_part, file, is_inside=True)
            yield from _check_order(right_part, file, is_inside=True)
        case _:
            pass


def _check_bound(invariant: InvariantSpec, violating: Formula, file: str) -> Iterator[Fault]:
    """Rule 1: the violating formula binds every variable free in it."""
    unbound = free_variables(violating) - bound_variables(violating)
    for variable in sorted(unbound):
        leaf, path = _first_leaf(invariant.formula, variable)
        reason, mend = _explain_unbound(variable, leaf, path, invariant)
        yield Fault(file, leaf.place, "E406", f"`{variable}` is not bound: {reason}", mend)


Leaf = Atom | Comparison | AggregateComparison


def _first_leaf(
    formula: Formula, variable: str, path: tuple[Formula, ...] = ()
) -> tuple[Leaf, tuple[Formula, ...]]:
    """The first leaf with a free variable, and the nodes around it, outermost first."""
    inside = (*path, formula)
    match formula:
        case Not(body) | Temporal(body=body) | Exists(body=body):
            return _first_leaf(body, variable, inside)
        case Binary(_, left, right) | Until(_, _, left, right):
            part = left if variable in free_variables(left) else right
            return _first_leaf(part, variable, inside)
        case Atom() | Comparison() | AggregateComparison():
            return formula, path
        case SessionEnd():
            raise AssertionError("it names no variable")


def _explain_unbound(
    variable: str, leaf: Leaf, path: tuple[Formula, ...], invariant: InvariantSpec
) -> tuple[str, str]:
    if isinstance(leaf, Comparison):
        reason = f"`{format_formula(leaf)}` compares it, but nothing gives it a value"
        return reason, f"bind it in a predicate of the current event: `p(name={variable})`"
    if isinstance(leaf, AggregateComparison):
        atom = leaf.aggregate.atom
        joined = "implies" if invariant.form == "always" else "and"
        if variable not in {n for _, t in atom.arguments for n in term_variables(t)}:
            reason = "nothing gives the limit of this aggregate a value"
            return reason, f"write a number, or bind it: `p(name={variable}) {joined} ...`"
        reason = (
            f"`{leaf.aggregate.function}` does not bind variables, so no event triggers the check"
        )
        return reason, f"write the trigger: `{format_formula(atom)} {joined} ...`, or write `_`"
    temporal = [node for node in path if isinstance(node, Temporal | Until)]
    if temporal:
        operator = temporal[0].operator
        reason = f"it is used only inside `{operator}`, and the current event gives it no value"
        name = next(name for name, term in leaf.arguments if variable in term_variables(term))
        mend = f"write `{name}=_` for any value, or use it in a predicate of the current event too"
        return reason, mend
    if any(isinstance(node, Binary) and node.operator in ("or", "iff") for node in path):
        reason = f"some violations of `{invariant.id}` do not give it a value"
        return reason, "use it on both sides, write two invariants, or write `_`"
    reason = "a violation needs this predicate to be false, so it gives no value"
    return reason, "write `_`, or use it in a predicate that must be true"


def _check_argument(node: Formula, invariant: InvariantSpec, file: str) -> Iterator[Fault]:
    """Rules 2 and 3, for one node of the violating formula."""
    match node:
        case Temporal(operator, _, body, place):
            bound = guarded_variables(body) if operator == "previous" else bound_variables(body)
            for variable in sorted(free_variables(body) - bound):
                word = _word_at(place, invariant.formula) or operator
                reason, mend = _explain_argument(word, variable, body)
                yield Fault(file, place, "E407", reason, mend)
        case Until(operator, _, left, right, place):
            for variable in sorted(free_variables(right) - bound_variables(right)):
                reason = f"the right side of `{operator}` does not bind `{variable}`"
                mend = f"begin it with a predicate: `p(name={variable}) and ...`"
                yield Fault(file, place, "E407", reason, mend)
            yield from _check_left(operator, left, right, place, file)
        case Exists(_, body, place):
            for variable in sorted(free_variables(body) - bound_variables(body)):
                reason = f"the body of this `exists` does not bind `{variable}`"
                mend = f"use it there in a predicate that must be true: `p(name={variable})`"
                yield Fault(file, place, "E407", reason, mend)
        case _:
            pass


def _word_at(place: Place, formula: Formula) -> str:
    """The temporal operator that the author wrote at a place."""
    for node in subformulas(formula):
        if isinstance(node, Temporal) and node.place == place:
            return node.operator
    return ""


def _explain_argument(word: str, variable: str, body: Formula) -> tuple[str, str]:
    if word in ("historically", "always"):
        # `not eventually` would not be at the top.
        dual = "not once" if word == "historically" else "always not"
        reason = (
            f"`{word}` requires every event to have the value of `{variable}`, and few events do"
        )
        mend = f"write `_`, or state the negation: `{dual} p(name={variable})`"
        return reason, mend
    reason = f"the operand of `{word}` does not bind `{variable}`"
    if _has_temporal(body):
        return reason, f"write one `{word}` with one window, around a predicate"
    if isinstance(body, Not):
        mend = f"a negated predicate gives no value; write `_`, or `not {word} ...`"
        return reason, mend
    return reason, f"use it there in a predicate that must be true: `p(name={variable})`"


def _has_temporal(formula: Formula) -> bool:
    return any(isinstance(node, Temporal | Until) for node in subformulas(formula))


def _check_left(
    operator: str, left: Formula, right: Formula, place: Place, file: str
) -> Iterator[Fault]:
    """Rule 3: variables on the left are the right's, and only in predicates at the event."""
    for variable in sorted(free_variables(left) - free_variables(right)):
        reason = f"the left side of `{operator}` uses `{variable}`, and the right side does not"
        mend = "use it on the right side too, or write `_`"
        yield Fault(file, place, "E408", reason, mend)
    for node, names_free in _beyond_atoms(left, frozenset()):
        mend = "move it out of the temporal operator, or write `_`"
        if isinstance(node, Comparison):
            mend = f"compare it beside `{operator}`, or in the predicate's `when`"
        elif isinstance(node, AggregateComparison):
            mend = "move it out of the aggregate, or write `_`"
        names = ", ".join(f"`{name}`" for name in sorted(names_free))
        reason = f"on the left side of `{operator}`, {names} may be used only in predicates"
        yield Fault(file, node.place, "E408", reason, mend)


def _beyond_atoms(
    formula: Formula, bound: frozenset[str]
) -> Iterator[tuple[Formula, frozenset[str]]]:
    """The outermost comparisons, aggregates and temporal operators with their free variables.

    A variable that an `exists` around them binds is not free: it means values of the event alone.
    """
    match formula:
        case Comparison() | AggregateComparison() | Temporal() | Until():
            if names := free_variables(formula) - bound:
                yield formula, names
        case Not(body):
            yield from _beyond_atoms(body, bound)
        case Exists(variable, body):
            yield from _beyond_atoms(body, bound | {variable})
        case Binary(_, left, right):
            yield from _beyond_atoms(left, bound)
            yield from _beyond_atoms(right, bound)
        case Atom() | SessionEnd():
            pass
