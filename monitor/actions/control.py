"""Quarantine and kill: a record on the control topic, which gates and guards obey.

Input: an action on a key of that topic (`session:ID`, `principal:NAME`). The published record is
durable before the action counts as done. It never weakens the record in force: for each key the
latest record is in force, so a quarantine is not written after a kill, and does not shorten an
existing quarantine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from interlock.control_record import ControlRecord, ControlState, ControlView, heartbeat_key
from invariants.spec.model import ActionKind

from ..clock import Clock
from ..ingest.watermark import JudgedUpTo
from ..topics import CONTROL
from ..transport.base import Publisher
from .backoff import STOP_LONGEST_NS, backoff_ns
from .contract import Order, Outcome

FLUSH_S: Final = 5.0
AWAY_NS: Final = 2_000_000_000
"""Chosen: how long the loop is left alone after a publish that did not come through."""

STATES: Final[Mapping[ActionKind, ControlState]] = {"quarantine": "quarantined", "kill": "killed"}


class ControlIssuer(msgspec.Struct, frozen=True):
    """The writer of the records. `epoch` fences delayed records of an earlier run of this issuer.

    `group` is the Kafka group whose members judge the same invariants in its place when it dies;
    empty if there is none. `observes`: it stops nobody.
    """

    name: str
    epoch: int
    group: str = ""
    observes: bool = False

    @property
    def voucher(self) -> str:
        """In whose name its heartbeats vouch; a group is never taken for an issuer of its name."""
        return f"group:{self.group}" if self.group else f"issuer:{self.name}"


class ControlDriver:
    """Carries out quarantines and kills.

    `view` is the monitor's own view of the control topic, read to its end before the first action;
    records published here are applied to it at once.
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
        self._away_until_ns = clock.monotonic_ns()

    def carry_out(self, order: Order) -> Outcome:
        action = order.action
        assert action.mode == "enforce"
        now_ns = self._clock.now_ns()
        if state := standing_stop(self._view, action.target, action.kind, now_ns, self._ttl_ns):
            return Outcome("superseded", f"the target is already {state}")
        away_ns = self._away_until_ns - self._clock.monotonic_ns()
        if away_ns > 0:
            return Outcome("busy", "the control topic did not accept a record recently", away_ns)
        record = ControlRecord(
            state=STATES[action.kind],
            issued_at=now_ns,
            incident=action.incident,
            expires_at=self._expiry(action.kind, now_ns),
            issuer=self._issuer.name,
            epoch=self._issuer.epoch,
        )
        return self._publish(order, msgspec.json.encode(record))

    def _publish(self, order: Order, value: bytes) -> Outcome:
        action = order.action
        wait_ns = backoff_ns(action.id, order.attempts, STOP_LONGEST_NS)
        try:
            self._publisher.publish(CONTROL, action.target, value)
            self._publisher.flush(FLUSH_S)
        except OSError as error:
            # Each of many waiting stops would hold the loop up for as long as this one did.
            self._away_until_ns = self._clock.monotonic_ns() + AWAY_NS
            return Outcome("retry", f"the control topic did not accept a record: {error}", wait_ns)
        if not self._view.apply(action.target, value):
            return Outcome(
                "retry",
                f"a newer run of issuer `{self._issuer.name}` fences this monitor: readers ignore "
                "its records; give each monitor its own name (`respond.issuer`)",
                wait_ns,
            )
        return Outcome("done", STATES[action.kind])

    def finished(self) -> list[tuple[str, Outcome]]:
        return []

    def close(self) -> None:
        """The publisher is its owner's to close."""

    def _expiry(self, kind: ActionKind, now_ns: int) -> int | None:
        return None if kind == "kill" or self._ttl_ns is None else now_ns + self._ttl_ns


class StandingStops:
    """The monitor's own view of the control topic, for planning."""

    def __init__(
        self,
        view: ControlView,
        follow: Callable[[], None],
        clock: Clock,
        quarantine_ttl_ns: int | None = None,
    ) -> None:
        self._view = view
        self._follow = follow
        self._clock = clock
        self._ttl_ns = quarantine_ttl_ns

    def refresh(self) -> None:
        """Read new records."""
        self._follow()

    def suffices(self, target: str, kind: ActionKind) -> str:
        """See `standing_stop`."""
        return standing_stop(self._view, target, kind, self._clock.now_ns(), self._ttl_ns)


def standing_stop(
    view: ControlView, target: str, kind: ActionKind, now_ns: int, ttl_ns: int | None
) -> str:
    """The state of a target to which a stop of this kind would add nothing; else empty.

    One agent may break an invariant a thousand times a second: it is stopped once. A quarantine
    that would soon be over is renewed; one that lasts longer is left alone.
    """
    standing = view.record(target)
    if standing is None:
        return ""
    if standing.state == "killed":
        return standing.state
    if standing.state == "active" or kind == "kill":
        return ""
    is_lasting = standing.expires_at is None or (
        ttl_ns is not None and standing.expires_at >= now_ns + ttl_ns // 2
    )
    return standing.state if is_lasting else ""


def write_heartbeat(publisher: Publisher, issuer: ControlIssuer, judged: JudgedUpTo) -> None:
    """The monitor's heartbeat: gates and guards derive the age of their view from it.

    It contains the times up to which everything was judged: a monitor that is behind vouches for no
    more than that.

    Raises
    ------
    OSError
        The control topic did not accept a record.
    """
    record = ControlRecord(
        state="active",
        issued_at=judged.time_ns,
        issuer=issuer.name,
        epoch=issuer.epoch,
        partitions=judged.partitions,
        behind=judged.behind,
        topics=judged.topics,
        observes=issuer.observes,
    )
    publisher.publish(CONTROL, heartbeat_key(issuer.voucher), msgspec.json.encode(record))
    publisher.flush(FLUSH_S)
