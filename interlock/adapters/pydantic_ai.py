"""Pydantic AI: a capability that asks before each call of a tool.

    agent = Agent(model, tools=tools, capabilities=[Interlock(client)])

A refused call is not made: the model gets one sentence as the result of the call, and goes on. A
session is the conversation of the framework (`conversation_id`), which later runs resume.

Seen: calls that the agent runs, of functions and of toolsets, with their ids; in parallel, too.
Not seen: tools that a model's provider runs itself, and tools whose results come from elsewhere.
"""

from __future__ import annotations

from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering
from pydantic_ai.capabilities.abstract import (
    ValidatedToolArgs,
    WrapToolExecuteHandler,
)
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import ModelRequestContext
from pydantic_ai.tools import ToolDefinition

from ..calls import Edited
from ..client import Client
from ..errors import Refused
from .running import Conversation, Conversations, Messages, Redact, made_async, note_result


class Interlock(AbstractCapability[Any]):
    """Asks before each call, and reports it. It is the innermost: it sees what will run.

    `messages`: publish what the user and the model say; `redact` changes these texts before.
    """

    def __init__(
        self, client: Client, *, messages: bool = True, redact: Redact | None = None
    ) -> None:
        self._conversations = Conversations(client)
        self._messages = Messages(are_published=messages, redact=redact)

    def get_ordering(self) -> CapabilityOrdering:
        """Nearest to the tools: no other capability changes arguments behind it."""
        return CapabilityOrdering(position="innermost")

    async def before_run(self, ctx: RunContext[Any]) -> None:
        """A run begins: the user's prompt. That of an agent that is a tool is not the user's."""
        if self._conversations.caller() is None:
            self._messages.of_user(self._of(ctx).session, _text_of(ctx.prompt))

    async def after_model_request(
        self,
        ctx: RunContext[Any],
        *,
        request_context: ModelRequestContext,
        response: ModelResponse,
    ) -> ModelResponse:
        """The model has answered: its text, if there is one."""
        text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
        if self._conversations.caller() is None:
            self._messages.of_model(self._of(ctx).session, text)
        return response

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: ValidatedToolArgs,
        handler: WrapToolExecuteHandler,
    ) -> Any:
        """Ask, and make the call if it may be made."""
        conversation = self._of(ctx)
        asked = conversation.call(call.tool_name, args, call.tool_call_id)

        async def make(edited: Edited) -> Any:
            with self._conversations.calling(conversation):
                return await handler(args if edited is None else dict(edited))

        try:
            return await made_async(asked, make, note_result)
        except Refused as refused:
            return str(refused)

    def _of(self, ctx: RunContext[Any]) -> Conversation:
        caller = self._conversations.caller()
        return caller or self._conversations.of(ctx.conversation_id or ctx.run_id or "")


def _text_of(prompt: Any) -> str:
    """The text of a prompt, whose other parts are pictures and files."""
    parts = [prompt] if isinstance(prompt, str) else prompt or []
    return "\n".join(part for part in parts if isinstance(part, str))
