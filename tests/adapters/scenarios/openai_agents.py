"""Agents of the OpenAI Agents SDK with a scripted model; run in an environment of its own. See
`scripted`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from agents import Agent, CustomTool, LocalShellTool, Runner, function_tool, set_tracing_disabled
from agents.items import ModelResponse
from agents.mcp import MCPServer
from agents.models.interface import Model
from agents.sandbox import SandboxAgent
from agents.usage import Usage
from mcp.types import CallToolResult
from mcp.types import Tool as McpTool
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseCustomToolCall,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)
from scripted import (
    ASKED,
    DONE,
    POST,
    RAN,
    SECRET,
    Call,
    Outcome,
    Turn,
    http_post,
    main,
    nested,
    pay,
    read_file,
    redact,
)

from interlock import Client
from interlock.adapters.openai_agents import guarded

set_tracing_disabled(True)
NOT_JSON = '{"url": '
MISTYPED = (
    Turn(calls=(Call("erase", {"force": "yes"}, "c1"),)),
    Turn(calls=(Call("erase", {"force": True}, "c2"),)),
    DONE,
)
HANDING = (
    Turn("I read the file first.", (SECRET,)),
    Turn(calls=(Call("transfer_to_poster", {}, "h1"),)),
    Turn(calls=(POST,)),
    Turn("I could not post it."),
)


def erase(force: bool) -> str:
    """Erase."""
    RAN.append(["erase", force])
    return "erased"


def outputs_of(turn: Turn, how: str) -> list[Any]:
    outputs: list[Any] = []
    if turn.text:
        part = ResponseOutputText(type="output_text", text=turn.text, annotations=[])
        outputs.append(
            ResponseOutputMessage(
                id="m", type="message", role="assistant", status="completed", content=[part]
            )
        )
    for call in turn.calls:
        if how == "custom":
            outputs.append(
                ResponseCustomToolCall(
                    type="custom_tool_call", call_id=call.id, name=call.tool, input=str(call.args)
                )
            )
            continue
        args = NOT_JSON if how == "garbled" else json.dumps(dict(call.args))
        outputs.append(
            ResponseFunctionToolCall(
                type="function_call", call_id=call.id, name=call.tool, arguments=args
            )
        )
    return outputs


class Scripted(Model):
    """Answers by a script, whatever it reads."""

    def __init__(self, turns: Iterator[Turn], how: str) -> None:
        self._turns, self._how = turns, how

    async def get_response(self, *arguments: Any, **more: Any) -> ModelResponse:
        output = outputs_of(next(self._turns), self._how)
        return ModelResponse(output=output, usage=Usage(), response_id=None)

    async def stream_response(self, *arguments: Any, **more: Any) -> AsyncIterator[Any]:
        response = Response(
            id="r",
            created_at=0,
            model="scripted",
            object="response",
            output=outputs_of(next(self._turns), self._how),
            tool_choice="auto",
            tools=[],
            parallel_tool_calls=True,
        )
        yield ResponseCompletedEvent(
            response=response, type="response.completed", sequence_number=0
        )


async def ran(agent: Agent[Any], how: str) -> Any:
    if how == "twice":
        await Runner.run(agent, ASKED)
        return await Runner.run(agent, "go on")
    if how != "stream":
        return await Runner.run(agent, ASKED)
    streamed = Runner.run_streamed(agent, ASKED)
    async for _ in streamed.stream_events():
        pass
    return streamed


class Server(MCPServer):
    """A server of MCP in this process, with the same two tools."""

    async def connect(self) -> None:
        pass

    async def cleanup(self) -> None:
        pass

    @property
    def name(self) -> str:
        return "files"

    async def list_tools(self, *arguments: Any, **more: Any) -> list[McpTool]:
        tools = (("read_file", ("path",)), ("http_post", ("url", "body")))
        return [
            McpTool.model_validate(
                {"name": name, "inputSchema": {"type": "object", "required": args}}
            )
            for name, args in tools
        ]

    async def call_tool(
        self, tool_name: str, arguments: Any, *more: Any, **named: Any
    ) -> CallToolResult:
        function: Any = {"read_file": read_file, "http_post": http_post}[tool_name]
        try:
            text, is_error = function(**arguments), False
        except ValueError as error:
            text, is_error = str(error), True
        content = [{"type": "text", "text": text}]
        return CallToolResult.model_validate({"content": content, "isError": is_error})

    async def list_prompts(self) -> Any:
        raise NotImplementedError

    async def get_prompt(self, name: str, arguments: Any = None) -> Any:
        raise NotImplementedError


async def pay_by_text(context: Any, text: str) -> str:
    return pay(text)


def run(client: Client, case: str, how: str, script: tuple[Turn, ...]) -> Outcome:
    turns = list({"handing": HANDING, "mistyped": MISTYPED}.get(how, script))
    if how == "nested":
        turns = nested(turns, {"input": "post it"})
    elif how == "twice":
        turns = [Turn("Wait."), *turns]
    model = Scripted(iter(turns), how)
    tools: list[Any] = [function_tool(one) for one in (read_file, http_post, pay, erase)]
    if how == "raised":
        tools[1] = function_tool(http_post, failure_error_function=None)
    elif how == "custom":
        tools[2] = CustomTool(name="pay", description="Pay.", on_invoke_tool=pay_by_text)
    elif how == "shell":
        tools.append(LocalShellTool(executor=lambda request: "ran"))
    poster = Agent(name="poster", model=model, tools=[tools[1]])
    with client.session(case) as session:
        if how in ("nested", "unguarded"):
            inner = guarded(poster, session, redact=redact) if how == "nested" else poster
            tools[1] = inner.as_tool("poster", "Posts.")
        given: Any = {"mcp_servers": [Server()]} if how == "mcp" else {"tools": tools}
        if how == "sandbox":
            guarded(SandboxAgent(name="coder", model=model), session)
        agent = Agent(name="a", model=model, handoffs=[poster], **given)
        used = guarded(agent, session, messages=how != "silent", redact=redact)
        result = asyncio.run(ran(used, how))
    items = [i for i in result.new_items if i.type == "tool_call_output_item"]
    return Outcome([[i.raw_item["call_id"], str(i.output)] for i in items], result.final_output)


if __name__ == "__main__":
    main("openai-agents", run)
