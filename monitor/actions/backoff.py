"""How long to wait before trying again."""

from __future__ import annotations

import hashlib
from typing import Final

from ..store.records import LongestWaits

FIRST_NS: Final = 1_000_000_000
LONGEST_NS: Final = 300_000_000_000
STOP_LONGEST_NS: Final = 15_000_000_000
"""Chosen: a stop is retried at least four times a minute, without limit."""
LONGEST: Final = LongestWaits(STOP_LONGEST_NS, LONGEST_NS)
DOUBLINGS_MAX: Final = 20  # Beyond, any sensible longest wait is reached; 2**20 s are 12 days.


def backoff_ns(action_id: str, attempts: int, longest_ns: int = LONGEST_NS) -> int:
    """Twice as long each time, up to `longest_ns`, spread by a quarter.

    The spread is derived from the action's id and not random, so that a replay waits equally long.
    """
    wait_ns = min(FIRST_NS << min(attempts, DOUBLINGS_MAX), longest_ns)
    digest = hashlib.blake2b(f"{action_id}/{attempts}".encode(), digest_size=2).digest()
    return wait_ns * 3 // 4 + wait_ns * int.from_bytes(digest) // (4 * 65_535)
