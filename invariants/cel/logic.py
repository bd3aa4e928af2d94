"""`&&`, `||`, `!` and the ternary, with CEL's rules for failures.

`&&` is false as soon as one operand is, whatever the others are. It fails only if none is false and
one has no truth value; `||` mirrors it. `!` and the ternary fail with their operand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .fields import READERS, Evaluator
from .values import Failure, type_name


def no_truth_value(value: Any) -> Failure:
    return Failure(f"{type_name(value)} is not a truth value")


def conjunction(operands: Sequence[Evaluator]) -> Evaluator:
    return _absorbing(tuple(operands), decisive=False)


def disjunction(operands: Sequence[Evaluator]) -> Evaluator:
    return _absorbing(tuple(operands), decisive=True)


def _absorbing(operands: tuple[Evaluator, ...], *, decisive: bool) -> Evaluator:
    neutral = not decisive

    def absorbing(source: Any) -> Any:
        failure: Failure | None = None
        for operand in operands:
            try:
                value = operand(source)
            except Failure as met:
                failure = failure or met
                continue
            if value is decisive:
                return decisive
            if value is not neutral:
                failure = failure or no_truth_value(value)
        if failure is not None:
            raise failure
        return neutral

    return absorbing


def counted(operands: Sequence[Evaluator], counts: Sequence[int], *, decisive: bool) -> Evaluator:
    """`||` (decided by a true operand) or `&&` within a macro: each operand that is evaluated costs
    as many steps as it has nodes.
    """
    charging = [_charging(*part) for part in zip(operands, counts, strict=True)]
    return _absorbing(tuple(charging), decisive=decisive)


def _charging(operand: Evaluator, count: int) -> Evaluator:
    def charged(source: Any) -> Any:
        source.charge(count)
        return operand(source)

    return charged


def guarded_by_kind(kind: str, rest: Evaluator) -> Evaluator:
    """`kind == "..." && rest`, where `rest` returns a truth value or fails."""

    def guarded(source: Any) -> Any:
        return rest(source) if source.record.kind == kind else False

    return guarded


def guarded_by_call(kind: str, tool: str, rest: Evaluator) -> Evaluator:
    """`kind == "..." && tool == "..." && rest`, likewise. `tool` fails if a call has none."""
    read_tool = READERS["tool"]

    def guarded(source: Any) -> Any:
        record = source.record
        if record.kind != kind:
            return False
        if record.tool:
            return rest(source) if record.tool == tool else False
        return absorbing(source)

    def named(source: Any) -> bool:
        return bool(read_tool(source) == tool)

    absorbing = conjunction((named, rest))
    return guarded


def truth(operand: Evaluator) -> Evaluator:
    """`operand`, failing unless it returns a truth value."""

    def checked(source: Any) -> bool:
        value = operand(source)
        if value is True or value is False:
            return bool(value)
        raise no_truth_value(value)

    return checked


def negation(operand: Evaluator) -> Evaluator:
    def negated(source: Any) -> bool:
        value = operand(source)
        if value is False:
            return True
        if value is True:
            return False
        raise no_truth_value(value)

    return negated


def conditional(condition: Evaluator, chosen: Evaluator, otherwise: Evaluator) -> Evaluator:
    def ternary(source: Any) -> Any:
        value = condition(source)
        if value is True:
            return chosen(source)
        if value is False:
            return otherwise(source)
        raise no_truth_value(value)

    return ternary
