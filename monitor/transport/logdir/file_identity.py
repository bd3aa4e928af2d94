"""The identity of a file, computed from its beginning: another file with its name begins
differently.

Inodes are not suitable: they are reused at once, and a copy of a file has another one.
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
    """The length of the beginning that an identity covers; None if it is not one of ours."""
    length, _, digest = identity.partition(":")
    return int(length) if length.isdecimal() and len(digest) == 32 and len(length) < 5 else None
