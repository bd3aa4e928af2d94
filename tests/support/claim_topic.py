"""A topic of claims in memory, and gates' claims whose turns a test takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from monitor.gate.claim_view import ClaimView
from monitor.gate.topic_claims import TopicClaims
from monitor.trace_key import TraceKey
from monitor.transport.base import ClaimEntry

LEASE_NS: Final = 1_000


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.time_ns = 0

    def now_ns(self) -> int:
        return self.time_ns

    def monotonic_ns(self) -> int:
        return self.time_ns


class Topic:
    """Records by offset. What compaction removes leaves a hole; `late` may still arrive."""

    def __init__(self) -> None:
        self.records: list[tuple[int, ClaimEntry]] = []
        self.end = 0
        self.late: list[list[ClaimEntry]] = []
        self.fault = ""
        self.meanwhile: Callable[[], None] | None = None
        """Happens behind the next append, before its writer knows."""

    def append(self, records: Sequence[ClaimEntry]) -> None:
        for record in records:
            self.records.append((self.end, record))
            self.end += 1

    def view(self) -> ClaimView:
        """Everything that the topic says now."""
        view = ClaimView()
        for _, (key, value) in self.records:
            view.apply(key, value)
        return view

    def compact(self, up_to: int) -> None:
        """Of records before an offset, keep each key's last; tombstones go as well."""
        last = {key: offset for offset, (key, _) in self.records}
        self.records = [
            (offset, (key, value))
            for offset, (key, value) in self.records
            if offset >= up_to or (last[key] == offset and value is not None)
        ]


class Log:
    """One client of the topic."""

    def __init__(self, topic: Topic) -> None:
        self._topic, self._position = topic, 0

    def append(self, records: Sequence[ClaimEntry]) -> int:
        fault, self._topic.fault = self._topic.fault, ""
        if fault == "late":
            self._topic.late.append(list(records))
        elif fault == "part":
            self._topic.append(records[: len(records) // 2])
        elif fault != "lost":
            self._topic.append(records)
        if fault:
            raise OSError(fault)
        end = self._topic.end
        meanwhile, self._topic.meanwhile = self._topic.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return end

    def end(self, timeout_s: float) -> int:
        return self._topic.end

    def read(self, timeout_s: float) -> list[ClaimEntry]:
        for offset, record in self._topic.records:
            if offset >= self._position:
                self._position = offset + 1  # One at a time: no more is read than is needed.
                return [record]
        self._position = self._topic.end
        return []

    def position(self) -> int:
        return self._position


class Stepped(TopicClaims):
    """Claims whose turns, and whose time while they wait, are drawn."""

    def __init__(
        self,
        topic: Topic,
        clock: Clock,
        name: str,
        place: str,
        let_pass: Callable[[int], None],
        begun: set[TraceKey] | None = None,
    ) -> None:
        super().__init__(Log(topic), name, lease_ns=LEASE_NS, place=place, clock=clock)
        self.name, self.place, self._let_pass = name, place, let_pass
        self.begun = set() if begun is None else begun
        """The sessions that it may answer for, since it has claimed them."""

    @property
    def is_lost(self) -> bool:
        """True if it ends, since another run counts."""
        return bool(self._lost)

    def has(self, key: TraceKey) -> bool:
        """True if the gate would answer for a session now."""
        return not self.trouble and self._view.holder(key) == self.name

    def turn(self) -> None:
        """One turn of its thread, which ends when the gate has lost its name."""
        if not self._lost:
            self._turn()

    def settle(self) -> None:
        """Turns until nothing is left to write or to read."""
        self.turn()
        while self._writes or self._new or self._log.position() < self._log.end(0):
            self.turn()

    def _wait(self, wait_ns: int) -> None:
        self._let_pass(wait_ns)
