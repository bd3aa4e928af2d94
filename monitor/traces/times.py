"""Times as formats write them, to nanoseconds since 1970; None if they cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

_EARLIEST_NS: Final = 978_307_200 * 10**9
"""The year 2001: a smaller number is in another unit, or not the time of a trace."""
_LATEST_NS: Final = 4_102_444_800 * 10**9
"""The year 2100."""
_TEXT_CHARS_MAX: Final = 64
_DIGITS_MAX: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def from_text(text: Any) -> int | None:
    """RFC 3339; a time without a zone is UTC.

    Examples
    --------
    >>> from_text("2026-01-05T09:00:02.000000007Z"), from_text("yesterday")
    (1767603602000000007, None)
    """
    if not isinstance(text, str) or len(text) > _TEXT_CHARS_MAX:
        return None
    whole, _, rest = text.partition(".")
    zone = rest.lstrip("0123456789")
    digits = rest[: len(rest) - len(zone)]
    try:
        moment = datetime.fromisoformat(whole + zone)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = (moment - _EPOCH) // _SECOND
    return _plausible(seconds * 10**9 + int(digits[:9].ljust(9, "0")))


def from_number(value: Any) -> int | None:
    """Seconds, or thousandths, millionths or billionths of them: whichever is in this century.

    Examples
    --------
    >>> from_number(1767603602), from_number(1767603602000.5), from_number(7)
    (1767603602000000000, 1767603602000500000, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not _EARLIEST_NS // 10**9 <= value < _LATEST_NS:
        return None
    exact = Decimal(repr(value))
    tried = (_plausible(int(exact * unit_ns)) for unit_ns in _UNITS_NS)
    return next((time_ns for time_ns in tried if time_ns is not None), None)


_UNITS_NS: Final = (10**9, 10**6, 10**3, 1)


def from_digits(number: Any) -> int | None:
    """Nanoseconds since 1970, also as a text of digits.

    Examples
    --------
    >>> from_digits("1767603602000000007"), from_digits(3)
    (1767603602000000007, None)
    """
    if isinstance(number, str) and number.isascii() and number.isdigit():
        number = int(number) if len(number) <= _DIGITS_MAX else None
    is_number = isinstance(number, int) and not isinstance(number, bool)
    return _plausible(number) if is_number else None


_SECOND: Final = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC) - _EPOCH


def _plausible(time_ns: int) -> int | None:
    return time_ns if _EARLIEST_NS <= time_ns < _LATEST_NS else None
