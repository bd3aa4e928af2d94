"""The parts of an event as plain values, with a mark where a value is missing.

Two sorts of values exist but cannot be read: numbers that neither int64 nor a double holds
(`1e309`, a whole number of 5,000 digits), and values that the client could not publish, as recorded
in the event's `attributes` (docs/events.md, Omitted content). Either becomes `MISSING`, a whole
number beyond int64: reading such a number fails anyway, wherever it occurs.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NamedTuple

import msgspec

MISSING: Final = 2**64
"""Stands for a value that cannot be read. Any whole number beyond int64 would do."""

PLACEHOLDER_KEY: Final = b"$interlock_unserialisable"
"""As in `interlock/json_values.py`: an object that holds it is a value that was not published."""

DIGITS_MAX: Final = 4_300
"""As in `interlock/limits.py`: longer whole numbers are not read."""

_read = msgspec.json.Decoder().decode


def read_json(raw: bytes | msgspec.Raw, *, has_placeholders: bool = False) -> Any:
    """Valid JSON, decoded; unreadable values in it are `MISSING`.

    `has_placeholders` means that the client omitted values of this part. Only the client's record
    counts: an agent's arguments could contain a placeholder to hide their other values.
    """
    if has_placeholders and PLACEHOLDER_KEY in bytes(raw):
        return _read_slowly(raw, has_placeholders=True)
    try:
        return _read(raw)
    except msgspec.ValidationError:
        # In plain JSON the decoder reports only numbers.
        return _read_slowly(raw, has_placeholders=False)


def whole_number(text: str) -> int:
    """A whole number of JSON, or `MISSING` if it has too many digits to be read."""
    return int(text) if len(text) <= DIGITS_MAX else MISSING


def real_number(text: str) -> float | int:
    """A number of JSON with a fraction or an exponent, or `MISSING` if no double holds it."""
    value = float(text)
    return value if math.isfinite(value) else MISSING


def _read_slowly(raw: bytes | msgspec.Raw, *, has_placeholders: bool) -> Any:
    placeholder = PLACEHOLDER_KEY.decode()

    def object_of(pairs: list[tuple[str, Any]]) -> Any:
        content = dict(pairs)
        return MISSING if has_placeholders and placeholder in content else content

    return json.loads(
        bytes(raw).decode("utf-8"),
        object_pairs_hook=object_of,
        parse_int=whole_number,
        parse_float=real_number,
    )


class LeftOut(NamedTuple):
    """The parts of an event that its client did not publish, by its own record.

    `args`: names of arguments, or None if all were omitted. `has_placeholders`: values within
    `result`. The others: the field contains only a beginning, or nothing, of its value.
    """

    args: tuple[str, ...] | None = ()
    has_placeholders: bool = False
    result: bool = False
    text: bool = False
    error: bool = False
    attributes: bool = False

    @property
    def is_nothing(self) -> bool:
        """The event is complete."""
        return self == NOTHING_LEFT_OUT


NOTHING_LEFT_OUT: Final = LeftOut()


def read_attributes(raw: bytes | msgspec.Raw) -> tuple[Any, LeftOut]:
    """The attributes of an event, and their record of its omissions."""
    content = read_json(raw)
    left_out = _left_out(content)
    if "interlock_attributes_unserialisable" in content:
        content = read_json(raw, has_placeholders=True)
    return (MISSING if left_out.attributes else content), left_out


def _left_out(attributes: dict[str, Any]) -> LeftOut:
    if not any(name.startswith("interlock_") for name in attributes):
        return NOTHING_LEFT_OUT
    told = attributes.get("interlock_args_omitted", [])
    is_list = isinstance(told, list)
    return LeftOut(
        args=tuple(name for name in told if isinstance(name, str)) if is_list else None,
        has_placeholders="interlock_result_unserialisable" in attributes,
        result="interlock_result_length" in attributes,
        text="interlock_text_length" in attributes,
        error="interlock_error_length" in attributes,
        attributes="interlock_attributes_omitted" in attributes,
    )
