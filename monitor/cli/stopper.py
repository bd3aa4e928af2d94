"""How a verb that goes on until it is told to ends."""

from __future__ import annotations

import signal
from types import FrameType


class Stopper:
    """SIGTERM and SIGINT ask for an end after what is at hand; a second one ends at once.

    SIGHUP is ignored: a terminal that closes, or who means "read your files anew", must not leave
    agents unwatched. Files are read at a start alone.
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
