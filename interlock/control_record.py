"""Control records: the quarantined and killed targets, and the record that is in force.

Shared by the client's guard and the monitor. Input: the records of the control topic, in the order
of the log. This module reads no file and no clock: the caller supplies the time.
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
"""The monitor's heartbeat on the control topic: readers derive the age of their view from it. The
voucher follows after a colon, so that a compacted topic keeps the last heartbeat of each."""

RECORD_BYTES_MAX: Final = 64 * 1024
"""A control record has about 200 bytes; anything longer is not a control record."""

AHEAD_NS_MAX: Final = 15_000_000_000
"""Chosen: as far as the clocks of the monitor and the agent may be apart by default."""

CLOCKS_APART_NS_MAX: Final = 1_000_000_000
"""Chosen: a monitor's clock may be ahead of another machine's by this much for its heartbeats to be
accepted. Synchronised clocks differ by less than a tenth of it."""


class ControlRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """The record of one key; the reason of a monitor's stop is in its finding, not here."""

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
    """Of a heartbeat: the partitions that it covers; None: all."""
    behind: Mapping[str, int] = {}
    """Of a heartbeat: shards (`TOPIC/PART`) of which less was judged, and up to when."""
    topics: tuple[str, ...] | None = None
    """Of a heartbeat: the topics of events that it covers; None: all."""
    observes: bool = False
    """Of a heartbeat: its monitor stops nobody."""
    reason: str = ""
    """The reason that an operator gave; agents can read it."""
    retired: bool = False
    """Under a heartbeat's key: an operator declares this voucher gone for good."""


def heartbeat_key(voucher: str) -> str:
    """The key of a voucher's heartbeats."""
    return f"{HEARTBEAT_KEY}:{voucher}"


def voucher_of(key: str) -> str | None:
    """The voucher of the heartbeats under this key; None if it is not a heartbeat's. Empty:
    unnamed.
    """
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
    """The current record of every key, as far as the log was read.

    For each key the latest record is in force, except for a quarantine after a kill: only `active`
    ends `killed`, never a quarantine that would expire. A record whose issuer repeats an older
    `epoch` of its own is ignored. `quarantined` ends by expiry.
    """

    def __init__(self) -> None:
        self._records: dict[str, ControlRecord] = {}
        self._epochs: dict[tuple[str, str], int] = {}
        self.watermarks = Watermarks()

    def apply(self, key: str, value: bytes | None, arrived_ns: int = 0) -> bool:
        """Apply one record of the log; False if it was ignored.

        Ignored are tombstones, records of an older epoch, and records that cannot be read. A
        quarantine of a killed target is accepted, but the kill stays in force.
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
            # Two monitors may stop one target at once, or an operator did not look first.
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
        """The most severe state among `keys` and `global`, and the key that has it."""
        worst: tuple[ControlState, str] = ("active", "")
        for key in (*keys, "global"):
            record = self._records.get(key)
            if record is None or _is_expired(record, now_ns):
                continue
            if SEVERITY_ORDER[record.state] > SEVERITY_ORDER[worst[0]]:
                worst = (record.state, key)
        return worst

    def record(self, key: str) -> ControlRecord | None:
        """The record in force for `key`, expired or not."""
        return self._records.get(key)

    @property
    def keys_count(self) -> int:
        """How many keys were ever named, those of retired vouchers left out."""
        return len(self._records) + self.watermarks.keys_count

    def records(self) -> Mapping[str, ControlRecord]:
        """Every key that ever occurred, with the record in force."""
        return dict(self._records)


def _is_expired(record: ControlRecord, now_ns: int) -> bool:
    if record.state == "killed" or record.expires_at is None:
        return False
    return now_ns >= record.expires_at


class RecordPlace(NamedTuple):
    """The position of a record in a log directory: its writer, and its place among that writer's
    records.

    `reading`: how often the writer's file was restarted; positions are comparable only within one.
    """

    writer: str
    reading: int
    number: int
    offset: int


class RecordOrder(NamedTuple):
    """Which of two records of one key is the later one."""

    issued_at: int
    place: RecordPlace
    severity: int

    def is_after(self, held: RecordOrder) -> bool:
        """True if this record replaces `held`, an earlier one with the same key."""
        if self.place[:2] == held.place[:2]:
            return self.place[2:] >= held.place[2:]
        if self.issued_at != held.issued_at:
            return self.issued_at > held.issued_at
        return self.severity >= held.severity


class LogOrder:
    """The order of records from several writers without a common order: by time, with exceptions.

    Of two records of one key the one with the later `issued_at` is in force, and at equal times the
    more severe one. Within one writer's files the order of writing decides, even if its clock went
    back: a stop counts as no earlier than the writer's previous records, and a release releases
    what its writer wrote before. A release from the future is not a release: it would outrank any
    stop of its target until that time. Retiring a voucher is a release, too.
    """

    def __init__(self) -> None:
        self._held: dict[str, RecordOrder] = {}
        self._newest_of_writer: dict[str, int] = {}

    def of(
        self, key: str, record: ControlRecord, place: RecordPlace, now_ns: int
    ) -> RecordOrder | None:
        """Its order; None for a release from the future. Asked in the order of each writer."""
        newest = max(record.issued_at, self._newest_of_writer.get(place.writer, 0))
        self._newest_of_writer[place.writer] = newest
        issued_at = newest
        if record.state == "active" and (record.retired or voucher_of(key) is None):
            if record.issued_at > now_ns + AHEAD_NS_MAX:
                return None
            issued_at = record.issued_at
        return RecordOrder(issued_at, place, SEVERITY_ORDER[record.state])

    def is_later(self, key: str, order: RecordOrder) -> bool:
        """True if it replaces the previous record; then it is in force."""
        held = self._held.get(key)
        if held is not None and not order.is_after(held):
            return False
        self._held[key] = order
        return True
