"""OpenAI Agents SDK: an agent whose tools ask before they run.

    with client.session() as session:
        result = Runner.run_sync(guarded(agent, session), "What is in today's inbox?")

A refused call is not made: the model gets one sentence as the output of the tool, and goes on. The
session is yours to open, with its user, its parent, or an id that another process resumes.

Seen: functions and custom tools, with the model's ids, and tools of MCP servers; also those of
agents to which it hands over. The SDK makes a text of a tool's error, and that is its result.
Not seen: hosted tools, which run at the provider. Others that nothing asks for are not accepted:
shells, patches and computers of this machine, agents of a sandbox, and agents as tools that are not
guarded.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextvars import ContextVar
from typing import Any, TypeVar, cast

from agents import (
    Agent,
    AgentHooks,
    ApplyPatchTool,
    ComputerTool,
    CustomTool,
    FunctionTool,
    Handoff,
    ItemHelpers,
    LocalShellTool,
    ShellTool,
    Tool,
)
from agents.items import ModelResponse, TResponseInputItem
from agents.mcp import MCPServer
from agents.run_context import AgentHookContext, RunContextWrapper
from agents.tool_context import ToolContext
from mcp.types import CallToolResult, TextContent

from ..calls import Edited, ToolCall
from ..errors import Denied, Refused, SettingError
from ..session import Session
from .running import Conversation, Messages, Redact, made_async
from .schema_fit import unfit

T = TypeVar("T")
_INPUT = "input"
"""The argument of a custom tool: its text."""
_IS_CALLING: ContextVar[bool] = ContextVar("interlock_is_calling", default=False)
"""True within a tool: what an agent there says and hears is a part of the call."""


def guarded(
    agent: Agent[Any],
    session: Session,
    *,
    messages: bool = True,
    redact: Redact | None = None,
    unseen: Collection[str] = (),
) -> Agent[Any]:
    """The same agent for one session; agents to which it hands over are guarded as well.

    `messages`: publish what the user and the model say; `redact` changes these texts before.
    `unseen`: names of tools, and of agents of a sandbox, that may run without being asked for.

    Raises
    ------
    SettingError
        For something that would run without being asked for.
    """
    said = Messages(are_published=messages, redact=redact)
    return _Guard(session, said, frozenset(unseen)).agent(agent)


class _Guard:
    """The agents of one session, each once: they may hand over to each other."""

    def __init__(self, session: Session, messages: Messages, unseen: frozenset[str]) -> None:
        self._conversation, self._messages, self._unseen = Conversation(session), messages, unseen
        self._known: dict[int, Agent[Any]] = {}
        self._said: list[str] = []

    def agent(self, agent: Agent[Any]) -> Agent[Any]:
        known = self._known.get(id(agent))
        if known is not None:
            return known
        if hasattr(agent, "capabilities"):  # Of a sandbox: they add tools when the agent runs.
            self._refuse_unless_named(agent.name, "make function tools of what it does")
        tools = [self._tool(tool) for tool in agent.tools]
        servers = [_server(server, self._conversation) for server in agent.mcp_servers]
        made = agent.clone(tools=tools, mcp_servers=servers, hooks=_Hooks(self, agent.hooks))
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
        if not isinstance(tool, FunctionTool | CustomTool):
            self._check_unseen(tool)
            return tool
        inner = getattr(tool, "_agent_instance", None)
        if isinstance(inner, Agent) and not isinstance(inner.hooks, _Hooks):
            self._refuse_unless_named(tool.name, "make it of `guarded(agent, session)`")
        is_custom = isinstance(tool, CustomTool)
        invoke = cast(Callable[..., Any], tool.on_invoke_tool)

        async def asked(context: ToolContext[Any], text: str) -> Any:
            args = {_INPUT: text} if is_custom else _arguments(text)
            call = self._conversation.call(tool.name, args, context.tool_call_id)

            async def make(edited: Edited) -> Any:
                if edited is None:
                    _check_types(tool, args)
                    return await invoke(context, text)
                _check_types(tool, edited)
                approved = edited.get(_INPUT) if is_custom else json.dumps(edited)
                if not isinstance(approved, str):
                    raise Denied(
                        tool.name,
                        f"`{tool.name}` refused: it was approved with other arguments, and takes "
                        f"a text, `{_INPUT}`",
                    )
                return await invoke(context, approved)

            return await _made(call, make, str)

        return dataclasses.replace(tool, on_invoke_tool=asked)

    def _check_unseen(self, tool: Tool) -> None:
        """Those that a provider runs are documented; those that run here are not accepted."""
        runs_here = isinstance(tool, ComputerTool | LocalShellTool | ApplyPatchTool)
        if runs_here or (isinstance(tool, ShellTool) and tool.executor is not None):
            self._refuse_unless_named(tool.name, "make a function tool of it")

    def _refuse_unless_named(self, name: str, mend: str) -> None:
        if name not in self._unseen:
            raise SettingError(
                f"`{name}` would run without being asked for: {mend}, or name it in `unseen`"
            )

    def user_said(self, items: list[TResponseInputItem]) -> None:
        """The user's messages that are new: a model reads all of them each time, or the latest, or
        those of another run.
        """
        said = [text for item in items if (text := _said_by_user(item))]
        known = min(len(self._said), len(said))
        while self._said[len(self._said) - known :] != said[:known]:
            known -= 1
        for text in said[known:]:
            self._messages.of_user(self._conversation.session, text)
        self._said = said

    def model_said(self, response: ModelResponse) -> None:
        """The text of an answer, if it has one."""
        for item in response.output:
            self._messages.of_model(
                self._conversation.session, ItemHelpers.extract_text(item) or ""
            )


def _check_types(tool: FunctionTool | CustomTool, args: Mapping[str, Any]) -> None:
    """Raises Denied for arguments that the SDK would convert behind the gate."""
    path = unfit(tool.params_json_schema, args) if isinstance(tool, FunctionTool) else ""
    if path:
        raise Denied(
            tool.name,
            f"`{tool.name}` refused: `{path}` is not of the type that the tool declares; make the "
            "call again with that type",
        )


class _Server:
    """A server of MCP whose calls are asked for; all else is the server's own."""

    def __init__(self, server: MCPServer, conversation: Conversation) -> None:
        self._server, self._conversation = server, conversation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    async def call_tool(
        self, tool_name: str, arguments: dict[str, Any] | None, *more: Any, **named: Any
    ) -> CallToolResult:
        """Ask, and make the call if it may be made. The SDK does not say the model's id here."""

        async def make(edited: Edited) -> CallToolResult:
            args = arguments if edited is None else dict(edited)
            return await self._server.call_tool(tool_name, args, *more, **named)

        call = self._conversation.call(tool_name, arguments or {}, "")
        return await _made(call, make, _refusal)


