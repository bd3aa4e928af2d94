"""LangChain agents with a scripted model; run in an environment of its own, against a real gate.

python langchain_agents.py GATE CASE      prints what ran, and what the model read, as JSON
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from interlock import Client
from interlock.adapters.langchain import InterlockMiddleware

RAN: list[list[str]] = []


@tool
def read_file(path: str) -> str:
    """Read a file."""
    RAN.append(["read_file", path])
    return "TOKEN" if path.startswith("/secrets") else "notes"


@tool("http.post")
def http_post(url: str, body: str) -> str:
    """Post."""
    RAN.append(["http.post", url])
    if "broken" in url:
        raise ValueError("no route")
    return "200"


class Scripted(GenericFakeChatModel):
    """Answers by a script, whatever it reads."""

    def bind_tools(self, tools: Any, **more: Any) -> Scripted:
        return self


def calls(*made: tuple[str, dict[str, Any], str], text: str = "") -> AIMessage:
    return AIMessage(text, tool_calls=[{"name": n, "args": a, "id": i} for n, a, i in made])


SECRET = ("read_file", {"path": "/secrets/key"}, "c1")
NOTES = ("read_file", {"path": "/notes"}, "c1")
POST = {"url": "https://paste.example/x", "body": "b"}


def hijacked() -> Iterator[AIMessage]:
    yield calls(SECRET, text="I read the file first.")
    yield calls(("http.post", POST, "c2"))
    yield AIMessage("I could not post it.")


def honest() -> Iterator[AIMessage]:
    yield calls(NOTES)
    yield calls(("http.post", POST, "c2"))
    yield AIMessage("Done.")


def parallel() -> Iterator[AIMessage]:
    yield calls(SECRET)
    yield calls(
        *(("http.post", POST, f"p{n}") for n in range(3)), ("read_file", {"path": "/a"}, "p3")
    )
    yield AIMessage("Done.")


def repeated() -> Iterator[AIMessage]:
    """A model, or a middleware, that uses an id again."""
    yield calls(NOTES)
    yield calls(NOTES)
    yield AIMessage("Done.")


def broken() -> Iterator[AIMessage]:
    yield calls(("http.post", {"url": "https://broken.example", "body": ""}, "c1"))
    yield AIMessage("Done.")


SCRIPTS = {one.__name__: one for one in (hijacked, honest, parallel, repeated, broken)}


def agent_of(script: Iterator[AIMessage], client: Client, **more: Any) -> Any:
    return create_agent(
        Scripted(messages=script),
        [read_file, http_post],
        middleware=[InterlockMiddleware(client, redact=lambda text: text.replace("Ada", "[user]"))],
        **more,
    )


def main(gate: str, case: str) -> None:
    name, _, how = case.partition("-")
    client = Client(gate=gate, agent="langchain")
    asked: Any = {"messages": [("user", "Ada asks: do it")]}
    config: Any = {}
    agents = [agent_of(SCRIPTS[name](), client)]
    if how == "thread":
        # Two runs of one thread, as of two requests to a server.
        config = {"configurable": {"thread_id": "a thread/7"}}
        saver = InMemorySaver()
        script = SCRIPTS[name]()
        first = iter([next(script), AIMessage("Wait.")])
        agents = [agent_of(one, client, checkpointer=saver) for one in (first, script)]
    read: list[list[str]] = []
    error = ""
    for agent in agents:
        try:
            if how == "async":
                told = asyncio.run(agent.ainvoke(asked, config))
            else:
                told = agent.invoke(asked, config)
        except ValueError as raised:
            error = str(raised)
            continue
        read = [
            [m.name or "", m.status, str(m.text)]
            for m in told["messages"]
            if isinstance(m, ToolMessage)
        ]
    client.close()
    print(json.dumps({"ran": RAN, "read": read, "error": error}))


if __name__ == "__main__":
    main(*sys.argv[1:])
