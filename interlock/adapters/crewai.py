"""CrewAI: a crew, or an agent, whose tools ask before they run.

    with client.session() as session:
        answer = guarded(crew, session).kickoff(inputs={"question": "What is in today's inbox?"})

A refused call is not made: the model gets one sentence as the result of the call, and goes on. The
session is yours to open, with its user, its parent, or an id that another process resumes.

Seen: calls of tools of agents and tasks, of MCP servers and platforms, and delegations, with the
model's ids if its provider states them; in parallel and `async`, too.
Not seen: tools that a model's provider runs itself; results that come from the cache of tools; the
tools by which an agent without a crew uses its memory and its skills.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

from crewai import Agent, Crew, Task
from crewai.state.checkpoint_config import CheckpointConfig
from crewai.tools import BaseTool
from crewai.tools.tool_failure import ToolFailure
from crewai.utilities.agent_utils import extract_tool_call_info
from crewai.utilities.string_utils import sanitize_tool_name
from pydantic import PrivateAttr, ValidationError

from ..calls import Edited, ToolCall
from ..errors import Refused, SettingError
from ..session import Session
from .running import Conversation, Messages, Redact, made, made_async

CALLS_MAX: Final = 1_000
"""Chosen: calls of the model whose ids wait for their tools; an older one loses the model's id."""

Guarded = TypeVar("Guarded", Crew, Agent)


def guarded(
    crew: Guarded, session: Session, *, messages: bool = True, redact: Redact | None = None
) -> Guarded:
    """A copy of a crew or of an agent for one session.

    `messages`: publish what the user and the model say; `redact` changes these texts before.

    Raises
    ------
    SettingError
        An agent of the crew is one of another framework.
    """
    guard = _Guard(session, Messages(are_published=messages, redact=redact))
    return guard.crew(crew) if isinstance(crew, Crew) else guard.agent(crew)


