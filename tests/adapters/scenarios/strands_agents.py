"""Agents of Strands with a scripted model; run in an environment of its own. See `scripted`."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import Any

from scripted import ASKED, Outcome, Turn, http_post, main, nested, pay, read_file, redact
from strands import Agent, ToolContext, tool
from strands.models import Model
from strands.session.file_session_manager import FileSessionManager
from strands.tools.executors import SequentialToolExecutor

from interlock import Client
from interlock.adapters.strands import Interlock


class Scripted(Model):
    """Answers by a script, whatever it reads."""

    def __init__(self, script: Iterator[Turn]) -> None:
        self._script = script

    def update_config(self, **config: Any) -> None:
        pass

    def get_config(self) -> Any:
        return {}

    def structured_output(self, *arguments: Any, **more: Any) -> Any:
        raise NotImplementedError

    async def stream(self, *arguments: Any, **more: Any) -> AsyncIterator[Any]:
        turn = next(self._script)
        yield {"messageStart": {"role": "assistant"}}
        if turn.text:
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": turn.text}}}
            yield {"contentBlockStop": {}}
        for call in turn.calls:
            start = {"toolUse": {"name": call.tool, "toolUseId": call.id}}
            yield {"contentBlockStart": {"start": start}}
            given = json.dumps(dict(call.args))
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": given}}}}
            yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use" if turn.calls else "end_turn"}}


@tool(context=True)
def confirm(amount: int, tool_context: ToolContext[Any]) -> str:
    """Pay, if a person agrees."""
    return pay(amount) if tool_context.interrupt("agreed") else "not paid"


def agent_of(script: Iterator[Turn], plugins: list[Any], how: str, **more: Any) -> Agent:
    tools: list[Any] = [*(tool(one) for one in (read_file, http_post, pay)), confirm]
    if how in ("nested", "unasked"):
        inner = Agent(
            Scripted(script),
            tools=[tools[1]],
            plugins=plugins if how == "nested" else [],
            name="poster",
            callback_handler=None,
        )
        tools[1] = inner.as_tool(name="poster", description="Posts.")
    if how == "sequential":
        more["tool_executor"] = SequentialToolExecutor()
    return Agent(Scripted(script), tools=tools, plugins=plugins, callback_handler=None, **more)


async def streamed(agent: Agent, asked: str) -> str:
    async for event in agent.stream_async(asked):
        if "result" in event:
            return str(event["result"])
    return ""


def run(client: Client, case: str, how: str, script: tuple[Turn, ...]) -> Outcome:
    session = None if how in ("saved", "alone") else client.session(case)
    plugin = Interlock(client, session=session, redact=redact, messages=how != "silent")
    turns, outcome = list(script), Outcome()
    if how in ("nested", "unasked"):
        turns = nested(turns, {"input": "post it"})
    if how == "saved":
        # Two agents with one session, as in two processes.
        first = [turns[0], Turn("Wait.")]
        with tempfile.TemporaryDirectory() as folder:
            for part, asked in ((first, ASKED), (turns[1:], "go on")):
                manager = FileSessionManager(case, folder)
                agent = agent_of(iter(part), [plugin], how, session_manager=manager)
                outcome.final = str(agent(asked)).strip()
    else:
        agent = agent_of(iter(turns), [plugin], how)
        if how == "stream":
            outcome.final = asyncio.run(streamed(agent, ASKED)).strip()
        else:
            result = agent(ASKED)
            if result.interrupts:
                agreed = {"interruptId": result.interrupts[0].id, "response": True}
                result = agent([{"interruptResponse": agreed}])
            outcome.final = str(result).strip()
    for message in agent.messages:
        for part in message["content"]:
            if "toolResult" in part:
                result = part["toolResult"]
                outcome.read.append([result["toolUseId"], result["content"][0]["text"]])
    return outcome


if __name__ == "__main__":
    main("strands", run)