def _server(server: MCPServer, conversation: Conversation) -> MCPServer:
    return cast(MCPServer, _Server(server, conversation))


async def _made(
    call: ToolCall, make: Callable[[Edited], Awaitable[T]], refusal: Callable[[Refused], T]
) -> T:
    async def calling(edited: Edited) -> T:
        outer = _IS_CALLING.set(True)
        try:
            return await make(edited)
        finally:
            _IS_CALLING.reset(outer)

    try:
        return await made_async(call, calling, _note)
    except Refused as refused:
        return refusal(refused)


def _note(call: ToolCall, result: object) -> None:
    """The outcome, which a server of MCP may call an error."""
    if not isinstance(result, CallToolResult):
        call.result = result
        return
    shown = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    call.result = shown
    if shown.get("isError"):
        texts = [part.text for part in result.content if isinstance(part, TextContent)]
        call.error = "\n".join(texts) or "the server says that the call failed"


def _refusal(refused: Refused) -> CallToolResult:
    # As on the wire: the library's first and second versions name the fields differently.
    content = [{"type": "text", "text": str(refused)}]
    return CallToolResult.model_validate({"content": content, "isError": True})


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
        if not _IS_CALLING.get():
            self._guard.user_said(input_items)
        await self._own.on_llm_start(context, agent, system_prompt, input_items)

    async def on_llm_end(
        self, context: RunContextWrapper[Any], agent: Agent[Any], response: ModelResponse
    ) -> None:
        if not _IS_CALLING.get():
            self._guard.model_said(response)
        await self._own.on_llm_end(context, agent, response)


def _arguments(text: str) -> Mapping[str, object]:
    """The model's arguments; a text that is not an object is the only argument, `arguments`."""
    try:
        args = json.loads(text or "{}")
    except ValueError:
        args = None
    return args if isinstance(args, dict) else {"arguments": text}


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
