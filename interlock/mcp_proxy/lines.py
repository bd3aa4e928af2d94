"""Messages on a stream of bytes, one on each line, bounded: pure, bytes in and lines out.

A carriage return within a line becomes a blank. In JSON it can only stand between two tokens, where
both mean nothing, but many servers begin another message behind it.
"""

from __future__ import annotations

from collections.abc import Iterator

from .message import MESSAGE_BYTES_MAX


class Lines:
    """Cuts a stream into lines."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._is_skipping = False

    def feed(self, data: bytes) -> Iterator[bytes | None]:
        """The lines that `data` completes, without their ends; None for one that is too long.

        Examples
        --------
        >>> lines = Lines()
        >>> list(lines.feed(b'{"a":')), list(lines.feed(b'1}\\r\\n\\n{'))
        ([], [b'{"a":1}'])
        """
        *ended, rest = data.split(b"\n")
        for part in ended:
            self._add(part)
            line = bytes(self._rest).replace(b"\r", b" ").strip()
            is_skipped, self._is_skipping = self._is_skipping, False
            self._rest.clear()
            if is_skipped:
                yield None
            elif line:
                yield line
        self._add(rest)

    def _add(self, part: bytes) -> None:
        if len(self._rest) + len(part) > MESSAGE_BYTES_MAX:
            self._rest.clear()
            self._is_skipping = True
        if not self._is_skipping:
            self._rest += part
