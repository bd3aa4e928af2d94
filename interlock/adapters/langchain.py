"""LangChain and LangGraph: a middleware that asks before each call of a tool.

    agent = create_agent(model, tools, middleware=[InterlockMiddleware(client)])

A refused call is not made: the model gets one sentence as the result of the call, and goes on. A
session is the thread of a checkpointer (`thread_id`), which later runs resume; without a thread,
each run is a session. Messages of the user and of the model are published too.

Seen: calls that `create_agent` makes, with their ids; in parallel, repeated and `async` ones too.
Not seen: tools that a model's provider runs itself, and code of the agent outside of tools.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, NotRequired

from langchain.agents.middleware import AgentMiddleware, AgentState
from langchain.agents.middleware.types import PrivateStateAttr, ToolCallRequest
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage
from langgraph.config import get_config
from langgraph.types import Command, interrupt

from ..calls import Edited, ToolCall
from ..client import Client
from ..errors import Held, Refused
from .running import (
    Conversation,
    Conversations,
    Messages,
    Redact,
    converted,
    made,
    made_async,
)

Result = ToolMessage | Command[Any]


class InterlockState(AgentState[Any]):
    """The state of an agent, with the session of a run that has no thread."""

    interlock_session: NotRequired[Annotated[str, PrivateStateAttr]]


class InterlockMiddleware(AgentMiddleware[InterlockState, Any]):
    """Asks before each call, and reports it. Put it last, so that it is nearest to the tools.

    `messages`: publish what the user and the model say; `redact` changes these texts before.
    `interrupts`: a held call interrupts the graph instead of waiting. It needs a thread. To
    resume the graph decides nothing: the call is asked for again, and gets the operators' decision
    or interrupts anew.
    """

    state_schema = InterlockState

    def __init__(
        self,
        client: Client,
        *,
        messages: bool = True,
        redact: Redact | None = None,
        interrupts: bool = False,
    ) -> None:
        super().__init__()
        self._interrupts = interrupts
        self._conversations = Conversations(client)
        self._messages = Messages(are_published=messages, redact=redact)

    def before_agent(self, state: InterlockState, runtime: Any) -> dict[str, Any] | None:
        """A run begins: its session, and the user's messages that are new."""
        caller, thread = self._conversations.caller(), _thread_of(get_config())
        if caller is not None:
            return {"interlock_session": caller.session.id}
        begun = self._conversations.of(thread) if thread else self._conversations.begin()
        for message in _new_messages(state["messages"], is_resumed=bool(thread)):
            self._messages.of_user(begun.session, str(message.text))
        return {"interlock_session": begun.session.id}

    def after_model(self, state: InterlockState, runtime: Any) -> None:
        """The model has answered: its text, if there is one and if it is meant for the user."""
        message = state["messages"][-1]
        if isinstance(message, AIMessage) and self._conversations.caller() is None:
            self._messages.of_model(self._of(state).session, str(message.text))

    def after_agent(self, state: InterlockState, runtime: Any) -> None:
        """A run has ended; its session goes on if it has a thread, or a caller."""
        if not _thread_of(get_config()) and self._conversations.caller() is None:
            self._conversations.end(state["interlock_session"])

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Result]
    ) -> Result:
        """Ask, and make the call if it may be made."""
        conversation = self._of(request.state)

        def make(edited: Edited) -> Result:
            with self._conversations.calling(conversation):
                return handler(_edited(request, edited))

        while True:
            call = self._call(conversation, request)
            try:
                return made(call, make, _note)
            except Refused as refused:
                if not (call.is_deferred and isinstance(refused, Held)):
                    return _refusal(request, refused)
                conversation.repeat(request.tool_call["id"] or "")
                interrupt(_waiting(call, refused))

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Result]]
    ) -> Result:
        """As `wrap_tool_call`."""
        conversation = self._of(request.state)

        async def make(edited: Edited) -> Result:
            with self._conversations.calling(conversation):
                return await handler(_edited(request, edited))

        while True:
            call = self._call(conversation, request)
            try:
                return await made_async(call, make, _note)
            except Refused as refused:
                if not (call.is_deferred and isinstance(refused, Held)):
                    return _refusal(request, refused)
                conversation.repeat(request.tool_call["id"] or "")
                interrupt(_waiting(call, refused))

    def _call(self, conversation: Conversation, request: ToolCallRequest) -> ToolCall:
        asked = request.tool_call
        args = converted(asked["args"], request.tool.tool_call_schema if request.tool else None)
        call = conversation.call(asked["name"], args, asked["id"] or "")
        call.is_deferred = self._interrupts and bool(asked["id"] and _thread_of(get_config()))
        return call

    def _of(self, state: Any) -> Conversation:
        return self._conversations.caller() or self._conversations.of(state["interlock_session"])


def _waiting(call: ToolCall, held: Held) -> dict[str, str]:
    """Shown to those who resume the graph. The arguments are for operators alone."""
    return {
        "approval": held.approval,
        "tool": call.tool,
        "call": call.id,
        "message": str(held),
    }


def _thread_of(config: Mapping[str, Any]) -> str:
    return str(config.get("configurable", {}).get("thread_id") or "")


def _new_messages(messages: list[AnyMessage], *, is_resumed: bool) -> list[AnyMessage]:
    """The user's; of a thread only those behind the last answer, since it has told the others."""
    told: list[AnyMessage] = []
    for message in messages:
        if is_resumed and isinstance(message, AIMessage):
            told.clear()
        elif isinstance(message, HumanMessage):
            told.append(message)
    return told


def _edited(request: ToolCallRequest, edited: Edited) -> ToolCallRequest:
    """The request with the arguments that an operator approved."""
    if edited is None:
        return request
    return request.override(tool_call={**request.tool_call, "args": dict(edited)})


def _note(call: ToolCall, result: object) -> None:
    """The outcome: all messages that the model will read. LangGraph makes one of an error that it
    handles, and a tool may put its own into a command.
    """
    read: list[Any] = []
    for one in result if isinstance(result, list) else [result]:
        update = one.update if isinstance(one, Command) else {"messages": [one]}
        found = update.get("messages") if isinstance(update, Mapping) else update
        read += found if isinstance(found, list) else [found]
    messages = [one for one in read if isinstance(one, BaseMessage)]
    if len(messages) == 1 and getattr(messages[0], "status", "") == "error":
        call.error = str(messages[0].text)
    elif len(messages) == len(read) == 1:
        call.result = messages[0].content
    elif read != [None]:
        call.result = [one.content if isinstance(one, BaseMessage) else one for one in read]


def _refusal(request: ToolCallRequest, refused: Refused) -> ToolMessage:
    call = request.tool_call
    return ToolMessage(
        str(refused), tool_call_id=call["id"] or "", name=call["name"], status="error"
    )
