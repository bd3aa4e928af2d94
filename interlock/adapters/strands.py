"""Strands Agents: a plugin that asks before each call of a tool.

    agent = Agent(model=model, tools=tools, plugins=[Interlock(client)])

A refused call is not made: the model gets one sentence as the result of the call, and goes on. A
session is that of the agent's session manager, which later runs resume; an agent without one has a
session of its own.

Seen: calls of tools, those that the program makes by `agent.tool` included, with their ids; in
parallel, repeated and in the background, too. An agent that is a tool belongs to the session of
its caller.
Not seen: tools that a model's provider runs itself, and the agents of the bidirectional mode. An
agent that is a tool without the plugin is not accepted: nothing would ask for its calls.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from strands import Agent, LocalAgent, Plugin
from strands.hooks import MessageAddedEvent
from strands.middleware import (
    ExecuteToolContext,
    ExecuteToolStage,
    MiddlewareNext,
    ToolResultEvent,
    TypedEvent,
)
from strands.types.content import Message
from strands.types.tools import AgentTool, ToolResult

from ..calls import ToolCall
from ..client import Client
from ..errors import Refused, SettingError
from ..session import Session
from .running import Conversation, Conversations, Messages, Redact, converted

_CONNECTED: WeakSet[Agent] = WeakSet()
"""The agents that have the plugin."""


class Interlock(Plugin):
    """Asks before each call, and reports it. Put it last, so that it is nearest to the tools.

    `session`: one that you have opened, for all agents that get this plugin. `messages`: publish
    what the user and the model say; `redact` changes these texts before. `unseen`: names of agents
    as tools that may run without the plugin.
    """

    name = "interlock"

    def __init__(
        self,
        client: Client,
        *,
        session: Session | None = None,
        messages: bool = True,
        redact: Redact | None = None,
        unseen: Collection[str] = (),
    ) -> None:
        super().__init__()
        self._unseen = frozenset(unseen)
        self._conversations = Conversations(client)
        self._messages = Messages(are_published=messages, redact=redact)
        self._given = Conversation(session) if session else None
        self._of_agents: WeakKeyDictionary[LocalAgent, Conversation] = WeakKeyDictionary()

    def init_agent(self, agent: Agent) -> None:
        """An agent gets the plugin."""
        _CONNECTED.add(agent)
        agent.add_middleware(ExecuteToolStage, self._run)
        agent.add_hook(self._note_message, MessageAddedEvent)

    async def _run(
        self, context: ExecuteToolContext, run: MiddlewareNext[ExecuteToolContext, TypedEvent]
    ) -> AsyncGenerator[TypedEvent, None]:
        """Ask, and make the call if it may be made."""
        if context.tool is None:  # The model has named a tool that does not exist: nothing runs.
            async for event in run(context):
                yield event
            return
        self._check_seen(context.tool)
        asked, conversation = context.tool_use, self._of(context.agent)
        # The model by which a tool that is a function converts its arguments.
        model = getattr(getattr(context.tool, "_metadata", None), "input_model", None)
        args = converted(_arguments(asked["input"]), model)
        call = conversation.call(context.tool.tool_name, args, asked["toolUseId"])
        try:
            edited = await call.begin_async()
        except Refused as refused:
            yield ToolResultEvent(_refusal(asked["toolUseId"], refused))
            return
        if edited is not None:
            context = context.replace(tool_use={**asked, "input": dict(edited)})
        results: list[ToolResultEvent] = []
        with contextlib.ExitStack() as outcome:
            outcome.push(call)
            call.error = "the call has no result: it paused, or its run has ended"
            try:
                async for event in self._within(conversation, run(context)):
                    if isinstance(event, ToolResultEvent):
                        _note(call, event)
                        results.append(event)
                    else:
                        yield event
            except GeneratorExit:  # The framework reads no further.
                outcome.pop_all()
                call.__exit__(None, None, None)
                raise
        # The call is reported when the next one may begin.
        for result in results:
            yield result

    def _check_seen(self, tool: AgentTool) -> None:
        inner, name = getattr(tool, "agent", None), tool.tool_name
        if isinstance(inner, Agent) and inner not in _CONNECTED and name not in self._unseen:
            raise SettingError(
                f"`{name}` is an agent without `Interlock`, and nothing would ask for its calls; "
                "give it the plugin, too"
            )

    async def _within(
        self, conversation: Conversation, events: AsyncIterator[TypedEvent]
    ) -> AsyncGenerator[TypedEvent, None]:
        """The events, of which each is made within the conversation."""
        while True:
            with self._conversations.calling(conversation):
                try:
                    event = await anext(events)
                except StopAsyncIteration:
                    return
            yield event

    def _note_message(self, event: MessageAddedEvent[Any]) -> None:
        """Of the user or of the model; those of an agent that is a tool are parts of its call."""
        if self._conversations.caller() is None:
            says = (
                self._messages.of_user
                if event.message["role"] == "user"
                else self._messages.of_model
            )
            says(self._of(event.agent).session, _text(event.message))

    def _of(self, agent: LocalAgent) -> Conversation:
        known = self._given or self._conversations.caller() or self._of_agents.get(agent)
        if known is None:
            # Without a manager the id of the agent's session has 32 random bits, which is too few.
            manager = getattr(agent, "_session_manager", None)
            if manager is not None and (id_ := getattr(agent, "session_id", "")):
                return self._conversations.of(id_)
            known = self._of_agents.setdefault(agent, self._conversations.begin())
        return known


def _note(call: ToolCall, event: ToolResultEvent) -> None:
    """The outcome: the framework makes a result of an error."""
    result, error = event.tool_result, event.exception
    content = [part.get("text", part.get("json", part)) for part in result["content"]]
    call.result = content[0] if len(content) == 1 else content
    call.error = ""
    if result["status"] == "error":
        call.error = f"{type(error).__name__}: {error}" if error else str(call.result)


def _arguments(given: Any) -> Mapping[str, object]:
    """The model's arguments; a value that is not an object is the only argument, `input`."""
    return given if isinstance(given, dict) else {"input": given}


def _refusal(call_id: str, refused: Refused) -> ToolResult:
    return {"toolUseId": call_id, "status": "error", "content": [{"text": str(refused)}]}


def _text(message: Message) -> str:
    return "\n".join(part["text"] for part in message["content"] if "text" in part)
