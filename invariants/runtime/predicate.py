"""A named predicate, compiled: one event in, a `Fact` out.

A false `when` gives `NO_FACT`. A true or unknown one (an error, or a value that is not a truth
value) gives the values of `with`: the usable ones, and the names of the others. It does not decide
the effect on an invariant, nor that sums skip values that are not numbers: formulas do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from ..cel.common import CommonParts
from ..cel.compile import Expression, compile_expression
from ..cel.data_functions import NO_SOURCES, SourcePlaces
from ..cel.fold import KindAndTool, Leaf
from ..check.checked import CheckedPredicate
from ..model.event import SECOND_NS
from ..model.fact import ELEMENTS_MAX, NO_FACT, Fact, Truth, Value, canonical, canonical_text
from ..taint.event_view import EventView
from ..values.value import INT_MAX, INT_MIN, CelError, Duration, Timestamp

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_VALUES: Final[Mapping[str, tuple[Value, ...]]] = {}
SETTLED_CHARACTERS_MAX: Final = 1_000
"""Chosen: a fact with longer values is made for each event. Thousands of facts are remembered, and
agents choose the names of tools."""
PLAIN_TRUE: Final = Fact(Truth.TRUE, _NO_VALUES)
_PLAIN_UNKNOWN: Final = Fact(Truth.UNKNOWN, _NO_VALUES)


class Predicate(msgspec.Struct, frozen=True):
    """`when`, and the values of the event that it names."""

    checked: CheckedPredicate
    _when: Expression
    _values: tuple[tuple[str, Expression], ...]

    @property
    def name(self) -> str:
        """As invariants name it."""
        return self.checked.name

    @property
    def value_names(self) -> tuple[str, ...]:
        """The names of the values."""
        return self.checked.value_names

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """The parts of `when` that kind and tool decide: what `planned` finds of its truth depends
        on their truth alone.
        """
        return self._when.leaves

    def planned(self, call: KindAndTool) -> Fact | Callable[[EventView], Fact]:
        """The fact of every event of that kind and tool, if it is always the same; else a function
        that gives it for one, without the parts that kind and tool decide.
        """
        holds = self._when.fold(call)
        if holds is False:
            return NO_FACT
        if holds is None:
            return self.fact
        if all(value.is_settled_by_call for _, value in self._values):
            fact = self._valued(Truth.TRUE, call)
            if _is_small(fact):
                return fact
        return self.valued

    def fact(self, view: EventView) -> Fact:
        """The fact of the predicate for an event; never raises."""
        holds = self._when.truth(view)
        if holds is False:
            return NO_FACT
        return self._valued(Truth.TRUE if holds is True else Truth.UNKNOWN, view)

    def valued(self, view: EventView) -> Fact:
        """The same, of an event for which `when` is known to be true."""
        return self._valued(Truth.TRUE, view)

    def _valued(self, truth: Truth, view: EventView | KindAndTool) -> Fact:
        """The fact of an event for which `when` is not false."""
        if not self._values:
            return PLAIN_TRUE if truth is Truth.TRUE else _PLAIN_UNKNOWN
        values: dict[str, tuple[Value, ...]] = {}
        missing: list[str] = []
        overflowing: list[str] = []
        repeated: list[tuple[str, tuple[Value, ...] | None]] = []
        for name, expression in self._values:
            value = expression.evaluate(view)
            if type(value) is list:
                found, every, is_missing, is_overflowing = _elements(value)
                if is_overflowing:
                    overflowing.append(name)
                elif every is not found:
                    repeated.append((name, every))
            else:
                only = _scalar(value)
                found, is_missing = ((), True) if only is None else ((only,), False)
            values[name] = found
            if is_missing:
                missing.append(name)
        if not missing and not overflowing and not repeated:
            return Fact(truth, values)
        return Fact(truth, values, frozenset(missing), frozenset(overflowing), tuple(repeated))


def _is_small(fact: Fact) -> bool:
    values = [value for found in fact.values.values() for value in found]
    return sum(len(v) for v in values if isinstance(v, str)) <= SETTLED_CHARACTERS_MAX


_Elements = tuple[tuple[Value, ...], tuple[Value, ...] | None, bool, bool]


def _elements(elements: list[Any]) -> _Elements:
    """A list's distinct values, and all of them: the same tuple if there are no repeats, None if
    there are too many. Then flags for a missing element, and for too many distinct ones.
    """
    distinct: dict[Value, None] = {}
    every: list[Value] = []
    is_missing = not elements
    is_overflowing = False
    for element in elements:
        value = _scalar(element)
        if value is None:
            is_missing = True
            continue
        if len(every) <= ELEMENTS_MAX:
            every.append(value)
        if len(distinct) < ELEMENTS_MAX:
            distinct[value] = None
        elif value not in distinct:
            is_overflowing = True
    found = tuple(distinct)
    if len(every) > ELEMENTS_MAX:
        return found, None, is_missing, is_overflowing
    return found, found if len(every) == len(found) else tuple(every), is_missing, is_overflowing


def _scalar(value: Any) -> Value | None:
    """A canonical value, or None if it is missing.

    Elements of a list have not been read yet, so a whole number beyond int64 is detected here.
    """
    if type(value) is str:
        return canonical_text(value)
    if type(value) is int and not INT_MIN <= value <= INT_MAX:
        return None
    if isinstance(value, Timestamp):
        return ("timestamp", _shown_time(value.ns))
    if isinstance(value, Duration):
        return ("duration", f"{_shown_decimal(value.ns)}s")
    return None if isinstance(value, CelError) else canonical(value)


def _shown_time(ns: int) -> str:
    whole = _EPOCH + timedelta(seconds=ns // SECOND_NS)
    fraction = f".{ns % SECOND_NS:09d}".rstrip("0").rstrip(".")
    return f"{whole:%m-%dT%H:%M:%S}".join((f"{whole.year:04d}-", f"{fraction}Z"))


def _shown_decimal(ns: int) -> str:
    whole, rest = divmod(abs(ns), SECOND_NS)
    sign = "-" if ns < 0 else ""
    return sign + f"{whole}.{rest:09d}".rstrip("0").rstrip(".")


def compile_predicate(
    checked: CheckedPredicate,
    *,
    lists: Mapping[str, list[Any]],
    digest_key: bytes,
    sources: SourcePlaces = NO_SOURCES,
    common: CommonParts | None = None,
) -> Predicate:
    """The predicate; `sources` and `common` are as `compile_expression` takes them."""
    when, *values = (
        compile_expression(part, lists=lists, digest_key=digest_key, sources=sources, common=common)
        for part in checked.expressions
    )
    return Predicate(checked, when, tuple(zip(checked.value_names, values, strict=True)))
