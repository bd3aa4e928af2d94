"""Posts to the webhook when a call begins to wait: an operator is notified, and no agent waits.

A thread of its own posts, from a queue with a bound. A notice is lost if the queue is full, if its
attempts fail, or if the gate ends: losses are logged and counted, and the call goes on waiting. The
body names the call and contains no argument; an operator reads these from the gate.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import threading
from collections.abc import Callable
from typing import Final

import msgspec

from monitor.gate.approvals import HELD_MAX
from monitor.gate.wire import Answer
from monitor.log import say

WAITING_MAX: Final = 200
ATTEMPTS_MAX: Final = 4
KNOWN_MAX: Final = 4 * HELD_MAX
"""An agent that repeats its request must not fill the queue: others' notices would be lost."""
PAUSE_S: Final = 2.0
"""Chosen: an outage of some seconds is waited for; behind it others would be lost."""
CLOSE_S: Final = 1.0
REASONS_MAX: Final = 8

Post = Callable[[str, bytes], int]
"""Posts a body under the id of its delivery, and returns the status."""


class _Reason(msgspec.Struct, frozen=True):
    id: str
    summary: str


class HeldNotice(msgspec.Struct, frozen=True):
    """The body: a call that waits, by the names that its agent and its session have."""

    approval: str
    principal: str
    session: str
    tool: str
    call: str
    expires_ns: int
    invariants: list[_Reason]
    kind: str = "approval.requested"
    v: int = 1


class Notices:
    """The notices of one gate. `tell` never waits."""

    def __init__(self, post: Post, *, pause_s: float = PAUSE_S) -> None:
        self._post, self._pause_s = post, pause_s
        self._waiting: queue.Queue[HeldNotice | None] = queue.Queue(WAITING_MAX)
        self._is_closed = threading.Event()
        self._known: dict[str, None] = {}
        self.lost_count = 0
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
        self._thread.start()

    def tell(self, principal: str, tool: str, answer: Answer) -> None:
        """A call waits. Its request may be repeated; one notice is enough."""
        assert answer.approval is not None, "only held calls have notices"
        if answer.approval.id in self._known:
            return
        self._known[answer.approval.id] = None
        if len(self._known) > KNOWN_MAX:
            self._known.pop(next(iter(self._known)))
        reasons = [_Reason(one.id, one.summary) for one in answer.invariants[:REASONS_MAX]]
        notice = HeldNotice(
            answer.approval.id,
            principal,
            answer.session,
            tool,
            answer.call,
            answer.approval.expires_ns,
            reasons,
        )
        try:
            self._waiting.put_nowait(notice)
        except queue.Full:
            self._lose(notice, "too many notices wait")

    def close(self) -> None:
        """End after the current attempt; notices that wait are lost."""
        self._is_closed.set()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while not self._is_closed.is_set():
            notice = self._waiting.get()
            if notice is None:
                return
            trouble = self._deliver(notice)
            if trouble:
                self._lose(notice, trouble)

    def _deliver(self, notice: HeldNotice) -> str:
        """Why the notice did not arrive; empty if it did."""
        body, trouble = msgspec.json.encode(notice), ""
        for attempt in range(ATTEMPTS_MAX):
            if attempt and self._is_closed.wait(self._pause_s * attempt):
                break
            try:
                status = self._post(notice.approval, body)
            except (OSError, http.client.HTTPException) as error:
                trouble = type(error).__name__
                continue
            if 200 <= status < 300:
                return ""
            trouble = f"status {status}"
        return trouble

    def _lose(self, notice: HeldNotice, reason: str) -> None:
        self.lost_count += 1
        say("warning", "approval_notice_lost", approval=notice.approval, text=reason)
