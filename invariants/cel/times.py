"""Instants and spans: reading them from text, their ranges, and the parts of a date (in UTC).

Input: RFC 3339 text, or spans such as `1h30m`. Exact to the nanosecond: text that says more is
refused, not rounded. Time zones other than UTC in the parts of a date are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ..model.event import SECOND_NS
from ..values.value import INT_MAX, INT_MIN, Duration, Failure, Timestamp, text, type_name

# Source: google.protobuf.Timestamp, which CEL's specification refers to.
_TIMESTAMP_NS_MIN: Final = -62_135_596_800 * SECOND_NS
_TIMESTAMP_NS_MAX: Final = 253_402_300_800 * SECOND_NS - 1

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT_LENGTH_MAX: Final = 64  # Chosen: the longest useful instant or span is about half of it.

# Fixed patterns without nested repetition on at most 64 characters: linear, so `re` is safe here.
_RFC3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_SPAN_PART: Final = re.compile(r"(\d*)(?:\.(\d*))?(h|ms|us|ns|m|s)", re.ASCII)
_UNITS_NS: Final = {
    "h": 3600 * SECOND_NS,
    "m": 60 * SECOND_NS,
    "s": SECOND_NS,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}


def timestamp(ns: int) -> Timestamp:
    """An instant between the years 1 and 9999; raises Failure outside."""
    if not _TIMESTAMP_NS_MIN <= ns <= _TIMESTAMP_NS_MAX:
        raise Failure("an instant outside the years 1 to 9999")
    return Timestamp(ns)


def duration(ns: int) -> Duration:
    """A span within int64 nanoseconds (some 292 years), as in cel-go; raises Failure beyond."""
    if not INT_MIN <= ns <= INT_MAX:
        raise Failure("a span of more than 292 years")
    return Duration(ns)


def to_timestamp(value: Any) -> Timestamp:
    """CEL's `timestamp()`: from RFC 3339 text, whole seconds since 1970, or itself."""
    if type(value) is Timestamp:
        return value
    if type(value) is int:
        return timestamp(value * SECOND_NS)
    return timestamp(_rfc3339_ns(text(value, "timestamp")))


def _rfc3339_ns(written: str) -> int:
    parts = _RFC3339.fullmatch(written) if len(written) <= _TEXT_LENGTH_MAX else None
    if parts is None:
        raise Failure("`timestamp` needs text such as 2024-05-17T08:00:00Z")
    year, month, day, hour, minute, second = (int(part) for part in parts.groups()[:6])
    offset_hours, offset_minutes = int(parts[9] or 0), int(parts[10] or 0)
    if offset_hours > 23 or offset_minutes > 59:
        raise Failure("`timestamp` of an offset beyond a day")
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise Failure("`timestamp` of a date or an hour that does not exist") from None
    offset_s = (offset_hours * 60 + offset_minutes) * 60 * (-1 if parts[8] == "-" else 1)
    whole = (moment - _EPOCH) // timedelta(seconds=1) - offset_s
    return whole * SECOND_NS + int((parts[7] or "").ljust(9, "0"))


def to_duration(value: Any) -> Duration:
    """CEL's `duration()`: from text such as `1h30m`, `-1.5s` or `0`, or itself."""
    if type(value) is Duration:
        return value
    written = text(value, "duration")
    if len(written) > _TEXT_LENGTH_MAX:
        raise Failure("`duration` needs text such as 1h30m")
    sign = -1 if written.startswith("-") else 1
    rest = written[1:] if written[:1] in ("+", "-") else written
    return duration(sign * (0 if rest == "0" else _span_ns(rest)))


def _span_ns(rest: str) -> int:
    total, position = 0, 0
    while position < len(rest) or position == 0:
        part = _SPAN_PART.match(rest, position)
        whole, fraction = (part[1], part[2] or "") if part else ("", "")
        if part is None or not whole + fraction:
            raise Failure("`duration` needs text such as 1h30m")
        scaled = int(whole + fraction) * _UNITS_NS[part[3]]
        quotient, lost = divmod(scaled, 10 ** len(fraction))
        if lost:
            raise Failure("`duration` of less than a nanosecond")
        total += quotient
        position = part.end()
    return total


def _part_of_date(name: str, read: Callable[[datetime], int]) -> Callable[[Any], int]:
    def part(value: Any) -> int:
        if type(value) is not Timestamp:
            raise Failure(f"`{name}` needs a timestamp, not {type_name(value)}")
        return read(_EPOCH + timedelta(seconds=value.ns // SECOND_NS))

    return part


def _milliseconds(value: Any) -> int:
    if type(value) is Duration:
        return _whole(value.ns, 1_000_000) - 1000 * _whole(value.ns, SECOND_NS)
    if type(value) is not Timestamp:
        raise Failure(f"`getMilliseconds` needs a timestamp or a duration, not {type_name(value)}")
    return value.ns % SECOND_NS // 1_000_000


def _whole(ns: int, unit_ns: int) -> int:
    """How many whole units are in a span, toward zero: Python's `//` would go below it."""
    return ns // unit_ns if ns >= 0 else -(-ns // unit_ns)


def _part_of_either(name: str, unit_ns: int) -> Callable[[Any], int]:
    """Of an instant the part of its date, of a span how long it is as a whole in that unit."""
    of_date = _part_of_date(name, _READERS[name])

    def part(value: Any) -> int:
        return _whole(value.ns, unit_ns) if type(value) is Duration else of_date(value)

    return part


_READERS: Final[dict[str, Callable[[datetime], int]]] = {
    "getFullYear": lambda date: date.year,
    "getMonth": lambda date: date.month - 1,
    "getDayOfYear": lambda date: date.timetuple().tm_yday - 1,
    "getDayOfMonth": lambda date: date.day - 1,
    "getDate": lambda date: date.day,
    "getDayOfWeek": lambda date: date.isoweekday() % 7,
    "getHours": lambda date: date.hour,
    "getMinutes": lambda date: date.minute,
    "getSeconds": lambda date: date.second,
}

PARTS_OF_SPAN: Final[dict[str, Callable[[Any], int]]] = {
    "getHours": _part_of_either("getHours", _UNITS_NS["h"]),
    "getMinutes": _part_of_either("getMinutes", _UNITS_NS["m"]),
    "getSeconds": _part_of_either("getSeconds", _UNITS_NS["s"]),
    "getMilliseconds": _milliseconds,
}
"""CEL's methods of a timestamp and of a duration; milliseconds are those beyond whole seconds."""

PARTS_OF_DATE: Final[dict[str, Callable[[Any], int]]] = {
    name: _part_of_date(name, read) for name, read in _READERS.items() if name not in PARTS_OF_SPAN
}
"""CEL's methods of a timestamp only; months and days (but `getDate`) count from 0, Sunday is 0."""
