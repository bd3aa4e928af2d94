"""DejaVu's properties as violating formulas of ours, meaning kept.

    violations_of(tree) -> formulas: the property is violated at an event where any of them is true

What is violated is brought into a disjunction of conjunctions, one invariant (`never: ...`) each.
Quantifiers go inward as far as they can (`exists x P p(x)` is `P exists x p(x)`, and
`exists x p(x)` is `p(_)`); those left outermost are our free variables. Each step is valid whatever
the quantifiers range over, as long as what they bind is named by an event that must hold: whether
it is, our own loader decides, and refuses the rest.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import reduce
from itertools import product
from typing import Final, Literal

from invariants.formula import ast
from tests.conformance.dejavu import (
    TRUE,
    Binary,
    Bounds,
    CannotSay,
    Constant,
    Exists,
    Name,
    Not,
    Pred,
    Previous,
    Rel,
    Since,
    Term,
    Tree,
)

SECOND_NS: Final = 1_000_000_000
FAR_S: Final = 1_000_000  # `[>n]` has no end, our windows have: one beyond the end of every log.
ANY: Final = Name("_")
FALSE: Final = Constant(False)
_OPPOSITE: Final = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "=": "!=", "!=": "="}


def violations_of(tree: Tree, *, are_times_rising: bool) -> list[ast.Formula]:
    """Formulas that are true exactly where the property is violated. Raises CannotSay."""
    violating = _settled(_normal(tree, is_negated=True), is_inside=False)
    return [
        _conjunction([_rendered(part, are_times_rising) for part in row])
        for row in _rows(violating)
    ]


# `not` inward.


def _normal(tree: Tree, *, is_negated: bool = False) -> Tree:
    """The tree, or its negation, with `not` only before events, operators and quantifiers."""
    match tree:
        case Constant(is_true):
            return Constant(is_true != is_negated)
        case Rel(sign, left, right):
            return Rel(_OPPOSITE[sign], left, right) if is_negated else tree
        case Not(body):
            return _normal(body, is_negated=not is_negated)
        case Binary("implies", left, right):
            return _normal(Binary("or", Not(left), right), is_negated=is_negated)
        case Binary("iff", left, right):
            both, neither = Binary("and", left, right), Binary("and", Not(left), Not(right))
            return _normal(Binary("or", both, neither), is_negated=is_negated)
        case Binary(word, left, right):
            is_and = (word == "and") != is_negated
            first, second = (_normal(side, is_negated=is_negated) for side in (left, right))
            return Binary("and" if is_and else "or", first, second)
        case Previous(body):
            plain: Tree = Previous(_normal(body))
        case Since(left, right):
            plain = replace(tree, left=_normal(left), right=_normal(right))
        case Exists(_, body):
            plain = replace(tree, body=_normal(body))
        case Pred():
            plain = tree
    return Not(plain) if is_negated else plain


# Quantifiers inward, comparisons into the predicates of the events that they speak of.


def _settled(tree: Tree, *, is_inside: bool) -> Tree:
    """`is_inside` a temporal operator, comparisons become part of an event's predicate."""
    match tree:
        case Not(body):
            return _not(_settled(body, is_inside=is_inside))
        case Binary(word, left, right):
            sides = [_settled(side, is_inside=is_inside) for side in (left, right)]
            if word == "or":
                return _or(sides)
            return _or(_and(_merged(row, is_inside)) for row in _rows(_and(sides), opens=False))
        case Previous(body):
            return Previous(_settled(body, is_inside=True))
        case Since(left, right):
            left, right = (_settled(side, is_inside=True) for side in (left, right))
            return FALSE if right == FALSE else replace(tree, left=left, right=right)
        case Exists(_, body):
            rows = _rows(_settled(body, is_inside=is_inside), opens=False)
            return _or(_quantified(tree, row, is_inside) for row in rows)
        case Rel(sign, left, right):
            return _compared(sign, left, right)
        case _:
            return tree


