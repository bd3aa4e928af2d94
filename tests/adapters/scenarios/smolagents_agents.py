"""Agents of smolagents with a scripted model; run in an environment of its own. See `scripted`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from scripted import ASKED, Call, Outcome, Turn, http_post, main, nested, pay, read_file, redact
from smolagents import ChatMessage, CodeAgent, LogLevel, MessageRole, Model, ToolCallingAgent, tool
from smolagents.local_python_executor import PythonExecutor
from smolagents.models import (
    ChatMessageStreamDelta,
    ChatMessageToolCall,
    ChatMessageToolCallFunction,
    ChatMessageToolCallStreamDelta,
)

from interlock import Client
from interlock.adapters.smolagents import guarded


class Scripted(Model):
    """Answers by a script, whatever it reads: the last turn by the tool `final_answer`."""

    def __init__(self, script: Iterator[Turn], how: str = "") -> None:
        super().__init__()
        self._script, self._how = script, how

    def generate(self, messages: Any, **more: Any) -> ChatMessage:
        turn = next(self._script)
        calls = turn.calls or (Call("final_answer", {"answer": turn.text}, "f1"),)
        if self._how.startswith("code"):
            code = "\n".join(_code(call, self._how) for call in calls)
            text = f"{turn.text}\n<code>\n{code}\n</code>"
            return ChatMessage(role=MessageRole.ASSISTANT, content=text)
        made = [
            ChatMessageToolCall(ChatMessageToolCallFunction(dict(c.args), c.tool), c.id, "function")
            for c in calls
        ]
        text = turn.text if turn.calls else ""
        return ChatMessage(role=MessageRole.ASSISTANT, content=text, tool_calls=made)

    def generate_stream(self, messages: Any, **more: Any) -> Iterator[ChatMessageStreamDelta]:
        message = self.generate(messages)
        for letter in message.content or "":
            yield ChatMessageStreamDelta(content=letter)
        for number, call in enumerate(message.tool_calls or ()):
            call.function.arguments = json.dumps(call.function.arguments)
            delta = ChatMessageToolCallStreamDelta(number, call.id, call.type, call.function)
            yield ChatMessageStreamDelta(tool_calls=[delta])


def _code(call: Call, how: str) -> str:
    """A call as code, which may try to reach the function behind the tool."""
    if how == "code_class" and call.tool == "http_post":
        return f"type(http_post).forward(http_post, **{dict(call.args)!r})"
    if how == "code_closure" and call.tool == "http_post":
        return "print(http_post.forward.__closure__)"
    return f"print({call.tool}(**{dict(call.args)!r}))"


class Elsewhere(PythonExecutor):
    """An executor that is not the local one."""

    def send_tools(self, tools: Any) -> None:
        raise AssertionError("nothing is sent")

    def send_variables(self, variables: Any) -> None:
        raise AssertionError("nothing is sent")

    def __call__(self, code_action: str) -> Any:
        raise AssertionError("nothing runs")


def agent_of(script: Iterator[Turn], how: str) -> Any:
    tools: list[Any] = [tool(one) for one in (read_file, http_post, pay)]
    kind: Any = CodeAgent if how.startswith("code") else ToolCallingAgent
    more: dict[str, Any] = {"stream_outputs": how == "stream", "verbosity_level": LogLevel.OFF}
    if how == "managed":
        poster = ToolCallingAgent(
            [tools.pop(1)],
            Scripted(script),
            name="poster",
            description="Posts.",
            verbosity_level=LogLevel.OFF,
        )
        more["managed_agents"] = [poster]
    if how == "code_elsewhere":
        more["executor"] = Elsewhere()
    return kind(tools, Scripted(script, how), **more)


def run(client: Client, case: str, how: str, script: tuple[Turn, ...]) -> Outcome:
    turns, outcome = list(script), Outcome()
    if how == "managed":
        turns = nested(turns, {"task": "post it"})
    agent = agent_of(iter(turns), how)
    with client.session(case) as session:
        used = guarded(agent, session, redact=redact, messages=how != "silent")
        if how == "stream":
            *_, last = used.run(ASKED, stream=True)
            outcome.final = str(last.output)
        else:
            outcome.final = str(used.run(ASKED))
    assert not agent.memory.steps  # The agent itself is not changed.
    for step in used.memory.steps:
        for call in getattr(step, "tool_calls", None) or ():
            if call.name != "final_answer":
                outcome.read.append([call.id, str(step.error or step.observations)])
    return outcome


if __name__ == "__main__":
    main("smolagents", run)
