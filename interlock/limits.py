"""The limits of an event, which the client observes and the monitor enforces.

Both sides use this module, so that no client publishes an event that the monitor refuses. It
imports nothing else of Interlock, and `docs/events.md` states each limit.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

RECORD_BYTES_MAX: Final = 900 * 1024
"""Bytes of one event. Brokers take 1 MiB by default, envelope included."""

NESTING_MAX: Final = 64
"""Objects and lists within each other, the event itself among them.

Chosen: far deeper than any tool's arguments, far from the recursion limits of readers.
"""

NAME_CHARACTERS_MAX: Final = 512
"""Characters of an id or a name. Chosen: a session id is a key in topics, tables and reports."""

NUMBER_MAX: Final = 2**63 - 1
"""The greatest `seq`, and the greatest `ts` in nanoseconds (in the year 2262)."""

DIGITS_MAX: Final = 4_300
"""Digits of a whole number. Source: msgspec and Python read no longer one."""

_YEAR_2100_S: Final = 4_102_444_800
_UNITS: Final = (
    ("seconds", 10**9, _YEAR_2100_S),
    ("milliseconds", 10**12, _YEAR_2100_S * 10**3),
    ("microseconds", 10**15, _YEAR_2100_S * 10**6),
)
"""From (included) and to (excluded): the years 2001 to 2099 in each of these units. Larger values
are left to recordings that count from zero (5 s in nanoseconds is 5e9)."""

COSTLY_NUMBERS_MAX: Final = 65_536
"""The maximum of `costly_numbers` for one event.

Measured: reading that many numbers of any sort takes at most 0.1 s. 900 KiB of `1e308` took 7 s.
"""

CHEAP_DIGITS: Final = 19
"""Digits of a whole number that costs nothing: those of a 64-bit integer."""
ORDINARY_CHARACTERS: Final = 24
"""Characters of a costly number that counts once: those of a double."""
_LONG_CHARACTERS: Final = 8
"""Characters of a longer one, each of which count once: long whole numbers are quadratic."""
EXTREME_COST: Final = 64
"""Of an exponent of three digits or more. Measured: near 1e308 a double is read in 10 to 30 us."""

TEXT_TOKEN: Final = rb'"[^"\\]*+(?>(?:\\.[^"\\]*+)*)"?'
"""A JSON string, as a pattern for bytes; an unclosed one extends to their end.

Otherwise the search would restart at each `\\"` in it, which is quadratic: hours for one record.
"""

_TOKEN: Final = re.compile(TEXT_TOKEN + rb"|[\[{]|[\]}]", re.DOTALL)
_TEXT: Final = re.compile(TEXT_TOKEN, re.DOTALL)
_MAY_BE_COSTLY: Final = re.compile(rb"[0-9][.eE]|[0-9]{%d}" % (CHEAP_DIGITS + 1))
_COSTLY: Final = re.compile(rb"-?[0-9]++(?:[.eE][0-9.eE+-]*+|(?<=[0-9]{%d}))" % (CHEAP_DIGITS + 1))
_EXTREME: Final = re.compile(rb"[0-9][eE][+-]?[0-9]{3}")


def unit_of_time(ts: int) -> str | None:
    """The unit that a number of this size is today's time in, if that is not nanoseconds.

    Read as nanoseconds, such a number is a time of the first four months of 1970.

    Examples
    --------
    >>> unit_of_time(1_767_605_400)
    'seconds'
    >>> unit_of_time(1_767_605_400_000_000_000)
    """
    for unit, first, end in _UNITS:
        if first <= ts < end:
            return unit
    return None


def stated_time(ts_ns: int) -> int | str:
    """A time as an event may state it: in nanoseconds, or as text if these look like another unit.

    A clock that begins in 1970 gives such numbers. Times outside of the format's are moved into it.

    Examples
    --------
    >>> stated_time(1_767_605_400_000_000_000)
    1767605400000000000
    >>> stated_time(1_500_000_000)
    '1970-01-01T00:00:01.500000000Z'
    """
    ts_ns = min(max(ts_ns, 0), NUMBER_MAX)
    if unit_of_time(ts_ns) is None:
        return ts_ns
    seconds, rest_ns = divmod(ts_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}Z"


def nests_too_deep(value: bytes) -> bool:
    """True if brackets outside strings are nested deeper than `NESTING_MAX`.

    Cost: linear in the size, without recursion; a record with few brackets costs two searches.
    """
    if value.count(b"{") + value.count(b"[") <= NESTING_MAX:
        return False
    depth = 0
    for match in _TOKEN.finditer(value):
        token = match.group()
        if token in (b"{", b"["):
            depth += 1
            if depth > NESTING_MAX:
                return True
        elif token in (b"}", b"]"):
            depth -= 1
    return False


def costly_numbers(value: bytes) -> int:
    """The total cost of the numbers in a JSON text; whole numbers of up to 19 digits are free.

    Any other number costs 1; one of more than 24 characters costs 1 for each 8 of them; an exponent
    of three digits or more costs 64 more. Beyond `COSTLY_NUMBERS_MAX` the sum may be incomplete.

    Cost: linear in the size, 25 ms for 900 KiB; a text without such numbers costs a search.

    Examples
    --------
    >>> costly_numbers(b'{"a": [1, 1.5, 1e9, 1e-308], "1e5": "2.5"}')
    67
    """
    if _MAY_BE_COSTLY.search(value) is None:
        return 0
    outside_texts = _TEXT.sub(b'"', value)
    numbers = _COSTLY.findall(outside_texts)
    cost = len(numbers) + EXTREME_COST * len(_EXTREME.findall(outside_texts))
    if cost > COSTLY_NUMBERS_MAX:
        return cost
    longer = (length for length in map(len, numbers) if length > ORDINARY_CHARACTERS)
    return cost + sum(length // _LONG_CHARACTERS - 1 for length in longer)


def has_too_costly_numbers(value: bytes) -> bool:
    """True if the numbers of a JSON text cost more than `COSTLY_NUMBERS_MAX`.

    Cost: three searches for a byte, unless a text has very many of these.
    """
    size = len(value)
    if size * EXTREME_COST < COSTLY_NUMBERS_MAX:
        return False
    # A costly number has a point, an exponent or too many digits, and an extreme one an exponent.
    exponents = value.count(b"e") + value.count(b"E")
    most = (1 + EXTREME_COST) * exponents + value.count(b".")
    most += size // CHEAP_DIGITS + size // _LONG_CHARACTERS
    return most > COSTLY_NUMBERS_MAX and costly_numbers(value) > COSTLY_NUMBERS_MAX
