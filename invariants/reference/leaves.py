"""One event, or plain values: terms that match, and comparisons.

Source: docs/language.md, Predicates and Formulas.
"""

from __future__ import annotations

from fractions import Fraction

from ..formula.ast import Anything, Constant, Operator, Term, Variable
from ..model.fact import Fact, Truth, Value
from ..model.verdict import Binding

FALSE, UNKNOWN, TRUE = Truth.FALSE, Truth.UNKNOWN, Truth.TRUE


def match_term(fact: Fact, name: str, term: Term, env: Binding) -> Truth:
    """The truth of `name=term` at an event whose predicate is not false."""
    if isinstance(term, Anything) or look_up(term, env) in fact.values.get(name, ()):
        return TRUE
    return UNKNOWN if name in fact.overflowing else FALSE


def look_up(term: Variable | Constant, env: Binding) -> Value:
    """The value that a term has under a binding."""
    return term.value if isinstance(term, Constant) else dict(env)[term.name]


def compare(operator: Operator, left: Value, right: Value) -> Truth:
    """Equality of canonical values; order between two numbers or two texts, else unknown."""
    if operator in ("==", "!="):
        return TRUE if (left == right) == (operator == "==") else FALSE
    first, second = number_of(left), number_of(right)
    if first is not None and second is not None:
        return compare_numbers(operator, first, second)
    if isinstance(left, str) and isinstance(right, str):
        order = (left > right) - (left < right)
        return compare_numbers(operator, Fraction(order), Fraction(0))
    return UNKNOWN


def compare_numbers(operator: Operator, left: Fraction | float, right: Fraction | float) -> Truth:
    """The comparison of two numbers: never unknown."""
    table = {
        "==": left == right, "!=": left != right, "<": left < right,
        "<=": left <= right, ">": left > right, ">=": left >= right,
    }  # fmt: skip
    return TRUE if table[operator] else FALSE


def number_of(value: Value) -> Fraction | None:
    """A value as a number, exactly; None if it is of another type."""
    return Fraction(value) if isinstance(value, int | float) else None
