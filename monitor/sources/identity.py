"""What a file was, told by its beginning: another file under its name begins otherwise.

Inodes would not do: they are used again at once, and a copy of a file has another one.
"""

from __future__ import annotations

import hashlib
from typing import Final

HEAD_BYTES: Final = 1_024  # Chosen: the first event, with its session, its time and its call.


def identity_of(head: bytes) -> str:
    """The identity of a file of which `head` is the beginning; at most `HEAD_BYTES` count."""
    head = head[:HEAD_BYTES]
    return f"{len(head)}:{hashlib.blake2b(head, digest_size=16).hexdigest()}"


def length_of(identity: str) -> int | None:
    """How much of a file's beginning an identity is about; None for what is none of ours."""
    length, _, digest = identity.partition(":")
    return int(length) if length.isdecimal() and len(digest) == 32 and len(length) < 5 else None
