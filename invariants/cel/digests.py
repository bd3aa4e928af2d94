"""`digest(x)`: HMAC-SHA256 over the JSON of RFC 8785, so that equal values have equal digests.

1.0 is written 1. RFC 8785 rounds numbers beyond 2^53 to doubles; here whole numbers within int64
are written exactly, so that two different numbers never share a digest. Below 2^53 the text is
RFC 8785's to the byte. Instants and spans are no JSON and are refused.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, Final

import msgspec

from ..taint.event_view import EventView
from ..values.value import (
    INT_MAX,
    INT_MIN,
    STEP_CHARACTERS,
    VALUE_DEPTH_MAX,
    Failure,
    in_range,
    type_name,
    utf8,
)

_FIXED: Final = {None: b"null", True: b"true", False: b"false"}
_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_BLOCK_BYTES: Final = 64  # Source: RFC 2104, for SHA-256.
_PLAIN_DEPTH_MAX: Final = 8  # Chosen: deeper values are written slowly.
_FIXED_POINT_DIGITS_MAX: Final = 21  # Source: ECMA-262, Number::toString.


def digest(value: Any, key: bytes, view: EventView) -> str:
    """64 hexadecimal digits. Cost: a step for each element and 128 characters."""
    plain_steps = _plain_steps(value, 0)
    if plain_steps is None:
        parts: list[bytes] = []
        _write(value, parts, view, 0)
        written = b"".join(parts)
    else:
        view.charge(plain_steps)
        written = _encode(value)
    first, second = _begun(key)
    inner, outer = first.copy(), second.copy()
    inner.update(written)
    outer.update(inner.digest())
    digits: str = outer.hexdigest()
    return digits


@lru_cache(maxsize=8)
def _begun(key: bytes) -> tuple[Any, Any]:
    """The two hashes of HMAC after the key's block: copying them takes a third of the time of
    beginning anew.
    """
    block = (hashlib.sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(
        _BLOCK_BYTES, b"\0"
    )
    inner, outer = (hashlib.sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))
    return inner, outer


def _plain_steps(value: Any, depth: int) -> int | None:
    """The steps of a value that `_encode` writes as RFC 8785 does; None of any other.

    Those are values without doubles and without keys beyond ASCII, whose order is the same by code
    points and by UTF-16.
    """
    kind = type(value)
    if kind is str:
        return len(value) // STEP_CHARACTERS if value.isascii() else None
    if kind is int:
        return 0 if INT_MIN <= value <= INT_MAX else None
    if value is None or kind is bool:
        return 0
    if (kind is not list and kind is not dict) or depth >= _PLAIN_DEPTH_MAX:
        return None
    steps = len(value)
    for element in value:
        more = _plain_steps(element, depth + 1)
        if more is None:
            return None
        steps += more
    if kind is dict:
        for element in value.values():
            more = _plain_steps(element, depth + 1)
            if more is None:
                return None
            steps += more
    return steps


def _write(value: Any, parts: list[bytes], view: EventView, depth: int) -> None:
    kind = type(value)
    if kind is str:
        _write_text(value, parts, view)
    elif kind is int:
        parts.append(b"%d" % in_range(value))
    elif kind is float:
        parts.append(number_text(value).encode())
    elif value is None or kind is bool:
        parts.append(_FIXED[value])
    elif kind is list or kind is dict:
        if depth >= VALUE_DEPTH_MAX:
            raise Failure(f"`digest` of a value nested more than {VALUE_DEPTH_MAX} deep")
        view.charge(len(value))
        (_write_list if kind is list else _write_map)(value, parts, view, depth + 1)
    else:
        raise Failure(f"`digest` needs JSON, not {type_name(value)}")


def _write_text(value: str, parts: list[bytes], view: EventView) -> None:
    view.charge(len(value) // STEP_CHARACTERS)
    parts.append(utf8(encode_basestring(value)))


def _write_list(value: list[Any], parts: list[bytes], view: EventView, depth: int) -> None:
    separator = b"["
    for element in value:
        parts.append(separator)
        _write(element, parts, view, depth)
        separator = b","
    parts.append(b"]" if value else b"[]")


def _write_map(value: dict[str, Any], parts: list[bytes], view: EventView, depth: int) -> None:
    separator = b"{"
    for key in sorted(value, key=_utf16):
        parts.append(separator)
        _write_text(key, parts, view)
        parts.append(b":")
        _write(value[key], parts, view, depth)
        separator = b","
    parts.append(b"}" if value else b"{}")


def _utf16(key: str) -> bytes:
    """RFC 8785 orders keys by UTF-16 code units, which differs from Python's order."""
    return key.encode("utf-16-be", "surrogatepass")


def number_text(value: float) -> str:
    """A double as ECMA-262 writes it, whole ones within int64 with all their digits."""
    if not math.isfinite(value):
        raise Failure("`digest` of a number that is not finite")
    if value.is_integer() and INT_MIN <= value <= INT_MAX:
        return str(int(value))
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    sign = "-" if value < 0 else ""
    return sign + _placed(digits.rstrip("0"), point)


def _placed(digits: str, point: int) -> str:
    """`digits` with the decimal point after the first `point` of them (ECMA-262)."""
    if len(digits) <= point <= _FIXED_POINT_DIGITS_MAX:
        return digits.ljust(point, "0")
    if 0 < point <= _FIXED_POINT_DIGITS_MAX:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}e{point - 1:+d}"
