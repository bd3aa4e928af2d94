"""The meaning of the language as a naive interpreter: slow, short, and checked by reading.

Input: an invariant as it was written, and all events of a trace so far. Output: every verdict
that the definition (docs/language.md) gives. It keeps no state, rewrites no formula and shares no
code with the machine: every operator is its line in the table of the definition.
Source: docs/language.md; three values after Kleene (1952), pointwise semantics on finite traces.

Readings, where the definition leaves a doubt:

- *Bindings that an event makes*: the violating formula read as a relation. An atom has a row for
  each choice of the event's values where it is not false, `session_end` has every row or none;
  `exists x (f)` has those of f without x; a formula without free variables has its one row;
  `x == 1` and `x == y` restrict only variables that no atom binds (the trigger asks nothing of
  comparisons); all else has every row.
- `iff` is `(f and g) or (not f and not g)` when `not` is brought inward.
- An *overflowing* list may have held any value: a match with a value that was not kept is
  unknown, an aggregate over its values is unknown, and the event is inconclusive, binding `?`,
  like one whose value is missing.
- `sum(p(v=x).v)` adds all values `v` of the events that match, not only x.
- "All values between" the least and the greatest of an aggregate are all rational numbers.
- An aggregate whose value is unknown makes every comparison unknown.
- A *limit* (an aggregate on the right) has a value if some event gives it and each event that does
  names numbers; of `first` the earliest alone is asked, and it must name exactly one. Both sides
  choose their unknown events by themselves.
- `previous`, `next` look at neighbours in the whole trace; an event after `session.ended` is its
  successor, though a pending `next` at `session.ended` is already decided (false).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from operator import and_, or_
from typing import Final, Literal, TypeVar, assert_never

from .fact import Truth, Value
from .formula.ast import (
    Aggregate,
    AggregateComparison,
    Atom,
    Binary,
    Comparison,
    Exists,
    Formula,
    Not,
    SessionEnd,
    Temporal,
    Until,
    Variable,
    Window,
)
from .moment import Moment
from .reference_leaves import (
    FALSE,
    TRUE,
    UNKNOWN,
    Outcomes,
    Reads,
    aggregate_of,
    compare,
    compare_all,
    compare_each,
    free_variables,
    limit_of,
    look_up,
    match_term,
    missing_uses,
    named_in,
    outcomes_of,
)
from .spec import InvariantSpec
from .verdict import MISSING_BINDING, Binding, VerdictKind

_FRESH: Final = ("fresh", "")  # A value that no event and no formula can name.
_KINDS: Final[tuple[VerdictKind, ...]] = ("holds", "inconclusive", "violated")

T = TypeVar("T")
Env = Binding
"""Values of variables, sorted by name."""


def judge(
    invariant: InvariantSpec,
    trace: Sequence[Moment],
    *,
    ticked_to_ns: int | None = None,
    first: int = 0,
) -> dict[tuple[int, Binding], VerdictKind]:
    """The verdict of every judged (position of the anchor, binding), given the events so far.

    No further event lies before `ticked_to_ns`; None is the time of the last event. Of anchors
    before event number `first` nothing is said.
    """
    violating = _violating_formula(invariant)
    meaning = _Meaning(trace, violating, ticked_to_ns)
    at_unknown: VerdictKind = "violated" if invariant.on_unknown == "violate" else "inconclusive"
    kinds: dict[tuple[int, Binding], VerdictKind] = {}
    for i, moment in enumerate(trace[first:], first):
        for env in meaning.assignments(i):
            if meaning.is_made(i, env) and meaning.trigger(i, env) != FALSE:
                values = meaning.possible(violating, i, env)
                kind = _KINDS[min(values)] if len(values) == 1 else "pending"
                kinds[moment.position, env] = at_unknown if kind == "inconclusive" else kind
        missing = frozenset(missing_uses(violating, moment))
        if missing:
            is_asked = meaning.is_asked_without(missing, i)
            kinds[moment.position, MISSING_BINDING] = at_unknown if is_asked else "inconclusive"
    return kinds


def _violating_formula(invariant: InvariantSpec) -> Formula:
    """True where the invariant is violated; an upper bound alone is asked only where it is used."""
    formula = invariant.formula
    violating = formula if invariant.form == "never" else Not(formula)
    upper_bounds = (">", ">=") if invariant.form == "never" else ("<", "<=")
    if isinstance(formula, AggregateComparison) and formula.operator in upper_bounds:
        return Binary("and", formula.aggregate.atom, violating)
    return violating


class _Meaning:
    """Values of formulas at the events of one trace. Nothing in it changes but a cache."""

    def __init__(
        self, trace: Sequence[Moment], violating: Formula, ticked_to_ns: int | None
    ) -> None:
        self.trace = trace
        self.violating = violating
        self.now_ns = max([moment.time_ns for moment in trace] + [ticked_to_ns or 0])
        self.predicates, self.constants = named_in(violating)
        self.free = free_variables(violating)
        self.cache: dict[tuple[int, int, Env], tuple[Formula, Truth]] = {}
        self.named: dict[int, frozenset[str]] = {}  # By id: parts of `violating` are not freed.

    # Which bindings, and whether they are judged.

    def assignments(self, i: int) -> Iterator[Env]:
        """All assignments of values around at event i to the free variables."""
        for values in product([*self.universe(i, i)], repeat=len(self.free)):
            yield tuple(zip(sorted(self.free), values, strict=True))

    def universe(self, first: int, last: int) -> set[Value]:
        """Values that events first..last name, those of the formula, and one more."""
        named: set[Value] = {_FRESH} | self.constants
        for moment in self.trace[first : last + 1]:
            for predicate in self.predicates:
                named.update(*moment.letter[predicate].values.values())
        return named

    def is_made(self, i: int, env: Env) -> bool:
        """True if event i makes the binding: the violating formula as a relation has this row."""
        return not self.free or self.has_row(self.violating, i, env) != FALSE

    def has_row(self, formula: Formula, i: int, env: Env) -> Truth:
        if id(formula) not in self.named:
            self.named[id(formula)] = _inward(formula, True, _atom_variables, or_, and_)
        named_by_atoms = self.named[id(formula)]

        def row(leaf: Formula, is_positive: bool) -> Truth:
            match leaf:
                case Atom(predicate, arguments) if is_positive:
                    kept = self.trace[i].letter[predicate].values
                    variables = [(name, t) for name, t in arguments if isinstance(t, Variable)]
                    are_kept = all(look_up(t, env) in kept.get(name, ()) for name, t in variables)
                    return self.value(leaf, i, env) if are_kept else FALSE
                case SessionEnd() if is_positive:
                    return self.value(leaf, i, env)
                case Comparison(operator) if operator == ("==" if is_positive else "!="):
                    is_needed = not free_variables(leaf) <= named_by_atoms
                    is_equal = is_positive == (self.value(leaf, i, env) == TRUE)
                    return TRUE if is_equal or not is_needed else FALSE
                case Exists(variable, body) if is_positive:
                    return max(
                        self.has_row(body, i, _extended(env, variable, value))
                        for value in self.universe(i, i)
                    )
                case _:
                    return TRUE

        return _inward(formula, True, row, min, max)

    def trigger(self, i: int, env: Env) -> Truth:
        """The condition of the violating formula on the event itself."""
        return _inward(self.violating, True, partial(self.asked, i=i, env=env), min, max)

    def asked(self, leaf: Formula, is_positive: bool, i: int, env: Env) -> Truth:
        is_asked = is_positive and isinstance(leaf, Atom | SessionEnd)
        return self.value(leaf, i, env) if is_asked else TRUE

    def is_asked_without(self, missing: frozenset[tuple[str, str]], i: int) -> bool:
        """True if the trigger, missing arguments read as `_`, is not false for some binding."""

        def asked(leaf: Formula, is_positive: bool, env: Env) -> Truth:
            if isinstance(leaf, Atom):
                kept = tuple(a for a in leaf.arguments if (leaf.predicate, a[0]) not in missing)
                leaf = Atom(leaf.predicate, kept)
            return self.asked(leaf, is_positive, i, env)

        return any(
            _inward(self.violating, True, partial(asked, env=env), min, max) != FALSE
            for env in self.assignments(i)
        )

    # The value of a formula whose future is still open.

    def possible(self, formula: Formula, i: int, env: Env) -> set[Truth]:
        """The values that `formula` at event i can still have, whatever comes."""
        match formula:
            case Not(body):
                return {_negation(value) for value in self.possible(body, i, env)}
            case Binary(operator, left, right):
                pairs = product(self.possible(left, i, env), self.possible(right, i, env))
                return {_connect(operator, first, second) for first, second in pairs}
            case Temporal("next", window, body):
                return self.next(window, body, i, env)
            case Temporal("eventually", window, body):
                return self.until(window, None, body, i, env)
            case Temporal("always", window, body):
                return {_negation(v) for v in self.until(window, None, Not(body), i, env)}
            case Until("until", window, left, right):
                return self.until(window, left, right, i, env)
            case _:
                return {self.value(formula, i, env)}

    def next(self, window: Window, body: Formula, i: int, env: Env) -> set[Truth]:
        if self.trace[i].is_session_end:
            return {FALSE}
        if i + 1 < len(self.trace):
            is_inside = _is_inside(window, self.trace[i + 1].time_ns - self.trace[i].time_ns)
            return {self.value(body, i + 1, env) if is_inside else FALSE}
        return {FALSE, UNKNOWN, TRUE} if self.is_open(window, i) else {FALSE}

    def until(
        self, window: Window, left: Formula | None, right: Formula, i: int, env: Env
    ) -> set[Truth]:
        """`left until[w] right`: right at some j >= i in w, left at every k, i <= k < j.

        `met` is what the events so far give, `still` what a later event could give at best.
        """
        met, still = FALSE, TRUE
        is_over = False
        for j in range(i, len(self.trace)):
            if _is_inside(window, self.trace[j].time_ns - self.trace[i].time_ns):
                met = max(met, min(still, self.value(right, j, env)))
            if left is not None:
                still = min(still, self.value(left, j, env))
            if self.trace[j].is_session_end:
                is_over = True
                break
        if is_over or not self.is_open(window, i):
            return {met}
        return {max(met, later) for later in Truth if later <= still}

    def is_open(self, window: Window, i: int) -> bool:
        """True if a further event can still be in the window that begins at event i."""
        return window.high_ns is None or self.now_ns <= self.trace[i].time_ns + window.high_ns

    # The value of a formula without future.

    def value(self, formula: Formula, i: int, env: Env) -> Truth:
        key = (id(formula), i, env)
        if key not in self.cache:  # The formula is kept beside: an id is reused when it is freed.
            self.cache[key] = formula, self.fresh_value(formula, i, env)
        return self.cache[key][1]

    def fresh_value(self, formula: Formula, i: int, env: Env) -> Truth:
        match formula:
            case Atom():
                return self.atom(formula, i, env)
            case SessionEnd():
                return TRUE if self.trace[i].is_session_end else FALSE
            case Comparison(operator, left, right):
                return compare(operator, look_up(left, env), look_up(right, env))
            case AggregateComparison(aggregate, operator, Aggregate() as limit):
                outcomes = self.outcomes(aggregate, i, env)
                return compare_each(operator, outcomes, self.outcomes(limit, i, env, limit_of))
            case AggregateComparison(aggregate, operator, bound):
                assert not isinstance(bound, Aggregate)
                return compare_all(operator, self.outcomes(aggregate, i, env), look_up(bound, env))
            case Not(body):
                return _negation(self.value(body, i, env))
            case Binary(operator, left, right):
                return _connect(operator, self.value(left, i, env), self.value(right, i, env))
            case Temporal():
                return self.past(formula, i, env)
            case Until("since", window, left, right):
                best = FALSE
                for j in self.ages(window, i):
                    lefts = [self.value(left, k, env) for k in range(j + 1, i + 1)]
                    best = max(best, min([self.value(right, j, env), *lefts]))
                return best
            case Until():
                raise AssertionError("`until` stands only at the top")
            case Exists(variable, body):
                return max(
                    self.value(body, i, _extended(env, variable, value))
                    for value in self.universe(0, i)
                )
            case _:
                assert_never(formula)

    def past(self, formula: Temporal, i: int, env: Env) -> Truth:
        body, window = formula.body, formula.window
        match formula.operator:
            case "previous":
                if i == 0 or i - 1 not in self.ages(window, i):
                    return FALSE
                return self.value(body, i - 1, env)
            case "once":
                return max((self.value(body, j, env) for j in self.ages(window, i)), default=FALSE)
            case "historically":
                return min((self.value(body, j, env) for j in self.ages(window, i)), default=TRUE)
            case _:
                raise AssertionError(f"`{formula.operator}` stands only at the top")

    def ages(self, window: Window, i: int) -> list[int]:
        """Events j <= i whose age at event i lies in the window."""
        now_ns = self.trace[i].time_ns
        return [j for j in range(i + 1) if _is_inside(window, now_ns - self.trace[j].time_ns)]

    def atom(self, atom: Atom, i: int, env: Env) -> Truth:
        fact = self.trace[i].letter[atom.predicate]
        return min(
            [fact.truth, *(match_term(fact, name, term, env) for name, term in atom.arguments)]
        )

    def outcomes(
        self, aggregate: Aggregate, i: int, env: Env, reads: Reads = aggregate_of
    ) -> Outcomes | None:
        """The aggregate's value for every choice of the unknown events; None is unknown."""
        met = [
            (truth, self.trace[j].letter[aggregate.atom.predicate])
            for j in self.ages(aggregate.window, i)
            if (truth := self.atom(aggregate.atom, j, env)) != FALSE
        ]
        return outcomes_of(aggregate, met, reads)