def _rows(tree: Tree, *, opens: bool = True) -> list[list[Tree]]:
    """A disjunction of conjunctions; if `opens`, outermost quantifiers become free variables."""
    match tree:
        case Constant(is_true):
            return [[]] if is_true else []
        case Binary("or", left, right):
            return _rows(left, opens=opens) + _rows(right, opens=opens)
        case Binary("and", left, right):
            pairs = product(_rows(left, opens=opens), _rows(right, opens=opens))
            return [[*first, *second] for first, second in pairs]
        case Exists(_, body) if opens:
            return _rows(body)
        case _:
            return [[tree]]


def _quantified(quantifier: Exists, row: Sequence[Tree], is_inside: bool) -> Tree:
    """`exists x` before one conjunction."""
    variable = quantifier.variable
    for part in row:
        match part:
            case Rel("=", Name(name), str() | int() as value) if name == variable:
                if quantifier.is_seen:
                    raise CannotSay("a literal that must have been seen")
                rest = _and(_put(other, variable, value) for other in row if other is not part)
                return _settled(rest, is_inside=is_inside)
    about = [part for part in row if variable in _free(part)]
    others = [part for part in row if variable not in _free(part)]
    match about:
        case []:
            assert not quantifier.is_seen, "a variable that nothing uses"
            return _and(others)
        case [Pred(name, terms, conditions)] if terms.count(Name(variable)) == 1:
            any_terms = tuple(ANY if term == Name(variable) else term for term in terms)
            return _and([*others, Pred(name, any_terms, conditions)])
        case [Previous(body)]:
            inner = _settled(replace(quantifier, body=body), is_inside=True)
            return _and([*others, Previous(inner)])
        case [Since(left, right) as since] if variable not in _free(left):
            inner = _settled(replace(quantifier, body=right), is_inside=True)
            return _and([*others, replace(since, right=inner)])
        case _:
            return _and([*others, replace(quantifier, body=_and(about))])


def _merged(row: Sequence[Tree], is_inside: bool) -> list[Tree]:
    """`p(x) & x < 3` inside an operator is one predicate with a condition on its event."""
    parts = list(row)
    comparisons = [p for p in parts if isinstance(p, Rel) and isinstance(p.right, str | int)]
    for comparison in comparisons if is_inside else []:
        for index, part in enumerate(parts):
            if isinstance(part, Pred) and comparison.left in part.terms:
                position = part.terms.index(comparison.left)
                condition = (comparison.operator, position, comparison.right)
                parts[index] = replace(part, conditions=(*part.conditions, condition))
                parts.remove(comparison)
                break
    return parts


def _compared(sign: str, left: Term, right: Term) -> Tree:
    """A comparison of two literals is decided here."""
    if isinstance(left, Name) or isinstance(right, Name):
        return Rel(sign, left, right)
    return Constant(holds(left, sign, right))


def holds(left: str | int, sign: str, right: str | int) -> bool:
    """Order between numbers only: nobody's order of texts is meant."""
    if sign in ("=", "!="):
        return (left == right) == (sign == "=")
    assert isinstance(left, int) and isinstance(right, int), f"{left!r} {sign} {right!r}"
    return bool(_ORDERS[sign](left, right))


_ORDERS: Final = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def _put(tree: Tree, variable: str, value: Term) -> Tree:
    """The tree with a value for a variable; names are unique, so nothing is caught."""

    def put(term: Term) -> Term:
        return value if term == Name(variable) else term

    match tree:
        case Pred(_, terms):
            return replace(tree, terms=tuple(map(put, terms)))
        case Rel(sign, left, right):
            return Rel(sign, put(left), put(right))
        case Not(body) | Previous(body) | Exists(_, body):
            return replace(tree, body=_put(body, variable, value))
        case Binary(_, left, right) | Since(left, right):
            first, second = (_put(side, variable, value) for side in (left, right))
            return replace(tree, left=first, right=second)
        case _:
            return tree


def _free(tree: Tree) -> frozenset[str]:
    match tree:
        case Pred(_, terms):
            return frozenset(term.text for term in terms if isinstance(term, Name))
        case Rel(_, left, right):
            return frozenset(term.text for term in (left, right) if isinstance(term, Name))
        case Not(body) | Previous(body):
            return _free(body)
        case Exists(variable, body):
            return _free(body) - {variable}
        case Binary(_, left, right) | Since(left, right):
            return _free(left) | _free(right)
        case _:
            return frozenset()