class _Guard:
    """The agents of one session.

    The hooks of the framework are global, and a call is made if one of them fails, so methods are
    replaced on copies. This is done by `vars`: an agent is a model of Pydantic, which refuses to
    set what is not one of its fields.
    """

    def __init__(self, session: Session, messages: Messages) -> None:
        self._conversation, self._messages = Conversation(session), messages
        self._lock = threading.Lock()
        self._called: deque[tuple[str, str, Mapping[str, Any]]] = deque(maxlen=CALLS_MAX)
        self._running: set[Any] = set()

    def crew(self, crew: Crew) -> Crew:
        """A copy with guarded agents and tools."""
        copied = crew.copy()
        tasks = {task.id for task in copied.tasks}
        for agent, original in zip(copied.agents, crew.agents, strict=True):
            self._guard_agent(agent, original, tasks)
        if copied.manager_agent is not None:
            self._guard_agent(copied.manager_agent, crew.manager_agent, tasks)
        for task in copied.tasks:
            task.tools = [self._tool(tool) for tool in task.tools or ()]
        _refuse_restored(copied)
        # The framework copies a crew for each of many inputs.
        vars(copied).update(copy=lambda: self.crew(crew))
        return copied

    def agent(self, agent: Agent) -> Agent:
        """A copy with guarded tools, which the user starts himself."""
        copied = agent.copy()
        self._guard_agent(copied, agent, set())
        return copied

    def _guard_agent(self, agent: Any, original: Any, tasks: set[Any]) -> None:
        if not isinstance(agent, Agent):
            raise SettingError(
                f"`{type(agent).__name__}` runs in another framework than CrewAI; "
                "use the adapter of that framework for it"
            )
        # A copy that the framework makes has neither.
        agent.mcps, agent.apps = original.mcps, original.apps
        agent.tools = [self._tool(tool) for tool in agent.tools or ()]
        self._guard_starts(agent, tasks)
        self._guard_sources(agent)
        self._note_answers(agent.llm)
        _refuse_restored(agent)
        vars(agent).update(copy=lambda: self.agent(original))

    def _guard_starts(self, agent: Agent, tasks: set[Any]) -> None:
        """A task begins, with tools of the task and of the crew; or the user talks to the agent."""
        execute, aexecute, prepare = agent.execute_task, agent.aexecute_task, agent._prepare_kickoff

        def guarded_tools(tools: list[BaseTool] | None) -> list[BaseTool] | None:
            return None if tools is None else [self._tool(tool) for tool in tools]

        def execute_task(task: Task, context: Any = None, tools: Any = None) -> Any:
            with self._said_in(task, tasks):
                return execute(task, context, guarded_tools(tools))

        async def aexecute_task(task: Task, context: Any = None, tools: Any = None) -> Any:
            with self._said_in(task, tasks):
                return await aexecute(task, context, guarded_tools(tools))

        def prepare_kickoff(messages: Any, *args: Any, **kwargs: Any) -> Any:
            for text in _said_by_user(messages):
                self._messages.of_user(self._conversation.session, text)
            return prepare(messages, *args, **kwargs)

        vars(agent).update(
            execute_task=execute_task,
            aexecute_task=aexecute_task,
            _prepare_kickoff=prepare_kickoff,
        )

    @contextlib.contextmanager
    def _said_in(self, task: Task, tasks: set[Any]) -> Iterator[None]:
        """While a task is executed. It is the user's message, unless another agent delegates it, or
        the framework tries it again.
        """
        if task.id not in tasks or task.id in self._running:
            yield
            return
        self._messages.of_user(self._conversation.session, task.description)
        self._running.add(task.id)
        try:
            yield
        finally:
            self._running.discard(task.id)

    def _guard_sources(self, agent: Agent) -> None:
        """Tools that an agent looks up when it begins."""
        get_mcp_tools, get_platform_tools = agent.get_mcp_tools, agent.get_platform_tools
        vars(agent).update(
            get_mcp_tools=lambda mcps: [self._tool(tool) for tool in get_mcp_tools(mcps)],
            get_platform_tools=lambda apps: [self._tool(tool) for tool in get_platform_tools(apps)],
        )

    def _note_answers(self, model: Any) -> None:
        """The model answers by a text, or by the calls that it wants."""
        call, acall = model.call, model.acall

        def note(answer: object) -> object:
            if isinstance(answer, str):
                self._messages.of_model(self._conversation.session, answer)
            found = [_call_of(one) for one in answer] if isinstance(answer, list) else []
            with self._lock:
                self._called.extend(one for one in found if one is not None)
            return answer

        async def noted_acall(*args: Any, **kwargs: Any) -> object:
            return note(await acall(*args, **kwargs))

        vars(model).update(call=lambda *a, **k: note(call(*a, **k)), acall=noted_acall)

    def _tool(self, tool: BaseTool) -> BaseTool:
        if isinstance(tool, _Guarded) and tool.guard is self:
            return tool
        return _Guarded(self, tool)

    def asked(self, tool: BaseTool, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ToolCall:
        """The call, by the name that the model reads: that of the tool may contain spaces."""
        given = {**dict(zip(tool.args_schema.model_fields, args, strict=False)), **kwargs}
        name = sanitize_tool_name(tool.name)
        return self._conversation.call(name, given, self._id_of(tool, name, given))

    def _id_of(self, tool: BaseTool, name: str, given: Mapping[str, Any]) -> str:
        """The id that the model gave to such a call: the framework does not pass it to the tool. Of
        calls that are equal, each gets one of the ids.
        """
        with self._lock:
            for call in self._called:
                if call[1] == name and given in (call[2], _validated(tool, call[2])):
                    self._called.remove(call)
                    return call[0]
        return ""


class _Guarded(BaseTool):
    """A tool that asks, by whichever of its methods the framework calls it."""

    _guard: _Guard = PrivateAttr()
    _tool: BaseTool = PrivateAttr()

    def __init__(self, guard: _Guard, tool: BaseTool) -> None:
        fields = {name: getattr(tool, name) for name in BaseTool.model_fields}
        keep = tool.cache_function
        # A refusal is not kept: the same call may be allowed later.
        fields["cache_function"] = lambda args, result: (
            not isinstance(result, ToolFailure) and keep(args, result)
        )
        super().__init__(**fields)
        self._guard, self._tool = guard, tool

    @property
    def guard(self) -> _Guard:
        """That of its session."""
        return self._guard

    def format_output_for_agent(self, raw_result: Any) -> str:
        """As the tool itself does."""
        return self._tool.format_output_for_agent(raw_result)

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        def make(edited: Edited) -> Any:
            tool = self._tool
            result = tool._run(*args, **kwargs) if edited is None else tool._run(**edited)
            return asyncio.run(result) if asyncio.iscoroutine(result) else result

        try:
            return made(self._guard.asked(self._tool, args, kwargs), make, _note)
        except Refused as refused:
            return ToolFailure(message=str(refused))

    async def _arun(self, *args: Any, **kwargs: Any) -> Any:
        async def make(edited: Edited) -> Any:
            if edited is None:
                return await self._tool._arun(*args, **kwargs)
            return await self._tool._arun(**edited)

        try:
            return await made_async(self._guard.asked(self._tool, args, kwargs), make, _note)
        except Refused as refused:
            return ToolFailure(message=str(refused))


def _call_of(call: object) -> tuple[str, str, Mapping[str, Any]] | None:
    """The id, the name and the arguments of a call, in the forms of all providers."""
    found = extract_tool_call_info(call)
    if found is None:
        return None
    id_, name, args = found
    if isinstance(args, str):
        try:
            args = json.loads(args or "{}")
        except ValueError:
            return None
    return (str(id_), name, args) if isinstance(args, dict) else None


def _validated(tool: BaseTool, args: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """As the framework passes them to the tool: with defaults, and with the types of its schema."""
    try:
        return tool.args_schema.model_validate(args).model_dump()
    except ValidationError:
        return None


def _note(call: ToolCall, result: object) -> None:
    if isinstance(result, ToolFailure):
        call.error = result.as_agent_message()
    else:
        call.result = result


def _said_by_user(messages: Any) -> list[str]:
    """The texts with which the user starts an agent."""
    if isinstance(messages, str):
        return [messages]
    texts = [one.get("content") for one in messages if one.get("role") == "user"]
    return [text for text in texts if isinstance(text, str)]


def _refuse_restored(started: Crew | Agent) -> None:
    """A checkpoint is restored as another object, whose tools would not ask."""

    def checked(start: Any) -> Any:
        def begin(*args: Any, **kwargs: Any) -> Any:
            for given in (*args, *kwargs.values()):
                if isinstance(given, CheckpointConfig) and given.restore_from is not None:
                    raise SettingError(
                        "`from_checkpoint` would restore an agent that does not ask; restore it "
                        "first, and guard the restored one"
                    )
            return start(*args, **kwargs)

        return begin

    starts = ("kickoff", "kickoff_async", "akickoff")
    vars(started).update({name: checked(getattr(started, name)) for name in starts})
