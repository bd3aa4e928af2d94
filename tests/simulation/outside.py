"""Everything outside the monitor: logs of topics with their broker's clock, and what was told.

It outlives every crash of a monitor. Time goes on only here, and only when it is told to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final
from zlib import crc32

from invariants.model.event import Origin
from monitor.topics import APPROVALS, CONTROL, DEAD_LETTERS, ENFORCEMENT, EVENTS, FINDINGS
from monitor.transport.base import Stream

START_NS: Final = 1_767_225_600_000_000_000
MS_NS: Final = 1_000_000
SECOND_NS: Final = 1_000_000_000
TEAM: Final = f"{EVENTS}.team-a"
"""A topic of one principal: it is stopped together with its sessions."""
RIVAL: Final = f"{EVENTS}.team-b"
"""The topic of a hostile principal, and of nobody else."""
PRINCIPALS: Final[Mapping[str, str]] = {EVENTS: "", TEAM: "team-a", RIVAL: "team-b"}
"""Agents' topics, and whom the broker lets write each."""
TOPICS: Final = (*PRINCIPALS, APPROVALS, ENFORCEMENT)


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a log."""

    offset: int
    arrival_ns: int
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that is not an event: what its sender wrote there of session, number and call.

    `session` is `""` if the record names none. Of a record that is cut off, some may be lost.
    """

    session: str
    seq: int | None = None
    tool: str | None = None


@dataclass(slots=True)
class Log:
    """One partition of a topic. `start` is the first offset that retention has left."""

    entries: list[Entry] = field(default_factory=list)
    start: int = 0

    @property
    def end(self) -> int:
        return len(self.entries)


@dataclass(frozen=True, slots=True)
class Told:
    """One record that a monitor published."""

    node: str
    key: str
    value: bytes


class Outside:
    """The broker, the receiver of webhooks, the operator; `true_ns` is when it is."""

    def __init__(self, random: Random, partitions_count: int, *, is_strict: bool) -> None:
        self.random = random
        self.true_ns = START_NS
        self.partitions = tuple(str(number) for number in range(partitions_count))
        self.logs = {Stream(topic, p): Log() for topic in TOPICS for p in self.partitions}
        self.owners: dict[str, str] = {}
        """Which monitor of the group has a partition; none in the middle of a rebalance."""
        self.told: dict[str, list[Told]] = {FINDINGS: [], CONTROL: [], DEAD_LETTERS: []}
        self.posts: Counter[str] = Counter()
        """Deliveries that the webhook's receiver took, by the action's id."""
        self.skipped: dict[Stream, set[int]] = {stream: set() for stream in self.logs}
        """Offsets that a source passed over, with a notice."""
        self.unreadable: dict[str, Unreadable] = {}
        """What was sent as a record that is not an event, by its origin."""
        self.notices: Counter[str] = Counter()
        self.is_away_until_ns = 0
        self.produce: Callable[[], None] = lambda: None
        """Lets producers go on: called wherever real ones might write meanwhile."""
        # In a loose world each broker has a clock of its own.
        self._skews_ns = {
            stream: 0 if is_strict else random.choice((0, 0, random.randint(-3_000, 3_000) * MS_NS))
            for stream in self.logs
        }
        self._is_strict = is_strict

    def pass_time(self, duration_ns: int) -> None:
        self.true_ns += duration_ns

    def append(self, topic: str, partition: str, key: str, value: bytes) -> str:
        """A producer's record arrives; its origin. In a strict world no two arrive at one time."""
        log = self.logs[Stream(topic, partition)]
        if self._is_strict or self.random.random() < 0.7:
            self.pass_time(MS_NS)
        arrival_ns = self.true_ns + self._skews_ns[Stream(topic, partition)]
        arrival_ns -= arrival_ns % MS_NS
        log.entries.append(Entry(log.end, arrival_ns, key.encode("utf-8", "replace"), value))
        return str(Origin(topic, partition, log.end - 1))

    def partition_of(self, key: str) -> str:
        return self.partitions[crc32(key.encode()) % len(self.partitions)]

    def operator_says(self, key: str, value: bytes) -> None:
        self.told[CONTROL].append(Told("operator", key, value))

    @property
    def is_away(self) -> bool:
        """The broker takes and gives nothing."""
        return self.true_ns < self.is_away_until_ns


class NodeClock:
    """One machine's clocks: the wall clock is off by what faults made of it."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self.offset_ns = 0

    def now_ns(self) -> int:
        return self._outside.true_ns + self.offset_ns

    def monotonic_ns(self) -> int:
        return self._outside.true_ns - START_NS + SECOND_NS
