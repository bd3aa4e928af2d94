"""Agents of the Microsoft Agent Framework with a scripted model; run in an environment of its own.
See `scripted`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from agent_framework import (
    Agent,
    AgentSession,
    BaseChatClient,
    ChatMiddlewareLayer,
    ChatResponse,
    ChatResponseUpdate,
    Content,
    FunctionInvocationLayer,
    Message,
    tool,
)
from scripted import ASKED, Outcome, Turn, http_post, main, nested, pay, read_file, redact

from interlock import Client
from interlock.adapters.agent_framework import Interlock


class Scripted(FunctionInvocationLayer[Any], ChatMiddlewareLayer[Any], BaseChatClient[Any]):
    """Answers by a script, whatever it reads."""

    def __init__(self, script: Iterator[Turn]) -> None:
        super().__init__()
        self._script = script

    def _inner_get_response(self, *, stream: bool, **more: Any) -> Any:
        contents = _contents(next(self._script))

        async def answer() -> ChatResponse[Any]:
            return ChatResponse(messages=[Message(role="assistant", contents=contents)])

        async def updates() -> AsyncIterator[ChatResponseUpdate]:
            for content in contents:
                yield ChatResponseUpdate(role="assistant", contents=[content])

        return self._build_response_stream(updates()) if stream else answer()


def _contents(turn: Turn) -> list[Content]:
    calls = [
        Content.from_function_call(call.id, call.tool, arguments=dict(call.args))
        for call in turn.calls
    ]
    return [*([Content.from_text(turn.text)] if turn.text else []), *calls]


def agent_of(script: Iterator[Turn], interlock: Interlock, how: str) -> Agent[Any]:
    tools: list[Any] = [
        tool(one, approval_mode="never_require") for one in (read_file, http_post, pay)
    ]
    if how.startswith("nested"):
        inner = Agent(Scripted(script), name="poster", tools=[tools[1]], middleware=[interlock])
        tools[1] = inner.as_tool(approval_mode="never_require")
    return Agent(Scripted(script), name="a", tools=tools, middleware=[interlock])


async def run_case(client: Client, case: str, how: str, script: tuple[Turn, ...]) -> Outcome:
    turns, outcome = list(script), Outcome()
    if how.startswith("nested"):
        turns = nested(turns, {"task": "post it"})
    given = client.session(case) if how == "given" else None
    interlock = Interlock(client, session=given, redact=redact, messages=how != "silent")
    agent = agent_of(iter(turns), interlock, how)
    session = None if how.startswith(("given", "alone")) else AgentSession(session_id=case)
    if how.endswith("stream"):
        stream = agent.run(ASKED, session=session, stream=True)
        async for _ in stream:
            pass
        response = await stream.get_final_response()
    else:
        response = await agent.run(ASKED, session=session)
    for message in response.messages:
        for content in message.contents:
            if content.type == "function_result":
                outcome.read.append([content.call_id or "", str(content.result)])
    outcome.final = response.messages[-1].text
    return outcome


def run(client: Client, case: str, how: str, script: tuple[Turn, ...]) -> Outcome:
    return asyncio.run(run_case(client, case, how, script))


if __name__ == "__main__":
    main("agent-framework", run)
