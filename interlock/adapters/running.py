"""The parts that adapters share: a call that is asked for, made and reported, and its session.

    made(call, make, note)      ask, make, report; `Refused` if it may not be made
    Conversations(client)       the sessions of a framework's conversations

`make` gets the arguments that an operator approved instead, or None for the call's own. `note`
takes the result over into the call: its JSON, or the error that the framework has made of it.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from ..calls import Edited, ToolCall
from ..client import Client
from ..errors import SettingError
from ..names import session_id_of
from ..session import Session

CONVERSATIONS_MAX: Final = 10_000
"""Chosen: sessions that an adapter keeps; an older one is resumed at its gate."""
_PLAIN: Final = (str, int, float, list, dict, type(None))
CALL_IDS_MAX: Final = 1_000
"""Chosen: ids of calls of a session; a framework repeats a call soon, or not at all."""
T = TypeVar("T")
Note = Callable[[ToolCall, T], None]
Redact = Callable[[str], str]


def made(call: ToolCall, make: Callable[[Edited], T], note: Note[T]) -> T:
    """Make a call. Raises Refused if it was not made; errors of the tool pass through."""
    edited = call.begin()
    with contextlib.ExitStack() as outcome:
        outcome.push(call)
        result = make(edited)
        note(call, result)
    return result


async def made_async(call: ToolCall, make: Callable[[Edited], Awaitable[T]], note: Note[T]) -> T:
    """As `made`; waiting for an answer blocks no other task."""
    edited = await call.begin_async()
    with contextlib.ExitStack() as outcome:
        outcome.push(call)
        result = await make(edited)
        note(call, result)
    return result


def note_result(call: ToolCall, result: object) -> None:
    """The `note` of a framework whose results are what a call returned."""
    call.result = result


def converted(args: Mapping[str, object], model: Any) -> Mapping[str, object]:
    """The arguments as a tool gets them whose framework validates them by a model of Pydantic: with
    the types of its fields (`"yes"` becomes true), and with defaults. Those that the model does not
    accept, and all if there is no model, are as they were: the framework will not make the call.
    """
    try:
        found = model.model_validate(dict(args))
    except (ValueError, TypeError, AttributeError, LookupError, RuntimeError):
        return args
    fields = type(found).model_fields.items()
    given = {one.alias or name: getattr(found, name) for name, one in fields}
    return {**args, **{name: one for name, one in given.items() if _is_plain(one)}}


def _is_plain(value: object) -> bool:
    """False for a value of a type of Python alone: for it the JSON stands that the model wrote."""
    return isinstance(value, _PLAIN) or hasattr(value, "model_dump")


class Messages:
    """Publishes what the user and the model say, unless it is switched off; `redact` changes the
    texts before. Empty texts are left out.
    """

    def __init__(self, *, are_published: bool, redact: Redact | None) -> None:
        self._are_published, self._redact = are_published, redact

    def of_user(self, session: Session, text: str) -> None:
        """The user's message."""
        if self._are_published and text:
            session.user_message(self._redacted(text))

    def of_model(self, session: Session, text: str) -> None:
        """The model's message."""
        if self._are_published and text:
            session.assistant_message(self._redacted(text))

    def _redacted(self, text: str) -> str:
        return text if self._redact is None else self._redact(text)


class Conversation:
    """One session, with the ids of its calls."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._lock = threading.Lock()
        self._ids: OrderedDict[str, int] = OrderedDict()

    def repeat(self, call_id: str) -> None:
        """The next call with this id is the last one, made again."""
        with self._lock:
            if count := self._ids.get(call_id, 0):
                self._ids[call_id] = count - 1

    def call(self, tool: str, args: Mapping[str, object], call_id: str) -> ToolCall:
        """A call with the model's id. A framework that tries again repeats the id, and each attempt
        is a call of its own: `ID`, `ID~2`, `ID~3`. One that another process has used becomes
        `ID~` and random digits.
        """
        call = self.session.tool(tool, **args)
        if not call_id:
            return call
        call.is_id_repeated = True
        with self._lock:
            count = self._ids.pop(call_id, 0) + 1
            self._ids[call_id] = count
            if len(self._ids) > CALL_IDS_MAX:
                self._ids.popitem(last=False)
        try:
            return call.with_id(call_id if count == 1 else f"{call_id}~{count}")
        except SettingError:
            return call  # Not a valid name: the call keeps the id of its own.


_CALLER: ContextVar[tuple[Client | None, Conversation | None]] = ContextVar(
    "interlock_caller", default=(None, None)
)


class Conversations:
    """The sessions of one client, by the ids that a framework gives its conversations."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Conversation] = OrderedDict()

    def of(self, conversation_id: str) -> Conversation:
        """The session of a conversation. With a gate it is resumed, in other processes too."""
        id_ = session_id_of(conversation_id)
        with self._lock:
            found = self._open.pop(id_, None)
            if found is None:
                is_resumable = self._client.has_gate
                found = Conversation(self._client.session(id_, is_resumable=is_resumable))
            self._keep(found)
        return found

    def caller(self) -> Conversation | None:
        """The conversation whose call is in progress here, if it is one of this client's. An agent
        that is a tool belongs to it, whatever session its framework gives it.
        """
        client, conversation = _CALLER.get()
        return conversation if client is self._client else None

    @contextlib.contextmanager
    def calling(self, conversation: Conversation) -> Iterator[None]:
        """While a call of the conversation runs."""
        outer = _CALLER.set((self._client, conversation))
        try:
            yield
        finally:
            _CALLER.reset(outer)

    def begin(self) -> Conversation:
        """A conversation that has no id: a session of its own, until `end`."""
        begun = Conversation(self._client.session())
        with self._lock:
            self._keep(begun)
        return begun

    def end(self, session_id: str) -> None:
        """End the session of a conversation that `begin` began."""
        with self._lock:
            found = self._open.pop(session_id, None)
        if found is not None:
            found.session.end()

    def _keep(self, conversation: Conversation) -> None:
        self._open[conversation.session.id] = conversation
        if len(self._open) > CONVERSATIONS_MAX:
            self._open.popitem(last=False)
