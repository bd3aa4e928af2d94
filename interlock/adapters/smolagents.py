"""smolagents: an agent whose tools ask before they run.

    with client.session() as session:
        answer = guarded(agent, session).run("What is in today's inbox?")

A refused call is not made. An agent that calls tools gets one sentence as the result of the call;
the code of a `CodeAgent` ends with an error that says the same. Either goes on. The session is
yours to open, with its user, its parent, or an id that another process resumes.

Seen: calls of tools, with the model's ids if it states them, also those that code makes; each piece
of code, as a call of `python_interpreter`; the same of managed agents.
Not seen: what code does without tools, by the modules that it may import. The framework's local
executor is not a sandbox. Other executors run tools elsewhere, where nothing would be asked, so an
agent that has one is not accepted.
"""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from types import MethodType
from typing import Any, Final, TypeVar

from smolagents import (  # type: ignore[import-untyped]
    ChatMessage,
    FinalAnswerTool,
    LocalPythonExecutor,
    MultiStepAgent,
    Tool,
    ToolCallingAgent,
)
from smolagents.local_python_executor import CodeOutput, PythonExecutor  # type: ignore[import-untyped]
from smolagents.utils import AgentToolExecutionError  # type: ignore[import-untyped]

from ..calls import Edited
from ..errors import Refused, SettingError
from ..session import Session
from .running import Conversation, Messages, Redact, made, note_result

CALLS_MAX: Final = 1_000
"""Chosen: calls of the model whose ids wait for their tools; an older one loses the model's id."""

_CALL_ID: Final[ContextVar[str]] = ContextVar("interlock_call_id", default="")
"""The model's id of the call that an agent is about to make."""

Agent = TypeVar("Agent", bound=MultiStepAgent)


def guarded(
    agent: Agent, session: Session, *, messages: bool = True, redact: Redact | None = None
) -> Agent:
    """The same agent for one session, with what it remembers; the agent itself is not changed.

    `messages`: publish what the user and the model say; `redact` changes these texts before.

    Raises
    ------
    SettingError
        The agent, or one that it manages, runs code with another executor than the local one.
    """
    guard = _Guard(session, Messages(are_published=messages, redact=redact))
    copied: Agent = guard.agent(agent)
    guard.talk(copied)
    return copied


