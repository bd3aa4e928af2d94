"""Hooks of an agent's runtime: their turn, the wait of a call that is held, the form of a refusal.

A hook is one process for each event. So the gate waits for the operator in its place, as long as
the hook may run (`wait_s`), and withdraws the call when nobody waits for it any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from monitor.claude_code.answers import ended, said
from monitor.claude_code.hook import Hook, HookOutput, session_of
from monitor.claude_code.take import OUTCOMES, Names, take
from monitor.gate.errors import GateError
from monitor.gate.gate import Gate
from monitor.gate.wire import Answer, Withdrawal
from monitor.gate_server.accounts import Accounts
from monitor.gate_server.bounds import Bounds
from monitor.gate_server.http_door import Request, Response
from monitor.gate_server.polls import Polls
from monitor.gate_server.refusal import Refused

Judged = Callable[[str, Callable[[], Answer]], Awaitable[Answer]]
HOOK_PAGE: Final = "claude_code_hook"
STRANGERS: Final = ("unauthenticated", "forbidden", "host", "method", "unknown")
"""Refusals of a request that is not a hook of a principal."""


class Hooks:
    """Answers hooks with one core."""

    def __init__(self, gate: Gate, polls: Polls, accounts: Accounts, bounds: Bounds) -> None:
        self._gate, self._polls = gate, polls
        self._accounts, self._bounds = accounts, bounds

    def take(
        self,
        principal: str,
        hook: Hook,
        query: Mapping[str, str],
        see: Callable[[str, str], None],
        noted: Callable[[str, str, Answer], Answer],
    ) -> Answer | HookOutput:
        """The work of the hook's turn; `see` counts its session, `noted` an answer to a call."""
        see(principal, session_of(hook))
        names = {name: query[name] for name in Names._fields if query.get(name)}
        taken = take(self._gate, principal, hook, Names(**names))
        return noted(principal, hook.tool_name, taken) if isinstance(taken, Answer) else taken

    async def output(
        self,
        asking: Request,
        principal: str,
        taken: Answer | HookOutput,
        query: Mapping[str, str],
        judged: Judged,
    ) -> HookOutput:
        """The output, once the call is not held any more; `judged` is work in a turn."""
        if isinstance(taken, HookOutput):
            return taken
        wait_s = min(int(query.get("wait_s", "0")), self._bounds.hook_wait_s_max)
        if taken.decision == "hold":
            withdrawal = Withdrawal(taken.session, taken.request)
            try:
                if wait_s:
                    with self._accounts.poll(principal):
                        await self._wait(asking, principal, taken, wait_s)
            finally:
                # An operator may have been first: then this is the operator's answer.
                taken = await judged(principal, lambda: self._gate.withdraw(principal, withdrawal))
        return said(taken)

    async def _wait(self, asking: Request, principal: str, held: Answer, wait_s: int) -> None:
        """Return when the call is no longer held, after `wait_s`, or when the hook has gone."""
        asking.connection.leave()  # It waits for an operator, and others may go on.
        waiting = asyncio.ensure_future(
            self._polls.wait(principal, held.session, held.request, wait_s)
        )
        asking.connection.if_lost(waiting.cancel)
        try:
            await asyncio.wait({waiting})
        finally:
            waiting.cancel()


def as_output(error: Refused | GateError, page: str, query: Mapping[str, str]) -> Response | None:
    """A refusal of a report about a call ends the agent's run: the gate does not know any more what
    the agent has seen, and the runtime goes on behind any other response. None for all others.
    """
    if page != HOOK_PAGE or query.get("event") not in OUTCOMES or error.code in STRANGERS:
        return None
    output = ended(f"the gate could not record what a call did: {error}")
    closes = isinstance(error, Refused) and error.closes
    return Response(200, msgspec.json.encode(output), closes=closes)
