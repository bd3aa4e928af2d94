"""A gate as the judge of a client's calls: ask, then act, then tell.

All that is not a request goes through the client's queue, in order. A request waits until what its
session told before has arrived, so that the gate judges in the order of the agent.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlencode

import msgspec

from ..errors import Denied, Held, NoGate, Refused, SessionOver, SettingError
from ..event_json import Draft, draft
from ..kinds import ENFORCEMENT_KINDS, OPERATOR_KINDS, SHARED_KINDS
from ..options import ClientOptions
from ..ports import Queue, Requested
from ..publisher import Stats
from ..transport.base import Message, Transport
from .address import find_token, parse_gate
from .answer import Answer, read_failure, shown
from .asking import Asker, AskLimits, Unjudged
from .deferred import GrantedCalls, deferred_id
from .exchange import Exchange, NotAGate, Unanswered
from .telling import TellTransport
from .waiting import Wait, WaitingThreads

Edited = Mapping[str, object] | None

WITHDRAWN: Final = "withdrawn"
"""The reason of the gate's answer to a call that was given up. Source: docs/gate.md."""
LOST_SESSIONS_MAX: Final = 10_000
"""Sessions that are remembered as not known to the gate in full; beyond, all count as such."""
_RECORDED_BY_THE_GATE: Final = frozenset(
    {"session.started", "tool.requested", *SHARED_KINDS, *OPERATOR_KINDS, *ENFORCEMENT_KINDS}
)


class GateJudge:
    """Connects sessions to the gate at `gate`.

    `identity` contains the names that belong to the sessions.

    Raises
    ------
    SettingError
        For an address or a token that cannot be used.
    """

    is_gate = True

    def __init__(
        self,
        gate: str,
        token: str | os.PathLike[str] | None,
        identity: Mapping[str, str],
        options: ClientOptions,
    ) -> None:
        if options.principal:
            raise SettingError("`principal`: a gate finds out who asks, by the token or the user")
        self.address = parse_gate(gate, is_network_allowed=options.gate_over_network)
        self._token = find_token(token, self.address)
        self.identity = identity
        self.policy = options.policy()
        self.limits = AskLimits(options.ask_s_max, options.hold_s_max)
        # The transport has connections of its own: closing the client ends asks, and then delivers.
        self._exchange = Exchange(self.address, self._token)
        self.asker = Asker(self._exchange, self.limits)
        self.threads = WaitingThreads()
        self._lost: dict[str, str] = {}
        self._all_lost = ""
        self.granted = GrantedCalls()
        self._reset_counts()

    def _reset_counts(self) -> None:
        # A signal's handler may make a call while this thread holds the lock.
        self._counting = threading.RLock()
        self._asked = self._unanswered = self._unasked = 0

    def link(self, queue: Queue, session_id: str, ancestors: tuple[str, ...]) -> GateLink:
        """Connect a session."""
        return GateLink(self, queue, session_id, ancestors)

    def open_transport(self) -> Transport:
        """The transport of what is told."""
        return TellTransport(Exchange(self.address, self._token))

    def begin(self) -> None:
        """Nothing: an answer of the gate is all that a session needs."""

    def lost(self, kind: str, message: Message, reason: str) -> None:
        """The gate does not know all of this session, unless only a heartbeat is missing."""
        if kind == "heartbeat" or message.key in self._lost:
            return
        if len(self._lost) < LOST_SESSIONS_MAX:
            self._lost[message.key] = reason
        else:
            self._all_lost = reason

    def why_lost(self, session_id: str) -> str:
        """Why the gate does not know all of the session; `""` if it does."""
        return self._lost.get(session_id, self._all_lost)

    def checked_recording(self) -> None:
        """A gate numbers and dates what it records."""
        raise SettingError(
            "a gate gives events their number and time itself; publish recorded events to a target"
        )

    def wait_until_judged(self, queue: Queue, timeout_s: float) -> bool:
        """Delivery is enough: a gate judges events when they arrive."""
        return queue.flush(timeout_s)

    def relay_hook(self, query: str, content: bytes, timeout_s: float) -> bytes:
        """Hand the input of a hook on, once: a report that is repeated would count twice."""
        names = urlencode({name: text for name, text in self.identity.items() if text})
        path = f"/v1/hooks/claude-code?{query}&{names}".rstrip("&")
        try:
            response = self._exchange.send("POST", path, content, timeout_s)
        except (Unanswered, NotAGate) as error:
            raise NoGate(
                "hook", f"the gate at `{self.address}` did not take the event: {error}"
            ) from None
        if response.status != 200:
            reason = shown(read_failure(response.body)) or f"status {response.status}"
            raise NoGate("hook", f"the gate at `{self.address}` refused the event: {reason}")
        return response.body

    def stats(self, stats: Stats) -> Stats:
        """With the counts of asks."""
        with self._counting:
            return dataclasses.replace(
                stats, asked=self._asked, unanswered=self._unanswered, unasked=self._unasked
            )

    def count(self, *, asked: int = 0, unanswered: int = 0, unasked: int = 0) -> None:
        """Add to the counts of `Stats`."""
        with self._counting:
            self._asked += asked
            self._unanswered += unanswered
            self._unasked += unasked

    def stop(self, timeout_s: float) -> None:
        """End asks that wait."""
        self.asker.close()

    def after_fork_in_child(self) -> None:
        """Begin anew: own connections, own threads."""
        self.asker.after_fork_in_child()
        self.threads.reset()
        self._reset_counts()


