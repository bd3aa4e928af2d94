"""Microsoft Agent Framework: middleware that asks before each call of a tool.

    agent = Agent(client=chat_client, tools=tools, middleware=[Interlock(client)])

A refused call is not made: the model gets one sentence as the result of the call, and goes on. A
session is the `AgentSession` of a run, which later runs resume; a run without one is a session.

Seen: calls of functions and of MCP tools that the framework makes, with their ids; in parallel and
streamed, too. An agent that is a tool belongs to the session of its caller if it is guarded, too.
Not seen: tools that a model's service runs itself, and what a workflow does outside of its agents.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from agent_framework import (
    AgentContext,
    AgentMiddleware,
    ChatContext,
    ChatMiddleware,
    ChatMiddlewareLayer,
    ChatResponse,
    Content,
    FunctionInvocationContext,
    FunctionMiddleware,
    MiddlewareBundle,
)

from ..calls import Edited, ToolCall
from ..client import Client
from ..errors import Refused, SettingError
from ..session import Session
from .running import Conversation, Conversations, Messages, Redact, made_async

_RUN: Final = "interlock_run"
"""The key of a run's conversation in what the framework passes from an agent to its functions and
to its chat client: a context variable would not reach them when the run is streamed."""

Next = Callable[[], Awaitable[None]]


class Interlock(MiddlewareBundle):
    """Asks before each call, and reports it. Put it last, so that it is nearest to the tools.

    `session`: one that you have opened, for all agents that get this bundle. `messages`: publish
    what the user and the model say; `redact` changes these texts before.
    """

    def __init__(
        self,
        client: Client,
        *,
        session: Session | None = None,
        messages: bool = True,
        redact: Redact | None = None,
    ) -> None:
        said = Messages(are_published=messages, redact=redact)
        given = Conversation(session) if session else None
        super().__init__([_Runs(Conversations(client), given, said), _Answers(said), _Calls()])


class _Runs(AgentMiddleware):
    """The session of each run, and the user's messages."""

    def __init__(
        self, conversations: Conversations, given: Conversation | None, messages: Messages
    ) -> None:
        self._conversations, self._given, self._messages = conversations, given, messages

    async def process(self, context: AgentContext, call_next: Next) -> None:
        """A run begins."""
        if isinstance(context.function_invocation_kwargs.get(_RUN), Conversation):
            # Of an agent that is a tool: it says nothing to the user, and gets nothing from him.
            await call_next()
            return
        known = self._given
        if known is None and context.session is not None:
            known = self._conversations.of(context.session.session_id)
        conversation = known or self._conversations.begin()
        context.function_invocation_kwargs[_RUN] = conversation
        if isinstance(getattr(context.agent, "client", None), ChatMiddlewareLayer):
            context.client_kwargs[_RUN] = conversation  # `_Answers` takes it out again.
        for message in context.messages:
            if message.role == "user":
                self._messages.of_user(conversation.session, message.text)
        if known is not None:
            await call_next()
        elif context.stream:
            # The run goes on while its stream is read.
            context.stream_cleanup_hooks.append(lambda: self._end(conversation))
            await call_next()
        else:
            try:
                await call_next()
            finally:
                self._end(conversation)

    def _end(self, conversation: Conversation) -> None:
        self._conversations.end(conversation.session.id)


class _Answers(ChatMiddleware):
    """The text of the model's answers."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    async def process(self, context: ChatContext, call_next: Next) -> None:
        """The model is asked."""
        conversation = context.kwargs.pop(_RUN, None)

        def note(response: ChatResponse[Any]) -> ChatResponse[Any]:
            if isinstance(conversation, Conversation):
                self._messages.of_model(conversation.session, response.text)
            return response

        if context.stream:
            context.stream_result_hooks.append(note)
        await call_next()
        if isinstance(context.result, ChatResponse):
            note(context.result)


class _Calls(FunctionMiddleware):
    """Asks, and makes the call if it may be made."""

    async def process(self, context: FunctionInvocationContext, call_next: Next) -> None:
        """A function is about to run."""
        conversation = context.kwargs.get(_RUN)
        if not isinstance(conversation, Conversation):
            raise SettingError(
                "the call has no session: it was not made by an agent with this middleware"
            )
        call_id = str(context.metadata.get("call_id") or "")
        call = conversation.call(context.function.name, _arguments(context), call_id)

        async def make(edited: Edited) -> Any:
            if edited is not None:
                context.arguments = dict(edited)
            await call_next()
            return context.result

        try:
            await made_async(call, make, _note)
        except Refused as refused:
            context.result = str(refused)


def _arguments(context: FunctionInvocationContext) -> Mapping[str, object]:
    """As the function will get them; those that it would not accept are as the model wrote them."""
    given = context.arguments
    return given if isinstance(given, Mapping) else given.model_dump()


def _note(call: ToolCall, result: Any) -> None:
    """The framework makes a list of contents of most results."""
    if isinstance(result, Iterable) and all(isinstance(one, Content) for one in result):
        parts = [one.text if one.type == "text" else one.to_dict() for one in result]
        result = parts[0] if len(parts) == 1 else parts
    call.result = result
