"""The layout of a log directory: `DIR/TOPIC/WRITER-N.jsonl`, one record per line.

In most topics a line is the record's value itself, since the value contains the key, the session.
Topics with another key (`interlock.control`, `interlock.dlq`) have an envelope:

    {"key": "session:s-1", "value": {...}}                  a value that is JSON
    {"key": "s-1", "bytes": "aGk="}                         any other value, as base64
    {"key": "session:s-1", "value": null}                   a tombstone

with `"headers": [["name", "base64"], ...]` if there are any. Headers are stored nowhere else. Pure:
this module opens no file.

Pure: no file is opened here.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

import msgspec

from ...topics import CONTROL, DEAD_LETTERS

LINE_BYTES_MAX: Final = 900 * 1024
"""The longest record (docs: events). Of a longer line one byte more is kept, to be rejected."""

ENVELOPED: Final = frozenset({CONTROL, DEAD_LETTERS})

WRITER_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_FILE_PATTERN: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})-(\d{1,9})\.jsonl\Z", re.ASCII)

Headers = tuple[tuple[str, bytes], ...]


class _Envelope(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    key: str
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    bytes: str | msgspec.UnsetType = msgspec.UNSET
    headers: list[tuple[str, str]] = []


def file_name(writer: str, number: int) -> str:
    """The name of a writer's file number `number`, counted from 1."""
    return f"{writer}-{number}.jsonl"


def parse_file_name(name: str) -> tuple[str, int] | None:
    """Writer and number; None for a name that no writer of ours gives."""
    match = _FILE_PATTERN.match(name)
    return None if match is None else (match[1], int(match[2]))


def to_line(topic: str, key: str, value: bytes, headers: Headers = ()) -> bytes:
    """The line of one record, newline included.

    Raises
    ------
    ValueError
        The value of a topic without envelope has a line break in it, or is empty.
    """
    if topic not in ENVELOPED:
        if not value or b"\n" in value:
            raise ValueError(f"`{topic}`: a record must be one line that is not empty")
        return value + b"\n"
    envelope = _Envelope(key)
    if not value:
        envelope.value = msgspec.Raw(b"null")
    elif b"\n" not in value and _is_json(value):
        envelope.value = msgspec.Raw(value)
    else:
        envelope.bytes = base64.b64encode(value).decode()
    envelope.headers = [(name, base64.b64encode(said).decode()) for name, said in headers]
    return msgspec.json.encode(envelope) + b"\n"


def from_line(topic: str, line: bytes) -> tuple[bytes | None, bytes, Headers]:
    """Key, value (empty for a tombstone) and headers; a line without an envelope is a value."""
    if topic not in ENVELOPED:
        return None, line, ()
    try:
        envelope = msgspec.json.decode(line, type=_Envelope)
        headers = tuple(
            (name, base64.b64decode(said, validate=True)) for name, said in envelope.headers
        )
        if isinstance(envelope.bytes, str):
            value = base64.b64decode(envelope.bytes, validate=True)
        else:
            raw = envelope.value
            value = b"" if isinstance(raw, msgspec.UnsetType) else bytes(raw).strip()
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, binascii.Error):
        return None, line, ()
    return envelope.key.encode(), b"" if value == b"null" else value, headers


def _is_json(value: bytes) -> bool:
    try:
        msgspec.json.decode(value)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False
    return True
