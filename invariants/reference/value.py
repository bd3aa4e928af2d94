"""The value of a formula at an event: one line for each operator of docs/language.md.

Input: the events of a trace so far, an event's number, and a binding. Output: false, unknown or
true; of a formula with an operator of the future, all the values that it can still have.
Source: docs/language.md, Formulas; three values after Kleene (1952), pointwise semantics on finite
traces.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final, Literal, assert_never

from ..formula.ast import (
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
    UnaryOperator,
    Until,
    Window,
)
from ..model.fact import Truth, Value
from ..model.trace_point import TracePoint
from ..model.verdict import Binding
from .aggregates import Outcomes, Reads, aggregate_of, compare_all, compare_each, limit_of, outcomes
from .leaves import FALSE, TRUE, UNKNOWN, compare, look_up, match_term
from .syntax import named_in

_FRESH: Final = ("fresh", "")  # A value that no event and no formula can name.

Env = Binding
"""Values of variables, sorted by name."""


class Meaning:
    """Values of formulas at the events of one trace. Nothing in it changes but a cache.

    `formula` is the one whose parts are asked for. No further event lies before `ticked_to_ns`;
    None is the time of the last event.
    """

    def __init__(
        self, trace: Sequence[TracePoint], formula: Formula, ticked_to_ns: int | None = None
    ) -> None:
        self.trace = trace
        self.now_ns = max([moment.time_ns for moment in trace] + [ticked_to_ns or 0])
        self._predicates, self._constants = named_in(formula)
        self._cache: dict[tuple[int, int, Env], tuple[Formula, Truth]] = {}

    # Formulas without future.

    def value(self, formula: Formula, i: int, env: Env) -> Truth:
        """The value of `formula` at event i."""
        key = (id(formula), i, env)
        if key not in self._cache:  # The formula is kept beside: an id is reused when it is freed.
            self._cache[key] = formula, self._value(formula, i, env)
        return self._cache[key][1]

    def _value(self, formula: Formula, i: int, env: Env) -> Truth:
        def at(j: int, part: Formula) -> Truth:
            return self.value(part, j, env)

        match formula:
            case Atom(p, arguments):
                fact = self.trace[i].letter[p]
                return min([fact.truth, *(match_term(fact, n, term, env) for n, term in arguments)])
            case SessionEnd():
                return TRUE if self.trace[i].is_session_end else FALSE
            case Comparison(operator, left, right):
                return compare(operator, look_up(left, env), look_up(right, env))
            case AggregateComparison(aggregate, operator, Aggregate() as limit):
                most = self.outcomes(limit, i, env, limit_of)
                return compare_each(operator, self.outcomes(aggregate, i, env), most)
            case AggregateComparison(aggregate, operator, bound):
                assert not isinstance(bound, Aggregate)
                return compare_all(operator, self.outcomes(aggregate, i, env), look_up(bound, env))
            case Not(f):
                return negation(at(i, f))
            case Binary(operator, f, g):
                return connect(operator, at(i, f), at(i, g))
            case Temporal(operator, w, f):
                return self._temporal(operator, w, f, i, env)
            case Until("since", w, f, g):
                lasting = [
                    min([at(j, g), *(at(k, f) for k in range(j + 1, i + 1))])
                    for j in self.ages(w, i)
                ]
                return max(lasting, default=FALSE)
            case Exists(x, f):
                return max(self.value(f, i, extended(env, x, v)) for v in self.universe(0, i))
            case Until():
                raise AssertionError("`until` stands only at the top")
            case _:
                assert_never(formula)

    def _temporal(self, operator: UnaryOperator, w: Window, f: Formula, i: int, env: Env) -> Truth:
        def at(j: int) -> Truth:
            return self.value(f, j, env)

        match operator:
            case "previous":
                return at(i - 1) if i > 0 and i - 1 in self.ages(w, i) else FALSE
            case "once":
                return max((at(j) for j in self.ages(w, i)), default=FALSE)
            case "historically":
                return min((at(j) for j in self.ages(w, i)), default=TRUE)
            case "next" | "eventually" | "always":
                raise AssertionError(f"`{operator}` stands only at the top")
            case _:
                assert_never(operator)

    def ages(self, window: Window, i: int) -> list[int]:
        """Events j <= i whose age at event i lies in the window."""
        now_ns = self.trace[i].time_ns
        return [j for j in range(i + 1) if _is_inside(window, now_ns - self.trace[j].time_ns)]

    def universe(self, first: int, last: int) -> set[Value]:
        """Values that events first..last name, those of the formula, and one more."""
        named: set[Value] = {_FRESH} | self._constants
        for moment in self.trace[first : last + 1]:
            for predicate in self._predicates:
                named.update(*moment.letter[predicate].values.values())
        return named

    def outcomes(
        self, aggregate: Aggregate, i: int, env: Env, reads: Reads = aggregate_of
    ) -> Outcomes | None:
        """The aggregate's value for every choice of the unknown events; None is unknown."""
        met = [
            (truth, self.trace[j].letter[aggregate.atom.predicate])
            for j in self.ages(aggregate.window, i)
            if (truth := self.value(aggregate.atom, j, env)) != FALSE
        ]
        return outcomes(aggregate, met, reads)

    # Formulas whose future is still open.

    def possible(self, formula: Formula, i: int, env: Env) -> set[Truth]:
        """The values that `formula` at event i can still have, whatever comes."""
        match formula:
            case Not(f):
                return {negation(value) for value in self.possible(f, i, env)}
            case Binary(operator, f, g):
                pairs = product(self.possible(f, i, env), self.possible(g, i, env))
                return {connect(operator, first, second) for first, second in pairs}
            case Temporal("next", w, f):
                return self._next(w, f, i, env)
            case Temporal("eventually", w, f):
                return self._until(w, None, f, i, env)
            case Temporal("always", w, f):
                return {negation(value) for value in self._until(w, None, Not(f), i, env)}
            case Until("until", w, f, g):
                return self._until(w, f, g, i, env)
            case _:
                return {self.value(formula, i, env)}

    def _next(self, window: Window, body: Formula, i: int, env: Env) -> set[Truth]:
        if self.trace[i].is_session_end:
            return {FALSE}
        if i + 1 < len(self.trace):
            is_inside = _is_inside(window, self.trace[i + 1].time_ns - self.trace[i].time_ns)
            return {self.value(body, i + 1, env) if is_inside else FALSE}
        return {FALSE, UNKNOWN, TRUE} if self._is_open(window, i) else {FALSE}

    def _until(
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
        if is_over or not self._is_open(window, i):
            return {met}
        return {max(met, later) for later in Truth if later <= still}

    def _is_open(self, window: Window, i: int) -> bool:
        """True if a further event can still be in the window that begins at event i."""
        return window.high_ns is None or self.now_ns <= self.trace[i].time_ns + window.high_ns


def negation(truth: Truth) -> Truth:
    """`not`: unknown stays unknown."""
    return Truth(2 - truth)


def connect(operator: Literal["and", "or", "implies", "iff"], left: Truth, right: Truth) -> Truth:
    """Kleene's connectives."""
    match operator:
        case "and":
            return min(left, right)
        case "or":
            return max(left, right)
        case "implies":
            return max(negation(left), right)
        case "iff":
            return max(min(left, right), min(negation(left), negation(right)))
        case _:
            assert_never(operator)


def extended(env: Env, variable: str, value: Value) -> Env:
    """The binding with one more variable, which hides an outer one of its name."""
    others = tuple(pair for pair in env if pair[0] != variable)
    return tuple(sorted((*others, (variable, value)), key=lambda pair: pair[0]))


def _is_inside(window: Window, age_ns: int) -> bool:
    return window.low_ns <= age_ns and (window.high_ns is None or age_ns <= window.high_ns)
