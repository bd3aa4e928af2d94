"""The elements of a macro's source that pass the first condition of its body, once an event.

Many predicates ask the same of all arguments of a call before they ask anything else:

    args.exists(k, named_any(lists.command_arguments, k) && ...)

An element for which the condition is false changes nothing, except that it is charged. `all` and
`||` mirror this. So the elements that pass are found once, each with the steps since the one before
it; whoever visits it is charged these. The answers for the same keys of a map are remembered, since
the condition reads nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from ..taint.event_view import EventView, SpentError
from ..values.value import Failure, no_truth_value, type_name
from .fields import Evaluator

END: Final = object()
"""Stands in the place of an element in the last row, whose steps are those behind the others."""

_RECENT_MAX: Final = 256  # Chosen: agents choose the names of arguments; most tools have few sets.
_KEYS_CHARACTERS_MAX: Final = 500  # Chosen: of the names of a set that is remembered.

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
    """The rows of an event that does not have them yet; it remembers them under `number`.

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

    recent: dict[tuple[str, ...], list[Row]] = {}

    def rows(view: EventView) -> Iterable[Row]:
        container = source(view)
        if type(container) is not list and type(container) is not dict:
            raise no_elements(container)
        keys = tuple(container) if type(container) is dict else ()
        if (met := recent.get(keys)) is not None:
            view.shared[number] = met
            return met
        begin = before = view.steps_left
        known: list[Row] = []
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
        # A failure is not kept beyond the event: each time it is raised it holds more of the stack.
        is_sure = not any(failure for _, _, failure in known)
        if keys and is_sure and sum(map(len, keys)) <= _KEYS_CHARACTERS_MAX:
            if len(recent) >= _RECENT_MAX:
                recent.clear()
            recent[keys] = known
        return known

    return rows
