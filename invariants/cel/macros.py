"""`all`, `exists`, `exists_one`, `filter` and `map` over the elements of a list or a map's keys.

`all` and `exists` absorb failures of single elements as `&&` and `||` do; the others fail with the
first. Each element costs as many steps as its body has nodes.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from . import python_tree as py
from .ast import Comprehension, Logical, Node, operands_of, sure_nodes_count
from .logic import absorb, is_truth, require_truth, take
from .passing import END, Rows, no_elements
from .writer import VIEW, Writer, attempted

_NONE = py.constant(None)


def comprehension(
    writer: Writer, node: Comprehension, passing: tuple[int, Rows] | None
) -> ast.expr:
    """The value of a macro; `passing` gives the elements that pass its body's first condition, if
    they are found once for several expressions, and the number under which an event has them.
    """
    match node.macro:
        case "all" | "exists":
            return _quantifier(writer, node, passing)
        case "exists_one":
            return _exists_one(writer, node)
        case _:
            return _made_list(writer, node)


def _quantifier(writer: Writer, node: Comprehension, passing: tuple[int, Rows] | None) -> ast.expr:
    is_exists = node.macro == "exists"
    result, failure = writer.variable(), writer.variable()
    decided = [py.assign(result, py.constant(is_exists)), py.stop()]

    def whole() -> None:
        take(writer, node.body, writer.emit(node.body), failure, decided, decisive=is_exists)

    source = _container(writer, node) if passing is None else None
    writer.add(py.assign(result, py.constant(not is_exists)))
    writer.add(py.assign(failure, _NONE))
    if source is not None:
        _loop(writer, node, source, lambda: attempted(writer, failure, whole))
    else:
        assert passing is not None, "one of the two"
        _loop_of_passing(writer, node, passing, failure, decided)
    is_failed = py.compare(py.name(failure), "is not", _NONE)
    is_open = py.negated(py.name(result)) if is_exists else py.name(result)
    writer.add(py.when(py.both(is_failed, is_open), [py.fail(py.name(failure))]))
    return py.name(result)


def _loop_of_passing(
    writer: Writer,
    node: Comprehension,
    passing: tuple[int, Rows],
    failure: str,
    decided: list[ast.stmt],
) -> None:
    """The rest of the body, for the elements that passed its first condition."""
    body = node.body
    assert isinstance(body, Logical), "it has a first condition"
    others = operands_of(body)[1:]
    number, read = passing
    rows = writer.remembered(number, py.call(writer.bound("passing", read), VIEW))
    steps, met = writer.variable(), writer.variable()

    def rest() -> None:
        value = writer.variable()
        absorb(writer, others, value, decisive=body.operator == "||", failure=met)
        is_decisive = py.name(value) if node.macro == "exists" else py.negated(py.name(value))
        writer.add(py.when(is_decisive, decided))

    with _element(writer, node) as (element, statements):
        writer.add(py.subtract(VIEW, "steps_left", py.name(steps)))
        writer.ask_budget()
        is_end = py.compare(py.name(element), "is", writer.bound("END", END))
        writer.add(py.when(is_end, [py.stop()]))
        attempted(writer, failure, rest)
    writer.add(py.loop([steps, element, met], rows, statements))


def _exists_one(writer: Writer, node: Comprehension) -> ast.expr:
    found, source = writer.variable(), _container(writer, node)
    writer.add(py.assign(found, py.list_of([])))
    _loop(writer, node, source, lambda: _if_true(writer, node.body, found, _NONE))
    count = py.call(py.name("len"), py.name(found))
    return writer.kept(py.compare(count, "==", py.constant(1)))


def _made_list(writer: Writer, node: Comprehension) -> ast.expr:
    """`filter`, or `map` with or without a condition."""
    made, source = writer.variable(), _container(writer, node)
    writer.add(py.assign(made, py.list_of([])))

    def kept() -> None:
        # An element is not read by keeping it: it may be a whole number beyond int64.
        _if_true(writer, node.body, made, py.name(f"v{len(writer.variables) - 1}"))

    def mapped() -> None:
        if node.transform is None:
            writer.add(_append(made, writer.emit(node.body)))
        else:
            _if_true(writer, node.body, made, node.transform)

    _loop(writer, node, source, kept if node.macro == "filter" else mapped)
    return py.name(made)


def _if_true(writer: Writer, condition: Node, into: str, value: Node | ast.expr) -> None:
    """Append a value to a list, if the condition is true of the element."""
    holds = writer.emit(condition)
    if not is_truth(condition):
        require_truth(writer, holds)
    with writer.block() as statements:
        written = value if isinstance(value, ast.expr) else writer.emit(value)
        writer.add(_append(into, written))
    writer.add(py.when(holds, statements))


def _append(into: str, value: ast.expr) -> ast.stmt:
    return py.do(py.call(py.attribute(py.name(into), "append"), value))


def _container(writer: Writer, node: Comprehension) -> ast.expr:
    source = writer.emit(node.source)
    is_strange = py.both(
        py.negated(py.has_type(source, "list")), py.negated(py.has_type(source, "dict"))
    )
    failure = py.call(writer.bound("no_elements", no_elements), source)
    writer.add(py.when(is_strange, [py.fail(failure)]))
    return source


def _loop(writer: Writer, node: Comprehension, source: ast.expr, write: Callable[[], None]) -> None:
    """The body for one element after the other, each charged."""
    cost = sure_nodes_count(node.body)
    cost += 0 if node.transform is None else sure_nodes_count(node.transform)
    with _element(writer, node) as (element, statements):
        writer.charge(cost)
        writer.ask_budget()
        write()
    writer.add(py.loop([element], source, statements))


@contextmanager
def _element(writer: Writer, node: Comprehension) -> Iterator[tuple[str, list[ast.stmt]]]:
    """A block within which the macro's variable is known; its name in Python."""
    element = f"v{len(writer.variables)}"
    writer.variables.append(node.variable)
    with writer.block() as statements:
        yield element, statements
    writer.variables.pop()
