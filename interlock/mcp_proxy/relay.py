"""The heart of the proxy: a message in, the step that follows out. Pure but for its own memory.

    relay.from_client(data)          Forward | Answer | Ask | Withdraw | Drop
    relay.allowed(call, edited)      the request to forward, after the gate has allowed the call
    relay.refused(call, text)        the answer, after the gate has not
    relay.from_server(data)          Forward | Drop

A rim carries out a step before it gives the next message of that side, except for `Ask`, which
takes its time: its call is in the relay until `allowed` or `refused`, or until it is withdrawn.

- A call reaches the server only through `allowed`.
- A response reaches the client only if it is the first one to its request, or equal to that: the
  outcome that was reported is the one that the model reads.
- All else is forwarded as the same bytes. The requests of the server have ids of their own, and so
  have the client's answers to them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from .message import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    Id,
    Message,
    Unreadable,
    error,
    folded,
    read,
)
from .tool_call import CALL_METHOD, Call, Outcome, outcome_of, read_call, refusal, with_arguments
from .tools import Tools

CANCEL_METHOD: Final = "notifications/cancelled"
LIST_METHOD: Final = "tools/list"
WAITING_MAX: Final = 1_000
"""Chosen: requests of a client without a response yet; further ones are refused."""
SETTLED_MAX: Final = 1_000
"""Chosen: responses that a server may repeat when a stream is resumed."""


@dataclass(frozen=True, slots=True)
class Forward:
    """Report `outcome` if there is one, then send `data` to the other side. `id` is that of a
    request of the client, which waits for a response from now on.
    """

    data: bytes
    outcome: Outcome | None = None
    id: Id | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Send the error `data` back to the client, whose message is refused as it stands."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the gate about the call."""

    call: Call


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The client no longer wants a call that is being asked about; nobody is due an answer."""

    call: Call


@dataclass(frozen=True, slots=True)
class Drop:
    """Send nothing, because of `reason`."""

    reason: str


@dataclass(slots=True)
class _Waiting:
    """A request of the client without a response. `is_sent`: the server has it."""

    request: Message
    call: Call | None
    is_sent: bool


class Relay:
    """The messages between one client and one server."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        # By the text of the id: some servers do not tell `1` and `"1"` apart.
        self._waiting: dict[str, _Waiting] = {}
        self._settled: OrderedDict[str, bytes] = OrderedDict()

    def from_client(
        self, data: bytes, check: Callable[[Message], None] = lambda _: None
    ) -> Forward | Answer | Ask | Withdraw | Drop:
        """The step that follows a message of the client; `check` may refuse it, too."""
        try:
            message = read(data)
            check(message)
            if message.kind == "response":
                return Forward(data)
            if _is_nearly(message.method, CALL_METHOD):
                raise Unreadable(f"the method is nearly `{CALL_METHOD}`; write it like that")
            if message.kind == "notification":
                return self._notified(message)
            return self._requested(message)
        except Unreadable as fault:
            return Answer(error(fault.id, fault.code, f"refused by Interlock: {fault}"))

    def allowed(self, call: Call, edited: Mapping[str, object] | None) -> bytes:
        """The request to send. `edited`: the arguments that an operator approved instead."""
        self._waiting[str(call.id)].is_sent = True
        return call.message.data if edited is None else with_arguments(call, edited)

    def refused(self, call: Call, text: str) -> bytes:
        """The answer to the client, which the model reads."""
        del self._waiting[str(call.id)]
        return refusal(call.id, text)

    def from_server(self, data: bytes) -> Forward | Drop:
        """The step that follows a message of the server."""
        try:
            message = read(data)
        except Unreadable as fault:
            return self._unreadable(fault)
        if message.kind != "response" or message.id is None:
            return Forward(data)
        return self._responded(message, message.id)

    def is_waiting(self, call: Call) -> bool:
        """True until there is a response to the call, or nobody wants one."""
        waiting = self._waiting.get(str(call.id))
        return waiting is not None and waiting.call is call

    def given_up(self, id_: Id, reason: str) -> list[Outcome]:
        """Nobody will send a response to the request any more: the outcome of a call, if it was one
        that the server has.
        """
        waiting = self._waiting.pop(str(id_), None)
        if waiting is None or waiting.call is None or not waiting.is_sent:
            return []
        return [Outcome(waiting.call, error=reason)]

    def ended(self, reason: str) -> list[Outcome]:
        """The connection has ended: the outcomes of the calls that have none."""
        calls = [one.call for one in self._waiting.values() if one.call and one.is_sent]
        self._waiting.clear()
        return [Outcome(call, error=reason) for call in calls]

    def _notified(self, message: Message) -> Forward | Withdraw | Drop:
        if message.method == CALL_METHOD:
            return Drop("a call without an id, whose outcome nobody would learn")
        id_ = message.params.get("requestId")
        waiting = self._waiting.get(str(id_))
        if message.method != CANCEL_METHOD or waiting is None or waiting.call is None:
            return Forward(message.data)
        if not _is_same(waiting.request.id, id_):
            return Forward(message.data)
        # The late response would be dropped: it was reported that there is none.
        del self._waiting[str(id_)]
        if not waiting.is_sent:
            return Withdraw(waiting.call)
        return Forward(message.data, Outcome(waiting.call, error="cancelled by the client"))

    def _requested(self, message: Message) -> Forward | Ask:
        key = str(message.id)
        if key in self._waiting:
            raise Unreadable("a request with this `id` has no response yet; use another one")
        if len(self._waiting) >= WAITING_MAX:
            text = f"more than {WAITING_MAX} requests wait for a response; send fewer at once"
            raise Unreadable(text, INVALID_REQUEST, message.id)
        call = read_call(message, self._tools) if message.method == CALL_METHOD else None
        self._settled.pop(key, None)
        self._waiting[key] = _Waiting(message, call, is_sent=call is None)
        return Forward(message.data, id=message.id) if call is None else Ask(call)

    def _responded(self, message: Message, id_: Id) -> Forward | Drop:
        key, digest = str(id_), blake2b(message.data, digest_size=16).digest()
        waiting = self._waiting.get(key)
        if waiting is None and self._settled.get(key) == digest:
            return Forward(message.data)
        if waiting is None or not waiting.is_sent or not _is_same(waiting.request.id, id_):
            return Drop("a response to no request that waits for one")
        self._settle(key, digest)
        if waiting.request.method == LIST_METHOD:
            self._tools.note(message.result)
        outcome = outcome_of(waiting.call, message) if waiting.call else None
        return Forward(message.data, outcome)

    def _unreadable(self, fault: Unreadable) -> Forward | Drop:
        """The client gets an error in place of a response that readers may read differently."""
        waiting = self._waiting.get(str(fault.id))
        if waiting is None or not waiting.is_sent or not _is_same(waiting.request.id, fault.id):
            return Drop("a message that cannot be read strictly")
        text = f"the server's response cannot be read: {fault}"
        answer = error(fault.id, INTERNAL_ERROR, text)
        self._settle(str(fault.id), blake2b(answer, digest_size=16).digest())
        outcome = Outcome(waiting.call, error=text) if waiting.call else None
        return Forward(answer, outcome)

    def _settle(self, key: str, digest: bytes) -> None:
        del self._waiting[key]
        self._settled[key] = digest
        if len(self._settled) > SETTLED_MAX:
            self._settled.popitem(last=False)


def _is_nearly(method: str, known: str) -> bool:
    return method != known and folded(method) == known


def _is_same(one: object, other: object) -> bool:
    return type(one) is type(other) and one == other
