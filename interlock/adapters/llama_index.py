"""LlamaIndex: an agent, or a workflow of agents, whose tools ask before they run.

    with client.session() as session:
        answer = await guarded(agent, session).run("What is in today's inbox?")

A refused call is not made: the model gets one sentence as the output of the tool, and goes on. The
session is yours to open, with its user, its parent, or an id that another process resumes.

Seen: calls of tools that `FunctionAgent`, `ReActAgent` and `AgentWorkflow` make, those of a
retriever of tools and handoffs included, with the model's ids; in parallel and streamed, too.
Not seen: the tools inside of an agent that is a tool itself, unless that agent is guarded, too;
calls that are made without an agent, as by `predict_and_call`. A `CodeActAgent` is not accepted:
the functions that its code calls would not be asked for.
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Collection, Mapping
from types import MethodType
from typing import Any, Final, TypeVar

from llama_index.core.agent.workflow import AgentOutput, AgentWorkflow, CodeActAgent
from llama_index.core.agent.workflow.base_agent import BaseWorkflowAgent
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import AsyncBaseTool, FunctionTool, ToolOutput
from llama_index.core.workflow import StartEvent

from ..calls import Edited, ToolCall
from ..errors import Refused, SettingError
from ..session import Session
from .running import Conversation, Messages, Redact, made, made_async

CALLS_MAX: Final = 1_000
"""Chosen: calls of the model whose ids wait for their tools; an older one loses the model's id."""

Agent = TypeVar("Agent", BaseWorkflowAgent, AgentWorkflow)


def guarded(
    agent: Agent,
    session: Session,
    *,
    messages: bool = True,
    redact: Redact | None = None,
    unseen: Collection[str] = (),
) -> Agent:
    """The same agent or workflow for one session.

    `messages`: publish what the user and the model say; `redact` changes these texts before.
    `unseen`: names of agents whose code may call functions without being asked for.

    Raises
    ------
    SettingError
        The code of an agent would call functions without being asked for.
    """
    for one in agent.agents.values() if isinstance(agent, AgentWorkflow) else [agent]:
        if isinstance(one, CodeActAgent) and one.name not in unseen:
            raise SettingError(
                f"`{one.name}` writes code, and nothing would ask for the functions that it calls; "
                f'`unseen={{"{one.name}"}}` permits that'
            )
    guard = _Guard(session, Messages(are_published=messages, redact=redact))
    copied = copy.copy(agent)
    guard.start(copied)
    if isinstance(copied, AgentWorkflow):
        copied.agents = {name: copy.copy(one) for name, one in copied.agents.items()}
        for one in copied.agents.values():
            guard.answer(one)
    else:
        guard.answer(copied)
    return copied


