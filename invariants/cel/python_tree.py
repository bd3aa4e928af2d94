"""Functions of Python, built as syntax trees: the one door to the compiler.

    function_of("evaluate", ["view"], [...statements...], names)   -> a function

No source text is made, and none is run. A generated function can name what it is given in `names`,
its parameters and its own variables, and nothing else: it has no builtins. Literals of expressions
are constants of the tree or values of `names`.

The functions here make single nodes. Nodes are not changed once they are made, so that one may
stand at several places.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, FunctionType
from typing import Any, Final

_LOAD: Final = ast.Load()
_STORE: Final = ast.Store()
_OPERATORS: Final[Mapping[str, ast.cmpop]] = {
    "is": ast.Is(),
    "is not": ast.IsNot(),
    "in": ast.In(),
    "==": ast.Eq(),
    "<": ast.Lt(),
}


def name(known: str) -> ast.expr:
    """The value of a name."""
    return ast.Name(known, _LOAD, lineno=1, col_offset=0)


def constant(value: object) -> ast.expr:
    """A literal: None, a truth value, a number or a text."""
    # The compiler accepts each of these; the type in its stubs is narrower in some versions.
    given: Any = value
    return ast.Constant(given, lineno=1, col_offset=0)


def attribute(of: ast.expr, field: str) -> ast.expr:
    """`of.field`."""
    return ast.Attribute(of, field, _LOAD, lineno=1, col_offset=0)


def call(function: ast.expr, *arguments: ast.expr) -> ast.expr:
    """`function(*arguments)`."""
    return ast.Call(function, list(arguments), [], lineno=1, col_offset=0)


def compare(left: ast.expr, operator: str, right: ast.expr) -> ast.expr:
    """One of `is`, `is not`, `in`, `==`, `<`."""
    return ast.Compare(left, [_OPERATORS[operator]], [right], lineno=1, col_offset=0)


def has_type(value: ast.expr, type_name: str) -> ast.expr:
    """`type(value) is type_name`."""
    return compare(call(name("type"), value), "is", name(type_name))


def both(*conditions: ast.expr) -> ast.expr:
    """`a and b and ...`."""
    return ast.BoolOp(ast.And(), list(conditions), lineno=1, col_offset=0)


def either(*conditions: ast.expr) -> ast.expr:
    """`a or b or ...`."""
    return ast.BoolOp(ast.Or(), list(conditions), lineno=1, col_offset=0)


def negated(value: ast.expr) -> ast.expr:
    """`not value`."""
    return ast.UnaryOp(ast.Not(), value, lineno=1, col_offset=0)


def chosen(condition: ast.expr, value: ast.expr, otherwise: ast.expr) -> ast.expr:
    """`value if condition else otherwise`."""
    return ast.IfExp(condition, value, otherwise, lineno=1, col_offset=0)


def list_of(elements: Sequence[ast.expr]) -> ast.expr:
    """`[elements]`."""
    return ast.List(list(elements), _LOAD, lineno=1, col_offset=0)


def empty_map() -> ast.expr:
    """`{}`."""
    return ast.Dict([], [], lineno=1, col_offset=0)


def assign(to: str, value: ast.expr) -> ast.stmt:
    """`to = value`."""
    target = ast.Name(to, _STORE, lineno=1, col_offset=0)
    return ast.Assign([target], value, lineno=1, col_offset=0)


def put(into: ast.expr, key: ast.expr, value: ast.expr) -> ast.stmt:
    """`into[key] = value`."""
    target = ast.Subscript(into, key, _STORE, lineno=1, col_offset=0)
    return ast.Assign([target], value, lineno=1, col_offset=0)


def subtract(of: ast.expr, field: str, amount: ast.expr) -> ast.stmt:
    """`of.field -= amount`."""
    target = ast.Attribute(of, field, _STORE, lineno=1, col_offset=0)
    return ast.AugAssign(target, ast.Sub(), amount, lineno=1, col_offset=0)


def do(value: ast.expr) -> ast.stmt:
    """A call for its effect."""
    return ast.Expr(value, lineno=1, col_offset=0)


def when(
    condition: ast.expr, body: Sequence[ast.stmt], otherwise: Sequence[ast.stmt] = ()
) -> ast.stmt:
    """`if condition: body else: otherwise`."""
    return ast.If(condition, _filled(body), list(otherwise), lineno=1, col_offset=0)


def loop(variables: Sequence[str], over: ast.expr, body: Sequence[ast.stmt]) -> ast.stmt:
    """`for variables in over: body`."""
    targets = [ast.Name(one, _STORE, lineno=1, col_offset=0) for one in variables]
    target: ast.expr = targets[0]
    if len(targets) > 1:
        target = ast.Tuple(list[ast.expr](targets), _STORE, lineno=1, col_offset=0)
    return ast.For(target, over, _filled(body), [], lineno=1, col_offset=0)


def stop() -> ast.stmt:
    """`break`."""
    return ast.Break(lineno=1, col_offset=0)


def fail(value: ast.expr) -> ast.stmt:
    """`raise value`."""
    return ast.Raise(value, None, lineno=1, col_offset=0)


def give(value: ast.expr) -> ast.stmt:
    """`return value`."""
    return ast.Return(value, lineno=1, col_offset=0)


def attempt(
    body: Sequence[ast.stmt], failure: str, met: str, handler: Sequence[ast.stmt]
) -> ast.stmt:
    """`try: body`, and `except failure as met: handler`."""
    caught = ast.ExceptHandler(name(failure), met, _filled(handler), lineno=1, col_offset=0)
    return ast.Try(_filled(body), [caught], [], [], lineno=1, col_offset=0)


def _filled(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    return list(body) or [ast.Pass(lineno=1, col_offset=0)]


def function_of(
    title: str, parameters: Sequence[str], body: Sequence[ast.stmt], names: dict[str, Any]
) -> Callable[..., Any]:
    """The function with that body. `names` are read when it runs: what is put in later counts.

    Cost: some microseconds for each node of the tree.
    """
    arguments = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(one, None, lineno=1, col_offset=0) for one in parameters],
        kwonlyargs=[],
        kw_defaults=[],
        defaults=[],
    )
    definition = ast.FunctionDef(title, arguments, list(body), [], lineno=1, col_offset=0)
    if "type_params" in definition._fields:  # From Python 3.12 on.
        definition.type_params = []  # type: ignore[attr-defined,unused-ignore]
    tree = ast.Module([definition], [])
    whole = compile(tree, "<expression>", "exec")
    (code,) = (part for part in whole.co_consts if isinstance(part, CodeType))
    return FunctionType(code, names)
