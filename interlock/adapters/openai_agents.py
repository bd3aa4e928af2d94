"""OpenAI Agents SDK: an agent whose tools ask before they run.

    with client.session() as session:
        result = Runner.run_sync(guarded(agent, session), "What is in today's inbox?")

A refused call is not made: the model gets one sentence as the output of the tool, and goes on. The
session is yours to open, with its user, its parent, or an id that another process resumes.

Seen: function tools of the agent and of the agents that it hands over to, with the model's ids.
The SDK makes a text of a tool's error, and that is reported as its result.
Not seen: hosted tools, which run at the provider; tools of MCP servers (`interlock mcp-proxy`); the
tools inside of an agent that is a tool itself, unless that agent is guarded, too.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from agents import Agent, AgentHooks, FunctionTool, Handoff, ItemHelpers, Tool
from agents.items import ModelResponse, TResponseInputItem
from agents.run_context import AgentHookContext, RunContextWrapper
from agents.tool_context import ToolContext

from ..calls import Edited
from ..errors import Refused
from ..session import Session
from .running import Conversation, Messages, Redact, made_async, note_result


def guarded(
    agent: Agent[Any], session: Session, *, messages: bool = True, redact: Redact | None = None
) -> Agent[Any]:
    """The same agent for one session; agents to which it hands over are guarded as well.

    `messages`: publish what the user and the model say; `redact` changes these texts before.
    """
    return _Guard(session, Messages(are_published=messages, redact=redact)).agent(agent)


class _Guard:
    """The agents of one session, each once: they may hand over to each other."""

    def __init__(self, session: Session, messages: Messages) -> None:
        self._conversation, self._messages = Conversation(session), messages
        self._known: dict[int, Agent[Any]] = {}
        self.told_count = 0

    def agent(self, agent: Agent[Any]) -> Agent[Any]:
        known = self._known.get(id(agent))
        if known is not None:
            return known
        tools = [self._tool(tool) for tool in agent.tools]
        made = agent.clone(tools=tools, hooks=_Hooks(self, agent.hooks))
        self._known[id(agent)] = made
        made.handoffs = [self._handoff(one) for one in agent.handoffs]
        return made

    def _handoff(self, handoff: Agent[Any] | Handoff[Any, Any]) -> Agent[Any] | Handoff[Any, Any]:
        if isinstance(handoff, Agent):
            return self.agent(handoff)
        hand_over = handoff.on_invoke_handoff

        async def guarded_handoff(context: RunContextWrapper[Any], args: str) -> Any:
            given = await hand_over(context, args)
            return self.agent(given) if isinstance(given, Agent) else given

        return dataclasses.replace(handoff, on_invoke_handoff=guarded_handoff)

    def _tool(self, tool: Tool) -> Tool:
        if not isinstance(tool, FunctionTool):
            return tool
        invoke = tool.on_invoke_tool

        async def asked(context: ToolContext[Any], args: str) -> Any:
            call = self._conversation.call(tool.name, _arguments(args), context.tool_call_id)
            try:
                return await made_async(
                    call,
                    lambda edited: invoke(context, args if edited is None else _text(edited)),
                    note_result,
                )
            except Refused as refused:
                return str(refused)

        return dataclasses.replace(tool, on_invoke_tool=asked)

    def user_said(self, items: list[TResponseInputItem]) -> None:
        """The user's messages that are new: a model reads all of them each time."""
        said = [text for item in items if (text := _said_by_user(item))]
        for text in said[self.told_count :]:
            self._messages.of_user(self._conversation.session, text)
        self.told_count = max(self.told_count, len(said))

    def model_said(self, response: ModelResponse) -> None:
        """The text of an answer, if it has one."""
        for item in response.output:
            self._messages.of_model(
                self._conversation.session, ItemHelpers.extract_text(item) or ""
            )


class _Hooks(AgentHooks[Any]):
    """Publishes messages, and goes on to the agent's own hooks."""

    def __init__(self, guard: _Guard, own: AgentHooks[Any] | None) -> None:
        self._guard, self._own = guard, own or AgentHooks[Any]()

    async def on_start(self, context: AgentHookContext[Any], agent: Agent[Any]) -> None:
        await self._own.on_start(context, agent)

    async def on_end(self, context: AgentHookContext[Any], agent: Agent[Any], output: Any) -> None:
        await self._own.on_end(context, agent, output)

    async def on_handoff(
        self, context: RunContextWrapper[Any], agent: Agent[Any], source: Agent[Any]
    ) -> None:
        await self._own.on_handoff(context, agent, source)

    async def on_tool_start(
        self, context: RunContextWrapper[Any], agent: Agent[Any], tool: Tool
    ) -> None:
        await self._own.on_tool_start(context, agent, tool)

    async def on_tool_end(
        self, context: RunContextWrapper[Any], agent: Agent[Any], tool: Tool, result: Any
    ) -> None:
        await self._own.on_tool_end(context, agent, tool, result)

    async def on_llm_start(
        self,
        context: RunContextWrapper[Any],
        agent: Agent[Any],
        system_prompt: str | None,
        input_items: list[TResponseInputItem],
    ) -> None:
        self._guard.user_said(input_items)
        await self._own.on_llm_start(context, agent, system_prompt, input_items)

    async def on_llm_end(
        self, context: RunContextWrapper[Any], agent: Agent[Any], response: ModelResponse
    ) -> None:
        self._guard.model_said(response)
        await self._own.on_llm_end(context, agent, response)


def _arguments(text: str) -> Mapping[str, object]:
    """The model's arguments; a text that is not an object is the only argument, `arguments`."""
    try:
        args = json.loads(text or "{}")
    except ValueError:
        args = None
    return args if isinstance(args, dict) else {"arguments": text}


def _text(edited: Edited) -> str:
    return json.dumps(edited)


def _said_by_user(item: TResponseInputItem) -> str:
    """The text of a user's message; empty for all other items."""
    if item.get("role") != "user":
        return ""
    content: Any = item.get("content")
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))
