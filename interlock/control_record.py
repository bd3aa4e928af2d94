"""Control records: who is quarantined or killed, and which record decides.

Shared by the client's guard and the monitor. Input: the records of the control topic, in the
order of the log. This module reads no file and no clock: the caller says what time it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

import msgspec

from .watermarks import Beat, Watermarks

ControlState = Literal["active", "quarantined", "killed"]
SEVERITY_ORDER: Final[Mapping[str, int]] = {"active": 0, "quarantined": 1, "killed": 2}
TARGET_KINDS: Final = ("session", "session-of", "principal", "agent", "tool", "global")
HEARTBEAT_KEY: Final = "heartbeat"
"""The monitor's sign of life on the control topic: readers learn how old their view is. Behind a
colon stands who vouches, so that a compacted topic keeps the last word of each."""

RECORD_BYTES_MAX: Final = 64 * 1024
"""A control record has some 200 bytes; what is longer is no control record."""

AHEAD_NS_MAX: Final = 15_000_000_000
"""Chosen: as far as the clocks of the monitor and the agent may be apart by default."""

CLOCKS_APART_NS_MAX: Final = 1_000_000_000
"""Chosen: as far as a monitor's clock may be ahead of another machine's for its heartbeats to tell
what was judged. Clocks that are kept are apart by less than a tenth of it."""


class ControlRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is said of one key; why a monitor said so stands in its finding, not here."""

    state: ControlState
    issued_at: int
    """Nanoseconds since 1970."""
    incident: str = ""
    expires_at: int | None = None
    issuer: str = ""
    epoch: int = 0
    sig: str = ""
    v: int = 1
    partitions: tuple[int, ...] | None = None
    """Of a heartbeat: the partitions that it speaks of; None: everything."""
    behind: Mapping[str, int] = {}
    """Of a heartbeat: shards (`TOPIC/PART`) of which less was judged, and up to when."""
    topics: tuple[str, ...] | None = None
    """Of a heartbeat: the topics of events that it speaks of; None: every one."""
    observes: bool = False
    """Of a heartbeat: its monitor stops nobody."""
    reason: str = ""
    """What an operator gave as the reason; agents can read it."""
    retired: bool = False
    """Under a heartbeat's key: an operator says that who vouched there is gone for good."""


def heartbeat_key(voucher: str) -> str:
    """The key of a voucher's heartbeats."""
    return f"{HEARTBEAT_KEY}:{voucher}"


def voucher_of(key: str) -> str | None:
    """Whose heartbeats stand under this key; None if none do. Empty: they do not say whose."""
    name, _, voucher = key.partition(":")
    return voucher if name == HEARTBEAT_KEY else None


def session_target(principal: str, session: str) -> str:
    """The key under which a session is stopped; with a principal, that principal's session alone.

    A principal's name is part of a topic's name and has no `/`, so that the key has one reading.
    """
    return f"session-of:{principal}/{session}" if principal else f"session:{session}"


def session_targets(principal: str, session: str) -> tuple[str, ...]:
    """Every key under which a session can be stopped. `session:ID` means all that use the id."""
    every = session_target("", session)
    return (every, session_target(principal, session)) if principal else (every,)


