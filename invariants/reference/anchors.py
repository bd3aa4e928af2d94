"""The events and bindings that are judged: the trigger, and the bindings that an event makes.

Source: docs/language.md, Variables and Trigger.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from operator import and_, or_

from ..formula.ast import Atom, Comparison, Exists, Formula, SessionEnd, Variable
from ..model.fact import Truth
from .leaves import FALSE, TRUE, look_up
from .syntax import free_variables, inward
from .value import Env, Meaning, extended


class Anchors:
    """Which bindings of the violating formula are judged at which events of a trace."""

    def __init__(self, meaning: Meaning, violating: Formula) -> None:
        self._meaning = meaning
        self._violating = violating
        self._free = free_variables(violating)
        self._named: dict[int, frozenset[str]] = {}  # By id: parts of `violating` are not freed.

    def judged(self, i: int) -> Iterator[Env]:
        """The bindings that event i makes and whose trigger is not false."""
        for env in self.assignments(i):
            if self._is_made(i, env) and self._trigger(i, env) != FALSE:
                yield env

    def assignments(self, i: int) -> Iterator[Env]:
        """All assignments of values around at event i to the free variables."""
        for values in product([*self._meaning.universe(i, i)], repeat=len(self._free)):
            yield tuple(zip(sorted(self._free), values, strict=True))

    def _trigger(self, i: int, env: Env) -> Truth:
        """The condition of the violating formula on the event itself."""
        return inward(self._violating, True, partial(self.asked, i=i, env=env), min, max)

    def asked(self, leaf: Formula, is_positive: bool, i: int, env: Env) -> Truth:
        """The share of a leaf in the trigger, of the event itself: true if it is not asked."""
        is_asked = is_positive and isinstance(leaf, Atom | SessionEnd)
        return self._meaning.value(leaf, i, env) if is_asked else TRUE

    def _is_made(self, i: int, env: Env) -> bool:
        """True if event i makes the binding: the violating formula as a relation has this row."""
        return not self._free or self._has_row(self._violating, i, env) != FALSE

    def _has_row(self, formula: Formula, i: int, env: Env) -> Truth:
        if id(formula) not in self._named:
            self._named[id(formula)] = inward(formula, True, _atom_variables, or_, and_)
        named_by_atoms = self._named[id(formula)]
        trace, value = self._meaning.trace, self._meaning.value

        def row(leaf: Formula, is_positive: bool) -> Truth:
            match leaf:
                case Atom(predicate, arguments) if is_positive:
                    kept = trace[i].letter[predicate].values
                    variables = [(name, t) for name, t in arguments if isinstance(t, Variable)]
                    are_kept = all(look_up(t, env) in kept.get(name, ()) for name, t in variables)
                    return value(leaf, i, env) if are_kept else FALSE
                case SessionEnd() if is_positive:
                    return value(leaf, i, env)
                case Comparison(operator) if operator == ("==" if is_positive else "!="):
                    is_needed = not free_variables(leaf) <= named_by_atoms
                    is_equal = is_positive == (value(leaf, i, env) == TRUE)
                    return TRUE if is_equal or not is_needed else FALSE
                case Exists(variable, body) if is_positive:
                    return max(
                        self._has_row(body, i, extended(env, variable, one))
                        for one in self._meaning.universe(i, i)
                    )
                case _:
                    return TRUE

        return inward(formula, True, row, min, max)


def _atom_variables(leaf: Formula, is_positive: bool) -> frozenset[str]:
    return free_variables(leaf) if is_positive and isinstance(leaf, Atom) else frozenset()