class GateLink:
    """One session, whose events the gate numbers."""

    identity: Mapping[str, str] = {}
    """The names belong to the session: its opening states them once."""

    def __init__(
        self, judge: GateJudge, queue: Queue, session_id: str, ancestors: tuple[str, ...]
    ) -> None:
        self._judge = judge
        self._queue = queue
        self._id = session_id
        self._parent = ancestors[0] if ancestors else ""
        # A signal's handler may publish while this thread holds the lock.
        self._placing = threading.RLock()
        self._last_place = 0
        self.last_event_ns = 0

    def start(self) -> None:
        """Open the session, or resume it."""
        names = {"session": self._id, **self._judge.identity, "parent": self._parent}
        body = msgspec.json.encode({name: value for name, value in names.items() if value})
        self._put(Draft("session.started", body), is_opening=True)

    def check_kind(self, kind: str) -> None:
        """The gate itself records requests, denials and approvals."""
        if kind in _RECORDED_BY_THE_GATE:
            raise SettingError(
                f"`kind`: the gate itself records `{kind}`; make the call by `session.call` or "
                "`session.tool`"
            )

    def publish(self, event: Draft) -> bool:
        """Queue the event; False if the client is closed."""
        return self._put(event)

    def admit(self, tool: str) -> None:
        """A gate judges whole requests."""
        raise SettingError(
            f"`guard` cannot decide about `{tool}` with a gate, which judges a call by its "
            "arguments; use `session.call`, `session.tool` or `guarded`"
        )

    async def admit_async(self, tool: str) -> None:
        """As `admit`."""
        self.admit(tool)

    def request(self, call: Requested) -> Edited:
        """Ask, and wait for the answer."""
        return self._request(call, lambda: None)

    def _request(self, call: Requested, held: Callable[[], None]) -> Edited:
        self._judge.count(asked=1)
        try:
            if call.is_deferred:
                answer = self._ask_deferred(drafted(call, "tool.requested"))
            else:
                answer = self._ask_renewing(call, held)
            if answer.decision == "hold" and not call.is_deferred:
                answer = self._given_up(call, answer)
        except Unjudged as trouble:
            return self._without_answer(call, trouble)
        except BaseException as error:
            # Interrupted: the gate may have recorded the request.
            self._tell_not_made(call, type(error).__name__)
            raise
        if self._queue.is_closed:
            raise SessionOver(f"`{call.tool}` refused: the client was closed in the meantime")
        return decided(call.tool, answer, is_deferred=call.is_deferred)

    def _ask_renewing(self, call: Requested, held: Callable[[], None]) -> Answer:
        """Ask; a call whose id another process has used gets another one, if it may."""
        try:
            return self._ask(drafted(call, "tool.requested"), uuid.uuid4().hex, held)
        except Unjudged as trouble:
            if not (trouble.is_conflict and call.renew_id()):
                raise
        return self._ask(drafted(call, "tool.requested"), uuid.uuid4().hex, held)

    def _ask_deferred(self, asked: Draft) -> Answer:
        """As the call was answered when it was made before, if it was held then. One that was not
        held has been made: it is asked for as another request, which the gate may refuse.
        """
        request = deferred_id(asked)
        known = self._judge.asker.find(self._id, request)
        if known is None:
            return self._ask(asked, request, None)
        if known.approval_id and known.decision != "allow":
            return known
        if known.approval_id and self._judge.granted.take(self._id, request):
            # Not `known`: if another process has made the call since, the gate refuses it.
            answer = self._ask(asked, request, None)
            self._judge.asker.take(self._id, request)
            return answer
        return self._ask(asked, uuid.uuid4().hex, None)

    async def request_async(self, call: Requested) -> Edited:
        """Like `request`, in a thread. If the task is cancelled meanwhile, the call is not made,
        nor held any longer.
        """
        call.told()  # Here: what the arguments contain belongs to this thread.
        wait = Wait(lambda: self._tell_not_made(call, "CancelledError"))
        try:
            return await self._judge.threads.run(
                lambda: self._request(call, wait.begin), lambda _: wait.undo()
            )
        except asyncio.CancelledError:
            wait.cancel()
            raise

    def resume(self, call: Requested) -> None:
        """Nothing: the gate has judged this call, and a second request would be another call."""

    async def resume_async(self, call: Requested) -> None:
        """As `resume`."""

    def _put(self, event: Draft, *, is_opening: bool = False) -> bool:
        def message() -> Message:
            self.last_event_ns = self._queue.clock.monotonic_ns()
            return Message(self._id, event.rest, is_opening)

        place = self._queue.publish(event, message)
        with self._placing:
            self._last_place = max(self._last_place, place)
        return place > 0

    def _check_known(self) -> None:
        """A verdict on a session that the gate knows in part would be a guess."""
        reason = self._judge.why_lost(self._id)
        if reason and self._judge.policy.fail == "closed":
            raise Unjudged(
                f"an event of this session did not reach the gate ({shown(reason)}); continue in a "
                "new session",
                is_away=False,
                was_sent=False,
            )

    def _ask(self, asked: Draft, request: str, held: Callable[[], None] | None) -> Answer:
        asker = self._judge.asker
        is_once = asker.is_away
        patience_s = asker.attempt_s_min if is_once else self._judge.limits.ask_s_max
        deadline_ns = time.monotonic_ns() + int(patience_s * 1e9)
        if self._queue.wait_until_sent(self._last_place, patience_s, is_once=is_once):
            self._check_known()
            body = asked.asked(self._id, request)
            return asker.ask(self._id, request, body, 0 if is_once else deadline_ns, held)
        if self._queue.is_away:
            asker.note_away()
        reason = shown(self._queue.last_error) or "too many of them wait"
        raise Unjudged(
            f"the events before this call did not reach the gate: {reason}",
            is_away=self._queue.is_away,
            was_sent=False,
        )

    def _given_up(self, call: Requested, held: Answer) -> Answer:
        """The answer behind a wait that was too long: `held`, unless an operator was faster."""
        try:
            answer = self._judge.asker.withdraw(self._id, held.request)
        except Unjudged:
            answer = held
        if answer.decision == "hold":
            # When this arrives, the gate withdraws the call.
            self._tell_not_made(call, "Held")
        return held if answer.reason == WITHDRAWN else answer

    def _without_answer(self, call: Requested, trouble: Unjudged) -> Edited:
        if self._queue.is_closed:
            raise SessionOver(f"`{call.tool}` refused: the client was closed in the meantime")
        self._judge.count(unanswered=1)
        policy = self._judge.policy
        is_open = trouble.is_away and policy.fail == "open"
        if is_open and call.tool not in policy.irreversible_tools:
            self._judge.count(unasked=1)
            self._publish_call(call, "tool.requested", is_unasked=True)
            return None
        if trouble.was_sent:
            self._tell_not_made(call, "NoGate")
        raise NoGate(call.tool, self._why(call.tool, trouble))

    def _why(self, tool: str, trouble: Unjudged) -> str:
        address = self._judge.address
        if trouble.is_away:
            return (
                f"`{tool}` refused: no gate answered at `{address}`: {trouble}; start the gate, or "
                "see `ask_s_max` and `fail`"
            )
        return f"`{tool}` refused: the gate at `{address}` did not judge the call: {trouble}"

    def _tell_not_made(self, call: Requested, reason: str) -> None:
        """The gate may count the call as made. Its outcome is that it was not."""
        self._publish_call(call, "tool.failed", error=f"{reason}: the call was not made")

    def _publish_call(
        self, call: Requested, kind: str, *, error: str = "", is_unasked: bool = False
    ) -> None:
        self._put(drafted(call, kind, error=error, is_unasked=is_unasked))


def drafted(call: Requested, kind: str, *, error: str = "", is_unasked: bool = False) -> Draft:
    """An event of the call."""
    return draft(
        kind,
        identity={},
        tool=call.tool,
        call=call.id,
        args=call.told(),
        error=error,
        attributes=call.attributes,
        is_unasked=is_unasked,
    )


def decided(tool: str, answer: Answer, *, is_deferred: bool = False) -> Edited:
    """The edited arguments of an allowed call, if any; else the refusal is raised."""
    if answer.decision == "allow":
        return answer.args
    approval = answer.approval_id
    kind: type[Refused] = Denied
    message = shown(answer.message) or f"`{tool}` was denied by the gate"
    if answer.decision == "hold":
        kind = Held
        what = "is not yet given" if is_deferred else "was not given within `hold_s_max`"
        message = (
            f"`{tool}` refused: approval `{approval}` {what}; "
            f"{shown(answer.message) or 'ask an operator'}"
        )
    raise kind(
        tool,
        message,
        incident=shown(answer.incident)[:200],
        invariants=answer.invariant_ids,
        approval=approval,
    )