class ControlView:
    """The standing of every key, as far as the log was read.

    Per key the later record holds, but for a quarantine behind a kill: `killed` is left by
    `active` alone, never by a quarantine that would be over in time. A record whose issuer repeats
    an older `epoch` of its own is ignored. `quarantined` turns back by expiry.
    """

    def __init__(self) -> None:
        self._records: dict[str, ControlRecord] = {}
        self._epochs: dict[tuple[str, str], int] = {}
        self.watermarks = Watermarks()

    def apply(self, key: str, value: bytes | None, arrived_ns: int = 0) -> bool:
        """Take in one record of the log; False where it was ignored.

        Ignored are tombstones, records of an older epoch, and what cannot be read. A quarantine of
        what is killed is taken in, and the kill stands.
        """
        if not value:
            return False
        try:
            record = msgspec.json.decode(value, type=ControlRecord)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return False
        fence = (key, record.issuer)
        if record.epoch < self._epochs.get(fence, 0):
            return False
        self._epochs[fence] = record.epoch
        voucher = voucher_of(key)
        if voucher is not None:
            self._hear(voucher, record, arrived_ns)
            return True
        standing = self._records.get(key)
        if standing is not None and (standing.state, record.state) == ("killed", "quarantined"):
            # Two monitors that stop one target at once, or an operator who did not look first.
            return True
        self._records[key] = record
        return True

    def epoch_of(self, issuer: str) -> int:
        """The greatest epoch of this issuer's records; 0 if it has none."""
        return max((epoch for (_, of), epoch in self._epochs.items() if of == issuer), default=0)

    def _hear(self, voucher: str, record: ControlRecord, arrived_ns: int) -> None:
        if record.retired:
            self.watermarks.retire(voucher)
            return
        beat = Beat(
            record.issued_at,
            record.partitions,
            record.behind,
            record.topics,
            record.observes,
            arrived_ns,
        )
        self.watermarks.apply(voucher, beat)

    def standing(self, keys: Iterable[str], now_ns: int) -> tuple[ControlState, str]:
        """The most severe state among `keys` and `global`, and the key that says so."""
        worst: tuple[ControlState, str] = ("active", "")
        for key in (*keys, "global"):
            record = self._records.get(key)
            if record is None or _is_expired(record, now_ns):
                continue
            if SEVERITY_ORDER[record.state] > SEVERITY_ORDER[worst[0]]:
                worst = (record.state, key)
        return worst

    def record(self, key: str) -> ControlRecord | None:
        """The record that stands for `key`, expired or not."""
        return self._records.get(key)

    @property
    def keys_count(self) -> int:
        """How many keys were ever named, those of retired vouchers left out."""
        return len(self._records) + self.watermarks.keys_count

    def records(self) -> Mapping[str, ControlRecord]:
        """Every key that was ever named, with the record that stands."""
        return dict(self._records)


def _is_expired(record: ControlRecord, now_ns: int) -> bool:
    if record.state == "killed" or record.expires_at is None:
        return False
    return now_ns >= record.expires_at


class Place(NamedTuple):
    """Where a record of a log directory stands: whose it is, and where among those of its writer.

    `reading`: how often the writer's file was begun anew; positions compare within one alone.
    """

    writer: str
    reading: int
    number: int
    offset: int


class Order(NamedTuple):
    """Which of two records of one key is the later one."""

    issued_at: int
    place: Place
    severity: int

    def is_after(self, held: Order) -> bool:
        """Whether this record holds against `held`, which came of the same key before."""
        if self.place[:2] == held.place[:2]:
            return self.place[2:] >= held.place[2:]
        if self.issued_at != held.issued_at:
            return self.issued_at > held.issued_at
        return self.severity >= held.severity


class LogOrder:
    """The order of records that several writers put down without one: by time, as far as it goes.

    Of two records of one key the later `issued_at` holds, and equal times go to the more severe.
    Within one writer's files the order of writing holds even where its clock went back: a stop
    counts as no earlier than what its writer wrote before, and a release releases from what its
    writer wrote before. A release from the future is no release: it would outrank whatever stops
    its target until that time has come. To retire a voucher is a release, too.
    """

    def __init__(self) -> None:
        self._held: dict[str, Order] = {}
        self._newest_of_writer: dict[str, int] = {}

    def of(self, key: str, record: ControlRecord, place: Place, now_ns: int) -> Order | None:
        """Its order; None for a release from the future. Asked in the order of each writer."""
        newest = max(record.issued_at, self._newest_of_writer.get(place.writer, 0))
        self._newest_of_writer[place.writer] = newest
        issued_at = newest
        if record.state == "active" and (record.retired or voucher_of(key) is None):
            if record.issued_at > now_ns + AHEAD_NS_MAX:
                return None
            issued_at = record.issued_at
        return Order(issued_at, place, SEVERITY_ORDER[record.state])

    def is_later(self, key: str, order: Order) -> bool:
        """Whether it holds against what held before; then it is what holds."""
        held = self._held.get(key)
        if held is not None and not order.is_after(held):
            return False
        self._held[key] = order
        return True
