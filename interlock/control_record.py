"""Control records: who is quarantined or killed, and which record decides.

Shared by the client's guard and the monitor. Input: the records of the control topic, in the
order of the log. This module reads no file and no clock: the caller says what time it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

ControlState = Literal["active", "quarantined", "killed"]
SEVERITY_ORDER: Final[Mapping[str, int]] = {"active": 0, "quarantined": 1, "killed": 2}
TARGET_KINDS: Final = ("session", "principal", "agent", "tool", "global")
HEARTBEAT_KEY: Final = "heartbeat"
"""The monitor's sign of life on the control topic: readers learn how old their view is."""


class ControlRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is said of one key; the reason stands in the finding, not here."""

    state: ControlState
    issued_at: int
    """Nanoseconds since 1970."""
    incident: str = ""
    expires_at: int | None = None
    issuer: str = ""
    epoch: int = 0
    sig: str = ""
    v: int = 1


class ControlView:
    """The standing of every key, as far as the log was read.

    Per key the later record holds, but for a quarantine behind a kill: `killed` is left by
    `active` alone, never by a quarantine that would be over in time. A record whose issuer repeats
    an older `epoch` of its own is ignored. `quarantined` turns back by expiry.
    """

    def __init__(self) -> None:
        self._records: dict[str, ControlRecord] = {}
        self._epochs: dict[tuple[str, str], int] = {}
        self.heartbeat_ns: int | None = None

    def apply(self, key: str, value: bytes | None) -> bool:
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
        if key == HEARTBEAT_KEY:
            self.heartbeat_ns = record.issued_at
            return True
        fence = (key, record.issuer)
        if record.epoch < self._epochs.get(fence, 0):
            return False
        self._epochs[fence] = record.epoch
        standing = self._records.get(key)
        if standing is not None and (standing.state, record.state) == ("killed", "quarantined"):
            # Two monitors that stop one target at once, or an operator who did not look first.
            return True
        self._records[key] = record
        return True

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
        """How many keys were ever named."""
        return len(self._records)

    def records(self) -> Mapping[str, ControlRecord]:
        """Every key that was ever named, with the record that stands."""
        return dict(self._records)


def _is_expired(record: ControlRecord, now_ns: int) -> bool:
    if record.state == "killed" or record.expires_at is None:
        return False
    return now_ns >= record.expires_at
