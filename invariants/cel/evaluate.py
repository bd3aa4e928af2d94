"""Checked nodes -> a function of Python that evaluates them, generated at its first call.

Input: nodes without faults. Output: a `Prepared`, whose evaluator takes an `EventView`, gives a CEL
value or raises `Failure`. The function is built as a syntax tree (`python_tree.py`), so that an
event costs few calls: a node is a statement or two.

A large macro is a function of its own, generated when it is needed: most predicates ask a cheap
question first, and most events answer it with no.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final, assert_never

from ..values.value import Failure, type_name
from . import data_functions as asked
from . import logic, macros
from . import python_tree as py
from .ast import (
    Calculation,
    Call,
    Comparison,
    Comprehension,
    Conditional,
    Constant,
    Has,
    Index,
    ListOf,
    Logical,
    MapOf,
    Name,
    Node,
    Select,
    Unary,
    children,
    free_names,
    operands_of,
    sure_nodes_count,
    walk,
)
from .calls import Bindings, calculation, called, counts_steps, negative
from .common import CommonParts, evaluated_once, first_condition, is_of_call
from .fields import READERS, Evaluator, indexed
from .known_lists import list_name
from .passing import Rows, passing
from .relations import comparison, is_plain
from .writer import Writer, first_names

DEPTH_MAX: Final = 12
"""Chosen: blocks around a statement. Python allows twenty; deeper parts are functions of their
own."""
_PART_NODES: Final = 25
"""Chosen: a macro with more nodes is a function of its own, which most events do not need."""


class Prepared:
    """`evaluator` evaluates the expression; `counts_steps` means that a part of it may count steps
    whatever its operands: macros, comparisons of containers, `digest`, `seen`, `shell_commands`.
    """

    __slots__ = ("counts_steps", "evaluator")

    evaluator: Evaluator

    def __init__(self, generate: Callable[[], Evaluator], *, counts_steps: bool) -> None:
        def first(view: Any) -> Any:
            self.evaluator = made = generate()
            return made(view)

        self.evaluator = first
        self.counts_steps = counts_steps

    def evaluate(self, view: Any) -> Any:
        """The value for an event, or for a kind and tool; raises Failure."""
        return self.evaluator(view)


def prepare(
    node: Node,
    lists: Mapping[str, list[Any]],
    digest_key: bytes,
    sources: asked.SourcePlaces = asked.NO_SOURCES,
    common: CommonParts | None = None,
) -> Prepared:
    """The function of an expression that `check` found no fault in.

    `common` knows the parts that it shares with other expressions of its program.
    """
    generator = _Generator(Bindings(lists, digest_key, sources), common)
    return Prepared(
        lambda: generator.function(node, is_shared=True),
        counts_steps=any(map(generator.counts_steps, walk(node))),
    )


class _Generator:
    """Writes the functions of one expression."""

    def __init__(self, bindings: Bindings, common: CommonParts | None) -> None:
        self._bindings, self._common = bindings, common
        self._lists = bindings.lists
        self._names = first_names()

    def function(
        self, node: Node, variables: tuple[str, ...] = (), *, is_shared: bool = False
    ) -> Callable[..., Any]:
        """The function of a node, which takes the view and the values of the variables.

        `is_shared` means that it reads the node's value where others have left it.
        """
        writer = Writer(self._names, variables, self._emit)
        write = self._emit if is_shared else self._written
        writer.add(py.give(write(writer, node, is_part=True)))
        parameters = ["view", *(f"v{place}" for place in range(len(variables)))]
        return py.function_of("evaluated", parameters, writer.body, self._names)

    def counts_steps(self, node: Node) -> bool:
        match node:
            case Comprehension():
                return True
            case Comparison():
                return not is_plain(node, self._lists)
            case _:
                return isinstance(node, Call) and counts_steps(node)

    def _emit(self, writer: Writer, node: Node, *, is_part: bool = False) -> ast.expr:
        number = None if self._common is None else self._common.shared(node, self._lists)
        if number is None or any(name.name in writer.variables for name in free_names(node)):
            return self._written(writer, node, is_part=is_part)
        if writer.variables and _has_operands(node):
            return self._written(writer, node, is_part=is_part)
        alone = Prepared(lambda: self.function(node), counts_steps=False)
        once = evaluated_once(alone.evaluate, number, of_call=is_of_call(node))
        return writer.kept(py.call(writer.bound("once", once), py.name("view")))

    def _written(self, writer: Writer, node: Node, *, is_part: bool = False) -> ast.expr:
        match node:
            case Constant():
                value = py.constant(node.value)
                # Python warns about `is` beside a literal; a variable is as fast.
                return value if node.value is None else writer.kept(value)
            case Name():
                return self._name(writer, node)
            case Select() | Has():
                return self._field(writer, node)
            case Index():
                return self._index(writer, node)
            case Call():
                return called(writer, node, self._bindings)
            case Unary():
                return (logic.negation if node.operator == "!" else negative)(writer, node)
            case Calculation():
                return calculation(writer, node)
            case Comparison():
                return comparison(writer, node, self._lists)
            case Logical() | Conditional() | Comprehension():
                is_large = isinstance(node, Comprehension) and _is_large(node)
                if not is_part and (is_large or writer.depth > DEPTH_MAX):
                    return self._part(writer, node)
                return self._branching(writer, node)
            case ListOf():
                return writer.kept(py.list_of([writer.emit(part) for part in node.elements]))
            case MapOf():
                return _map_of(writer, node)
            case _:
                assert_never(node)

    def _branching(self, writer: Writer, node: Logical | Conditional | Comprehension) -> ast.expr:
        match node:
            case Logical():
                return logic.logical(writer, node)
            case Conditional():
                return logic.conditional(writer, node)
            case Comprehension():
                return macros.comprehension(writer, node, self._passing(node))

    def _part(self, writer: Writer, node: Node) -> ast.expr:
        """A function of its own, in whose place stands one that generates it."""
        variables = tuple(writer.variables)

        def first(*given: Any) -> Any:
            made = self._names[place] = self.function(node, variables)
            return made(*given)

        part = writer.bound("part", first)
        assert isinstance(part, ast.Name), "a name that was bound"
        place = part.id
        values = (py.name(f"v{number}") for number in range(len(variables)))
        return writer.kept(py.call(part, py.name("view"), *values))

    def _passing(self, node: Comprehension) -> tuple[int, Rows] | None:
        number = None if self._common is None else self._common.passing(node, self._lists)
        if number is None:
            return None
        condition = first_condition(node)
        assert condition is not None, "it has a number"
        assert isinstance(node.body, Logical), "it has a first condition"
        assert isinstance(node.source, Name), "a field of the event"
        assert operands_of(node.body)[0] is condition, "the first"
        rows = passing(
            number,
            READERS[node.source.name],
            self.function(condition, (node.variable,)),
            cost=sure_nodes_count(node.body) + sure_nodes_count(condition),
            skipped=node.macro == "all",
        )
        return number, rows

    def _name(self, writer: Writer, node: Name) -> ast.expr:
        place = writer.place(node.name)
        if place is None:
            if node.name == "lists":
                return writer.bound("lists", dict(self._lists))
            return writer.field(node)
        element = py.name(f"v{place}")
        # A whole number beyond int64 fails here, where it is read.
        checked = py.call(py.name("in_range"), element)
        return writer.kept(py.chosen(py.has_type(element, "int"), checked, element))

    def _field(self, writer: Writer, node: Select | Has) -> ast.expr:
        if isinstance(node, Select) and (name := list_name(node)) is not None:
            return writer.bound("list", self._lists[name])
        container, key = writer.emit(node.operand), py.constant(node.key)
        is_map, strange = (
            py.has_type(container, "dict"),
            py.call(py.name("no_fields"), container, key),
        )
        if isinstance(node, Has):
            return writer.kept(py.chosen(is_map, py.compare(key, "in", container), strange))
        found = py.call(py.attribute(container, "get"), key, py.name("ABSENT"))
        value = writer.kept(py.chosen(is_map, found, strange))
        is_checked = py.either(
            py.compare(value, "is", py.name("ABSENT")), py.has_type(value, "int")
        )
        check = py.do(py.call(py.name("checked_value"), value, key))
        writer.add(py.when(is_checked, [check]))
        return value

    def _index(self, writer: Writer, node: Index) -> ast.expr:
        container, key = writer.emit(node.operand), writer.emit(node.key)
        return writer.kept(py.call(writer.bound("indexed", indexed), container, key))


def _has_operands(node: Node) -> bool:
    """True if its steps are others within a macro, where operands of `&&` and `||` are counted."""
    if isinstance(node, Logical):
        return True
    below = (node.source,) if isinstance(node, Comprehension) else children(node)
    return any(map(_has_operands, below))


def _is_large(node: Node) -> bool:
    return next(islice(walk(node), _PART_NODES, None), None) is not None


def _map_of(writer: Writer, node: MapOf) -> ast.expr:
    made = writer.kept(py.empty_map())
    for key, value in node.entries:
        name = writer.emit(key)
        writer.add(py.do(py.call(writer.bound("new_key", _new_key), made, name)))
        writer.add(py.put(made, name, writer.emit(value)))
    return made


def _new_key(made: dict[str, Any], key: Any) -> None:
    if type(key) is not str:
        raise Failure(f"the key of a map is a string here, not {type_name(key)}")
    if key in made:
        raise Failure("a key stands twice in one map")
