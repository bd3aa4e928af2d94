"""Server-sent events: bytes of a stream to events, and an event to its plainest bytes. Pure.

An event is written anew in one form, so that the client reads the message that was read here.

Source: the HTML standard, section 9.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .message import MESSAGE_BYTES_MAX, Unreadable

_END: Final = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `comment` alone for a line that only keeps a connection alive."""

    data: bytes = b""
    name: bytes = b""
    id: bytes | None = None
    retry: bytes = b""
    has_data: bool = False

    def encoded(self) -> bytes:
        """The event as a stream has it."""
        lines = [b"event: " + self.name] if self.name else []
        lines += [b"id: " + self.id] if self.id is not None else []
        lines += [b"retry: " + self.retry] if self.retry else []
        lines += [b"data: " + part for part in self.data.split(b"\n")] if self.has_data else []
        return b"\n".join((*(lines or [b":"]), b"", b""))


class Events:
    """Cuts a stream into events. Cost: linear in its size."""

    def __init__(self) -> None:
        self._held = b""
        self._line = bytearray()
        self._lines: list[bytes] = []
        self._size = 0
        self._is_first = True

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that `data` completes; comments are events without a field.

        Raises
        ------
        Unreadable
            An event is longer than a message may be.

        Examples
        --------
        >>> events = Events()
        >>> list(events.feed(b'id: 7\\ndata: {"a":')) + list(events.feed(b'1}\\n\\n'))
        [Event(data=b'{"a":1}', name=b'', id=b'7', retry=b'', has_data=True)]
        """
        text = self._held + data
        if self._is_first and text:
            text, self._is_first = text.removeprefix(b"\xef\xbb\xbf"), False
        # The last carriage return may be the first half of an end.
        self._held = b"\r" if text.endswith(b"\r") else b""
        part, *others = _END.split(text.removesuffix(self._held))
        self._add(part)
        for part in others:
            line = bytes(self._line)
            self._line.clear()
            if line:
                self._lines.append(line)
            elif self._lines:
                yield _event(self._lines)
                self._lines, self._size = [], 0
            self._add(part)

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > MESSAGE_BYTES_MAX:
            raise Unreadable(f"an event is longer than {MESSAGE_BYTES_MAX} bytes")
        self._line += part


def _event(lines: list[bytes]) -> Event:
    fields: dict[bytes, bytes] = {}
    data: list[bytes] = []
    for line in lines:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name in (b"event", b"id", b"retry"):
            fields[name] = value
    id_ = fields.get(b"id")
    retry = fields.get(b"retry", b"")
    return Event(
        b"\n".join(data),
        fields.get(b"event", b""),
        id_ if id_ is not None and b"\0" not in id_ else None,
        retry if retry.isdigit() else b"",
        has_data=bool(data),
    )
