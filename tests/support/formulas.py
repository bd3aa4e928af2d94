"""Random invariants that would load, and random runs for them, by whatever chooses.

A seed gives breadth, and laws shrink what they find themselves (`tests/laws/shrinking.py`).

Formulas are made so that they keep the rules of variables (docs/language.md, Variables) without
a check: a *binder* binds all its variables, an *open* formula has only variables that something
beside it binds, a *guarded* one may stand under `previous`, a *left* one left of a `since`.
Predicates have no, one or two named values over a tiny domain, windows reach a few seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, TypeVar, cast

from invariants.formula.ast import (
    UNBOUNDED,
    Aggregate,
    AggregateComparison,
    AggregateFunction,
    Anything,
    Atom,
    Binary,
    Comparison,
    Constant,
    Exists,
    Formula,
    Not,
    Operator,
    SessionEnd,
    Temporal,
    Term,
    Until,
    Variable,
    Window,
)
from invariants.formula.leaves import LIMIT_FUNCTIONS
from invariants.model.fact import Fact, Truth, Value
from invariants.spec.model import InvariantSpec
from tests.support.engines import Step, make_invariant, make_moment

SECOND_NS: Final = 1_000_000_000
PREDICATES: Final[dict[str, tuple[str, ...]]] = {
    "a": (),
    "b": (),
    "p": ("v",),
    "q": ("v",),
    "r": ("v", "w"),
}
VALUES: Final[tuple[Value, ...]] = (1, 2, "s", 0.5, -1)
_COMMON_VALUES: Final[tuple[Value, ...]] = (1, 2, 1, 2, 2, "s", 0.5, -1)
_VARIABLES: Final = ("x", "y")
_OPERATORS: Final[tuple[Operator, ...]] = ("==", "!=", "<", "<=", ">", ">=")
_FUNCTIONS: Final[tuple[AggregateFunction, ...]] = (
    "count", "count", "sum", "distinct", "min", "max", "avg", "first",
)  # fmt: skip

T = TypeVar("T")
Choose = Callable[[Sequence[Any]], Any]
"""One of some options."""

Variables = tuple[str, ...]
FUTURE_OPERATORS: Final = ("next", "eventually", "always", "until")


def choose_invariant(
    choose: Choose, *, future: tuple[str, ...] = FUTURE_OPERATORS, has_exists: bool = True
) -> InvariantSpec:
    """An invariant that would load; `future` names the future operators it may use."""
    maker = _Maker(choose, has_exists)
    depth = maker.pick(1, 2, 2, 3, 3)
    variables = maker.pick((), ("x",), ("x",), ("x",), _VARIABLES)
    on_unknown: Literal["report", "violate"] = maker.pick("report", "report", "violate")
    shapes = ("never", "never", "always", "memory", "memory", "memory", "limit")
    shape = maker.pick(*shapes, *(("future",) * 2 if future else ()))
    if shape == "limit":
        aggregate = maker.aggregate(variables)
        upper: tuple[Operator, ...] = ("<=", "<")
        limit = AggregateComparison(
            aggregate, maker.pick(*upper), Constant(maker.pick(0, 1, 2, 1.5))
        )
        if maker.pick(True, False):
            limit = maker.limited(aggregate, variables, upper)
        return make_invariant("always", limit, on_unknown)
    trigger = maker.binder(variables, depth, is_at_event=True)
    if shape == "future":
        ahead = maker.future(variables, depth - 1, maker.pick(*future))
        if maker.pick(True, False):
            return make_invariant("never", Binary("and", trigger, Not(ahead)), on_unknown)
        return make_invariant("always", Binary("implies", trigger, ahead), on_unknown)
    if shape == "never":
        return make_invariant("never", trigger, on_unknown)
    beside = maker.open(variables, depth - 1, is_at_event=True)
    if shape == "memory":
        trigger, beside = maker.binder(variables, 0), maker.past(variables, depth)
    return make_invariant("always", Binary("implies", trigger, beside), on_unknown)


class _Maker:
    """Draws formulas; `depth` bounds how deep they still may grow."""

    def __init__(self, choose: Choose, has_exists: bool) -> None:
        self.choose = choose
        self.has_exists = has_exists

    def pick(self, *choices: T) -> T:
        return cast(T, self.choose(choices))

    def some(self, variables: Variables) -> Variables:
        """A part of the variables, mostly all."""
        return self.pick(variables, variables, variables[:1], ())

    def window(self) -> Window:
        low, width = self.pick(0, 0, 0, 1, 2), self.pick(0, 1, 1, 2)
        bounded = Window(low * SECOND_NS, (low + width) * SECOND_NS)
        return self.pick(UNBOUNDED, bounded, bounded)

    # The four sorts of formulas.

    def binder(self, variables: Variables, depth: int, *, is_at_event: bool = False) -> Formula:
        """Binds all of the variables, and has no other."""
        if not variables:
            return self.open((), depth, is_at_event=is_at_event)
        if depth <= 0 or self.pick(True, False, False):
            return self.naming_atom(variables)
        shape = self.pick("and", "and", "or", "not implies", "equal", "split", "exists")
        if shape == "or":
            left = self.binder(variables, depth - 1, is_at_event=is_at_event)
            return Binary("or", left, self.binder(variables, depth - 1, is_at_event=is_at_event))
        if shape == "equal":
            return self.by_equality(variables, depth, is_at_event=is_at_event)
        if shape == "split" and len(variables) > 1:
            left = self.binder(variables[:1], depth - 1, is_at_event=is_at_event)
            right = self.binder(variables[1:], depth - 1, is_at_event=is_at_event)
            return Binary("and", left, right)
        if shape == "exists" and self.has_exists and "z" not in variables:
            inner = self.binder((*variables, "z"), depth - 1)
            return Exists("z", inner)
        left = self.binder(variables, depth - 1, is_at_event=is_at_event)
        right = self.open(variables, depth - 1, is_at_event=is_at_event)
        if shape == "not implies":
            return Not(Binary("implies", left, right))
        return self.pick(Binary("and", left, right), Binary("and", right, left))

    def by_equality(self, variables: Variables, depth: int, *, is_at_event: bool) -> Formula:
        """The last variable is bound by `==` alone, once, in a conjunction."""
        *first, last = variables
        others: list[Variable | Constant] = [Constant(self.pick(*VALUES))]
        others += [Variable(name) for name in first]
        sides = (Variable(last), self.pick(*others))
        equal = Comparison("==", *self.pick(sides, sides[::-1]))
        rest = self.binder(tuple(first), depth - 1, is_at_event=is_at_event)
        bound = Binary("and", equal, rest)
        beside = self.open(variables, depth - 1, is_at_event=is_at_event)
        return self.pick(bound, Binary("and", bound, beside))

    def open(self, variables: Variables, depth: int, *, is_at_event: bool = False) -> Formula:
        """Any formula without future whose variables are among these, bound elsewhere."""
        if depth <= 0:
            return self.leaf(variables, is_at_event=is_at_event)
        operator = self.pick("leaf", "not", "and", "or", "implies", "iff", *("past",) * 6)
        below = depth - 1
        match operator:
            case "leaf":
                return self.leaf(variables, is_at_event=is_at_event)
            case "not":
                return Not(self.open(variables, below, is_at_event=is_at_event))
            case "and" | "or" | "implies" | "iff":
                left = self.open(variables, below, is_at_event=is_at_event)
                return Binary(operator, left, self.open(variables, below, is_at_event=is_at_event))
            case _:
                return self.past(variables, depth)

    def past(self, variables: Variables, depth: int) -> Formula:
        """A past operator, over smaller formulas."""
        below = depth - 1
        match self.pick("once", "once", "historically", "previous", *("since",) * 3, "exists"):
            case "once":
                return Temporal("once", self.window(), self.binder(self.some(variables), below))
            case "historically":
                return Temporal("historically", self.window(), self.denial(variables, below))
            case "previous":
                return Temporal("previous", self.window(), self.guarded(variables, below))
            case "exists" if self.has_exists and "z" not in variables:
                return Exists("z", self.binder((*self.some(variables), "z"), below))
            case _:
                return self.until("since", variables, below)

    def denial(self, variables: Variables, depth: int) -> Formula:
        """Its negation is a binder."""
        some = self.some(variables)
        left = self.binder(some, depth)
        denials: tuple[Formula, ...] = (
            Not(left),
            Binary("implies", left, self.open(some, depth - 1)),
        )
        return self.pick(*denials)

    def guarded(self, variables: Variables, depth: int) -> Formula:
        """False for a value that no event has named."""
        some = self.some(variables)
        match self.pick("binder", "binder", "once", "since", "and", "or"):
            case "once" if depth > 0:
                return Temporal("once", self.window(), self.binder(some, depth - 1))
            case "since" if depth > 0:
                return self.until("since", some, depth - 1)
            case "and" if depth > 0:
                return Binary("and", self.guarded_by(some, depth - 1), self.open(some, depth - 1))
            case "or" if depth > 0:
                return Binary(
                    "or", self.guarded_by(some, depth - 1), self.guarded_by(some, depth - 1)
                )
            case _:
                return self.binder(some, depth)

    def guarded_by(self, variables: Variables, depth: int) -> Formula:
        """Guarded, with exactly these variables."""
        binder = self.binder(variables, depth)
        return self.pick(binder, Temporal("once", self.window(), binder))

    def until(self, operator: Any, variables: Variables, depth: int) -> Formula:
        some = self.some(variables)
        return Until(operator, self.window(), self.left(some, depth), self.binder(some, depth))

    def left(self, variables: Variables, depth: int) -> Formula:
        """Outside temporal operators variables stand only in predicates, inside there are none."""
        match self.pick("atom", "not", "not", "and", "or", "closed"):
            case "atom":
                return self.atom(variables)
            case "and" | "or" as operator if depth > 0:
                return Binary(
                    operator, self.left(variables, depth - 1), self.left(variables, depth - 1)
                )
            case "closed":
                return self.open((), depth)
            case _:
                return Not(self.left(variables, depth - 1) if depth > 0 else self.atom(variables))

    def future(self, variables: Variables, depth: int, operator: str) -> Formula:
        if operator == "until":
            return self.until("until", variables, depth)
        if operator == "always":
            return Temporal("always", self.window(), self.denial(variables, depth))
        body = self.binder(self.some(variables), depth)
        return Temporal("next" if operator == "next" else "eventually", self.window(), body)

    # Leaves.

    def naming_atom(self, variables: Variables) -> Formula:
        """Atoms that name each of the variables."""
        if len(variables) == 1:
            variable = Variable(variables[0])
            atoms = [Atom(name, (("v", variable),)) for name in ("p", "q", "r")]
            return self.pick(*atoms, Atom("r", (("w", variable), ("v", self.term(variables)))))
        first, second, *rest = variables
        atom: Formula = Atom("r", (("v", Variable(first)), ("w", Variable(second))))
        return atom if not rest else Binary("and", atom, self.naming_atom(tuple(rest)))

    def leaf(self, variables: Variables, *, is_at_event: bool) -> Formula:
        match self.pick("atom", "atom", "atom", "comparison", "aggregate", "end"):
            case "comparison" if variables:
                left, right = Variable(self.pick(*variables)), self.side(variables)
                operators = _OPERATORS if is_at_event else _OPERATORS[:2]
                return Comparison(self.pick(*operators), left, right)
            case "aggregate":
                bound = self.side(variables if is_at_event else ())
                if isinstance(bound, Constant):
                    bound = Constant(self.pick(0, 1, 2, 1.5))
                aggregate = self.aggregate(self.some(variables))
                if self.pick(True, False, False):
                    return self.limited(aggregate, variables, _OPERATORS)
                return AggregateComparison(aggregate, self.pick(*_OPERATORS), bound)
            case "end":
                return SessionEnd()
            case _:
                return self.atom(variables)

    def limited(
        self, aggregate: Aggregate, variables: Variables, operators: tuple[Operator, ...]
    ) -> AggregateComparison:
        """An aggregate with a limit, if there is a value left to be one."""
        limit = self.aggregate(self.some(variables))
        bound: Constant | Aggregate = Constant(1)
        if limit.value is not None:
            bound = replace(limit, function=self.pick(*LIMIT_FUNCTIONS))
        return AggregateComparison(aggregate, self.pick(*operators), bound)

    def aggregate(self, variables: Variables) -> Aggregate:
        function = self.pick(*_FUNCTIONS)
        low_free = self.pick(UNBOUNDED, Window(0, self.pick(0, 1, 2) * SECOND_NS))
        if variables:
            pairs = zip(("v", "w"), (Variable(name) for name in variables), strict=False)
            atom = Atom("r", tuple(pairs)) if len(variables) > 1 else self.atom(variables)
            if not any(isinstance(term, Variable) for _, term in atom.arguments):
                atom = Atom("r", (("v", Variable(variables[0])),))
        else:
            atom = self.atom(())
        if function == "count":
            return Aggregate(function, atom, None, low_free)
        unused = [n for n in PREDICATES[atom.predicate] if n not in dict(atom.arguments)]
        if not unused:
            return Aggregate("count", atom, None, low_free)
        return Aggregate(function, atom, self.pick(*unused), low_free)

    def atom(self, variables: Variables) -> Atom:
        predicate = self.pick(*PREDICATES)
        names = [n for n in PREDICATES[predicate] if self.pick(True, True, False)]
        return Atom(predicate, tuple((name, self.term(variables)) for name in names))

    def term(self, variables: Variables) -> Term:
        names = [Variable(name) for name in variables]
        constant = Constant(self.pick(*_COMMON_VALUES))
        terms: list[Term] = [*names, *names, *names, constant, Anything()]
        return self.pick(*terms)

    def side(self, variables: Variables) -> Variable | Constant:
        choices: list[Variable | Constant] = [Variable(name) for name in variables]
        return self.pick(*choices, Constant(self.pick(*_COMMON_VALUES)))


# Runs.

_HALF_NS: Final = SECOND_NS // 2
_GAPS_NS: Final = (0, 0, _HALF_NS, *(SECOND_NS,) * 3, 2 * SECOND_NS, 3 * SECOND_NS, 1)
_TRUTHS: Final = (Truth.FALSE,) * 5 + (Truth.TRUE,) * 5 + (Truth.UNKNOWN,) * 2
_EVENT_COUNTS: Final = (0, 1, 2, 3, 4, 5, 6, 6, 6, 7, 7, 7, 8, 8)


def choose_run(choose: Choose, *, has_overflow: bool = True) -> tuple[Step, ...]:
    """Events with facts of all predicates, equal times, ends of the session, ticks between."""
    steps: list[Step] = []
    time_ns = 0
    is_quiet = choose((True, False))  # Half of the runs have nothing unknown, missing or cut.
    for position in range(choose(_EVENT_COUNTS)):
        gap_ns = choose(_GAPS_NS)
        if gap_ns and choose((True, False, False, False)):
            steps.append(time_ns + choose((0, 1, gap_ns // 2, gap_ns)))
        time_ns += gap_ns
        letter = {}
        for name, values in PREDICATES.items():
            fact = _choose_fact(choose, values, is_quiet, has_overflow)
            if fact.truth != Truth.FALSE:
                letter[name] = fact
        is_end = choose((False,) * 11 + (True,))
        steps.append(make_moment(position, time_ns, letter, is_session_end=is_end))
    if choose((True, False, False)):
        steps.append(time_ns + choose((1, SECOND_NS, 2 * SECOND_NS, 4 * SECOND_NS)))
    return tuple(steps)


def _choose_fact(
    choose: Choose, names: tuple[str, ...], is_quiet: bool, has_overflow: bool
) -> Fact:
    """What one predicate says of one event: often false, sometimes unknown, values of all sorts."""
    truth = choose(_TRUTHS[:10] if is_quiet else _TRUTHS)
    if truth == Truth.FALSE:
        return Fact(truth, {})
    values: dict[str, tuple[Value, ...]] = {}
    missing, overflowing = set(), set()
    repeated: list[tuple[str, tuple[Value, ...] | None]] = []
    for name in names:
        sorts = ("one",) * 12 + (() if is_quiet else ("none", "two, some not")) + ("two", "three")
        sort = choose((*sorts, "many", "long") if has_overflow and not is_quiet else sorts)
        count = {"one": 1, "none": 0, "many": 1, "long": 1, "three": 3}.get(sort, 2)
        every = tuple(choose(_COMMON_VALUES) for _ in range(count))
        values[name] = tuple(dict.fromkeys(every))
        if sort in ("none", "two, some not"):
            missing.add(name)
        if sort == "many":
            overflowing.add(name)
        elif sort == "long" or every != values[name]:
            repeated.append((name, None if sort == "long" else every))
    return Fact(truth, values, frozenset(missing), frozenset(overflowing), tuple(repeated))
