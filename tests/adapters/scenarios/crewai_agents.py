"""Agents of CrewAI with a scripted model; run in an environment of its own. See `scripted`."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

# Before the framework is imported: no telemetry, and no look for a newer version.
os.environ |= {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_TRACKING": "true",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "CREWAI_TESTING": "true",
    "OTEL_SDK_DISABLED": "true",
}

from crewai import Agent, Crew, Task
from crewai.llms.base_llm import BaseLLM
from crewai.state.checkpoint_config import CheckpointConfig
from crewai.tools import BaseTool, tool
from scripted import ASKED, Call, Outcome, Turn, http_post, main, pay, read_file, redact

from interlock import Client
from interlock.adapters.crewai import guarded


class Scripted(BaseLLM):
    """Answers by a script, and notes the results of tools that it reads."""

    script: Any
    read: Any
    is_native: bool = True

    def supports_function_calling(self) -> bool:
        return self.is_native

    def call(self, messages: Any, *arguments: Any, **more: Any) -> Any:
        self.read[:] = [
            [one["tool_call_id"], one["content"]] for one in messages if one["role"] == "tool"
        ] or [["", str(one["content"])] for one in messages if one["role"] == "assistant"]
        turn: Turn = next(self.script)
        if turn.text == "fail":
            raise ConnectionError("the model does not answer")
        if not self.is_native:
            return _in_react(turn)
        if not turn.calls:
            return turn.text
        return [
            {"id": one.id, "function": {"name": one.tool, "arguments": json.dumps(dict(one.args))}}
            for one in turn.calls
        ]

    async def acall(self, *arguments: Any, **more: Any) -> Any:
        return self.call(*arguments, **more)


def _in_react(turn: Turn) -> str:
    """As a model without calls of tools writes them."""
    if not turn.calls:
        return f"Thought: I can answer.\nFinal Answer: {turn.text}"
    (one,) = turn.calls
    args = json.dumps(dict(one.args))
    return f"Thought: {turn.text or 'on'}\nAction: {one.tool}\nAction Input: {args}"


class Poster(BaseTool):
    """A tool that is a class, with a form for `async` runs."""

    name: str = "http_post"
    description: str = "Post."

    def _run(self, url: str, body: str = "nothing") -> str:
        return http_post(url, body)

    async def _arun(self, url: str, body: str = "nothing") -> str:
        return http_post(url, body)


def task_of(agent: Agent, text: str = ASKED) -> Task:
    return Task(description=text, expected_output="An answer.", agent=agent)


def crew_of(model: Scripted, how: str) -> Crew | Agent:
    read, pays = tool("read_file")(read_file), tool("pay")(pay)
    more: dict[str, Any] = {"llm": model, "goal": "g", "backstory": "b", "max_iter": 8}
    if how == "delegated":
        reader = Agent(role="reader", tools=[read], allow_delegation=True, **more)
        poster = Agent(role="poster", tools=[Poster()], **more)
        return Crew(agents=[reader, poster], tasks=[task_of(reader)])
    agent = Agent(role="a", tools=[read, pays, Poster()], **more)
    if how in ("agent", "restored"):
        return agent
    if how == "task":
        # The task has a tool that the agent has not.
        agent.tools, task = [pays], task_of(agent)
        task.tools = [read, Poster()]
        return Crew(agents=[agent], tasks=[task])
    return Crew(agents=[agent], tasks=[task_of(agent)])


def run(client: Client, case: str, how: str, script: tuple[Turn, ...]) -> Outcome:
    turns, outcome = list(script), Outcome()
    if how == "delegated":
        args = {"task": "post it", "context": "c", "coworker": "poster"}
        delegate = Call("delegate_work_to_coworker", args, "d1")
        turns = [turns[0], Turn(calls=(delegate,)), *turns[1:], turns[-1]]
    if how == "again":
        turns.insert(0, Turn("fail"))
    model = Scripted(
        model="scripted", script=iter(turns), read=outcome.read, is_native=how != "react"
    )
    crew = crew_of(model, how)
    with client.session(case) as session:
        used = guarded(crew, session, redact=redact, messages=how != "silent")
        outcome.final = str(started(used, how))
    return outcome


def started(used: Any, how: str) -> Any:
    if how == "agent":
        return used.kickoff(ASKED)
    if how == "restored":
        return used.kickoff(ASKED, from_checkpoint=CheckpointConfig(restore_from="x"))
    if how == "async":
        return asyncio.run(used.akickoff())
    if how == "each":
        return used.kickoff_for_each([{}])[0]
    return used.kickoff()


if __name__ == "__main__":
    main("crewai", run)
