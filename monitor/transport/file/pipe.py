"""Standard input, line by line, without waiting for more than was requested.

A buffered reader of the library blocks until its buffer is full; a live pipe (`tail -f | ...`) must
return each line when it arrives, and the loop must continue while there is none.
"""

from __future__ import annotations

import os
import select
from typing import IO, Final

READ_BYTES: Final = 65_536


class Pipe:
    """Reads the file descriptor of `stream`, which must not be read by others from then on."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._file = stream.fileno()
        self._buffer = b""
        self._is_over = False

    def wait(self, timeout_s: float | None, bytes_max: int) -> bool:
        """True if a line, `bytes_max` bytes or the end can be read now without waiting."""
        while b"\n" not in self._buffer and len(self._buffer) < bytes_max and not self._is_over:
            if not select.select([self._file], [], [], timeout_s)[0]:
                return False
            data = os.read(self._file, READ_BYTES)
            self._is_over = not data
            self._buffer += data
        return True

    def readline(self, bytes_max: int, /) -> bytes:
        """Up to and with the next newline, at most `bytes_max`; waits; empty at the end."""
        self.wait(None, bytes_max)
        end = self._buffer.find(b"\n") + 1
        length = min(end or len(self._buffer), bytes_max)
        line, self._buffer = self._buffer[:length], self._buffer[length:]
        return line
