"""The client's only door to Kafka (`kafka-python` 3): events out, control records in.

Both classes turn every trouble of the library into `OSError` with a short reason. Each is used
by one thread; connections are made on first use, so that a broker that is down costs the agent
nothing. Partitioner: the library's default, murmur2 of the key, so that a session is one
partition.
"""

from __future__ import annotations

import contextlib
import struct
import time
import warnings
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

with warnings.catch_warnings():
    # The library reads its schemas by a function that Python 3.11 and 3.12 call deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.errors import (
        InvalidRecordError,
        KafkaError,
        KafkaTimeoutError,
        MessageSizeTooLargeError,
        RecordListTooLargeError,
    )
    from kafka.net.compat import KafkaNetClient
    from kafka.partitioner.default import murmur2

from ..control_feed import FeedEntry, FeedReading
from .base import Message, Undelivered, Whereabouts
from .target import CONTROL_TOPIC, KafkaTarget

BOOTSTRAP_MS: Final = 5_000
REQUEST_MS: Final = 5_000
DELIVERY_MS: Final = 10_000
"""Chosen: after it the client sends again, over a new connection; copies have equal ids."""

BATCH_BYTES: Final = 128 * 1024  # Measured: smaller batches cost the producer twice the time.
RECONNECT_MS_MAX: Final = 1_000
FETCH_WAIT_MS: Final = 100
"""How long a broker may hold an empty answer; a record is answered at once."""

FLUSH_S: Final = 15
"""Past the delivery limit, so that every record has an outcome before the wait is over."""

CONFIRM_NS: Final = 1_000_000_000
"""How often the ends of all partitions are queried: an empty poll may also be a lost broker."""

ENDS_MS: Final = 1_000
"""How long that may take: meanwhile, records of brokers that do answer have to wait."""

ENDS_FAILURES_MAX: Final = 30
"""In a row; then the consumer is made anew, in case that it is its own fault."""

PARTITIONS_NS: Final = 30_000_000_000
RECORDS_MAX: Final = 5_000

_TROUBLE: Final = (
    KafkaError, OSError, ValueError, TypeError, AssertionError, RuntimeError,
    LookupError, AttributeError, ArithmeticError, EOFError, MemoryError, struct.error, zlib.error,
)  # fmt: skip
"""Exceptions of the library for external failures. If one is missing here, it ends the thread for
good, and the agent no longer sees the control topic."""

_NEVER_TAKEN: Final = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidRecordError)

_left_to_parent: list[object] = []
"""A forked child keeps its parent's clients unused: dropping them would close them, and with
them the registrations that the parent shares (an epoll set is one for both)."""


