"""Findings of a batch -> the actions stored with it, and a flag if one must not wait.

It combines the pure plan (`response/plan.py`), the breaker, and the known stops: those in the
store, those waiting in its outbox, and those on the control topic. It has no effects; the loop
stores its plan and `Effects` carries it out.

A stop is *urgent* if it is new: admitted, not requested before, and not in force. The loop ends its
batch at such a stop. All other actions of a stopped session are judged in ordinary batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from invariants.spec.model import ActionKind

from ..clock import Clock
from ..findings.model import Finding
from ..response.breaker import Breaker
from ..response.plan import Action, ResponsePolicy, plan
from ..store.store import Store


class StopsView(Protocol):
    """The current records of the control topic, as far as the monitor has read it."""

    def refresh(self) -> None:
        """Read new records."""

    def suffices(self, target: str, kind: ActionKind) -> str:
        """How the target is stopped, if a stop of this kind would add nothing; else empty."""


class Planned(NamedTuple):
    """The actions of some findings; `is_urgent` if a new stop is among them."""

    actions: tuple[Action, ...]
    is_urgent: bool


class Responder:
    """Plans a batch, finding after finding. `begin` comes before the first of each batch."""

    def __init__(
        self, store: Store, clock: Clock, policy: ResponsePolicy, standing: StopsView
    ) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy
        self._standing = standing
        self._breaker: Breaker | None = None
        self._sought: set[tuple[str, ActionKind]] | None = None
        """Stops that wait to be carried out: of earlier batches, and of this one."""

    def begin(self) -> None:
        """Start a new batch: waiting stops and those in force are looked up at the first need."""
        self._sought = None

    def plan(self, findings: Sequence[Finding]) -> Planned:
        """The actions for findings. Cost: two look-ups in the store per finding."""
        planned: list[Action] = []
        is_urgent = False
        for finding in findings:
            wanted = plan(finding, self._policy)
            known = self._store.known_actions(action.id for action in wanted)
            new = [action for action in wanted if action.id not in known]
            if any(action.is_enforcing and action.state == "planned" for action in new):
                new, has_urgent = self._stop(finding, new)
                is_urgent = is_urgent or has_urgent
            planned += new
        return Planned(tuple(planned), is_urgent)

    def _stop(self, finding: Finding, actions: Sequence[Action]) -> tuple[list[Action], bool]:
        """The actions of a finding with a stop, after the breaker and the control topic."""
        sought = self._look()
        assert self._breaker is not None
        admitted = self._breaker.admit(finding, actions, self._clock.now_ns())
        kept: list[Action] = []
        is_urgent = False
        for action in admitted:
            if not action.is_enforcing or action.state != "planned":
                kept.append(action)
                continue
            key = (action.target, action.kind)
            state = self._standing.suffices(*key)
            if state:
                # The topic was read when this batch began. A later release comes from a person who
                # has seen the stop, and an older event must not undo it.
                kept.append(_superseded(action, f"the target is already {state}"))
                continue
            kept.append(action)
            is_urgent = is_urgent or key not in sought
            sought.add(key)
        return kept, is_urgent

    def _look(self) -> set[tuple[str, ActionKind]]:
        """Waiting stops; at the first of a batch, also new records of the control topic."""
        if self._breaker is None:
            self._breaker = Breaker(self._policy, self._store.stops(self._clock.now_ns()))
        if self._sought is None:
            self._sought = set(self._store.stops_waiting())
            self._standing.refresh()
        return self._sought


def _superseded(action: Action, reason: str) -> Action:
    return msgspec.structs.replace(action, state="done", reason=reason)
