"""One call of the core at a time, on the thread of the event loop, in the order of `turns.py`.

The core takes about a millisecond. After each call the loop looks at all sockets, so that a
neighbour of a principal with very many requests waits for one call of it, and not for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar

from monitor.clock import Clock
from monitor.gate.errors import GateError
from monitor.gate_server.refusal import Refused
from monitor.gate_server.turns import Turns

T = TypeVar("T")
FORGET_EVERY: Final = 1_024
LOOKS: Final = 3
"""Times that the loop turns between two calls: a request needs as many from its first byte to its
place in the queue. With one, a neighbour waited for four calls of a flood, and not for one."""


class Judge:
    """Runs work for principals, one after the other."""

    def __init__(
        self,
        turns: Turns[tuple[asyncio.Future[Any], Callable[[], Any]]],
        clock: Clock,
        took: Callable[[float], None],
    ) -> None:
        self._turns, self._clock, self._took = turns, clock, took
        self._has_work = asyncio.Event()

    def __len__(self) -> int:
        return len(self._turns)

    async def call(self, principal: str, work: Callable[[], T]) -> T:
        """The result of `work`, or its error, once it is this principal's turn."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._turns.put(principal, (done, work))
        self._has_work.set()
        return await done

    async def run(self) -> None:
        """Work until the task is cancelled. An error that is not the core's own ends it: a bug."""
        count = 0
        while True:
            if not self._turns:
                self._has_work.clear()
                await self._has_work.wait()
            principal, (done, work) = self._turns.take()
            begun_ns = self._clock.monotonic_ns()
            try:
                result = work()
            except (GateError, Refused) as error:
                if not done.done():
                    done.set_exception(error)
            except BaseException:
                done.cancel()
                raise
            else:
                if not done.done():
                    done.set_result(result)
            used_ns = self._clock.monotonic_ns() - begun_ns
            self._turns.charge(principal, used_ns)
            self._took(used_ns / 1e9)
            count += 1
            if count % FORGET_EVERY == 0:
                self._turns.forget_idle()
            for _ in range(LOOKS):
                await asyncio.sleep(0)