class KafkaTransport:
    """Sends each batch and waits until the brokers have it (acks all, idempotent)."""

    def __init__(
        self,
        target: KafkaTarget,
        options: Mapping[str, object],
        whereabouts: Whereabouts | None = None,
    ) -> None:
        self._whereabouts = whereabouts or Whereabouts()
        self._target = target
        self._options = options
        self._producer: Any = None

    def send(self, batch: Sequence[Message]) -> None:
        try:
            producer = self._open()
            numbers = producer.partitions_for(self._target.topic)
            self._whereabouts.partitions_count = len(numbers) if numbers else None
            futures = [
                producer.send(self._target.topic, value=message.value, key=message.key.encode())
                for message in batch
            ]
            producer.flush(timeout=FLUSH_S)
        except _TROUBLE as error:
            self.close()
            raise Undelivered(_reason(error), range(len(batch))) from error
        retry, refused, reason = _sorted_out(futures)
        if retry:
            # A producer that failed may go on failing (its sequence is broken): begin anew.
            self.close()
        if retry or refused:
            raise Undelivered(reason, retry, refused)

    def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close(timeout=1)
        except _TROUBLE:
            # The library gave up waiting and left its thread running, which must end at once.
            producer._sender.force_close()
            _disown(producer)

    def abandon(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            _disown(producer)
            _left_to_parent.append(producer)

    def _open(self) -> Any:
        if self._producer is None:
            self._producer = _made(
                KafkaProducer,
                bootstrap_servers=self._target.bootstrap.split(","),
                bootstrap_timeout_ms=BOOTSTRAP_MS,
                request_timeout_ms=REQUEST_MS,
                delivery_timeout_ms=DELIVERY_MS,
                max_block_ms=BOOTSTRAP_MS,
                reconnect_backoff_max_ms=RECONNECT_MS_MAX,
                acks="all",
                enable_idempotence=True,
                allow_auto_create_topics=False,
                batch_size=BATCH_BYTES,
                linger_ms=0,  # The publisher gathers batches; a second wait would only delay.
                metrics_enabled=False,
                **self._options,
            )
        return self._producer


class KafkaControlFeed:
    """Reads every partition of `interlock.control` from its beginning, in no group.

    After any failure it starts again from the beginning, and reports that: repeated records must
    not be applied to a view that is in use.
    """

    def __init__(self, bootstrap: str, options: Mapping[str, object]) -> None:
        self._bootstrap = bootstrap
        self._options = options
        self._consumer: Any = None
        self._partitions: list[Any] = []
        self._ends: Mapping[Any, int] | None = None
        self._ends_failures = 0
        self._asked_ns = 0
        self._looked_ns = 0

    def poll(self, timeout_s: float) -> FeedReading:
        try:
            is_restart = self._open()
            self._ask_for_ends()
            found = self._consumer.poll(int(timeout_s * 1000), max_records=RECORDS_MAX)
            is_at_end = self._is_read_to_ends()
        except _TROUBLE as error:
            self.close()
            raise OSError(_reason(error)) from error
        entries = [
            FeedEntry((record.key or b"").decode("utf-8", "replace"), record.value)
            for records in found.values()
            for record in records
        ]
        return FeedReading(entries, is_at_end=is_at_end, is_restart=is_restart)

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with contextlib.suppress(*_TROUBLE):
                consumer.close(autocommit=False, timeout_ms=1_000)

    def abandon(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            _left_to_parent.append(consumer)

    def _open(self) -> bool:
        """True if a new consumer was created."""
        now_ns = time.monotonic_ns()
        if self._consumer is not None and now_ns - self._looked_ns >= PARTITIONS_NS:
            self._looked_ns = now_ns
            count = len(self._consumer.partitions_for_topic(CONTROL_TOPIC))
            if count != len(self._partitions):
                self.close()
        if self._consumer is not None:
            return False
        self._consumer = _made(
            KafkaConsumer,
            bootstrap_servers=self._bootstrap.split(","),
            bootstrap_timeout_ms=BOOTSTRAP_MS,
            request_timeout_ms=REQUEST_MS,
            reconnect_backoff_max_ms=RECONNECT_MS_MAX,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            metadata_max_age_ms=PARTITIONS_NS // 1_000_000,
            metrics_enabled=False,
            **self._options,
        )
        numbers = self._consumer.partitions_for_topic(CONTROL_TOPIC)
        if not numbers:
            raise OSError(f"topic `{CONTROL_TOPIC}` does not exist")
        self._partitions = [TopicPartition(CONTROL_TOPIC, number) for number in sorted(numbers)]
        self._consumer.assign(self._partitions)
        self._consumer.seek_to_beginning()
        self._ends, self._asked_ns, self._looked_ns = None, 0, now_ns
        self._ends_failures = 0
        return True

    def _ask_for_ends(self) -> None:
        now_ns = time.monotonic_ns()
        if self._ends is not None or now_ns - self._asked_ns < CONFIRM_NS:
            return
        try:
            self._ends = self._consumer.end_offsets(self._partitions, timeout_ms=ENDS_MS)
            self._ends_failures = 0
        except KafkaTimeoutError:
            # The consumer finds its way back by itself; until then the view grows older.
            self._ends_failures += 1
            if self._ends_failures >= ENDS_FAILURES_MAX:
                raise
        self._asked_ns = time.monotonic_ns()

    def _is_read_to_ends(self) -> bool:
        """True once after each query of the ends, when all of them are reached."""
        if self._ends is None:
            return False
        for partition, end in self._ends.items():
            if (self._consumer.position(partition, timeout_ms=REQUEST_MS) or 0) < end:
                return False
        self._ends = None
        return True


def partition_of(session_id: str, partitions_count: int) -> int:
    """The partition of a session's events, as the client's default partitioner gives it."""
    return int(murmur2(session_id.encode()) & 0x7FFFFFFF) % partitions_count


def _made(kind: Any, **settings: Any) -> Any:
    """A client of the library; one that fails to start is closed, which it does not do itself."""
    connections: list[Any] = []

    def connect(**config: Any) -> Any:
        connections.append(KafkaNetClient(**config))
        return connections[-1]

    try:
        return kind(kafka_client=connect, **settings)
    except _TROUBLE:
        for connection in connections:
            with contextlib.suppress(*_TROUBLE):
                connection.close()
        raise


def _disown(producer: Any) -> None:
    """Keep it from closing itself at exit: it would wait for a thread that is not there."""
    producer._unregister_cleanup()
    producer._closed = True


def _sorted_out(futures: Sequence[Any]) -> tuple[list[int], list[int], str]:
    """Positions to send again, positions that no broker will take, and one reason."""
    retry: list[int] = []
    refused: list[int] = []
    reason = ""
    for position, future in enumerate(futures):
        if future.succeeded():
            continue
        error = future.exception if future.is_done else None
        reason = _reason(error) if error is not None else "no answer in time"
        (refused if isinstance(error, _NEVER_TAKEN) else retry).append(position)
    return retry, refused, reason


def _reason(error: BaseException) -> str:
    """The kind of trouble; messages of the library may repeat settings."""
    return type(error).__name__
