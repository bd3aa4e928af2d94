"""An operator's exceptions, as a gate states them with each event that they concern.

They change no verdict. A violation that one covers stays a violation, and is reported as such; but
it refuses no call, and stops nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

EVERY_INVARIANT: Final = "*"
"""In place of an invariant's id: the break-glass of a gate."""


class Excepted(msgspec.Struct, frozen=True, array_like=True):
    """One exception: its id, the invariant that it excepts, and its end in ns (excluded)."""

    id: str
    invariant: str
    until_ns: int


def exception_of(excepted: Iterable[Excepted], invariant: str, time_ns: int) -> str:
    """The id of the first exception that covers an invariant at a time; `""` if none does.

    Examples
    --------
    >>> exception_of([Excepted("x-1", "leak", 10)], "leak", 9)
    'x-1'
    >>> exception_of([Excepted("x-1", "leak", 10)], "leak", 10)
    ''
    """
    for one in excepted:
        if one.invariant in (invariant, EVERY_INVARIANT) and time_ns < one.until_ns:
            return one.id
    return ""
