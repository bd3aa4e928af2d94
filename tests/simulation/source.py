"""The source as `monitor/transport/kafka/consumer.py` behaves, on logs in memory and with faults.

It keeps that file's order of things (place, fetch, take in rebalances, ask for the ends after
records came) and shares its pure half (`monitor/transport/kafka/streams.py`), so that frontiers are
the real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from invariants.model.event import Origin
from monitor.topics import CONTROL
from monitor.transport.base import ControlEntry, Notice, Poll, Record, Stream
from monitor.transport.kafka.ends import ENDS_EVERY_S
from monitor.transport.kafka.streams import Held, frontier, truncated
from tests.simulation.faults import Faults
from tests.simulation.outside import SECOND_NS, Entry, Outside

ENDS_EVERY_NS: Final = int(ENDS_EVERY_S * SECOND_NS)


class SimulatedSource:
    """One member of the group; `told_commits` is called with what is told to the group."""

    def __init__(self, outside: Outside, node: str, faults: Faults) -> None:
        self._outside = outside
        self._node = node
        self._faults = faults
        self._held: dict[Stream, Held] = {}
        self._positions: dict[Stream, int] = {}
        self._stalled: dict[Stream, int] = {}
        self._asked_ns = 0
        self.group_offsets: dict[Stream, int] = {}

    def resume(self, positions: Mapping[Stream, int]) -> None:
        self._positions.update(positions)
        for held in self._held.values():
            held.is_resumed = True

    def poll(self, timeout_s: float, records_max: int) -> Poll:
        faults, notices = self._faults, list[Notice]()
        if self._held and faults.strikes("client built anew"):
            lost = tuple(sorted(self._held))
            self._held.clear()
            self._outside.notices["stalled"] += 1
            return Poll(lost=lost, notices=(Notice("stalled", lost[0], 0, 0, "simulated"),))
        self._place(notices)
        answers = self._fetch(timeout_s, records_max)
        gained, lost = self._take_changes()
        records = self._records(answers)
        if records or self._needs_ends():
            self._outside.produce()  # Whoever writes before the question shows in its answer.
            self._ask_ends()
        for notice in notices:
            self._outside.notices[notice.kind] += 1
        return Poll(
            records=records,
            frontiers={held.stream: frontier(held) for held in self._held.values()},
            gained=gained,
            lost=lost,
            notices=tuple(notices),
        )

    def commit(self, positions: Mapping[Stream, int]) -> None:
        self._faults.crash_on("crash before offsets")
        placed = {s: p for s, p in positions.items() if s in self._held and self._held[s].is_placed}
        if not self._faults.strikes("commit to the group fails"):
            self.group_offsets.update(placed)
        self._faults.crash_on("crash after offsets")

    def close(self) -> None:
        self._held.clear()

    def held(self) -> list[Stream]:
        return sorted(self._held)

    def _place(self, notices: list[Notice]) -> None:
        if self._outside.is_away:
            return
        for stream, held in self._held.items():
            if held.is_placed or not held.is_resumed:
                continue
            log = self._outside.logs[stream]
            wanted = self._positions.get(stream, log.start)
            held.position = wanted if log.start <= wanted <= log.end else log.start
            if held.position != wanted:
                notices.append(truncated(stream, wanted, log.start, log.end))
                self._outside.skipped[stream].update(range(wanted, held.position))
            elif stream not in self._positions:
                # Older than what this monitor knows of: nobody could say that it was lost.
                self._outside.skipped[stream].update(range(held.position))
            held.known_end, held.is_placed = log.end, True

    def _fetch(self, timeout_s: float, records_max: int) -> dict[Stream, list[Entry]]:
        """What each stream brings: some bring nothing, some less than they have."""
        random, answers, left = self._outside.random, dict[Stream, list[Entry]](), records_max
        order = [stream for stream, held in self._held.items() if held.is_placed]
        random.shuffle(order)
        for stream in order if not self._outside.is_away else ():
            held, log = self._held[stream], self._outside.logs[stream]
            if self._faults.strikes("stream stalls"):
                self._stalled[stream] = random.randint(2, 12)
            if self._stalled.get(stream, 0) > 0 and not self._faults.are_over:
                self._stalled[stream] -= 1
                continue
            if held.position < log.start:
                self._place_again(held)
                continue
            found = log.entries[held.position :][: random.choice((1, 3, 10, left))][:left]
            if held.known_end is not None:
                held.known_end = max(held.known_end, log.end)
            if found:
                answers[stream] = found
                left -= len(found)
        if not answers:
            self._outside.pass_time(int(timeout_s * SECOND_NS))
        return answers

    def _place_again(self, held: Held) -> None:
        """The broker does not have this offset any more."""
        self._positions[held.stream] = held.position
        held.is_placed = False

    def _take_changes(self) -> tuple[tuple[Stream, ...], tuple[Stream, ...]]:
        before = dict(self._held)
        for stream in self._outside.logs:
            is_mine = self._outside.owners.get(stream.partition) == self._node
            if not is_mine:
                self._held.pop(stream, None)
            elif stream not in self._held:
                self._held[stream] = Held(stream)
        if before and self._faults.strikes("partition lost and gained at once"):
            number = self._outside.random.choice(sorted(before)).partition
            for stream in [s for s in self._held if s.partition == number]:
                self._held[stream] = Held(stream)
        lost = [stream for stream, held in before.items() if self._held.get(stream) is not held]
        gained = [stream for stream, held in self._held.items() if before.get(stream) is not held]
        return tuple(sorted(gained)), tuple(sorted(lost))

    def _records(self, answers: Mapping[Stream, list[Entry]]) -> tuple[Record, ...]:
        records = []
        for stream, found in answers.items():
            held = self._held.get(stream)
            if held is None or not held.is_placed:
                continue
            held.position = max(held.position, found[-1].offset + 1)
            held.last_arrival_ns = found[-1].arrival_ns
            for one in found:
                origin = Origin(stream.topic, stream.partition, one.offset)
                records.append(Record(origin, one.key, one.value, arrival_ns=one.arrival_ns))
        return tuple(records)

    def _needs_ends(self) -> bool:
        """An end that nobody told is asked for again, and an old one is asked for anew."""
        placed = [held for held in self._held.values() if held.is_placed]
        is_old = self._outside.true_ns - self._asked_ns >= ENDS_EVERY_NS
        return any(held.known_end is None for held in placed) or bool(placed and is_old)

    def _ask_ends(self) -> None:
        self._asked_ns = self._outside.true_ns
        is_silent = self._outside.is_away or self._faults.strikes("ends unanswered")
        for stream, held in self._held.items():
            if held.is_placed:
                held.known_end = None if is_silent else self._outside.logs[stream].end


class SimulatedControlReader:
    """The control topic, as one monitor reads it."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._next = 0

    def read_to_end(self, timeout_s: float) -> list[ControlEntry]:
        return self.poll(0)

    def poll(self, timeout_s: float) -> list[ControlEntry]:
        log = self._outside.told[CONTROL]
        found = log[self._next :]
        self._next = len(log)
        return [(told.key, told.value) for told in found]

    def close(self) -> None:
        pass
