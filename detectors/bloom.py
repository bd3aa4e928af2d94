"""Words and names as keyed numbers, and sets of them of constant size.

Input: text that agents and tools choose. Output: 64-bit numbers (BLAKE2b under the model's key, the
same in every process) and bitmaps of fixed size. Without the key, nobody can make two names
collide, or test guesses against a state or a model.

A bitmap is a Bloom filter (B. H. Bloom, CACM 13(7), 1970): it may report an unknown word as known,
with the probability stated at its size, and never the opposite.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

KEY_BYTES: Final = 16
TEXT_CHARACTERS_MAX: Final = 8_000
"""Characters of one text that are looked at. Chosen: results in recordings are cut there too."""
WORDS_MAX: Final = 1_000
"""Words of one text that are looked at. Chosen: one in 40,000 recorded results has more."""
NAME_CHARACTERS_MAX: Final = 512
CACHED_WORDS: Final = 65_536
"""Chosen: about 10 MB; most words of a session have occurred before in it or in another."""
STEM_CHARACTERS: Final = 4
"""Chosen: `send_email` matches `emails`, `sending` and `sent` (its other half decides)."""

_WORD: Final = re.compile(r"\w{2,64}")
_PART: Final = re.compile(r"[^\W_]{3,64}")
_MASK: Final = 2**64 - 1
_ODD: Final = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)
"""Odd constants that spread (golden ratio; xxHash's primes); they mix values that are already
keyed."""


def mix(*parts: int) -> int:
    """One number of several keyed ones; their order matters."""
    value = 0
    for part in parts:
        value = ((value ^ part) * _ODD[0] + _ODD[1]) & _MASK
        value ^= value >> 29
        value = (value * _ODD[2] + _ODD[3]) & _MASK
        value ^= value >> 32
    return value


class Words:
    """Text -> keyed numbers, under one key. Holds a bounded cache and nothing else."""

    def __init__(self, key: bytes) -> None:
        assert len(key) == KEY_BYTES
        self._hash = hashlib.blake2b(key=key, digest_size=8)
        self.word = lru_cache(maxsize=CACHED_WORDS)(self._number)
        """The number of a word or a name, as written."""

    def bytes_number(self, data: bytes) -> int:
        """The number of bytes of any length."""
        made = self._hash.copy()
        made.update(data)
        return int.from_bytes(made.digest(), "little")

    def name(self, text: str) -> int:
        """The number of a name; only its beginning counts if it is too long."""
        return int(self.word(text[:NAME_CHARACTERS_MAX]))

    def words(self, text: str) -> list[int]:
        """The words of a text in their order, without case, up to the bounds above."""
        found = _WORD.findall(text[:TEXT_CHARACTERS_MAX].lower())
        return [self.word(word) for word in found[:WORDS_MAX]]

    def stems(self, text: str) -> list[int]:
        """The beginnings of the words in a text or a name, marked so that they equal no word."""
        found = _PART.findall(text[:TEXT_CHARACTERS_MAX].lower())
        return [self.word("^" + part[:STEM_CHARACTERS]) for part in found[:WORDS_MAX]]

    def _number(self, text: str) -> int:
        return self.bytes_number(text.encode("utf-8", "surrogatepass"))


def holds(bitmap: bytes, number: int) -> bool:
    """True if the number was added; false positives are possible."""
    bits = len(bitmap) * 8 - 1
    first, second = number & bits, (number >> 32) & bits
    return bool(bitmap[first >> 3] >> (first & 7) & 1 and bitmap[second >> 3] >> (second & 7) & 1)


def with_numbers(bitmap: bytes, numbers: Iterable[int]) -> bytes:
    """The bitmap with these added; its size is a power of two."""
    made = bytearray(bitmap)
    bits = len(made) * 8 - 1
    for number in numbers:
        for place in (number & bits, (number >> 32) & bits):
            made[place >> 3] |= 1 << (place & 7)
    return bytes(made)
