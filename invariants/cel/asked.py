"""`seen(v, source)` and `only_from(v, source)`: what an expression asks of data memories.

    seen(args.to, "user_said")        some spelling of v was shown before, by the source
    only_from(args.to, "web")         and by no other source of the file

What is not known is a failure, which CEL absorbs like any other: `&&` with false is false.
Which source is meant is settled when the file is loaded. Source: docs/language.md, Data memories.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ..fact import Truth
from .ast import Call, Constant
from .fields import Evaluator
from .values import Failure, Frame, text

SourcePlaces = Mapping[str, int]
"""The sources that may be asked, by name: at which place of `Shown.memories` each stands."""

NO_SOURCES: Final[SourcePlaces] = {}
CHARACTERS_OF_STEP: Final = 4
"""Measured: cutting, decoding and fingerprinting so many characters costs as much as a step."""
FUNCTIONS_ASKING: Final = frozenset({"seen", "only_from"})


def source_name(node: Call) -> str | None:
    """The source that a call of `seen` or `only_from` names; None where that is no literal."""
    last = node.arguments[-1]
    return last.value if isinstance(last, Constant) and isinstance(last.value, str) else None


def asking(node: Call, operand: Evaluator, sources: SourcePlaces) -> Evaluator:
    """The prepared call. `check` has seen to it that the source is known."""
    name = source_name(node) or ""
    source = sources.get(name, -1)
    if node.function == "seen":
        return _seen(operand, source)
    return _only_from(operand, source, [place for place in sources.values() if place != source])


def _seen(operand: Evaluator, source: int) -> Evaluator:
    def seen(frame: Frame) -> bool:
        value = _value(operand, "seen", frame)
        return _told(frame.view.shown.seen(source, value), "seen")

    return seen


def _only_from(operand: Evaluator, source: int, others: Sequence[int]) -> Evaluator:
    def only_from(frame: Frame) -> bool:
        value = _value(operand, "only_from", frame)
        return _told(frame.view.shown.only_from(source, others, value), "only_from")

    return only_from


def _value(operand: Evaluator, function: str, frame: Frame) -> str:
    value = text(operand(frame), function)
    frame.charge(1 + len(value) // CHARACTERS_OF_STEP)
    return value


def _told(answer: Truth | None, function: str) -> bool:
    if answer is None:
        raise Failure(f"`{function}` needs a text with a letter or a digit in it")
    if answer is Truth.UNKNOWN:
        raise Failure("what this session was shown is not known whole")
    return answer is Truth.TRUE
