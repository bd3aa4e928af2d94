"""`&&`, `||`, `!` and the ternary, with CEL's rules for failures, as statements.

`&&` is false as soon as one operand is, whatever the others are. It fails only if none is false and
one has no truth value; `||` mirrors it. `!` and the ternary fail with their operand.

Within a macro each operand that is evaluated costs as many steps as it has nodes.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Final

from . import python_tree as py
from .ast import (
    Call,
    Comparison,
    Comprehension,
    Conditional,
    Constant,
    Has,
    Logical,
    Name,
    Node,
    Unary,
    operands_of,
    sure_nodes_count,
)
from .functions import FUNCTIONS
from .writer import Writer, attempted

_SURE_NAMES: Final = frozenset({"kind", "session"})


def is_truth(node: Node) -> bool:
    """True if a value of the node is true or false, unless it fails."""
    match node:
        case Comparison() | Has() | Logical():
            return True
        case Unary(operator):
            return operator == "!"
        case Comprehension(macro):
            return macro in ("all", "exists", "exists_one")
        case Call(function):
            return FUNCTIONS[function].gives == "bool"
        case Constant(value):
            return isinstance(value, bool)
        case _:
            return False


def is_sure(writer: Writer, node: Node) -> bool:
    """True if the evaluation cannot fail."""
    if isinstance(node, Comparison) and node.operator in ("==", "!="):
        return is_sure(writer, node.left) and is_sure(writer, node.right)
    if isinstance(node, Name):
        return node.name in _SURE_NAMES and writer.place(node.name) is None
    return isinstance(node, Constant)


def truth_of(value: ast.expr, decisive: bool) -> tuple[ast.expr, ast.expr]:
    """Tests of a value for being `decisive`, and for not being a truth value at all then."""
    neutral = py.constant(not decisive)
    return py.compare(value, "is", py.constant(decisive)), py.compare(value, "is not", neutral)


def logical(writer: Writer, node: Logical) -> ast.expr:
    """The value of `&&` or `||`."""
    result = writer.variable()
    absorb(writer, operands_of(node), result, decisive=node.operator == "||")
    return py.name(result)


def absorb(
    writer: Writer,
    operands: Sequence[Node],
    result: str,
    *,
    decisive: bool,
    failure: str | None = None,
) -> None:
    """Put the truth of the operands together into `result`, or raise the first failure.

    `failure` is a variable that holds the failure of an earlier operand, or None.
    """
    is_failing = failure is not None
    met = writer.variable() if failure is None else failure
    writer.add(py.assign(result, py.constant(not decisive)))
    if not is_failing and not all(
        is_sure(writer, operand) and is_truth(operand) for operand in operands
    ):
        is_failing = True
        writer.add(py.assign(met, py.constant(None)))
    _absorb_from(writer, operands, result, met, decisive=decisive)
    if is_failing:
        is_failed = py.compare(py.name(met), "is not", py.constant(None))
        still = _is_open(result, decisive)
        writer.add(py.when(py.both(is_failed, still), [py.fail(py.name(met))]))


def _is_open(result: str, decisive: bool) -> ast.expr:
    return py.negated(py.name(result)) if decisive else py.name(result)


def _absorb_from(
    writer: Writer, operands: Sequence[Node], result: str, met: str, *, decisive: bool
) -> None:
    """The first operand, and the others only if it did not decide."""
    first, others = operands[0], operands[1:]
    _operand(writer, first, result, met, decisive=decisive)
    if not others:
        return
    with writer.block() as rest:
        for index, operand in enumerate(others):
            if index == 0:
                _operand(writer, operand, result, met, decisive=decisive)
                continue
            with writer.block() as body:
                _operand(writer, operand, result, met, decisive=decisive)
            writer.add(py.when(_is_open(result, decisive), body))
    writer.add(py.when(_is_open(result, decisive), rest))


def _operand(writer: Writer, operand: Node, result: str, met: str, *, decisive: bool) -> None:
    if writer.variables:
        writer.charge(sure_nodes_count(operand))

    def write() -> None:
        take(
            writer,
            operand,
            writer.emit(operand),
            met,
            [py.assign(result, _decided)],
            decisive=decisive,
        )

    _decided = py.constant(decisive)
    if is_sure(writer, operand) and is_truth(operand):
        write()
    else:
        attempted(writer, met, write)


def take(
    writer: Writer,
    node: Node,
    value: ast.expr,
    failure: str,
    decided: Sequence[ast.stmt],
    *,
    decisive: bool,
) -> None:
    """Write the effect of the value of one operand: `decided`, nothing, or a failure."""
    if is_truth(node):
        writer.add(py.when(value if decisive else py.negated(value), decided))
        return
    is_decisive, is_strange = truth_of(value, decisive)
    keep = py.assign(failure, py.call(py.name("no_truth_value"), value))
    first = py.when(py.compare(py.name(failure), "is", py.constant(None)), [keep])
    writer.add(py.when(is_decisive, decided, [py.when(is_strange, [first])]))


def negation(writer: Writer, node: Unary) -> ast.expr:
    """`!x`."""
    value = writer.emit(node.operand)
    if not is_truth(node.operand):
        require_truth(writer, value)
    return writer.kept(py.negated(value))


def require_truth(writer: Writer, value: ast.expr) -> None:
    """Fail unless a value is true or false."""
    is_strange = py.both(
        py.compare(value, "is not", py.constant(True)),
        py.compare(value, "is not", py.constant(False)),
    )
    writer.add(py.when(is_strange, [py.fail(py.call(py.name("no_truth_value"), value))]))


def conditional(writer: Writer, node: Conditional) -> ast.expr:
    """`condition ? chosen : otherwise`."""
    condition, result = writer.emit(node.condition), writer.variable()
    if not is_truth(node.condition):
        require_truth(writer, condition)
    with writer.block() as chosen:
        writer.add(py.assign(result, writer.emit(node.chosen)))
    with writer.block() as otherwise:
        writer.add(py.assign(result, writer.emit(node.otherwise)))
    writer.add(py.when(condition, chosen, otherwise))
    return py.name(result)
