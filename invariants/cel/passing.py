"""The elements of a macro's source that pass the first condition of its body, once an event.

Many predicates ask the same of all arguments of a call before they ask anything else:

    args.exists(k, named_any(lists.command_arguments, k) && ...)

An element for which the condition is false changes nothing, except that it is charged. `all` and
`||` mirror this. So the elements that pass are found once, each with the steps since the one before
it; whoever visits it is charged these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from ..event import EventView, SpentError
from .fields import Evaluator
from .values import Failure, no_truth_value, type_name

END: Final = object()
"""Stands in the place of an element in the last row, whose steps are those behind the others."""

Row = tuple[int, Any, Failure | None]
"""Steps, an element, and the failure of its first condition."""
Rows = Callable[[EventView], Iterable[Row]]


def no_elements(container: Any) -> Failure:
    """The failure of a macro over a value that has none."""
    return Failure(f"no elements in {type_name(container)}")


def passing(
    number: int,
    source: Evaluator,
    condition: Callable[[EventView, Any], Any],
    *,
    cost: int,
    skipped: bool,
) -> Rows:
    """The rows of an event, remembered there under `number`.

    An element costs `cost` steps, besides those of its condition. It is left out if the condition
    has the value `skipped`.
    """

    def found(view: EventView, container: Any) -> Iterator[Row]:
        """Charges the event as it goes."""
        for element in container:
            view.charge(cost)
            failure = None
            try:
                value = condition(view, element)
            except Failure as met:
                failure = met
            else:
                if value is skipped:
                    continue
                if value is not (not skipped):
                    failure = no_truth_value(value)
            yield 0, element, failure
        yield 0, END, None

    def rows(view: EventView) -> Iterable[Row]:
        known: list[Row] | None = view.shared.get(number)
        if known is not None:
            return known
        container = source(view)
        if type(container) is not list and type(container) is not dict:
            raise no_elements(container)
        begin = before = view.steps_left
        known = []
        try:
            for _, element, failure in found(view, container):
                known.append((before - view.steps_left, element, failure))
                before = view.steps_left
        except SpentError:
            # Too many for this event. Whoever visits them stops there, unless it is decided before.
            return found(view, container)
        finally:
            view.steps_left = begin
        view.shared[number] = known
        return known

    return rows
