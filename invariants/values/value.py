"""CEL values at run time: their Python representation, comparison and failures.

null, bool, int, double, string, list and map are None, bool, int, float, str, list and dict with
string keys, as JSON gives them; instants and spans are `Timestamp` and `Duration`. Python says
`True == 1`; CEL does not, hence the comparisons here.

Inside an evaluation a failure travels as the exception `Failure`, since a try block that nothing
leaves costs nothing on the hot path while checking each value for an error costs at every node.
It never leaves this package: `Expression.evaluate` returns the value `CelError` in its place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ..taint.event_view import EventView
from .unknown_text import UnknownText, exactly

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1

STRING_BYTES_MAX: Final = 256 * 1024  # Source: docs/language.md, `string_bytes_max`.
STEP_CHARACTERS: Final = 128  # Measured: characters that `contains` or RE2 reads in 0.4 us.
VALUE_DEPTH_MAX: Final = 100  # Chosen: JSON of tools is far flatter; keeps recursion bounded.
_CHARACTER_BYTES_MAX: Final = 4  # UTF-8.


@dataclass(frozen=True, slots=True)
class CelError:
    """The result of an expression that has no value; `reason` never quotes the event's content."""

    reason: str


class Failure(Exception):  # noqa: N818 - it is data on its way to becoming a CelError
    """An evaluation has no value; caught by `&&`, `||`, `all`, `exists` and the outermost rim."""

    @property
    def reason(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """An instant, in nanoseconds since 1970-01-01T00:00:00Z."""

    ns: int


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of time in nanoseconds; may be negative."""

    ns: int


_TYPE_NAMES: Final[dict[type, str]] = {
    type(None): "null",
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    list: "list",
    dict: "map",
    UnknownText: "string",
    Timestamp: "timestamp",
    Duration: "duration",
}

_SCALARS: Final = frozenset({type(None), bool, float, str, Timestamp, Duration})
_ORDERED: Final = frozenset({bool, int, float, str, Timestamp, Duration})


def type_name(value: Any) -> str:
    """The CEL name of a value's type, for messages."""
    return _TYPE_NAMES[type(value)]


def no_truth_value(value: Any) -> Failure:
    """The failure of an operand that has to be true or false."""
    return Failure(f"{type_name(value)} is not a truth value")


def in_range(value: int) -> int:
    """`value` if it is an int64; raises Failure otherwise."""
    if INT_MIN <= value <= INT_MAX:
        return value
    raise Failure("a whole number beyond int64")


def text(value: Any, function: str) -> str:
    """`value` as an operand of a string function: a string of at most `string_bytes_max`."""
    if type(value) is UnknownText:
        raise Failure(value.reason)
    if type(value) is not str:
        raise Failure(f"`{function}` needs a string, not {type_name(value)}")
    if len(value) * _CHARACTER_BYTES_MAX > STRING_BYTES_MAX:
        check_string_bytes(value)
    return value


def sure(answer: bool | None, value: UnknownText) -> bool:
    """A result for an unknown text; raises Failure if it depends on unknown parts."""
    if answer is None:
        raise Failure(value.reason)
    return answer


def check_string_bytes(value: str) -> None:
    """Raises Failure if the UTF-8 of `value` is longer than `string_bytes_max`."""
    if len(value) > STRING_BYTES_MAX or len(utf8(value)) > STRING_BYTES_MAX:
        raise Failure(f"a string of more than {STRING_BYTES_MAX} bytes")


def utf8(value: str) -> bytes:
    """The bytes of `value`; fails for half of a surrogate pair, which is not a character."""
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise Failure("a string that is not Unicode text") from None


def equal(left: Any, right: Any, view: EventView, depth: int = 0) -> bool:
    """CEL's `==`: between types false, between numbers mathematical, of containers by element.

    Cost: a step for each element compared.
    """
    kind = type(left)
    if kind is int:
        in_range(left)
    if type(right) is int:
        in_range(right)
    if kind is UnknownText or type(right) is UnknownText:
        return _unknown_equal(left, right)
    if kind is not type(right):
        return kind in (int, float) and type(right) in (int, float) and bool(left == right)
    if kind in _SCALARS or kind is int:
        return bool(left == right)
    return _containers_equal(left, right, view, depth + 1)


def _unknown_equal(left: Any, right: Any) -> bool:
    if left is right:
        return True
    unknown, other = (left, right) if type(left) is UnknownText else (right, left)
    if type(other) is UnknownText:
        raise Failure(unknown.reason)
    if type(other) is not str:
        return False
    return sure(unknown.answer(exactly(other)), unknown)


def _containers_equal(left: Any, right: Any, view: EventView, depth: int) -> bool:
    if depth > VALUE_DEPTH_MAX:
        raise Failure(f"a value nested more than {VALUE_DEPTH_MAX} deep")
    if len(left) != len(right):
        return False
    view.charge(len(left))
    # Loops and not all(...): a generator would take another frame of the stack at each level.
    if type(left) is list:
        for one, other in zip(left, right, strict=True):  # noqa: SIM110
            if not equal(one, other, view, depth):
                return False
        return True
    for key, value in left.items():
        if key not in right or not equal(value, right[key], view, depth):
            return False
    return True


def comparable(left: Any, right: Any) -> None:
    """Raises Failure if CEL has no order between the two: other types, null, containers."""
    kind, other = type(left), type(right)
    if kind is other and kind in _ORDERED:
        return
    if kind in (int, float) and other in (int, float):
        return
    raise Failure(f"no order between {type_name(left)} and {type_name(right)}")


def contains(item: Any, container: Any, view: EventView) -> bool:
    """CEL's `item in container`: an equal element of a list, or a key of a map."""
    if type(container) is dict:
        if type(item) is UnknownText:
            raise Failure(item.reason)
        if type(item) in (str, int, float, bool):
            return type(item) is str and item in container
        raise Failure(f"{type_name(item)} is not a valid key of a map")
    if type(container) is not list:
        raise Failure(f"`in` needs a list or a map, not {type_name(container)}")
    view.charge(len(container))
    failure: Failure | None = None
    for element in container:
        try:
            if equal(item, element, view):
                return True
        except Failure as met:
            if UnknownText not in (type(item), type(element)):
                raise
            failure = met
    if failure is not None:
        raise failure
    return False
