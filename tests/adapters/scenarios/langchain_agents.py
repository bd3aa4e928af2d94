"""Agents of LangChain with a scripted model; run in an environment of its own. See `scripted`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Annotated, Any

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool, InjectedToolCallId, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from scripted import ASKED, Outcome, Turn, http_post, main, nested, pay, read_file, redact

from interlock import Client
from interlock.adapters.langchain import InterlockMiddleware


class Scripted(GenericFakeChatModel):
    """Answers by a script, whatever it reads."""

    def bind_tools(self, tools: Any, **more: Any) -> Scripted:
        return self


def messages_of(turns: Iterator[Turn]) -> Iterator[AIMessage]:
    for turn in turns:
        calls = [{"name": c.tool, "args": dict(c.args), "id": c.id} for c in turn.calls]
        yield AIMessage(turn.text, tool_calls=calls)


@tool("read_file")
def read_by_command(path: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
    """Read a file; the result is a message that the tool makes itself."""
    return Command(update={"messages": [ToolMessage(read_file(path), tool_call_id=tool_call_id)]})


def poster_of(model: Scripted, middleware: list[Any]) -> BaseTool:
    """An agent as a tool."""
    inner = create_agent(model, [tool(http_post)], middleware=middleware)

    @tool
    def poster(task: str) -> str:
        """Post."""
        return str(inner.invoke({"messages": [("user", task)]})["messages"][-1].text)

    return poster


def run(client: Client, case: str, how: str, script: tuple[Turn, ...]) -> Outcome:
    middleware = [InterlockMiddleware(client, messages=how != "silent", redact=redact)]
    if how.startswith("interrupt"):
        middleware = [InterlockMiddleware(client, interrupts=True)]
    turns, outcome = list(script), Outcome()
    if how == "nested":
        turns = nested(turns, {"task": "post it"})
    asked: Any = {"messages": [("user", ASKED)]}
    # Each case is a thread, but for those that have none.
    config: Any = {} if how == "alone" else {"configurable": {"thread_id": case}}
    saver = None if how == "alone" else InMemorySaver()
    parts = [turns]
    if how == "thread":  # Two runs of one thread, as of two requests to a server.
        parts = [[turns[0], Turn("Wait.")], turns[1:]]
    for part in parts:
        model = Scripted(messages=messages_of(iter(part)))
        tools: list[Any] = [tool(one) for one in (read_file, http_post, pay)]
        if how == "command":
            tools[0] = read_by_command
        if how == "nested":
            tools[1] = poster_of(model, middleware)
        agent: Any = create_agent(model, tools, middleware=middleware, checkpointer=saver)
        if how.endswith("async"):
            told = asyncio.run(agent.ainvoke(asked, config))
        elif how == "stream":
            *_, told = agent.stream(asked, config, stream_mode="values")
        else:
            told = agent.invoke(asked, config)
    while how.startswith("interrupt") and "__interrupt__" in told:
        # Each time by a client and a middleware of its own, as in another process.
        (shown,) = told["__interrupt__"]
        outcome.error = shown.value["message"]
        other = Client(gate=sys.argv[1], agent="langchain")
        again = InterlockMiddleware(other, interrupts=True)
        agent = create_agent(model, tools, middleware=[again], checkpointer=saver)
        answer = Command(resume="refuse it")
        if how == "interrupt-async":
            told = asyncio.run(agent.ainvoke(answer, config))
        else:
            told = agent.invoke(answer, config)
        other.close()
    for message in told["messages"]:
        if isinstance(message, ToolMessage):
            outcome.read.append([message.tool_call_id, str(message.text)])
    outcome.final = str(told["messages"][-1].text)
    return outcome


if __name__ == "__main__":
    main("langchain", run)
