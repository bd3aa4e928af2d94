"""A publisher to Kafka: in order per key, neither lost nor duplicated by a retry.

Input: records, one by one. A record counts as published when `flush` has returned. The number of
waiting records is bounded; at the bound, `publish` waits for the broker and then raises.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .client import KafkaError, KafkaTimeoutError, open_producer

WAITING_RECORDS_MAX: Final = 50_000
"""Handed over and not yet acknowledged; at most 50,000 records of 1 MiB in the worst case, but
the client's own byte bound of batches comes first."""

BLOCK_MS: Final = 10_000
DELIVERY_MS: Final = 60_000
LINGER_MS: Final = 0  # A kill must not wait for company.
CLOSE_S: Final = 10.0


@dataclass(slots=True)
class _Account:
    """The outcomes of the records of one producer; a later producer has a separate account."""

    waiting_count: int = 0
    failures_count: int = 0
    failure: BaseException | None = None


class KafkaPublisher:
    """One idempotent producer. Safe for one thread at a time.

    Raises
    ------
    ConnectionError
        No broker answered.
    ConfigError
        A setting that the client does not take.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        settings: Mapping[str, object] | None = None,
        linger_ms: int = LINGER_MS,
        delivery_ms: int = DELIVERY_MS,
        block_ms: int = BLOCK_MS,
        waiting_records_max: int = WAITING_RECORDS_MAX,
        **more: object,
    ) -> None:
        self._waiting_records_max = waiting_records_max
        self._lock = threading.Lock()
        self._account = _Account()
        self._open: Callable[[], Any] = lambda: open_producer(
            bootstrap,
            settings or {},
            linger_ms=linger_ms,
            delivery_timeout_ms=delivery_ms,
            request_timeout_ms=min(15_000, delivery_ms),
            max_block_ms=block_ms,
            **more,
        )
        self._is_closed = False
        self._producer: Any = self._open()

    def publish(
        self,
        topic: str,
        key: str,
        value: bytes,
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> None:
        if self._is_closed:
            raise OSError("this publisher is closed")
        if self._account.waiting_count >= self._waiting_records_max:
            self.flush(BLOCK_MS / 1000)
        if self._producer is None:
            self._producer = self._open()
        try:
            future = self._producer.send(topic, key=key.encode(), value=value, headers=[*headers])
        except (KafkaError, ValueError, TypeError) as error:
            raise OSError(f"`{topic}`: could not be queued: {error}") from error
        account = self._account
        with self._lock:
            account.waiting_count += 1
        future.add_both(self._settle, (future, account))

    def flush(self, timeout_s: float) -> None:
        if self._producer is None:
            return
        try:
            self._producer.flush(timeout=timeout_s)
        except KafkaTimeoutError:
            count = self._account.waiting_count
            raise TimeoutError(
                f"{count} records were not acknowledged within {timeout_s:g} s"
            ) from None
        except KafkaError as error:
            # The client itself lost count (a batch that it split, for example). Whatever was
            # handed over since the last flush counts as not taken.
            with self._lock:
                self._account.failures_count = max(self._account.failures_count, 1)
                self._account.failure = self._account.failure or error
        with self._lock:
            failure, count = self._account.failure, self._account.failures_count
        if failure is not None:
            # An idempotent producer that failed once fails every record from then on: the next
            # record gets a new one, and an account that late answers to the old one do not touch.
            self._account = _Account()
            self._let_go(0)
            raise OSError(f"at least {count} were not accepted; the first: {failure}") from failure

    def close(self) -> None:
        """Flush, then close; raises OSError if that flush fails, and closes all the same."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self.flush(CLOSE_S)
        finally:
            self._let_go(0 if self._account.waiting_count else CLOSE_S)

    def _let_go(self, timeout_s: float) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError):
                producer.close(timeout=timeout_s)

    def _settle(self, sent: tuple[Any, _Account], _: object) -> None:
        """On the client's thread, once per record."""
        future, account = sent
        with self._lock:
            account.waiting_count -= 1
            if future.failed():
                account.failures_count += 1
                account.failure = account.failure or future.exception
