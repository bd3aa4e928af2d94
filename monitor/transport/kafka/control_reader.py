"""The control topic on Kafka, read completely: every partition, from the beginning, in no group.

Records of one key are in one partition, so they come in the order of the log. Records that
compaction or retention removed are older than the current record of that key, so a hole is skipped.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any, Final

from ...topics import CONTROL
from ..base import ControlEntry
from .client import KafkaError, TopicPartition, open_consumer

POLL_S: Final = 0.2
RECORDS_MAX: Final = 5_000
FETCH_WAIT_MS: Final = 100
LOOK_EVERY_S: Final = 15.0  # Chosen: as often as the client queries the brokers by itself.


class KafkaControlReader:
    """Implements `ControlReader` for one topic.

    Raises
    ------
    ConnectionError
        No broker answered, or the topic does not exist.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str = CONTROL,
        *,
        settings: Mapping[str, object] | None = None,
        look_every_s: float = LOOK_EVERY_S,
        **more: object,
    ) -> None:
        self._topic = topic
        self._consumer: Any = open_consumer(
            bootstrap,
            settings or {},
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            **more,
        )
        self._partitions: list[Any] = []
        self._look_every_s, self._looked_at = look_every_s, 0.0

    def read_to_end(self, timeout_s: float) -> list[ControlEntry]:
        deadline = time.monotonic() + timeout_s
        try:
            self._assign()
            ends = self._consumer.end_offsets(
                self._partitions, timeout_ms=max(1, int(timeout_s * 1000))
            )
        except KafkaError as error:
            raise TimeoutError(f"`{self._topic}` could not be read: {error}") from error
        entries: list[ControlEntry] = []
        while not self._is_read_to(ends):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"`{self._topic}` could not be read to its end within {timeout_s:g} s"
                )
            entries += self.poll(POLL_S)
        return entries

    def poll(self, timeout_s: float) -> list[ControlEntry]:
        try:
            self._assign()
            found = self._consumer.poll(int(timeout_s * 1000), max_records=RECORDS_MAX)
        except KafkaError as error:
            if not error.retriable:
                raise OSError(f"`{self._topic}` cannot be read: {error}") from error
            time.sleep(min(timeout_s, POLL_S))
            return []
        return [
            ((record.key or b"").decode("utf-8", "replace"), record.value)
            for records in found.values()
            for record in records
        ]

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with contextlib.suppress(KafkaError):
                consumer.close(autocommit=False)

    def _assign(self) -> None:
        """Every current partition, including new ones: they may contain releases."""
        if self._partitions and time.monotonic() - self._looked_at < self._look_every_s:
            return
        self._looked_at = time.monotonic()
        numbers = self._consumer.partitions_for_topic(self._topic) or ()
        found = [TopicPartition(self._topic, number) for number in sorted(numbers)]
        new = [partition for partition in found if partition not in self._partitions]
        if new:
            self._partitions += new
            self._consumer.assign(self._partitions)
            self._consumer.seek_to_beginning(*new)
        elif not self._partitions:
            raise ConnectionError(
                f"topic `{self._topic}` does not exist; run `interlock kafka init`"
            )

    def _is_read_to(self, ends: Mapping[Any, int]) -> bool:
        return all(
            (self._consumer.position(tp, timeout_ms=1_000) or 0) >= end for tp, end in ends.items()
        )
