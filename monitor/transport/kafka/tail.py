"""A topic read from a time on, to its end and further, in no group: for commands."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any, Final

from .client import KafkaError, TopicPartition, open_consumer

ASK_MS: Final = 15_000
POLL_S: Final = 0.2
RECORDS_MAX: Final = 5_000


class KafkaTail:
    """The values of all partitions of a topic that arrived at or after `since_ms`.

    Raises
    ------
    ConnectionError
        No broker answered, or the topic does not exist.
    OSError
        The topic may not be read.
    """

    def __init__(
        self, bootstrap: str, topic: str, since_ms: int, *, settings: Mapping[str, object]
    ) -> None:
        self._topic = topic
        self._consumer: Any = open_consumer(bootstrap, settings, auto_offset_reset="earliest")
        try:
            self._ends = self._begin(since_ms)
        except KafkaError as error:
            self.close()
            raise OSError(f"`{topic}` cannot be read: {error}") from error
        except BaseException:
            self.close()
            raise

    def poll(self, timeout_s: float) -> list[bytes]:
        """New values, those of one partition in their order. Raises OSError."""
        try:
            found = self._consumer.poll(int(timeout_s * 1000), max_records=RECORDS_MAX)
        except KafkaError as error:
            if not error.retriable:
                raise OSError(f"`{self._topic}` cannot be read: {error}") from error
            time.sleep(timeout_s)
            return []
        return [record.value or b"" for records in found.values() for record in records]

    def is_at_end(self) -> bool:
        """True if everything was read that was there at the beginning."""
        return all(
            (self._consumer.position(one, timeout_ms=1_000) or 0) >= end
            for one, end in self._ends.items()
        )

    def close(self) -> None:
        """Let go of the sockets. Safe to call twice."""
        with contextlib.suppress(KafkaError):
            self._consumer.close(autocommit=False)

    def _begin(self, since_ms: int) -> dict[Any, int]:
        numbers = self._consumer.partitions_for_topic(self._topic)
        if not numbers:
            raise ConnectionError(
                f"topic `{self._topic}` does not exist, or may not be read; run `interlock kafka "
                "init`, or ask for the right READ"
            )
        partitions = [TopicPartition(self._topic, number) for number in sorted(numbers)]
        self._consumer.assign(partitions)
        ends = self._consumer.end_offsets(partitions, timeout_ms=ASK_MS)
        asked = dict.fromkeys(partitions, since_ms)
        for one, found in self._consumer.offsets_for_times(asked, timeout_ms=ASK_MS).items():
            self._consumer.seek(one, ends[one] if found is None else found.offset)
        return {one: int(end) for one, end in ends.items()}