def _not(body: Tree) -> Tree:
    match body:
        case Constant(is_true):
            return Constant(not is_true)
        case Not(inner):
            return inner
        case _:
            return Not(body)


def _and(parts: Iterable[Tree]) -> Tree:
    return _joined("and", parts, TRUE, FALSE)


def _or(parts: Iterable[Tree]) -> Tree:
    return _joined("or", parts, FALSE, TRUE)


def _joined(
    word: Literal["and", "or"], parts: Iterable[Tree], empty: Tree, absorbing: Tree
) -> Tree:
    kept = [part for part in parts if part != empty]
    if absorbing in kept:
        return absorbing
    return reduce(lambda left, right: Binary(word, left, right), kept) if kept else empty


# Into our formulas.


def _conjunction(parts: list[ast.Formula]) -> ast.Formula:
    return reduce(lambda left, right: ast.Binary("and", left, right), parts)


def _rendered(tree: Tree, are_times_rising: bool) -> ast.Formula:
    def inner(part: Tree) -> ast.Formula:
        return _rendered(part, are_times_rising)

    match tree:
        case Pred(_, terms):
            arguments = tuple((f"a{n}", _term(term)) for n, term in enumerate(terms))
            return ast.Atom(predicate_name(tree), arguments)
        case Rel(sign, left, right):
            first, second = _term(left), _term(right)
            assert not isinstance(first, ast.Anything) and not isinstance(second, ast.Anything)
            return ast.Comparison(_OPERATORS[sign], first, second)
        case Not(Since(Constant(True), right) as since):
            body = _normal(right, is_negated=True)
            return ast.Temporal("historically", _window(since, are_times_rising), inner(body))
        case Not(body):
            return ast.Not(inner(body))
        case Binary("and" | "or" as word, left, right):
            return ast.Binary(word, inner(left), inner(right))
        case Previous(body):
            return ast.Temporal("previous", ast.UNBOUNDED, inner(body))
        case Since(Constant(True), right):
            return ast.Temporal("once", _window(tree, are_times_rising), inner(right))
        case Since(left, right):
            window = _window(tree, are_times_rising)
            return ast.Until("since", window, inner(left), inner(right))
        case Exists(variable, body):
            return ast.Exists(variable, inner(body))
        case _:
            raise CannotSay(f"`{tree}` as a formula")


_OPERATORS: Final[dict[str, ast.Operator]] = {
    **{"=": "==", "!=": "!="},
    **{"<": "<", "<=": "<=", ">": ">", ">=": ">="},
}


def _window(since: Since, are_times_rising: bool) -> ast.Window:
    low, high = since.bounds.low, since.bounds.high
    if since.is_strict:
        if not are_times_rising:
            raise CannotSay("`Z`, the strict since, in a log whose times stand still or run back")
        low = max(low, 1)  # Times are whole numbers, so an earlier event is older by one at least.
    if Bounds(low, high) == Bounds():
        return ast.UNBOUNDED
    return ast.Window(low * SECOND_NS, (FAR_S if high is None else high) * SECOND_NS)


def _term(term: Term) -> ast.Term:
    if term == ANY:
        return ast.Anything()
    return ast.Variable(term.text) if isinstance(term, Name) else ast.Constant(term)


_WORDS: Final = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "=": "eq", "!=": "ne"}


def predicate_name(pred: Pred) -> str:
    """A predicate for events of a name, a number of arguments, and conditions on them."""
    words = [f"{_WORDS[sign]}_{position}_{value}" for sign, position, value in pred.conditions]
    return "_".join([pred.name, str(len(pred.terms)), *words])


def predicates_of(tree: Tree) -> Iterable[Pred]:
    """Every event that a tree names, settled: with the conditions that its rendering names."""
    settled = _settled(_normal(tree, is_negated=True), is_inside=False)
    pending = [settled]
    while pending:
        match pending.pop():
            case Pred() as pred:
                yield pred
            case Not(body) | Previous(body) | Exists(_, body):
                pending.append(body)
            case Binary(_, left, right) | Since(left, right):
                pending += [left, right]
            case _:
                pass
