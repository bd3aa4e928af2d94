"""Batches as brokers send them: which must not be read, seen from their headers."""

from __future__ import annotations

import gzip
import struct

import pytest

from monitor.transport.kafka.batches import batch_at, screen


def batch(base: int, count: int, codec: int = 0, content: bytes = b"content") -> bytes:
    """A record batch (magic 2) with this header; nothing here looks at the records."""
    rest = struct.pack(">ibIhi", 0, 2, 0, codec, count - 1) + bytes(8 + 8 + 8 + 2 + 4 + 4)
    rest += content
    return struct.pack(">qi", base, len(rest)) + rest


def test_plain_batches_are_read_whole() -> None:
    """Nothing is cut from batches without compression, nor from a cut-off last one."""
    data = batch(0, 3) + batch(3, 1)
    assert screen(data) == (len(data), None)
    assert screen(data + batch(4, 1)[:30]) == (len(data) + 30, None)
    assert screen(b"") == (0, None)


@pytest.mark.parametrize("codec", [2, 3, 4, 5, 7])
def test_other_codecs_end_the_readable_part(codec: int) -> None:
    """The first batch of another codec is cut off with all that follows it."""
    first = batch(10, 2)
    readable, found = screen(first + batch(12, 5, codec) + batch(17, 1))
    assert readable == len(first)
    assert found is not None
    assert (found.first_offset, found.next_offset) == (12, 17)


def test_gzip_is_read_up_to_its_bound() -> None:
    """A gzip batch is readable if what it unpacks to is below the bound."""
    data = batch(0, 1, 1, gzip.compress(b"x" * 999))
    assert screen(data, bytes_max=1_000) == (len(data), None)
    found = screen(data, bytes_max=999)[1]
    assert found is not None
    assert "larger than 999 bytes" in found.reason


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (gzip.compress(b"a") + gzip.compress(b"b" * 10**6), "more than one member"),
        (b"no gzip", "damaged"),
    ],
)
def test_odd_gzip_is_not_read(content: bytes, told: str) -> None:
    """What the client would unpack beyond the bound, or fail over, is passed over."""
    found = screen(batch(0, 1, 1, content))[1]
    assert found is not None
    assert told in found.reason


def test_the_batch_of_an_offset_is_found() -> None:
    """Offsets within a batch give its ends; offsets beyond all give none."""
    data = batch(5, 3) + batch(20, 2)
    assert [batch_at(data, offset) for offset in (5, 7, 8, 21, 22)] == [
        (5, 8),
        (5, 8),
        (20, 22),
        (20, 22),
        None,
    ]
