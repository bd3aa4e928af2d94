"""The readable parts of a rejected record: its session, and the event that it would have been.

Best effort, and bounded: a record that is an object is decoded once more; of any other one the
first `SCAN_BYTES_MAX` bytes are scanned for the names of the outermost object. A name that occurs
twice with different values is ignored.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

import msgspec

from interlock.kinds import meant_kind
from interlock.limits import NAME_CHARACTERS_MAX, NUMBER_MAX, RECORD_BYTES_MAX, TEXT_TOKEN

SCAN_BYTES_MAX: Final = 64 * 1024
"""Chosen: our client writes these fields first; a flood of such records costs little."""
SHOWN_CHARACTERS_MAX: Final = 40

_ABSENT: Final = msgspec.Raw(b"")
_NAMES: Final = ("session", "seq", "ts", "kind", "tool", "v")


class _Top(msgspec.Struct, frozen=True):
    session: msgspec.Raw = _ABSENT
    seq: msgspec.Raw = _ABSENT
    ts: msgspec.Raw = _ABSENT
    kind: msgspec.Raw = _ABSENT
    tool: msgspec.Raw = _ABSENT
    v: msgspec.Raw = _ABSENT


class Salvage(NamedTuple):
    """`session` and `kind` are `""`, `seq` and `tool` None, if they are not known.

    `kind` is the intended kind if it is a misspelling of a known one. `shown` contains the values
    of `ts`, `seq` and `v` that may be repeated to people: numbers, and texts that look like a time.
    No other value of a record is ever shown.
    """

    session: str = ""
    seq: int | None = None
    kind: str = ""
    tool: str | None = None
    shown: tuple[tuple[str, str], ...] = ()


NOTHING_KNOWN: Final = Salvage()


def salvage(value: bytes, *, is_scanned: bool) -> Salvage:
    """The fields of the record; `is_scanned` if names may occur twice."""
    tokens = None if is_scanned or len(value) > RECORD_BYTES_MAX else _decoded(value)
    if tokens is None:
        tokens = _scanned(value[:SCAN_BYTES_MAX])
    kind = _name(tokens.get("kind"))
    return Salvage(
        session=_name(tokens.get("session")),
        seq=_seq(tokens.get("seq")),
        kind=meant_kind(kind) or kind,
        tool=_tool(tokens.get("tool")),
        shown=tuple(
            (name, text) for name in ("ts", "seq", "v") if (text := _shown(tokens.get(name)))
        ),
    )


def _decoded(value: bytes) -> dict[str, bytes] | None:
    try:
        top = _top_decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return {name: bytes(getattr(top, name)) for name in _NAMES}


def _scanned(value: bytes) -> dict[str, bytes]:
    """Names and values of the outermost object, as far as it can be read."""
    found: dict[str, set[bytes]] = {}
    depth, name, is_value = 0, "", False
    for match in _TOKEN.finditer(value):
        token = match.group()
        if token in b"{[":
            depth += 1
        elif token in b"}]":
            depth -= 1
            if depth <= 0:
                break
        if depth != 1 or token in b"{[}]":
            continue
        if token == b",":
            name, is_value = "", False
        elif token == b":":
            is_value = True
        elif is_value and name in _NAMES and _is_whole(match):
            found.setdefault(name, set()).add(token)
        elif not is_value:
            name = _text(token)
    return {name: tokens.pop() for name, tokens in found.items() if len(tokens) == 1}


def _is_whole(match: re.Match[bytes]) -> bool:
    """Not the beginning of a number that was cut off: `12` would be read as 1."""
    return match.group()[:1] == b'"' or match.end() < len(match.string)


def _name(token: bytes | None) -> str:
    text = _text(token or b"")
    return text if len(text) <= NAME_CHARACTERS_MAX else ""


def _tool(token: bytes | None) -> str | None:
    """`""` if the record has none; None if that is not known."""
    return "" if token in (b"", b"null", b'""') else _name(token) or None


def _text(token: bytes) -> str:
    """The text that a token of JSON is; `""` for any other."""
    if token[:1] != b'"':
        return ""
    try:
        text: Any = json.loads(token.decode())
        text.encode()
    except ValueError:  # Faulty JSON, no UTF-8, half of a surrogate pair.
        return ""
    return str(text)


def _seq(token: bytes | None) -> int | None:
    if token is None or not _WHOLE.fullmatch(token):
        return None
    seq = int(token)
    return seq if seq <= NUMBER_MAX else None


def _shown(token: bytes | None) -> str:
    if not token:
        return ""
    text = token.decode("utf-8", "replace")
    if not _SHOWABLE.fullmatch(text):
        return ""
    if len(text) <= SHOWN_CHARACTERS_MAX:
        return text
    return f"{text[:SHOWN_CHARACTERS_MAX]}... ({len(text)} characters)"


_top_decoder: Final = msgspec.json.Decoder(_Top)
_TOKEN: Final = re.compile(TEXT_TOKEN + rb'|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
_WHOLE: Final = re.compile(rb"0|[1-9][0-9]{0,18}")
_SHOWABLE: Final = re.compile(r'-?[0-9][0-9.eE+-]*|"[0-9][0-9TtZz:. +-]*"|null|true|false')
