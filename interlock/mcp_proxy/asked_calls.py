"""The calls of one connection as those of a session: the gate is asked, and told how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final

from ..adapters.running import Conversation
from ..calls import Edited, ToolCall
from ..session import Session
from .tool_call import Call, Outcome

SIGN_S: Final = 10.0
"""Chosen: a proxy gives up on a silent connection after 30 s, a client on a call after 60 s."""


class AskedCalls:
    """`prefix` keeps the ids of calls apart if several connections share the session."""

    def __init__(self, session: Session, prefix: str) -> None:
        self._session = session
        self._conversation = Conversation(session)
        self._prefix = prefix
        # By identity: two requests of a connection may have one id, one after the other.
        self._made: dict[int, tuple[Call, ToolCall]] = {}

    async def ask(self, call: Call) -> Edited:
        """Ask the gate; the arguments that an operator approved instead, or None.

        Raises
        ------
        ClientError
            The call may not be made; the text is one sentence for the model.
        """
        made = self._conversation.call(call.tool, call.args, f"{self._prefix}{call.id}")
        made.attributes = call.attributes
        edited = await made.begin_async()
        self._made[id(call)] = (call, made)
        return edited

    def tell(self, outcomes: Iterable[Outcome]) -> None:
        """Report how calls ended."""
        for outcome in outcomes:
            _, made = self._made.pop(id(outcome.call))
            made.result, made.error = outcome.result, outcome.error
            made.__exit__(None, None, None)

    def close(self) -> None:
        """End the session, unless it is one that others continue."""
        self._session.__exit__(None, None, None)

    def not_made(self, call: Call) -> None:
        """The client has withdrawn a call: if the gate has allowed it, it failed."""
        if id(call) in self._made:
            self.tell([Outcome(call, error="withdrawn by the client before it was made")])


async def with_signs(
    ask: Callable[[], Coroutine[Any, Any, Edited]], sign: Callable[[int], Awaitable[None]]
) -> Edited:
    """Wait for an answer; every `SIGN_S` the client gets a `sign` that its call waits."""
    task = asyncio.ensure_future(ask())
    step = 0
    try:
        while not (await asyncio.wait({task}, timeout=SIGN_S))[0]:
            step += 1
            await sign(step)
        return task.result()
    finally:
        task.cancel()
