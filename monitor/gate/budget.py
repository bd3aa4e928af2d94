"""The bytes that each principal may have recorded, over time: a token bucket for each name.

    check(principal, now_ns)           before anything of a request is recorded
    charge(principal, size, now_ns)    after a record was written

The bucket holds what may be recorded in an hour, and fills evenly. A request is judged before its
size in the log is known, so the last one may take the bucket below empty: the principal then waits
until it is filled again. Pure; times are given by the caller. A restart begins with full buckets.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Final, NamedTuple

from invariants.model.event import SECOND_NS
from monitor.gate.errors import CrowdedError

HOUR_NS: Final = 3_600 * SECOND_NS


class _Spent(NamedTuple):
    """Bytes, as of a time; what has come back since is not yet subtracted."""

    size: float
    at_ns: int


class ByteBudget:
    """The budgets of all principals.

    Examples
    --------
    >>> budget = ByteBudget(3_600)
    >>> budget.charge("bot", 3_610, 0)
    >>> budget.check("ana", 0)
    >>> try:
    ...     budget.check("bot", 0)
    ... except CrowdedError as error:
    ...     error.retry_after_s
    11
    >>> budget.check("bot", 11 * 1_000_000_000)
    """

    def __init__(self, bytes_per_hour: int) -> None:
        self._per_hour = bytes_per_hour
        self._spent: OrderedDict[str, _Spent] = OrderedDict()
        """The principal that was charged last is at the end."""

    def check(self, principal: str, now_ns: int) -> None:
        """CrowdedError if the principal has nothing left; it says when to ask again."""
        over = self._left_over(principal, now_ns) - self._per_hour
        if over >= 0:
            wait_s = 1 + math.floor(over * HOUR_NS / self._per_hour / SECOND_NS)
            raise CrowdedError(
                f"records of this principal have more than {self._per_hour} bytes in an hour, the "
                f"maximum; ask again in {wait_s} s, or raise `gate.principal_bytes_per_hour`",
                wait_s,
            )

    def charge(self, principal: str, size: int, now_ns: int) -> None:
        """Count a record. Principals to whom all has come back are forgotten."""
        spent = self._left_over(principal, now_ns) + size
        self._spent[principal] = _Spent(spent, now_ns)
        self._spent.move_to_end(principal)
        while self._left_over(oldest := next(iter(self._spent)), now_ns) == 0:
            del self._spent[oldest]

    def _left_over(self, principal: str, now_ns: int) -> float:
        """Bytes that were spent and have not come back."""
        spent = self._spent.get(principal)
        if spent is None:
            return 0.0
        return max(0.0, spent.size - (now_ns - spent.at_ns) * self._per_hour / HOUR_NS)
