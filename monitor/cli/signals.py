"""Stops a verb that runs until it receives a signal."""

from __future__ import annotations

import signal
from types import FrameType


class Stopper:
    """SIGTERM and SIGINT request an end after the current batch; a second one ends at once.

    SIGHUP is ignored: neither a closing terminal nor a request to reload files may leave agents
    unwatched. Files are read only at start.
    """

    def __init__(self) -> None:
        self._is_asked = False
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)

    def is_asked(self) -> bool:
        return self._is_asked

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._is_asked:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self._is_asked = True
