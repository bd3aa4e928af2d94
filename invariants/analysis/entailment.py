"""Proves that one formula is at least as true as another at every event, or returns no proof.

Method: both formulas are compared in Kleene's three values for all values of their letters, where
atoms, temporal operators and aggregates count as letters. Relations between letters follow from
their shapes: `once f` is at least f if the window begins at 0, `once[1m] f` at most `once[2m] f`,
`p(v=x)` at most `p`, `f since g` at most f or g, `count(p) >= 3` at most `count(p) >= 2` and `once
p`. Two predicates of different kinds of events are never both true; two of different tools never
both, unless neither is true. So a positive answer is a proof, and a negative one is not.

Cost: three to the number of letters, at most `COST_MAX` operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from ..formula.ast import (
    AggregateComparison,
    Atom,
    Binary,
    Constant,
    Exists,
    Formula,
    Not,
    Temporal,
    Until,
    Window,
)
from .equivalence import Proof, Skeleton, asked_of, size_of, value_of
from .event_domain import Asked

LETTERS_MAX: Final = 9  # Chosen: 19,683 valuations, a fifth of a second.
COST_MAX: Final = 1_000_000  # Chosen: operators evaluated for one question, half a second.

EXISTENTIAL: Final = frozenset({"once", "previous", "next", "eventually"})
"""Operators that a wider window, or a body that is true more often, makes true more often."""

Bad = Callable[[int, int], bool]
"""True if the values of two formulas at one event contradict the claim."""


@dataclass(frozen=True, slots=True)
class Entailment:
    """Proofs over one set of predicates; `asked` gives the events at which each can be true."""

    asked: Mapping[str, Asked]
    known: dict[tuple[int, int], tuple[bool, Formula, Formula]] = field(default_factory=dict)
    """The formulas are kept beside, since an id is used again when its owner is gone."""

    def entails(self, one: Formula, other: Formula) -> bool:
        """Proven: at every event `one` is at most as true as `other`. Both are normalised."""
        key = id(one), id(other)
        if key not in self.known:
            is_proven = one == other or self.is_never(one, other, lambda a, b: a > b)
            self.known[key] = is_proven, one, other
        return self.known[key][0]

    def is_never(self, one: Formula, other: Formula, is_bad: Bad) -> bool:
        """Proven: at no event is `is_bad` true of the two values."""
        letters: list[Formula] = []
        proof = Proof(self.asked)
        for formula in (one, other):
            _gather(proof, formula, letters)
        if len(letters) > LETTERS_MAX:
            return False
        first, second = (_skeleton(proof, formula, letters) for formula in (one, other))
        rules = [*self._rules(proof, letters)]
        size = sum(map(size_of, (first, second, *(part for rule in rules for part in rule))))
        if size * 3 ** len(letters) > COST_MAX:
            return False
        is_possible = proof.possible(letters)
        return not any(
            is_bad(value_of(first, valuation), value_of(second, valuation))
            and is_possible(valuation)
            and all(value_of(low, valuation) <= value_of(high, valuation) for low, high in rules)
            for valuation in product((0, 1, 2), repeat=len(letters))
        )

    def _rules(
        self, proof: Proof, letters: Sequence[Formula]
    ) -> Iterator[tuple[Skeleton, Skeleton]]:
        """Pairs of which the first is at most as true as the second on every trace."""
        for i, letter in enumerate(letters):
            for body in _bodies_of_now(letter):
                yield _skeleton(proof, body, letters), i
            if isinstance(letter, Until) and letter.window.low_ns == 0:
                sides = Binary("or", letter.left, letter.right)
                yield i, _skeleton(proof, sides, letters)
            for j, other in enumerate(letters):
                if i != j and self._is_at_most(letter, other):
                    yield i, j

    def _is_at_most(self, one: Formula, other: Formula) -> bool:
        """True if it follows from the shapes of the two letters."""
        match one, other:
            case Atom(), Atom():
                (name, tighter), (same, looser) = asked_of(one), asked_of(other)
                return name == same and looser < tighter
            case Temporal(operator), Temporal(same) if operator == same and operator in EXISTENTIAL:
                return _lies_in(one.window, other.window) and self.entails(one.body, other.body)
            case Until("since"), Temporal("once") if _lies_in(one.window, other.window):
                return self.entails(one.right, other.body)
            case Until("until"), Temporal("eventually") if _lies_in(one.window, other.window):
                return self.entails(one.right, other.body)
            case Until(), Until() if one.operator == other.operator:
                return (
                    _lies_in(one.window, other.window)
                    and self.entails(one.left, other.left)
                    and self.entails(one.right, other.right)
                )
            case Exists(), Exists() if one.variable == other.variable:
                return self.entails(one.body, other.body)
            case AggregateComparison(), AggregateComparison():
                return self._counts_at_most(one, other)
            case AggregateComparison(), Temporal("once"):
                least = _least_count(one)
                return (
                    least is not None
                    and least >= 1
                    and _lies_in(one.aggregate.window, other.window)
                    and self.entails(one.aggregate.atom, other.body)
                )
            case _:
                return False

    def _counts_at_most(self, one: AggregateComparison, other: AggregateComparison) -> bool:
        first, second = _least_count(one), _least_count(other)
        return (
            first is not None
            and second is not None
            and first >= second
            and _lies_in(one.aggregate.window, other.aggregate.window)
            and self.entails(one.aggregate.atom, other.aggregate.atom)
        )


def _bodies_of_now(letter: Formula) -> Iterator[Formula]:
    """The condition under which a temporal operator is true at its own event."""
    match letter:
        case Temporal("once" | "eventually", window, body) if window.low_ns == 0:
            yield body
        case Until(_, window, _, right) if window.low_ns == 0:
            yield right


def _gather(proof: Proof, formula: Formula, letters: list[Formula]) -> None:
    """The letters of a formula, and of the conditions of its temporal operators at the event."""
    before = len(letters)
    proof.gather(_counted(formula), letters)
    for letter in letters[before:]:
        for body in _bodies_of_now(letter):
            _gather(proof, body, letters)
        if isinstance(letter, Until) and letter.window.low_ns == 0:
            _gather(proof, letter.left, letters)


def _skeleton(
    proof: Proof, formula: Formula, letters: list[Formula] | Sequence[Formula]
) -> Skeleton:
    return proof.skeleton(_counted(formula), list(letters))


def _counted(formula: Formula) -> Formula:
    """With every bound on a count as `>=`, so that a limit and its opposite are one letter."""
    match formula:
        case AggregateComparison(aggregate, operator, Constant(int() as bound)):
            if aggregate.function not in ("count", "distinct") or operator in ("==", "!="):
                return formula
            least = bound + (operator in (">", "<="))
            reached = AggregateComparison(aggregate, ">=", Constant(least))
            return reached if operator in (">", ">=") else Not(reached)
        case Not(body):
            return Not(_counted(body))
        case Binary(operator, left, right):
            return Binary(operator, _counted(left), _counted(right))
        case _:
            return formula


def _least_count(formula: AggregateComparison) -> int | None:
    """The bound of `count(p) >= 3`: 3."""
    bound = formula.bound
    is_count = formula.aggregate.function == "count" and formula.operator == ">="
    if is_count and isinstance(bound, Constant) and isinstance(bound.value, int):
        return bound.value
    return None


def _lies_in(inner: Window, outer: Window) -> bool:
    if inner.low_ns < outer.low_ns:
        return False
    if outer.high_ns is None:
        return True
    return inner.high_ns is not None and inner.high_ns <= outer.high_ns
