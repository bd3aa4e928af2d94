"""Quarantine and kill: a record on the control topic, which gates and guards obey.

Input: an action on a key of that topic (`session:ID`, `principal:NAME`). The record that was
published is durable before the action counts as done. It never makes a standing record weaker:
per key the later record decides, so that a quarantine is not written behind a kill, and does not
shorten a quarantine that stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from interlock.control_record import HEARTBEAT_KEY, ControlRecord, ControlState, ControlView

from ..clock import Clock
from ..respond import ActionKind
from ..sources.base import Publisher
from ..topics import CONTROL
from .backoff import backoff_ns
from .contract import Order, Outcome

FLUSH_S: Final = 5.0
RETRY_NS_MAX: Final = 15_000_000_000
"""Chosen: whoever must be stopped is tried for again at least four times a minute, for ever."""

STATES: Final[Mapping[ActionKind, ControlState]] = {"quarantine": "quarantined", "kill": "killed"}


@dataclass(frozen=True, slots=True)
class ControlIssuer:
    """Who writes the records. `epoch` fences what an earlier run of this issuer still sends."""

    name: str
    epoch: int


class ControlDriver:
    """Carries out quarantines and kills.

    `view` is the monitor's own view of the control topic, read to its end before the first
    action; what is published here is applied to it at once.
    """

    def __init__(
        self,
        publisher: Publisher,
        view: ControlView,
        issuer: ControlIssuer,
        clock: Clock,
        quarantine_ttl_ns: int | None = None,
    ) -> None:
        self._publisher = publisher
        self._view = view
        self._issuer = issuer
        self._clock = clock
        self._ttl_ns = quarantine_ttl_ns

    def carry_out(self, order: Order) -> Outcome:
        action = order.action
        assert action.mode == "enforce"
        now_ns = self._clock.now_ns()
        standing = self._view.records().get(action.target)
        if standing is not None and standing.state == "killed" and action.kind != "kill":
            return Outcome("superseded", "the target is killed already")
        record = ControlRecord(
            state=STATES[action.kind],
            issued_at=now_ns,
            incident=action.incident,
            expires_at=self._expiry(action.kind, standing, now_ns),
            issuer=self._issuer.name,
            epoch=self._issuer.epoch,
        )
        value = msgspec.json.encode(record)
        try:
            self._publisher.publish(CONTROL, action.target, value)
            self._publisher.flush(FLUSH_S)
        except OSError as error:
            wait_ns = backoff_ns(action.id, order.attempts, RETRY_NS_MAX)
            return Outcome("retry", f"the control topic took no record: {error}", wait_ns)
        if not self._view.apply(action.target, value):
            wait_ns = backoff_ns(action.id, order.attempts, RETRY_NS_MAX)
            return Outcome(
                "retry",
                f"a newer run of issuer `{self._issuer.name}` fences this monitor: readers ignore "
                "its records; give each monitor a name of its own (`respond.issuer`)",
                wait_ns,
            )
        return Outcome("done", record.state)

    def finished(self) -> list[tuple[str, Outcome]]:
        return []

    def close(self) -> None:
        """The publisher is its owner's to close."""

    def _expiry(self, kind: ActionKind, standing: ControlRecord | None, now_ns: int) -> int | None:
        if kind == "kill" or self._ttl_ns is None:
            return None
        expires_at = now_ns + self._ttl_ns
        if standing is None or standing.state != "quarantined":
            return expires_at
        return None if standing.expires_at is None else max(expires_at, standing.expires_at)


def write_heartbeat(publisher: Publisher, issuer: ControlIssuer, clock: Clock) -> None:
    """The monitor's sign of life: gates and guards learn from it how old their view is.

    To be written only while the monitor does its work, else it vouches for what nobody watches.

    Raises
    ------
    OSError
        Where the control topic took no record.
    """
    record = ControlRecord(
        state="active",
        issued_at=clock.now_ns(),
        issuer=issuer.name,
        epoch=issuer.epoch,
    )
    publisher.publish(CONTROL, HEARTBEAT_KEY, msgspec.json.encode(record))
    publisher.flush(FLUSH_S)