class _Guard:
    """The agents of one session.

    The framework has no hooks for an agent, so methods are replaced on copies. This is done by
    `vars`: an agent is a model of Pydantic, which refuses to set what is not one of its fields.
    """

    def __init__(self, session: Session, messages: Messages) -> None:
        self._conversation, self._messages = Conversation(session), messages
        self._lock = threading.Lock()
        self._called: deque[ToolSelection] = deque(maxlen=CALLS_MAX)
        self._begun: deque[ToolSelection] = deque(maxlen=CALLS_MAX)

    def start(self, agent: BaseWorkflowAgent | AgentWorkflow) -> None:
        """The one that the user starts: it gets his message, and looks up the tools."""
        run, get_tools = (
            MethodType(one, agent) for one in (type(agent).run, type(agent).get_tools)
        )

        def noted_run(*args: Any, **kwargs: Any) -> Any:
            self._messages.of_user(self._conversation.session, _said_by_user(args, kwargs))
            return run(*args, **kwargs)

        async def guarded_tools(*args: Any, **kwargs: Any) -> list[AsyncBaseTool]:
            return [self._tool(tool) for tool in await get_tools(*args, **kwargs)]

        vars(agent).update(run=noted_run, get_tools=guarded_tools)

    def answer(self, agent: BaseWorkflowAgent) -> None:
        """One whose model answers: what it says, and the ids of its calls."""
        take_step = MethodType(type(agent).take_step, agent)

        async def noted_step(*args: Any, **kwargs: Any) -> AgentOutput:
            output: AgentOutput = await take_step(*args, **kwargs)
            self._messages.of_model(self._conversation.session, output.response.content or "")
            with self._lock:
                self._called.extend(output.tool_calls)
            return output

        vars(agent).update(take_step=noted_step)

    def _tool(self, tool: AsyncBaseTool) -> AsyncBaseTool:
        copied = copy.copy(tool)

        def call(*args: Any, **kwargs: Any) -> ToolOutput:
            def make(edited: Edited) -> ToolOutput:
                if edited is None:
                    return tool.call(*args, **kwargs)
                return tool.call(**edited, **_context(tool, kwargs))

            asked = self._asked(tool, args, kwargs)
            try:
                return made(asked, make, _note)
            except Refused as refused:
                return _refusal(asked, refused)

        async def acall(*args: Any, **kwargs: Any) -> ToolOutput:
            async def make(edited: Edited) -> ToolOutput:
                if edited is None:
                    return await tool.acall(*args, **kwargs)
                return await tool.acall(**edited, **_context(tool, kwargs))

            asked = self._asked(tool, args, kwargs)
            try:
                return await made_async(asked, make, _note)
            except Refused as refused:
                return _refusal(asked, refused)

        vars(copied).update(call=call, acall=acall)
        return copied

    def _asked(
        self, tool: AsyncBaseTool, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> ToolCall:
        name = tool.metadata.get_name()
        context = _context(tool, kwargs)
        by_model = {key: value for key, value in kwargs.items() if key not in context}
        fixed = tool.partial_params if isinstance(tool, FunctionTool) else {}
        given = {**fixed, **by_model, **({"args": list(args)} if args else {})}
        return self._conversation.call(name, given, self._id_of(name, by_model))

    def _id_of(self, name: str, by_model: Mapping[str, Any]) -> str:
        """The id that the model gave to such a call: the framework does not pass it to the tool.
        Of calls that are equal, each gets one of the ids; a tool that has paused begins again.
        """
        with self._lock:
            for calls in (self._called, self._begun):
                for call in calls:
                    if (call.tool_name, call.tool_kwargs) == (name, by_model):
                        calls.remove(call)
                        self._begun.append(call)
                        return call.tool_id
        return ""


def _context(tool: AsyncBaseTool, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The argument in which a function gets the context of its workflow, if it has one."""
    name = tool.ctx_param_name if isinstance(tool, FunctionTool) else None
    return {name: kwargs[name]} if name is not None and name in kwargs else {}


def _note(call: ToolCall, output: ToolOutput) -> None:
    if output.is_error:
        call.error = output.content
    else:
        call.result = output.content if output.raw_output is None else output.raw_output


def _refusal(call: ToolCall, refused: Refused) -> ToolOutput:
    return ToolOutput(
        tool_name=call.tool,
        content=str(refused),
        raw_input=dict(call.args),
        raw_output=str(refused),
        is_error=True,
    )


def _said_by_user(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """The text with which a run begins; empty if it goes on with an earlier one.

    `run` has two signatures: (user_msg, chat_history, ...) and (context, start_event).
    """
    event = kwargs.get("start_event") or next((a for a in args if isinstance(a, StartEvent)), None)
    said = kwargs.get("user_msg") or next(
        (a for a in args if isinstance(a, str | ChatMessage)), None
    )
    history = kwargs.get("chat_history") or next((a for a in args if isinstance(a, list)), None)
    if event is not None:
        said = said or event.get("user_msg", None)
        history = history or event.get("chat_history", None)
    if said is None:
        said = next((one for one in reversed(history or []) if one.role == "user"), "")
    return said if isinstance(said, str) else said.content or ""
