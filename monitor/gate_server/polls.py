"""Requests that wait until their call is no longer held, without a thread each.

After everything that may answer a held call (an operator's decision, a tick) `review` asks for each
waiting one again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from monitor.gate.wire import Answer

Ask = Callable[[str, str, str], Answer | None]


class Polls:
    """The waiting polls; `ask` gives the answer to (principal, session, request) as it stands."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._waiting: dict[asyncio.Future[None], tuple[str, str, str]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(self, principal: str, session: str, request: str, wait_s: float) -> None:
        """Return when the call is no longer held, or after `wait_s`."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[done] = (principal, session, request)
        try:
            async with asyncio.timeout(wait_s):
                await done
        except TimeoutError:
            pass
        finally:
            del self._waiting[done]

    def review(self) -> None:
        """End the waits of calls that have been decided. Cost: a look at the book for each."""
        for done, asked in self._waiting.items():
            if not done.done():
                answer = self._ask(*asked)
                if answer is None or answer.decision != "hold":
                    done.set_result(None)

    def end_all(self) -> None:
        """The server stops: every waiting poll gets the answer as it stands."""
        for done in self._waiting:
            if not done.done():
                done.set_result(None)
