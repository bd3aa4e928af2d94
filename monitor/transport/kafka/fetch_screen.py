"""Inspects each fetch response before the client parses it.

The client reports neither the batch that made it raise nor the end of that batch, and only a seek
frees it. So this hooks into its parser: batches that must not be read are cut off and remembered,
and the last response is kept, to find the end of a batch that raised nevertheless.

It relies on one private method of the library (`Fetcher._parse_fetched_data`), pinned below 4; a
version without it fails when the source is opened, not later. Test: test_kafka_poison.py.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any, Final

from .batches import UnreadableBatch, batch_at, screen

# Exceptions of the client, besides its own errors, for the content of a batch.
CONTENT_ERRORS: Final = (
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
    EOFError,
    struct.error,
    zlib.error,
)


class FetchTap:
    """Stands before the parser of one consumer."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._parse = consumer._fetcher._parse_fetched_data
        self._last: tuple[Any, bytes] | None = None
        self._unreadable: list[tuple[Any, UnreadableBatch]] = []
        consumer._fetcher._parse_fetched_data = self._screened

    def take_unreadable(self) -> list[tuple[Any, UnreadableBatch]]:
        """Batches that were cut off since the last call, with their partitions."""
        taken, self._unreadable = self._unreadable, []
        return taken

    def suspect(self) -> tuple[Any, int, int] | None:
        """Partition, position and offset after the batch that was being read, if one was."""
        if self._last is None:
            return None
        tp, data = self._last
        if tp not in self._consumer.assignment():
            return None
        position = self._consumer.position(tp, timeout_ms=0)
        if position is None:
            return None
        batch = batch_at(data, position)
        return None if batch is None else (tp, position, batch[1])

    def _screened(self, fetched: Any) -> Any:
        data = bytes(fetched.partition_data.records or b"")
        readable, batch = screen(data)
        if batch is not None:
            self._unreadable.append((fetched.topic_partition, batch))
            fetched.partition_data.records = data[:readable]
        self._last = (fetched.topic_partition, data)
        parsed = self._parse(fetched)
        if parsed is not None:
            _end_with_errors(parsed)
        return parsed


def _end_with_errors(parsed: Any) -> None:
    """Drop a parsed response once its content has raised.

    Its generator is then exhausted, but the client treats it as full and polls it for ever.
    """
    take = parsed.take

    def take_or_end(count: int | None = None) -> Any:
        is_whole = False
        try:
            records = take(count)
            is_whole = bool(records)
        finally:
            if not is_whole:
                parsed.drain()
        return records

    parsed.take = take_or_end
