"""Watermarks: up to when everything that arrived was judged, shard by shard.

A *shard* is a part of a topic that is read in order: a partition on Kafka, or in a log directory
all files of one owner. The monitor's heartbeat carries one watermark, the shards that are behind
it with their own, and the partitions that it speaks of. A guard reads the watermark of the shards
in which its own events stand: whoever floods, hides or breaks another shard makes no view old but
its own.

Pure. Shared by the client's guard and the monitor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

OPERATORS_TOPICS: Final = ("interlock.approvals", "interlock.enforcement")
"""What operators and gates said of a session counts as its own."""

BEHIND_MAX: Final = 200
"""Shards that one heartbeat names: with the longest names some 48 KB, less than a control record
may have. The watermark of the others is lowered to that of the first that is left out."""


class Shard(NamedTuple):
    """Where a session's events stand: `part` is a partition's number, or the files' owner (uid)."""

    topic: str
    part: int
    is_partition: bool


class Heard(NamedTuple):
    """A watermark, and when the heartbeat arrived that says so (by the caller's clock)."""

    time_ns: int
    arrived_ns: int


class Watermarks:
    """What the monitors' heartbeats vouch for, the last of each partition.

    Written by one thread and read by others: what is held is replaced whole.
    """

    def __init__(self) -> None:
        self._held = _Held()
        self.last: Heard | None = None
        """What the last heartbeat said of all shards that are not behind."""

    def apply(
        self,
        time_ns: int,
        partitions: Iterable[int] | None,
        behind: Mapping[str, int],
        arrived_ns: int,
    ) -> None:
        """Take in a heartbeat. `partitions` None: it speaks of everything."""
        if self.last is not None and self.last.time_ns == time_ns:
            # The same one, read again: it arrived when it was first read.
            arrived_ns = self.last.arrived_ns
        self.last = Heard(time_ns, arrived_ns)
        beat = _Beat(time_ns, behind, arrived_ns)
        if partitions is None:
            self._held = _Held(whole=beat)
            return
        # Of the partitions that it leaves out another monitor speaks, or none does any more.
        self._held = _Held({**self._held.of_partition, **dict.fromkeys(partitions, beat)})

    def of(self, shard: Shard | None) -> Heard | None:
        """The watermark of a shard; None if no monitor speaks of it.

        Of an unknown shard (None): the lowest of all that are spoken of.
        """
        held = self._held
        if shard is None:
            beats = [held.whole] if held.whole else list(held.of_partition.values())
            heard = [Heard(min((b.time_ns, *b.behind.values())), b.arrived_ns) for b in beats]
            return min(heard, default=None)
        beat = held.whole or (held.of_partition.get(shard.part) if shard.is_partition else None)
        if beat is None:
            return None
        return Heard(min((beat.time_ns, *_own(beat.behind, shard))), beat.arrived_ns)

    def copy(self) -> Watermarks:
        """What is known now; later heartbeats do not change it."""
        copied = Watermarks()
        copied._held, copied.last = self._held, self.last
        return copied

    def behind(self) -> list[tuple[str, int]]:
        """Shards that are behind, with their watermarks, the furthest behind first."""
        held = self._held
        beats = [held.whole] if held.whole else held.of_partition.values()
        named = {shard: ns for beat in beats for shard, ns in beat.behind.items()}
        return sorted(named.items(), key=lambda item: (item[1], item[0]))


class _Beat(NamedTuple):
    time_ns: int
    behind: Mapping[str, int]
    arrived_ns: int


class _Held(NamedTuple):
    of_partition: Mapping[int, _Beat] = {}
    whole: _Beat | None = None


def _own(behind: Mapping[str, int], shard: Shard) -> list[int]:
    """The watermarks of those shards behind that hold events of sessions of this one."""
    if not behind:
        return []
    if shard.is_partition:
        topics = (shard.topic, *OPERATORS_TOPICS)
        names = [f"{topic}/{shard.part}" for topic in topics]
    else:
        # Operators are other users than the agents that they speak about.
        names = [name for name in behind if name.startswith(OPERATORS_TOPICS)]
        names.append(f"{shard.topic}/{shard.part}")
    return [behind[name] for name in names if name in behind]
