"""Durations as text, and the durations that other notations mean: `10 minutes`, `1.5h`, `2w`.

Input: the text, or a number followed by a word. Output: a duration of the language with exactly the
same length, or nothing: users follow a correction literally.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

UNITS_NS: Final = {
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "h": 3_600 * 1_000_000_000,
    "d": 86_400 * 1_000_000_000,
}
_MEANT_NS: Final = {
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), 1),
    **dict.fromkeys(("us", "µs", "microsecond", "microseconds"), 1_000),
    **dict.fromkeys(("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"), 1_000_000),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), UNITS_NS["s"]),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), UNITS_NS["m"]),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), UNITS_NS["h"]),
    **dict.fromkeys(("d", "day", "days"), UNITS_NS["d"]),
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), 7 * UNITS_NS["d"]),
}
DURATION_MEND: Final = (
    "a duration is a whole number with a unit, as in `10m` (`ms`, `s`, `m`, `h`, `d`)"
)
_PARTS: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)[ \t]*([A-Za-zµ]+)[ \t]*")


def meant_duration(text: str) -> str:
    """The duration that `text` means; empty if it is not one, or not of whole milliseconds."""
    total_ns, unit_ns, offset = Fraction(0), UNITS_NS["ms"], 0
    while offset < len(text):
        part = _PARTS.match(text, offset)
        of_unit_ns = _MEANT_NS.get(part[2].lower()) if part else None
        if part is None or of_unit_ns is None:
            return ""
        total_ns += Fraction(part[1]) * of_unit_ns
        unit_ns = max(unit_ns, of_unit_ns)
        offset = part.end()
    for unit, of_unit_ns in reversed(UNITS_NS.items()):
        if of_unit_ns <= unit_ns and total_ns and total_ns % of_unit_ns == 0:
            return f"{total_ns // of_unit_ns}{unit}"
    return ""


def format_duration(duration_ns: int) -> str:
    """A duration in the largest unit in which it is whole: `90m`, `2h`, `250ms`."""
    for unit in ("d", "h", "m", "s", "ms"):
        if duration_ns % UNITS_NS[unit] == 0 and (duration_ns or unit == "s"):
            return f"{duration_ns // UNITS_NS[unit]}{unit}"
    raise AssertionError(f"{duration_ns} ns cannot be written in milliseconds")
