"""Watermarks: the time up to which everything that arrived was judged, per voucher and shard.

A *shard* is a part of a topic that is read in order: a partition on Kafka, or all files of one
owner in a log directory. A *voucher* judges with its own invariants: it is a Kafka group, whose
members share partitions, or a monitor that does not share its work. A heartbeat names its voucher
and contains one watermark, the shards behind it with their own, and the partitions and topics that
it covers. A guard needs a watermark of *every* voucher that can stop sessions and reads its topic.
It waits for a silent one until an operator retires it (docs/decisions/0035). Guards do not wait for
vouchers that stop nobody; their watermarks count if there is no other.

This module is pure. It is shared by the client's guard and the monitor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

OPERATORS_TOPICS: Final = ("interlock.approvals", "interlock.enforcement")
"""Records of operators and supervisors about a session count as its own."""

BEHIND_MAX: Final = 200
"""Shards that one heartbeat names: with the longest names some 48 KB, less than a control record
may have. The watermark of the others is lowered to that of the first that is left out."""

TOPICS_CHARS_MAX: Final = 10_000
"""Chosen: the names of topics that a heartbeat contains besides the shards that are behind."""

VOUCHERS_MAX: Final = 256
"""Chosen: each call of a guard checks all of them. Beyond it, no watermark is valid until some are
retired; of those that stop nobody, the one with the oldest heartbeat is evicted."""


class Shard(NamedTuple):
    """The place of a session's events: `part` is a partition's number, or the files' owner
    (uid).
    """

    topic: str
    part: int
    is_partition: bool


class Beat(NamedTuple):
    """One heartbeat. `partitions` and `topics` None: it covers all of them.

    `observes`: its monitor stops nobody. `arrived_ns` is by the caller's clock.
    """

    time_ns: int
    partitions: tuple[int, ...] | None = None
    behind: Mapping[str, int] = {}
    topics: tuple[str, ...] | None = None
    observes: bool = False
    arrived_ns: int = 0

    def reads(self, topic: str) -> bool:
        """True if its monitor reads this topic of events."""
        return self.topics is None or topic in self.topics


class Heard(NamedTuple):
    """A watermark, the arrival of its heartbeat, and its voucher."""

    time_ns: int
    arrived_ns: int
    voucher: str = ""


class ShardWatermarks(NamedTuple):
    """The watermarks of a shard, one for each voucher.

    If they are `binding`, all must be present, and the minimum counts; for those that stop nobody,
    the maximum counts.
    """

    said: tuple[tuple[Heard, ...], ...]
    is_binding: bool

    @property
    def judged_ns(self) -> int | None:
        """The time up to which the shard was judged; None if a required voucher is missing."""
        times = [min(one.time_ns for one in heard) for heard in self.said]
        return self._of(times) if times else None

    def oldest(self, age_ns: Callable[[Heard], int]) -> tuple[int, Heard] | None:
        """The age of this word, and which voucher makes it so old."""
        ages = [max((age_ns(one), one) for one in heard) for heard in self.said]
        if not ages:
            return None
        return max(ages) if self.is_binding else min(ages)

    def _of(self, times: list[int]) -> int:
        return min(times) if self.is_binding else max(times)


NOTHING: Final = ShardWatermarks((), is_binding=True)


class Watermarks:
    """The vouchers' heartbeats, the last of each voucher and partition.

    Written by one thread and read by others: the content is replaced as a whole.
    """

    def __init__(self) -> None:
        self._held: Mapping[str, _Voucher] = {}
        self._binding_count = 0
        self._believed_to_ns: int | None = None
        self.last: Heard | None = None
        """The last heartbeat of any voucher, for all shards that are not behind."""

    def apply(self, voucher: str, beat: Beat) -> None:
        """Add a heartbeat.

        One that names no voucher is from an earlier version: it is not known which invariants its
        monitor judges, so it counts as one that stops nobody.
        """
        known = self._held.get(voucher)
        if known is not None and known.last.time_ns == beat.time_ns:
            # The same one, read again: it arrived when it was first read.
            beat = beat._replace(arrived_ns=known.last.arrived_ns)
        if not voucher:
            beat = beat._replace(observes=True)
        self.last = Heard(beat.time_ns, beat.arrived_ns, voucher)
        beats: dict[int | None, Beat] = {None: beat}
        if beat.partitions is not None:
            # Another member of its group covers the partitions that it omits.
            beats = {} if known is None else {p: b for p, b in known.beats.items() if p is not None}
            beats.update(dict.fromkeys(beat.partitions, beat))
        self._replace({**self._held, voucher: _Voucher(beat, beats)})

    def retire(self, voucher: str) -> None:
        """An operator declares it gone for good. Its next heartbeat would count again."""
        self._replace({name: held for name, held in self._held.items() if name != voucher})

    def of(self, shard: Shard | None) -> ShardWatermarks:
        """The watermarks of a shard; for an unknown one (None), those of all known shards.

        Cost: linear in the number of vouchers.
        """
        if self._binding_count > VOUCHERS_MAX:
            return NOTHING
        binding: list[tuple[Heard, ...]] = []
        others: list[tuple[Heard, ...]] = []
        for name, voucher in self._held.items():
            beats = voucher.about(shard)
            if beats is None:
                continue
            if not beats and voucher.is_binding:
                return NOTHING
            if beats:
                is_binding = any(not beat.observes for beat in beats)
                heard = tuple(self._heard(name, beat, shard) for beat in beats)
                (binding if is_binding else others).append(heard)
        return ShardWatermarks(tuple(binding or others), is_binding=bool(binding))

    def copy(self, believed_to_ns: int) -> Watermarks:
        """A snapshot; later heartbeats do not change it.

        A heartbeat from after `believed_to_ns` does not prove that events were judged.
        """
        copied = Watermarks()
        copied._held, copied.last = self._held, self.last
        copied._binding_count, copied._believed_to_ns = self._binding_count, believed_to_ns
        return copied

    def vouchers(self) -> dict[str, Beat]:
        """The last heartbeat of each that was not retired."""
        return {name: voucher.last for name, voucher in sorted(self._held.items())}

    def last_of(self, voucher: str) -> Heard | None:
        """The watermark of its last heartbeat for all shards that are not behind."""
        known = self._held.get(voucher)
        return None if known is None else Heard(known.last.time_ns, known.last.arrived_ns, voucher)

    def behind(self) -> list[tuple[str, int]]:
        """Shards that are behind, with their watermarks, the furthest behind first."""
        named: dict[str, int] = {}
        for beat in (beat for voucher in self._held.values() for beat in voucher.all_beats()):
            for shard, ns in beat.behind.items():
                named[shard] = min(ns, named.get(shard, ns))
        return sorted(named.items(), key=lambda item: (item[1], item[0]))

    @property
    def keys_count(self) -> int:
        """How many vouchers are held."""
        return len(self._held)

    def _replace(self, held: dict[str, _Voucher]) -> None:
        observing = [name for name, voucher in held.items() if not voucher.is_binding]
        if len(observing) > VOUCHERS_MAX:
            del held[min(observing, key=lambda name: held[name].last.arrived_ns)]
            observing.pop()
        self._binding_count = len(held) - len(observing)
        self._held = held

    def _heard(self, name: str, beat: Beat, shard: Shard | None) -> Heard:
        if self._believed_to_ns is not None and beat.time_ns > self._believed_to_ns:
            return Heard(0, beat.arrived_ns, name)
        behind = beat.behind.values() if shard is None else _own(beat.behind, shard)
        return Heard(min((beat.time_ns, *behind)), beat.arrived_ns, name)


class _Voucher(NamedTuple):
    """`beats` are its last of each partition; under None, of everything."""

    last: Beat
    beats: Mapping[int | None, Beat]

    @property
    def is_binding(self) -> bool:
        return any(not beat.observes for beat in self.all_beats())

    def all_beats(self) -> tuple[Beat, ...]:
        return tuple({id(beat): beat for beat in self.beats.values()}.values())

    def about(self, shard: Shard | None) -> tuple[Beat, ...] | None:
        """Its watermark for a shard: empty if it should have one; None: it reads other topics."""
        if shard is None:
            return self.all_beats()
        beat = self.beats.get(None) or (self.beats.get(shard.part) if shard.is_partition else None)
        if beat is not None and beat.reads(shard.topic):
            return (beat,)
        # Members may read different topics. If the member of this partition omits a topic that
        # other members read, no member reads the topic there.
        return () if any(beat.reads(shard.topic) for beat in self.all_beats()) else None


def _own(behind: Mapping[str, int], shard: Shard) -> list[int]:
    """The watermarks of those shards behind that hold events of sessions of this one."""
    if not behind:
        return []
    if shard.is_partition:
        topics = (shard.topic, *OPERATORS_TOPICS)
        names = [f"{topic}/{shard.part}" for topic in topics]
    else:
        # Operators are different users from the agents that their records concern.
        names = [name for name in behind if name.startswith(OPERATORS_TOPICS)]
        names.append(f"{shard.topic}/{shard.part}")
    return [behind[name] for name in names if name in behind]
