"""Pydantic AI: a capability that asks before each call of a tool.

    agent = Agent(model, tools=tools, capabilities=[Interlock(client)])

A refused call is not made: the model gets one sentence as the result of the call, and goes on. A
session is the conversation of the framework (`conversation_id`), which later runs resume.

Seen: calls that the agent runs, of functions and of toolsets, with their ids; in parallel, too.
Functions that take the agent's output, too: they run with arguments of the model.
Not seen: tools that a model's provider runs itself, and tools whose results come from elsewhere.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final

from pydantic import BaseModel
from pydantic_ai import RunContext
from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering
from pydantic_ai.capabilities.abstract import (
    ValidatedToolArgs,
    WrapOutputProcessHandler,
    WrapToolExecuteHandler,
)
from pydantic_ai.exceptions import ModelRetry, SkipToolExecution
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import ModelRequestContext
from pydantic_ai.output import OutputContext
from pydantic_ai.tools import ToolDefinition

from ..calls import Edited, ToolCall
from ..client import Client
from ..errors import Refused, SettingError
from .running import Conversation, Conversations, Messages, Redact

_OUTPUT: Final = "output"
"""The argument of an output function that takes the text of an answer."""


class _Running(contextlib.ExitStack):
    """Something that may ask for a call; its end is the end of the call, if it was allowed."""

    call: ToolCall | None = None


_RUNNING: Final[ContextVar[_Running]] = ContextVar("interlock_running")


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
        """Report how the call ends that `before_tool_execute` asks for."""
        return await self._reported(ctx, handler, args)

    async def before_tool_execute(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: ValidatedToolArgs,
    ) -> ValidatedToolArgs:
        """Ask. Other capabilities change arguments here, too, and before this one does."""
        try:
            edited = await self._asked(ctx, call.tool_name, args, call.tool_call_id)
        except Refused as refused:
            raise SkipToolExecution(str(refused)) from None
        return args if edited is None else dict(edited)

    async def wrap_output_process(
        self,
        ctx: RunContext[Any],
        *,
        output_context: OutputContext,
        output: Any,
        handler: WrapOutputProcessHandler,
    ) -> Any:
        """As `wrap_tool_execute`, for a function that takes the output."""
        return await self._reported(ctx, handler, output)

    async def before_output_process(
        self, ctx: RunContext[Any], *, output_context: OutputContext, output: Any
    ) -> Any:
        """Ask before an output function runs. If it is refused, the model is asked once more."""
        if not output_context.has_function:
            return output
        part = output_context.tool_call
        tool = output_context.function_name or (part.tool_name if part else "")
        if not tool:
            raise SettingError(
                "one of several output functions would run, and the framework does not say which; "
                "use `ToolOutput`, or one output function"
            )
        args, only = _output_arguments(output_context, output)
        try:
            edited = await self._asked(ctx, tool, args, part.tool_call_id if part else "")
        except Refused as refused:
            raise ModelRetry(str(refused)) from None
        if edited is None:
            return output
        if isinstance(output, BaseModel) or (only and only not in edited):
            raise ModelRetry(f"`{tool}` refused: it was approved with arguments that it cannot get")
        return edited[only] if only else dict(edited)

    async def _reported(
        self, ctx: RunContext[Any], handler: Callable[[Any], Awaitable[Any]], args: Any
    ) -> Any:
        """Run what asks, and report its outcome if it was allowed."""
        with _Running() as running, self._conversations.calling(self._of(ctx)):
            outer = _RUNNING.set(running)
            try:
                result = await handler(args)
            finally:
                _RUNNING.reset(outer)
            if running.call is not None:
                running.call.result = result
        return result

    async def _asked(
        self, ctx: RunContext[Any], tool: str, args: Mapping[str, object], call_id: str
    ) -> Edited:
        call = self._of(ctx).call(tool, args, call_id)
        edited = await call.begin_async()
        running = _RUNNING.get()
        running.push(call)
        running.call = call
        return edited

    def _of(self, ctx: RunContext[Any]) -> Conversation:
        caller = self._conversations.caller()
        return caller or self._conversations.of(ctx.conversation_id or ctx.run_id or "")


def _text_of(prompt: Any) -> str:
    """The text of a prompt, whose other parts are pictures and files."""
    parts = [prompt] if isinstance(prompt, str) else prompt or []
    return "\n".join(part for part in parts if isinstance(part, str))


def _output_arguments(context: OutputContext, output: Any) -> tuple[Mapping[str, object], str]:
    """The arguments with which an output function runs, and the name of the only one: the framework
    hands over several by name, and one as it is.
    """
    if isinstance(output, dict):
        return output, ""
    if isinstance(output, BaseModel):
        return output.model_dump(), ""
    schema = context.tool_def.parameters_json_schema if context.tool_def else {}
    names = list(schema.get("properties", ()))
    only = names[0] if len(names) == 1 else _OUTPUT
    return {only: output}, only
