"""Carries out planned actions from the store, and stores their outcomes.

Input: the store's pending actions, the most urgent first. Each attempt is recorded before it is
made, and marked after it; a crash between the two repeats it, under the same id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..clock import Clock
from ..log import say
from ..response.plan import Action
from ..store.records import ActionMark, StoredAction
from ..store.store import Store
from .backoff import LONGEST
from .contract import ActionDriver, Done, Order, Outcome

BATCH_MAX: Final = 500
CONTROL_DRIVER: Final = "control"
"""The driver of quarantines and kills; alerts go to the driver named as their target."""


class Dispatcher:
    """Passes stored actions to their drivers.

    `drivers` are named `log`, `webhook` and `control`. An action without a driver (a webhook that
    was removed from the settings) fails with a message.
    """

    def __init__(self, store: Store, drivers: Mapping[str, ActionDriver], clock: Clock) -> None:
        self._store = store
        self._drivers = drivers
        self._clock = clock
        self._started: dict[str, StoredAction] = {}

    def run_due(self, limit: int = BATCH_MAX) -> tuple[Done, ...]:
        """Record finished attempts, then attempt due actions; one attempt each."""
        attempts = self._collect()
        limit_all = limit + len(self._started)
        stored = self._store.pending_actions(self._clock.now_ns(), limit_all, LONGEST)
        due = [s for s in stored if s.action.id not in self._started][:limit]
        together: list[tuple[StoredAction, Outcome]] = []
        for one in due:
            outcome = self._attempt(one)
            if one.action.is_enforcing and outcome.kind == "done":
                # Marked at once: the next one may take seconds to go out.
                attempts += self._mark([(one, outcome)])
            else:
                together.append((one, outcome))
        attempts += self._mark(together)
        return tuple(attempts)

    def close(self) -> None:
        """Marks finished attempts, then closes the drivers."""
        self._collect()
        for driver in self._drivers.values():
            driver.close()

    def _collect(self) -> list[Done]:
        over = [
            (self._started.pop(id_), outcome)
            for driver in self._drivers.values()
            for id_, outcome in driver.finished()
        ]
        return self._mark(over)

    def _attempt(self, stored: StoredAction) -> Outcome:
        action = stored.action
        driver = self._drivers.get(_driver_name(action))
        if driver is None:
            return Outcome("failed", f"no driver for `{_driver_name(action)}` is set up")
        finding = self._store.finding(action.finding)
        if finding is None:
            return Outcome("failed", "its finding is not in the store")
        outcome = driver.carry_out(Order(action, finding, stored.attempts))
        if outcome.kind == "started":
            self._started[action.id] = stored
        return outcome

    def _mark(self, attempts: list[tuple[StoredAction, Outcome]]) -> list[Done]:
        now_ns = self._clock.now_ns()
        marks = [m for s, outcome in attempts if (m := _mark_of(s.action, outcome, now_ns))]
        if marks:
            self._store.mark_actions(marks)
        for stored, outcome in attempts:
            _tell(stored, outcome)
        return [
            Done(s.action.id, s.action.kind, s.action.mode, outcome.kind, outcome.detail)
            for s, outcome in attempts
        ]


def _driver_name(action: Action) -> str:
    if action.is_enforcing:
        return CONTROL_DRIVER
    return action.target


def _mark_of(action: Action, outcome: Outcome, now_ns: int) -> ActionMark | None:
    detail = outcome.detail[:500]
    match outcome.kind:
        case "started":
            return None
        case "busy":
            not_before_ns = now_ns + outcome.retry_after_ns
            return ActionMark(action.id, "planned", detail, not_before_ns, is_attempt=False)
        case "retry":
            return ActionMark(action.id, "planned", detail, now_ns + outcome.retry_after_ns)
        case "failed":
            return ActionMark(action.id, "failed", detail)
        case "done":
            return ActionMark(action.id, "done", detail)
        case "superseded":
            return ActionMark(action.id, "done", f"superseded: {detail}")


def _tell(stored: StoredAction, outcome: Outcome) -> None:
    action = stored.action
    fields = {
        "action": action.id,
        "kind": action.kind,
        "target": action.target,
        "incident": action.incident,
        "finding": action.finding,
        "attempts": stored.attempts + 1,
        "detail": outcome.detail,
    }
    if outcome.kind == "failed" or (outcome.kind == "retry" and action.is_enforcing):
        say("error", f"action {outcome.kind}", **fields)
    elif outcome.kind == "retry":
        say("warning", "action retry", **fields)
    elif action.is_enforcing and outcome.kind == "done":
        say("warning", "action done", **fields)