class _Guard:
    """The agents of one session. The framework has no hooks, so methods are replaced on copies."""

    def __init__(self, session: Session, messages: Messages) -> None:
        self._conversation, self._messages = Conversation(session), messages
        self._lock = threading.Lock()
        self._called: deque[tuple[str, object, str]] = deque(maxlen=CALLS_MAX)

    def agent(self, agent: Any) -> Any:
        """A copy with guarded tools and agents; runs of other copies do not mix with its own."""
        copied = copy.copy(agent)
        copied.memory, copied.state = copy.copy(agent.memory), dict(agent.state)
        copied.memory.steps = list(agent.memory.steps)
        copied.tools = {name: self._tool(tool) for name, tool in agent.tools.items()}
        copied.managed_agents = {
            name: self.agent(one) for name, one in agent.managed_agents.items()
        }
        executor = getattr(agent, "python_executor", None)
        if executor is not None:
            copied.python_executor = self._executor(executor)
        if isinstance(agent, ToolCallingAgent):
            self._replace_calls(copied)
        return copied

    def talk(self, agent: Any) -> None:
        """Publish what the user and this agent say; managed agents talk to it alone."""
        session, run = self._conversation.session, MethodType(type(agent).run, agent)
        generate: Any = agent.model.generate
        stream: Any = getattr(agent.model, "generate_stream", None)

        def noted_run(task: str, *args: Any, **kwargs: Any) -> Any:
            self._messages.of_user(session, task)
            return run(task, *args, **kwargs)

        def noted_answer(*args: Any, **kwargs: Any) -> ChatMessage:
            message = generate(*args, **kwargs)
            self._messages.of_model(session, _text(message.content))
            return message

        def noted_stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
            parts: list[str] = []
            for delta in stream(*args, **kwargs):
                parts.append(delta.content or "")
                yield delta
            self._messages.of_model(session, "".join(parts))

        model = copy.copy(agent.model)
        vars(model).update(generate=noted_answer)
        if stream is not None:
            vars(model).update(generate_stream=noted_stream)
        vars(agent).update(run=noted_run, model=model)
        answer = agent.tools.get("final_answer")
        if isinstance(answer, FinalAnswerTool):
            agent.tools["final_answer"] = _Final(self._said_at_last)

    def _said_at_last(self, answer: object) -> object:
        """The answer is the argument of a tool, which does nothing."""
        self._messages.of_model(self._conversation.session, str(answer))
        return answer

    def _tool(self, tool: Any) -> Any:
        if type(tool) is FinalAnswerTool:
            return tool

        def forward(*args: Any, **kwargs: Any) -> Any:
            given = {**dict(zip(tool.inputs, args, strict=False)), **kwargs}
            call = self._conversation.call(tool.name, given, _CALL_ID.get())

            def make(edited: Edited) -> Any:
                return tool(**(given if edited is None else edited))

            return made(call, make, note_result)

        return _Guarded(tool, forward)

    def _executor(self, executor: Any) -> Any:
        if not isinstance(executor, LocalPythonExecutor):
            raise SettingError(
                f"`{type(executor).__name__}` runs tools where they cannot ask a gate; "
                'use executor_type="local", or an agent that calls tools'
            )
        inner = copy.copy(executor)
        inner.state = dict(executor.state)

        def run(code: str) -> CodeOutput:
            call = self._conversation.call("python_interpreter", {"code": code}, "")

            def make(edited: Edited) -> CodeOutput:
                return inner(code if edited is None else edited["code"])

            def note(call: Any, output: CodeOutput) -> None:
                call.result = {"output": output.output, "logs": output.logs}

            return made(call, make, note)

        return _GuardedExecutor(inner, run)

    def _replace_calls(self, agent: Any) -> None:
        """Calls of tools get the model's ids, and what is refused becomes a result."""
        kind = type(agent)
        process = MethodType(kind.process_tool_calls, agent)
        execute = MethodType(kind.execute_tool_call, agent)

        def noted(message: ChatMessage, step: Any) -> Any:
            with self._lock:
                for call in message.tool_calls or ():
                    function = call.function
                    self._called.append((function.name, function.arguments or {}, call.id))
            return process(message, step)

        def asked(tool_name: str, arguments: Any) -> Any:
            known = self._id_of(tool_name, arguments) if tool_name in agent.tools else ""
            outer = _CALL_ID.set(known)
            try:
                return execute(tool_name, arguments)
            except AgentToolExecutionError as error:
                if isinstance(error.__cause__, Refused):
                    return str(error.__cause__)
                raise
            finally:
                _CALL_ID.reset(outer)

        vars(agent).update(process_tool_calls=noted, execute_tool_call=asked)

    def _id_of(self, name: str, arguments: object) -> str:
        """The id that the model gave to such a call: the framework does not pass it on. Of calls
        that are equal, each gets one of the ids.
        """
        with self._lock:
            for call in self._called:
                if call[:2] == (name, arguments):
                    self._called.remove(call)
                    return call[2]
        return ""


class _Guarded(Tool):  # type: ignore[misc]
    """A tool that asks. It has neither the tool nor its class as an attribute, since code could use
    them to call the tool without being asked.
    """

    skip_forward_signature_validation = True

    def __init__(self, tool: Any, forward: Callable[..., Any]) -> None:
        for name in ("name", "description", "inputs", "output_type", "output_schema"):
            setattr(self, name, getattr(tool, name, None))
        self.__dict__["forward"] = forward
        super().__init__()


class _Final(FinalAnswerTool):  # type: ignore[misc]
    """The last answer of an agent."""

    def __init__(self, said: Callable[[object], object]) -> None:
        super().__init__()
        self._said = said

    def forward(self, answer: Any) -> Any:
        """Publish it."""
        return self._said(answer)


class _GuardedExecutor(PythonExecutor):  # type: ignore[misc]
    """Runs code that may run. It has no attribute that would run it without asking: code can reach
    the executor of an agent that it may call.
    """

    def __init__(self, inner: Any, run: Callable[[str], CodeOutput]) -> None:
        self.state = inner.state
        self._send_tools, self._send_variables = inner.send_tools, inner.send_variables
        self._run = run

    def send_tools(self, tools: Mapping[str, Any]) -> None:
        """Tools that the code may call."""
        self._send_tools(tools)

    def send_variables(self, variables: Mapping[str, Any]) -> None:
        """Values that the code may read."""
        self._send_variables(variables)

    def __call__(self, code_action: str) -> CodeOutput:
        return self._run(code_action)


def _text(content: Any) -> str:
    """The text of a message, whose other parts are pictures."""
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))
