"""Subexpressions that several expressions of a program have in common, evaluated once an event.

Input: the nodes of all expressions. Output: a number for each subexpression that occurs at least
twice and is worth sharing. Two nodes have one number if they are equal apart from their places,
with equal lists: then they have one value at an event, or fail for one reason, and cost the same.

A shared value is charged at each use, as if it were evaluated there: sharing changes no budget.
Values are shared by an event's expressions. Small ones that depend on its kind and tool alone are
shared by all events of that kind and tool.

Source: common subexpression elimination, by hash-consing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..shell.derived import READERS_OF_SHELL
from ..values.value import Failure
from .ast import (
    Call,
    Comprehension,
    Logical,
    Name,
    Node,
    Unary,
    free_names,
    operands_of,
    walk,
)
from .data_functions import FUNCTIONS_ASKING
from .fields import READERS, Evaluator
from .known_lists import is_lists, list_name
from .references import content_of, literal

_UNSHARED: Final = FUNCTIONS_ASKING | READERS_OF_SHELL.keys() | {"present"}
"""`seen` depends on the file's sources; commands are shared, and charged once, by themselves."""

KNOWN_NAMES: Final = frozenset({"kind", "tool", "lists"})
"""The names whose values are the same at all events of one kind and tool."""

KEPT_CHARACTERS_MAX: Final = 200
"""Chosen: longer texts, and lists and maps, are remembered for one event only."""

Lists = Mapping[str, Iterable[Any]]


class CommonParts:
    """The numbers of equal subexpressions of a program."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}
        self._counts: Counter[int] = Counter()
        self._worth: dict[int, tuple[Node, bool]] = {}
        """By the identity of a node, which is kept with the answer."""
        self._known: dict[tuple[int, int], tuple[Node, Lists, int]] = {}
        """Numbers, likewise, by the identities of a node and of the lists of its file."""

    def take(self, node: Node, lists: Lists) -> None:
        """Count the parts of one expression."""
        for part in walk(node):
            if self._is_worth(part):
                self._counts[self._number(part, lists)] += 1
            if isinstance(part, Comprehension) and (condition := first_condition(part)) is not None:
                self._counts[self._passing(part, condition, lists)] += 1

    def shared(self, node: Node, lists: Lists) -> int | None:
        """The number of a part that occurs elsewhere too; None if it is evaluated in its place."""
        if not self._is_worth(node):
            return None
        number = self._number(node, lists)
        return number if self._counts[number] > 1 else None

    def passing(self, node: Comprehension, lists: Lists) -> int | None:
        """The number of the elements that pass the first condition of a macro's body, if others ask
        the same of the same source; else None.
        """
        if (condition := first_condition(node)) is None:
            return None
        number = self._passing(node, condition, lists)
        return number if self._counts[number] > 1 else None

    def _passing(self, node: Comprehension, condition: Node, lists: Lists) -> int:
        parts = self._number(node.source, lists), self._number(condition, lists)
        signature = "passing", node.macro, node.variable, *parts
        return self._numbers.setdefault(signature, len(self._numbers))

    def _is_worth(self, node: Node) -> bool:
        if not isinstance(node, Call | Comprehension):
            return False
        known = self._worth.get(id(node))
        if known is None:
            known = self._worth[id(node)] = node, _is_worth(node)
        return known[1]

    def number(self, node: Node, lists: Lists) -> int:
        """The number of a part; parts of one number have one value at an event."""
        return self._number(node, lists)

    def _number(self, part: object, lists: Lists) -> int:
        # An image has one node for all equal parts: most are met many times.
        key = id(part), id(lists)
        known = self._known.get(key)
        if known is not None and known[0] is part:
            return known[2]
        number = self._numbers.setdefault(self._signature(part, lists), len(self._numbers))
        if isinstance(part, Node):
            self._known[key] = part, lists, number
        return number

    def _signature(self, part: object, lists: Lists) -> object:
        if isinstance(part, tuple):
            return "tuple", *(self._number(item, lists) for item in part)
        if isinstance(part, Node):
            name = list_name(part)
            if name is not None and name in lists:
                return "list", *map(literal, lists[name])
            if is_lists(part):  # Which one is decided at the event.
                return "lists", *((key, *map(literal, lists[key])) for key in sorted(lists))
            content = content_of(part)
            return type(part).__name__, *(self._number(value, lists) for value in content)
        return literal(part)


def _is_worth(part: Node) -> bool:
    """True for a call or a macro whose value is a matter of the event alone."""
    if not isinstance(part, Call | Comprehension):
        return False
    calls = (one for one in walk(part) if isinstance(one, Call))
    return not any(one.function in _UNSHARED for one in calls) and any(free_names(part))


def first_condition(node: Comprehension) -> Node | None:
    """The first condition of the body of `all` or `exists` over a field of the event, if an element
    that does not pass it changes nothing, and if it reads the element alone.
    """
    body, operator = node.body, {"exists": "&&", "all": "||"}.get(node.macro)
    if not isinstance(body, Logical) or body.operator != operator:
        return None
    if not isinstance(node.source, Name) or node.source.name not in READERS:
        return None
    first = operands_of(body)[0]
    asked = first.operand if isinstance(first, Unary) else first
    if not isinstance(asked, Call) or not _is_worth(asked):
        return None
    read = {name.name for name in free_names(first)}
    return first if node.variable in read and read <= {node.variable, "lists"} else None


def is_of_call(node: Node) -> bool:
    """True if the value depends on the kind and tool of the event alone."""
    return all(name.name in KNOWN_NAMES for name in free_names(node))


def evaluated_once(evaluator: Evaluator, number: int, *, of_call: bool) -> Evaluator:
    """`evaluator`, with its value remembered under `number`."""

    def read(view: Any) -> Any:
        known = view.shared.get(number)
        if known is None and of_call:
            known = view.of_call.get(number)
        if known is not None:
            value, reason, steps = known
            if steps:
                view.charge(steps)
            if reason is not None:
                raise Failure(reason)
            return value
        before = view.steps_left
        try:
            value = evaluator(view)
        except Failure as failure:
            memory = view.of_call if of_call and _is_small(failure.reason) else view.shared
            memory[number] = None, failure.reason, before - view.steps_left
            raise
        memory = view.of_call if of_call and _is_small(value) else view.shared
        memory[number] = value, None, before - view.steps_left
        return value

    return read


def _is_small(value: Any) -> bool:
    """True if thousands of such values may be remembered. Agents choose the names of tools, and a
    list that is made of one can have as many elements as a list of the file.
    """
    if type(value) is str:
        return len(value) <= KEPT_CHARACTERS_MAX
    return value is None or type(value) in (bool, int, float)