def _is_inside(window: Window, age_ns: int) -> bool:
    return window.low_ns <= age_ns and (window.high_ns is None or age_ns <= window.high_ns)


def _negation(truth: Truth) -> Truth:
    return Truth(2 - truth)


def _connect(operator: Literal["and", "or", "implies", "iff"], left: Truth, right: Truth) -> Truth:
    match operator:
        case "and":
            return min(left, right)
        case "or":
            return max(left, right)
        case "implies":
            return max(_negation(left), right)
        case "iff":
            return max(min(left, right), min(_negation(left), _negation(right)))
        case _:
            assert_never(operator)


def _inward(
    formula: Formula,
    is_positive: bool,
    leaf: Callable[[Formula, bool], T],
    both: Callable[[T, T], T],
    either: Callable[[T, T], T],
) -> T:
    """The formula with `not` brought inward, folded: `leaf` gives what stands at its leaves."""

    def fold(part: Formula, sign: bool) -> T:
        return _inward(part, sign, leaf, both, either)

    match formula:
        case Not(body):
            return fold(body, not is_positive)
        case Binary("iff", left, right):
            return either(
                both(fold(left, True), fold(right, is_positive)),
                both(fold(left, False), fold(right, not is_positive)),
            )
        case Binary(operator, left, right):
            of_left = fold(left, is_positive != (operator == "implies"))
            join = both if (operator == "and") == is_positive else either
            return join(of_left, fold(right, is_positive))
        case _:
            return leaf(formula, is_positive)


def _extended(env: Env, variable: str, value: Value) -> Env:
    """The binding with one more variable, which hides an outer one of its name."""
    others = tuple(pair for pair in env if pair[0] != variable)
    return tuple(sorted((*others, (variable, value)), key=lambda pair: pair[0]))


def _atom_variables(leaf: Formula, is_positive: bool) -> frozenset[str]:
    return free_variables(leaf) if is_positive and isinstance(leaf, Atom) else frozenset()
