"""Deferred calls: held ones that do not wait here, and are made again when they are decided."""

from __future__ import annotations

import threading
from collections import deque
from hashlib import blake2b
from typing import Final

from ..event_json import Draft

GRANTED_MAX: Final = 1_000
"""Chosen: calls that are remembered as made; operators grant them one by one."""


def deferred_id(asked: Draft) -> str:
    """The request of a deferred call: the same in each process, and for no other arguments."""
    return f"deferred-{blake2b(asked.rest, digest_size=16).hexdigest()}"


class GrantedCalls:
    """Those that this client has made: an approval is that of one call."""

    def __init__(self) -> None:
        # A signal's handler may make a call while this thread holds the lock.
        self._lock = threading.RLock()
        self._made: deque[tuple[str, str]] = deque(maxlen=GRANTED_MAX)

    def take(self, session_id: str, request: str) -> bool:
        """The call is about to be made; False if it was made before."""
        with self._lock:
            is_new = (session_id, request) not in self._made
            if is_new:
                self._made.append((session_id, request))
            return is_new
