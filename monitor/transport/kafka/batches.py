"""Batches as brokers send them: which of them the client can safely read.

Input: the bytes of one fetch answer for one partition. Output: those bytes up to the first batch
that must not be read, and that batch. Looks at headers alone (and, bounded, at gzip contents).

Why: measured, one batch compressed by a codec that is not installed makes `kafka-python` 3.0.12
raise once and then loop for ever inside `poll`; a gzip batch of 1 MB can become 1 GB at once.
Any agent that may write events could stop the monitor that way. Topics made by `init_topics` let
the broker store everything uncompressed, so that none of this arrives.

Source: the record batch format (magic 2) of the Kafka protocol documentation.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final

CODEC_NAMES: Final = {0: "none", 1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
GZIP: Final = 1
BATCH_BYTES_MAX: Final = 64 * 1024 * 1024
# Chosen: 60 times the maximum that a broker accepts by default.

_HEADER: Final = struct.Struct(">qiibIhi")
"""Base offset, length, leader epoch, magic, checksum, attributes, last offset delta."""

_HEADER_BYTES: Final = 61
_LENGTH_FROM: Final = 12
"""`length` counts from here on."""


@dataclass(frozen=True, slots=True)
class UnreadableBatch:
    """Records from `first_offset` to before `next_offset` are passed over, for this reason."""

    first_offset: int
    next_offset: int
    reason: str


def screen(data: bytes, bytes_max: int = BATCH_BYTES_MAX) -> tuple[int, UnreadableBatch | None]:
    """The number of bytes of `data` that may be read, and the batch after them, if any.

    A cut-off last batch (brokers fill responses up) counts as readable: the client waits for it.
    """
    place = 0
    while place + _HEADER_BYTES <= len(data):
        base, length, _, magic, _, attributes, last_delta = _HEADER.unpack_from(data, place)
        end = place + _LENGTH_FROM + length
        if magic != 2 or length < _HEADER_BYTES - _LENGTH_FROM or end > len(data):
            break
        reason = _reason(data, place + _HEADER_BYTES, end, attributes & 7, bytes_max)
        if reason:
            return place, UnreadableBatch(base, base + last_delta + 1, reason)
        place = end
    return len(data), None


def batch_at(data: bytes, offset: int) -> tuple[int, int] | None:
    """First offset, and offset after the last, of the batch that contains `offset`."""
    place = 0
    while place + _HEADER_BYTES <= len(data):
        base, length, _, magic, _, _, last_delta = _HEADER.unpack_from(data, place)
        if magic != 2 or length < _HEADER_BYTES - _LENGTH_FROM:
            return None
        if base + last_delta >= offset:
            return base, base + last_delta + 1
        place += _LENGTH_FROM + length
    return None


def _reason(data: bytes, start: int, end: int, codec: int, bytes_max: int) -> str:
    if codec == 0:
        return ""
    if codec != GZIP:
        name = CODEC_NAMES.get(codec, str(codec))
        return (
            f"compressed by `{name}`, which is not supported; "
            "set `compression.type=uncompressed` on the topic"
        )
    # 32 + 15: zlib finds the gzip header by itself; the output is thrown away at once.
    inflate = zlib.decompressobj(32 + zlib.MAX_WBITS)
    try:
        content = inflate.decompress(memoryview(data)[start:end], bytes_max)
    except zlib.error:
        return "its gzip content is damaged"
    if inflate.unused_data:
        # The client would go on with a second member, which this bound has not seen.
        return "its gzip content has more than one member"
    if inflate.unconsumed_tail or len(content) >= bytes_max:
        return f"its gzip content is larger than {bytes_max} bytes"
    return ""
