"""The topics `interlock.approvals.NAME`, one for each operator, followed on a thread of its own.

Kafka does not say who wrote a record. So the name of the operator is that of the topic, on which
the broker's access rights let only this operator write. Every topic is read from its beginning: the
gate knows what was decided before, and a decision that came while no gate ran still counts.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from ...log import say
from ...topics import APPROVALS
from .client import KafkaError, TopicPartition, open_consumer

PREFIX: Final = APPROVALS + "."
POLL_S: Final = 0.5
LOOK_EVERY_S: Final = 15.0
"""Chosen: how soon the topic of a new operator is read."""
WAITING_MAX: Final = 1_000
"""Chosen: records that the gate has not taken yet; reading waits at the bound."""
PAUSE_S: Final = 1.0


class KafkaOperatorTopics:
    """Implements `RulingSource`.

    Raises
    ------
    ConnectionError
        No broker answered.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        settings: Mapping[str, object] | None = None,
        prefix: str = PREFIX,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._prefix, self._look_every_s = prefix, look_every_s
        self._consumer: Any = open_consumer(bootstrap, settings or {}, auto_offset_reset="earliest")
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._partitions: set[Any] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="operator-topics")

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def peek(self) -> tuple[str, bytes] | None:
        """The next record: the operator, and the content. None if there is none now."""
        return self._waiting[0] if self._waiting else None

    def drop(self) -> None:
        """The record that `peek` gave was dealt with."""
        self._waiting.popleft()

    def close(self) -> None:
        """End the thread, and let go of the sockets. Safe to call twice."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        with contextlib.suppress(KafkaError):
            self._consumer.close(autocommit=False)

    def _run(self) -> None:
        turns = 0
        try:
            while not self._stop.is_set():
                try:
                    if turns % max(1, int(self._look_every_s / POLL_S)) == 0:
                        self._assign()
                    self._poll()
                    turns += 1
                except KafkaError as error:
                    # Kafka may come back, and a decision is not lost meanwhile.
                    say("error", "gate_rulings_unreadable", text=str(error))
                    self._stop.wait(PAUSE_S)
        finally:
            if not self._stop.is_set():
                say("error", "gate_rulings_ended", text="restart the gate to read decisions again")

    def _assign(self) -> None:
        """Every topic of an operator that there is now, and all its partitions."""
        names = [name for name in self._consumer.topics() if name.startswith(self._prefix)]
        found = {
            TopicPartition(name, number)
            for name in names
            for number in self._consumer.partitions_for_topic(name) or ()
        }
        new = found - self._partitions
        if not new:
            return
        self._partitions |= new
        self._consumer.assign(sorted(self._partitions))
        self._consumer.seek_to_beginning(*sorted(new))
        operators = sorted({one.topic.removeprefix(self._prefix) for one in self._partitions})
        say("info", "gate_reads_rulings", operators=", ".join(operators))

    def _poll(self) -> None:
        if not self._partitions or len(self._waiting) >= WAITING_MAX:
            self._stop.wait(POLL_S)
            return
        found = self._consumer.poll(int(POLL_S * 1000), max_records=WAITING_MAX)
        for partition, records in found.items():
            operator = partition.topic.removeprefix(self._prefix)
            self._waiting.extend((operator, record.value or b"") for record in records)
