"""The topic of claims as one log: appended to and read by the same client, in one partition.

Input: keys and values. Output: every record of partition 0 in the order of the log, whoever wrote
it. `append` returns when all replicas in sync have the records, and says where they are; a record
that it could not confirm may still get into the log, at any later time.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...topics import CLAIMS
from ..base import ClaimEntry, ForeignLogError
from .client import (
    KafkaError,
    LogTruncationError,
    OffsetOutOfRangeError,
    TopicPartition,
    open_consumer,
    open_producer,
)

DELIVERY_MS: Final = 5_000
"""Chosen: an agent waits for the claim of its new session; behind this it asks again."""
FETCH_WAIT_MS: Final = 500
RECORDS_MAX: Final = 10_000
PARTITION: Final = 0


class KafkaClaimLog:
    """Implements `ClaimLog`. Safe for one thread at a time.

    Raises
    ------
    ConnectionError
        No broker answered, or the topic does not exist.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str = CLAIMS,
        *,
        settings: Mapping[str, object] | None = None,
        delivery_ms: int = DELIVERY_MS,
    ) -> None:
        self._bootstrap, self._settings = bootstrap, settings or {}
        self._topic, self._delivery_ms = topic, delivery_ms
        self._partition = TopicPartition(topic, PARTITION)
        self._producer: Any = None
        self._consumer: Any = open_consumer(
            bootstrap, self._settings, fetch_max_wait_ms=FETCH_WAIT_MS
        )
        try:
            if not self._consumer.partitions_for_topic(topic):
                raise ConnectionError(f"topic `{topic}` does not exist; run `interlock kafka init`")
            self._consumer.assign([self._partition])
            self._consumer.seek_to_beginning(self._partition)
        except BaseException:
            self._consumer.close(autocommit=False)
            raise

    def append(self, records: Sequence[ClaimEntry]) -> int:
        """Write records; returns the offset behind the last one.

        Raises
        ------
        OSError
            Some were not confirmed: they may be in the log, or get there later.
        """
        timeout_s = 2 * self._delivery_ms / 1000
        try:
            if self._producer is None:
                self._producer = self._opened()
            sent = [
                self._producer.send(self._topic, key=key.encode(), value=value, partition=PARTITION)
                for key, value in records
            ]
            self._producer.flush(timeout=timeout_s)
            offsets = [future.get(timeout=timeout_s).offset for future in sent]
        except (KafkaError, OSError) as error:
            # What it still holds must not follow records of its successor.
            self._let_go()
            raise OSError(f"`{self._topic}` cannot be written: {error}") from error
        return int(max(offsets)) + 1

    def end(self, timeout_s: float) -> int:
        """The offset behind the last record that is there now. Raises OSError."""
        try:
            ends = self._consumer.end_offsets([self._partition], timeout_ms=int(timeout_s * 1000))
        except KafkaError as error:
            raise OSError(f"`{self._topic}` cannot be read: {error}") from error
        return int(ends[self._partition])

    def read(self, timeout_s: float) -> list[ClaimEntry]:
        """The records that have come since the last call; waits up to `timeout_s` for the first.

        Raises
        ------
        OSError
            The topic cannot be read.
        ForeignLogError
            What was read before is not in the topic any more: claims may be lost.
        """
        try:
            found = self._consumer.poll(int(timeout_s * 1000), max_records=RECORDS_MAX)
        except (OffsetOutOfRangeError, LogTruncationError):
            raise ForeignLogError(
                f"`{self._topic}` is not the topic that was read before, or has lost records"
            ) from None
        except KafkaError as error:
            if not error.retriable:
                raise OSError(f"`{self._topic}` cannot be read: {error}") from error
            time.sleep(timeout_s)
            return []
        return [
            ((record.key or b"").decode("utf-8", "replace"), record.value)
            for records in found.values()
            for record in records
        ]

    def position(self) -> int:
        """The offset up to which everything was read. Raises OSError."""
        try:
            return int(self._consumer.position(self._partition, timeout_ms=1_000) or 0)
        except KafkaError as error:
            raise OSError(f"`{self._topic}` cannot be read: {error}") from error

    def close(self) -> None:
        """Let go of the sockets. Safe to call twice."""
        self._let_go()
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with contextlib.suppress(KafkaError):
                consumer.close(autocommit=False)

    def _opened(self) -> Any:
        return open_producer(
            self._bootstrap,
            self._settings,
            linger_ms=0,
            delivery_timeout_ms=self._delivery_ms,
            request_timeout_ms=self._delivery_ms,
            max_block_ms=self._delivery_ms,
        )

    def _let_go(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError):
                producer.close(timeout=0)
