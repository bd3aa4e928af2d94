"""Encodes the values that sources have shown a session as versioned, named bytes, and decodes them.

    source/DIGEST/KEY       how much there is, whether it is whole, whether the session is a child
    source/DIGEST/KEY/0     the first 1,024 fingerprints, and so on

DIGEST is that of the source's meaning, KEY names the key of the fingerprints. If a source is stored
under none of the program's keys in a session that has begun, it has not seen all: its memory is
empty and not whole. Only chunks that grew are written again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from ..runtime.data_source import Showing
from ..taint.memory import (
    FINGERPRINT_BYTES,
    Fingerprints,
    Shown,
    ShownFingerprint,
    SourceMemory,
    memory_of,
)
from .state import DAMAGE, StateError

SHOWN_VERSION: Final = 1
CHUNK_ENTRIES: Final = 1_024
"""Chosen: 9 KB, of which every batch of a session writes one or two."""


def encode_shown(
    sources: Sequence[Showing], shown: Shown, stored: Shown | None
) -> dict[str, bytes]:
    """The content to write so that the store, which contains `stored`, contains `shown`."""
    written: dict[str, bytes] = {}
    for place, source in enumerate(sources):
        memory = shown.memories[place]
        before = None if stored is None else stored.memories[place]
        if stored is not None and memory is before and shown.is_child is stored.is_child:
            continue
        name = _name(source, memory.fingerprints)
        head = [SHOWN_VERSION, memory.length, memory.is_whole, shown.is_child]
        written[name] = msgspec.msgpack.encode(head)
        known = before.length if before is not None else 0
        first = known - known % CHUNK_ENTRIES
        for start in range(first, memory.length if memory.length > known else first, CHUNK_ENTRIES):
            entries = memory.entries(start, start + CHUNK_ENTRIES)
            written[f"{name}/{start // CHUNK_ENTRIES}"] = _put_chunk(entries)
    return written


def decode_shown(
    sources: Sequence[Showing],
    keys: Sequence[Fingerprints],
    stored: Mapping[str, bytes],
) -> Shown:
    """The decoded output of `encode_shown` for a session that has begun; the newest key first.

    Raises
    ------
    StateError
        The content is not such a memory, or part of it is missing: never an empty memory.
    """
    memories: list[SourceMemory] = []
    is_child = False
    try:
        for source in sources:
            under = next((key for key in keys if _name(source, key) in stored), None)
            if under is None:
                memories.append(memory_of(keys[0], is_whole=False))
                continue
            memory, is_of_child = _take_memory(under, _name(source, under), stored)
            memories.append(memory)
            is_child = is_child or is_of_child
    except DAMAGE as error:
        raise StateError(f"a stored data memory cannot be read: {error}") from error
    return Shown(tuple(memories), is_child)


def _name(source: Showing, key: Fingerprints) -> str:
    return f"source/{source.digest}/{key.id}"


def _take_memory(
    key: Fingerprints, name: str, stored: Mapping[str, bytes]
) -> tuple[SourceMemory, bool]:
    version, length, is_whole, is_child = msgspec.msgpack.decode(stored[name])
    if version != SHOWN_VERSION:
        raise StateError(f"a data memory has version {version!r}, not {SHOWN_VERSION}")
    entries: list[ShownFingerprint] = []
    for number in range(-(-length // CHUNK_ENTRIES)):
        entries += _take_chunk(msgspec.msgpack.decode(stored[f"{name}/{number}"]))
    memory = memory_of(key, entries[:length], is_whole=bool(is_whole))
    if memory.length != length:
        raise ValueError(f"{memory.length} entries where {length} were written")
    return memory, bool(is_child)


def _put_chunk(entries: Sequence[ShownFingerprint]) -> bytes:
    fingerprints = b"".join(entry.fingerprint for entry in entries)
    return msgspec.msgpack.encode([fingerprints, bytes(entry.is_certain for entry in entries)])


def _take_chunk(data: Any) -> list[ShownFingerprint]:
    fingerprints, are_certain = data
    starts = range(0, len(fingerprints), FINGERPRINT_BYTES)
    cut = [fingerprints[start : start + FINGERPRINT_BYTES] for start in starts]
    return [ShownFingerprint(*pair) for pair in zip(cut, map(bool, are_certain), strict=True)]
