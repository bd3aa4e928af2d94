"""The order in which principals get their turns: whoever has used the least time is next.

Each principal has its own queue, bounded by the requests that it may have. A turn is charged with
the time that it took, so that a principal with costly requests gets fewer turns, and one that comes
back after a pause has no claim to the time that it did not use. Pure; times are given by the
caller.

Source: Goyal, Vin, Cheng, "Start-time fair queueing" (1996).
"""

from __future__ import annotations

from collections import deque
from typing import Final, Generic, TypeVar

T = TypeVar("T")

CHARGE_NS_MIN: Final = 200_000
"""Measured: the framing of a request and its response, which are outside of its turn."""
CHARGE_NS_MAX: Final = 10_000_000
"""Ten ordinary turns. Chosen: a turn in which Python collects garbage is not its principal's fault,
and one that was charged 0.25 s for it waited for 280 turns of a flood."""


class Turns(Generic[T]):
    """Waiting items of all principals.

    Examples
    --------
    >>> turns = Turns[str]()
    >>> for name, item in ("flood", "a"), ("flood", "b"), ("calm", "x"):
    ...     turns.put(name, item)
    >>> principal, item = turns.take()
    >>> turns.charge(principal, 1_000)
    >>> (principal, item), turns.take()
    (('flood', 'a'), ('calm', 'x'))
    """

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}
        self._used_ns: dict[str, int] = {}
        """Time used, counted from that of the least served principal that waited (`_now_ns`)."""
        self._now_ns = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, principal: str, item: T) -> None:
        """Add an item to its principal's queue."""
        queue = self._waiting.get(principal)
        if queue is None:
            queue = self._waiting[principal] = deque()
            self._used_ns[principal] = max(self._now_ns, self._used_ns.get(principal, 0))
        queue.append(item)
        self._count += 1

    def take(self) -> tuple[str, T]:
        """The next item and its principal; there must be one.

        Cost: linear in the number of principals that wait, 50 us for a thousand.
        """
        principal = min(self._waiting, key=self._used_ns.__getitem__)
        self._now_ns = self._used_ns[principal]
        queue = self._waiting[principal]
        item = queue.popleft()
        self._count -= 1
        if not queue:
            del self._waiting[principal]
        return principal, item

    def charge(self, principal: str, used_ns: int) -> None:
        """Count the time of a turn, from `CHARGE_NS_MIN` to `CHARGE_NS_MAX`."""
        before_ns = self._used_ns.get(principal, self._now_ns)
        self._used_ns[principal] = before_ns + min(max(used_ns, CHARGE_NS_MIN), CHARGE_NS_MAX)

    def forget_idle(self) -> None:
        """Drop what is known of principals that owe nothing: their number has no other bound."""
        for name in [n for n, used in self._used_ns.items() if used <= self._now_ns]:
            if name not in self._waiting:
                del self._used_ns[name]
