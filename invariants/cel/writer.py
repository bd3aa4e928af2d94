"""The body of a generated function, as it is written: statements, variables, and what is charged.

Each node of an expression is written as statements that leave its value in a variable, so that
parts are evaluated from left to right, as CEL has it. A failure is raised and `SpentError` too.

Steps that do not depend on values are subtracted without a test of the rest. Each element of a
macro tests it, and so do functions that charge by the length of a text, so that work beyond the
budget is bounded by the length of the expression. `Expression.evaluate` tests it at the end.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..taint.event_view import SpentError
from ..values.value import Failure, in_range, no_truth_value
from . import python_tree as py
from .ast import Name, Node
from .fields import ABSENT, READERS, checked_value, no_fields

VIEW = py.name("view")
_NONE = py.constant(None)


def first_names() -> dict[str, Any]:
    """The names that every generated function may use."""
    return {
        "__builtins__": {},
        "ABSENT": ABSENT,
        "Failure": Failure,
        "SpentError": SpentError,
        "checked_value": checked_value,
        "dict": dict,
        "float": float,
        "in_range": in_range,
        "int": int,
        "len": len,
        "list": list,
        "no_fields": no_fields,
        "no_truth_value": no_truth_value,
        "str": str,
        "type": type,
    }


class Writer:
    """One function: its statements so far, and the macros' variables around them.

    `names` are the function's globals, which all functions of an expression share.
    """

    def __init__(
        self,
        names: dict[str, Any],
        variables: tuple[str, ...],
        emit: Callable[[Writer, Node], ast.expr],
    ) -> None:
        self.names = names
        self.variables = list(variables)
        self.body: list[ast.stmt] = []
        self.depth = 0
        """Blocks around the place that is written; Python allows twenty."""
        self._emit = emit
        self._count = 0
        self._read: list[dict[str, ast.expr]] = [{}]

    def emit(self, node: Node) -> ast.expr:
        """Write the evaluation of a node; its value: a variable or a literal."""
        return self._emit(self, node)

    def add(self, statement: ast.stmt) -> None:
        """Write one statement."""
        self.body.append(statement)

    def variable(self) -> str:
        """A new variable."""
        self._count += 1
        return f"t{self._count}"

    def kept(self, value: ast.expr) -> ast.expr:
        """A new variable that holds a value."""
        variable = self.variable()
        self.add(py.assign(variable, value))
        return py.name(variable)

    def bound(self, prefix: str, value: Any) -> ast.expr:
        """A value that the function uses: a global of it."""
        known = f"{prefix}_{len(self.names)}"
        self.names[known] = value
        return py.name(known)

    @contextmanager
    def block(self) -> Iterator[list[ast.stmt]]:
        """A block of statements of its own; the fields read in it are not known after it."""
        outer, self.body = self.body, []
        self._read.append({})
        self.depth += 1
        try:
            yield self.body
        finally:
            self.depth -= 1
            self._read.pop()
            self.body = outer

    def charge(self, steps: int) -> None:
        """Take off steps that do not depend on a value."""
        if steps:
            self.add(py.subtract(VIEW, "steps_left", py.constant(steps)))

    def ask_budget(self) -> None:
        """Stop if no steps are left."""
        spent = py.compare(py.attribute(VIEW, "steps_left"), "<", py.constant(0))
        self.add(py.when(spent, [py.fail(py.call(py.name("SpentError")))]))

    def place(self, name: str) -> int | None:
        """The place of a macro's variable, the innermost of equal names, as in CEL."""
        if name not in self.variables:
            return None
        return len(self.variables) - 1 - self.variables[::-1].index(name)

    def field(self, node: Name) -> ast.expr:
        """A field of the event; read once in a block and those within it."""
        for known in reversed(self._read):
            if node.name in known:
                return known[node.name]
        read = self._read[-1][node.name] = self.kept(self._field(node.name))
        return read

    def _field(self, name: str) -> ast.expr:
        if name == "kind":
            return py.attribute(py.attribute(VIEW, "record"), "kind")
        read = py.call(self.bound(name.replace(".", "_"), READERS[name]), VIEW)
        if name not in ("args", "attributes"):
            return read
        # After the first read they are there, if they are a map as they should be.
        held = self.kept(py.attribute(VIEW, f"_{name}"))
        return py.chosen(py.has_type(held, "dict"), held, read)

    def remembered(self, number: int, read: ast.expr) -> ast.expr:
        """A value that the event remembers under a number, or else `read`, which is not None."""
        shared = py.attribute(py.attribute(VIEW, "shared"), "get")
        known = self.kept(py.call(shared, py.constant(number)))
        self.add(py.when(py.compare(known, "is", _NONE), [self.assigned(known, read)]))
        return known

    @staticmethod
    def assigned(variable: ast.expr, value: ast.expr) -> ast.stmt:
        """An assignment to a variable that `kept` has made."""
        assert isinstance(variable, ast.Name), "made by `kept`"
        return py.assign(variable.id, value)


def attempted(writer: Writer, failure: str, write: Callable[[], None]) -> None:
    """Statements whose failure is put into the variable `failure`, unless it holds one."""
    with writer.block() as body:
        write()
    met = writer.variable()
    handler = py.when(py.compare(py.name(failure), "is", _NONE), [py.assign(failure, py.name(met))])
    writer.add(py.attempt(body, "Failure", met, [handler]))
