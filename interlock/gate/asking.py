"""Asks a gate for one decision: retried with the same request id, so that it is made once.

A request is repeated on connection errors, timeouts, 408, 429 and 5xx, until `ask_s_max`. A held
call is polled until `hold_s_max`. If no gate answered an ask, each further one is tried once, until
the gate answers again: an agent that may continue without it should not wait each time.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import msgspec

from .answer import Answer, read_answer, read_failure
from .exchange import Exchange, NotAGate, Response, Unanswered

PAUSE_FIRST_S: Final = 0.05
PAUSE_LONGEST_S: Final = 1.0
ATTEMPT_S_MAX: Final = 5.0
"""Chosen: a gate answers in milliseconds. A connection that is silent for so long is given up."""
AWAY_ATTEMPT_S: Final = 1.0
AWAY: Final = (502, 503, 504)
"""Of a gate that is not ready, or of a proxy without one. An agent can cause a 429 by a flood, and
perhaps a 500 by its arguments, which must not open anything."""
PASSING: Final = (408, 429)
"""The gate did not read the request: it arrived too slowly, or too many did."""
POLL_S: Final = 25.0
"""Chosen: below the 30 s after which proxies give up on a silent connection."""
_POLL_LEEWAY_S: Final = 5.0
_EARLY_S: Final = 1.0


class Unjudged(Exception):  # noqa: N818 - the gate did not judge
    """There is no decision.

    `is_away`: no gate answered, so that the client's settings decide. `was_sent`: the gate may have
    recorded the request. `is_crowded`: it answered that too many requests of this principal wait.
    `is_conflict`: the request contradicts what it has recorded.
    """

    def __init__(
        self,
        reason: str,
        *,
        is_away: bool,
        was_sent: bool,
        is_crowded: bool = False,
        is_conflict: bool = False,
    ) -> None:
        super().__init__(reason)
        self.is_conflict = is_conflict
        self.is_away = is_away
        self.was_sent = was_sent
        self.is_crowded = is_crowded


@dataclass(frozen=True, slots=True)
class AskLimits:
    """How long an ask is retried, and how long a held call is waited for; in seconds."""

    ask_s_max: float
    hold_s_max: float


class Asker:
    """Asks from any thread, which waits for the answer."""

    def __init__(self, exchange: Exchange, limits: AskLimits) -> None:
        self._exchange = exchange
        self._limits = limits
        self._reset()

    def _reset(self) -> None:
        self._is_closed = threading.Event()
        self._is_away = False

    @property
    def is_away(self) -> bool:
        """True if no gate answered the last ask: the next one is tried once."""
        return self._is_away

    @property
    def attempt_s_min(self) -> float:
        """How long a single attempt may take at least."""
        return min(AWAY_ATTEMPT_S, self._limits.ask_s_max)

    def ask(
        self,
        session: str,
        request: str,
        body: bytes,
        deadline_ns: int,
        held: Callable[[], None] | None,
    ) -> Answer:
        """The decision about `request`: a held one only if nobody decided within `hold_s_max`.

        `held` is called if it begins to wait; with None it does not wait.

        Raises
        ------
        Unjudged
            There is no decision.
        """
        response = self._response("POST", "/v1/ask", body, deadline_ns)
        answer = _read(response, session, request)
        if held is None:
            return answer
        if answer.decision == "hold":
            held()
        hold_until_ns = time.monotonic_ns() + int(self._limits.hold_s_max * 1e9)
        while answer.decision == "hold" and (left_s := _left_s(hold_until_ns)) > 0:
            began_ns = time.monotonic_ns()
            answer = self._poll(session, request, min(left_s, POLL_S)) or answer
            if answer.decision == "hold" and time.monotonic_ns() - began_ns < _EARLY_S * 1e9:
                # Not a long poll: the gate should not be asked in a busy loop.
                self._is_closed.wait(min(_EARLY_S, max(0.0, _left_s(hold_until_ns))))
        return answer

    def find(self, session: str, request: str) -> Answer | None:
        """The answer to a request that was asked earlier, in this process or another one, as it
        stands; None if the gate knows none.

        Raises
        ------
        Unjudged
            The gate did not say.
        """
        asked = urlencode({"session": session, "request": request})
        deadline_ns = time.monotonic_ns() + int(self._limits.ask_s_max * 1e9)
        response = self._response("GET", f"/v1/answers?{asked}", None, deadline_ns)
        return None if response.status == 404 else _read(response, session, request)

    def withdraw(self, session: str, request: str) -> Answer:
        """The answer to a held request after the gate knows that nobody waits: a denial, unless an
        operator was first.

        Raises
        ------
        Unjudged
            It may still wait.
        """
        body = msgspec.json.encode({"session": session, "request": request})
        deadline_ns = time.monotonic_ns() + int(self._limits.ask_s_max * 1e9)
        return _read(self._response("POST", "/v1/withdraw", body, deadline_ns), session, request)

    def take(self, session: str, request: str) -> None:
        """Take a granted call before other processes that resume it: one report with this id is
        recorded, and others contradict it.

        Raises
        ------
        Unjudged
            Another process has taken it, or the gate did not say.
        """
        taken = {"kind": "call.taken", "attributes": {"by": uuid.uuid4().hex}}
        told = {"session": session, "request": f"taken-{request}", "events": [taken]}
        deadline_ns = time.monotonic_ns() + int(self._limits.ask_s_max * 1e9)
        response = self._response("POST", "/v1/tell", msgspec.json.encode(told), deadline_ns)
        if response.status != 200:
            reason = f"status {response.status}: {read_failure(response.body)}"
            raise Unjudged(reason, is_away=False, was_sent=False)

    def note_away(self) -> None:
        """No gate answered: the next ask is tried once."""
        self._is_away = True

    def close(self) -> None:
        """End waiting. Safe to call twice."""
        self._is_closed.set()
        self._exchange.close()

    def after_fork_in_child(self) -> None:
        """Begin anew, with connections of this process."""
        self._exchange.after_fork_in_child()
        self._reset()

    def _poll(self, session: str, request: str, wait_s: float) -> Answer | None:
        """The answer as it stands after `wait_s` at most; None if too many wait at the gate.

        A held call is in the gate's log: without an answer it is not made, whatever `fail`.
        """
        asked = urlencode({"session": session, "request": request, "wait_s": f"{wait_s:.0f}"})
        deadline_ns = time.monotonic_ns() + int((self._limits.ask_s_max + wait_s) * 1e9)
        try:
            response = self._response(
                "GET", f"/v1/answers?{asked}", None, deadline_ns, wait_s + _POLL_LEEWAY_S
            )
        except Unjudged as trouble:
            if trouble.is_crowded:
                return None
            raise Unjudged(str(trouble), is_away=False, was_sent=True) from None
        return _read(response, session, request)

    def _response(
        self,
        method: str,
        path: str,
        body: bytes | None,
        deadline_ns: int,
        attempt_s: float = ATTEMPT_S_MAX,
    ) -> Response:
        """A response of the gate that will not change; at least one attempt is made."""
        pause_s = PAUSE_FIRST_S
        was_sent = False
        while True:
            timeout_s = min(max(_left_s(deadline_ns), self.attempt_s_min), attempt_s)
            is_away, is_crowded, asked_s = True, False, 0.0
            try:
                response = self._exchange.send(method, path, body, timeout_s)
            except Unanswered as error:
                was_sent = was_sent or error.was_sent
                reason = str(error)
            except NotAGate as error:
                raise Unjudged(str(error), is_away=False, was_sent=True) from None
            else:
                was_sent = True
                if response.status not in PASSING and response.status < 500:
                    self._is_away = False
                    return response
                is_away, is_crowded = response.status in AWAY, response.status == 429
                asked_s = response.retry_after_s
                reason = f"status {response.status}: {read_failure(response.body)}"
            pause_s = max(pause_s, asked_s)
            if self._is_closed.is_set() or _left_s(deadline_ns) <= pause_s:
                self._is_away = is_away
                raise Unjudged(reason, is_away=is_away, was_sent=was_sent, is_crowded=is_crowded)
            self._is_closed.wait(pause_s)
            pause_s = min(2 * pause_s, PAUSE_LONGEST_S)


def _read(response: Response, session: str, request: str) -> Answer:
    if response.status == 200:
        try:
            return read_answer(response.body, session, request)
        except NotAGate as error:
            raise Unjudged(str(error), is_away=False, was_sent=True) from None
    reason = read_failure(response.body) or "it gave no reason"
    text = f"status {response.status}: {reason}"
    raise Unjudged(text, is_away=False, was_sent=False, is_conflict=response.status == 409)


def _left_s(deadline_ns: int) -> float:
    return (deadline_ns - time.monotonic_ns()) / 1e9
