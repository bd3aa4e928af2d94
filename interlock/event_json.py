"""What one event says -> JSON bytes within the size that brokers take.

Input: values of the agent's own types. Output: a `Draft`, everything but `session`, `seq` and
`ts`, which are added under the publisher's lock so that they have one order.

Size: results and texts are cut, and the event says so. Arguments are never cut: an argument that
JSON cannot tell is left out, and arguments that do not fit are all left out. A predicate on what
is left out is then unknown, where one on a cut or replaced value could come out false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from .json_values import PlainJson, readable

EVENT_BYTES_MAX: Final = 900 * 1024
"""The limit of the event format; brokers take 1 MiB by default, envelope included."""

_HEAD_BYTES: Final = 1024
"""Kept free for `session`, `seq` and `ts`: an id has at most 128 bytes."""

_ATTRIBUTES_BYTES_MAX: Final = 64 * 1024
_NOTES_BYTES: Final = 32 * 1024
_ENVELOPE_BYTES: Final = 48 * 1024
"""Names and `error`, every character escaped."""
_ERROR_CHARS_MAX: Final = 4096
_LOST_NAMES_MAX: Final = 50
_NAME_CHARS_MAX: Final = 100

_NO_RAW: Final = msgspec.Raw(b"")
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Arguments:
    """Arguments of a call, converted once and told by every event of it.

    `json` is None where they do not fit; `lost` names the arguments that were left out.
    """

    json: bytes | None = None
    lost: tuple[str, ...] = ()

    @property
    def is_oversize(self) -> bool:
        return self.json is None


@dataclass(frozen=True, slots=True)
class Draft:
    """An event without `session`, `seq` and `ts`, and what it could not tell."""

    kind: str
    rest: bytes
    unserialisable_count: int = 0
    is_oversize: bool = False
    is_cut: bool = False

    def numbered(self, session: str, seq: int, ts_ns: int) -> bytes:
        """The whole event. `session` consists of characters that JSON needs no escape for."""
        return b'{"session":"%s","seq":%d,"ts":%d,' % (session.encode(), seq, ts_ns) + self.rest[1:]


class _Rest(msgspec.Struct, omit_defaults=True, kw_only=True):
    # `kind` has no default, so the object is never empty and `numbered` may cut its brace.
    kind: str
    agent: str = ""
    user: str = ""
    tenant: str = ""
    parent: str = ""
    tool: str = ""
    call: str = ""
    args: msgspec.Raw = _NO_RAW
    result: msgspec.Raw = _NO_RAW
    error: str = ""
    text: str = ""
    attributes: msgspec.Raw = _NO_RAW


def arguments(args: Mapping[str, object]) -> Arguments:
    """Convert the arguments of a call.

    Cost: linear in their size.
    """
    convert = PlainJson()
    plain: dict[str, object] = {}
    lost: list[str] = []
    for name, value in args.items():
        key = readable(str(name))
        lost_before = convert.lost_count
        told = convert(value)
        if convert.lost_count == lost_before and key not in plain:
            plain[key] = told
        else:
            # Of two arguments with one name neither can be told.
            plain.pop(key, None)
            lost.append(key[:_NAME_CHARS_MAX])
    text = b"" if convert.is_cut else _encode(plain)
    limit = EVENT_BYTES_MAX - _HEAD_BYTES - _ATTRIBUTES_BYTES_MAX - _NOTES_BYTES - _ENVELOPE_BYTES
    fits = not convert.is_cut and len(text) <= limit
    return Arguments(text if fits else None, tuple(lost))


def draft(
    kind: str,
    *,
    identity: Mapping[str, str],
    tool: str = "",
    call: str = "",
    args: Arguments | None = None,
    result: object = None,
    error: str = "",
    text: str = "",
    attributes: Mapping[str, object] | None = None,
) -> Draft:
    """The event as JSON, cut to size, with notes in `attributes` on what is missing."""
    notes: dict[str, object] = {}
    rest = _Rest(
        kind=kind,
        agent=identity.get("agent", ""),
        user=identity.get("user", ""),
        tenant=identity.get("tenant", ""),
        parent=identity.get("parent", ""),
        tool=tool,
        call=call,
        error=readable(error[:_ERROR_CHARS_MAX]),
    )
    if args is not None:
        _put_arguments(rest, args, notes)
    told, lost_count = _told_attributes(attributes)
    size_left = EVENT_BYTES_MAX - _HEAD_BYTES - _NOTES_BYTES - len(_encode(told))
    size_left -= len(_encode(rest))
    if text:
        rest.text = _cut_text(readable(text), size_left, notes)
        size_left -= len(_encode(rest.text))
    if result is not None:
        lost_count += _put_result(rest, result, size_left, notes)
    if notes or told:
        rest.attributes = msgspec.Raw(_encode({**told, **notes}))
    encoded = _encode(rest)
    assert len(encoded) <= EVENT_BYTES_MAX - _HEAD_BYTES, "every part was cut to its share"
    return Draft(
        kind,
        encoded,
        unserialisable_count=lost_count + (len(args.lost) if args else 0),
        is_oversize="interlock_oversize" in notes,
        is_cut="interlock_result_length" in notes or "interlock_text_length" in notes,
    )


def _put_arguments(rest: _Rest, args: Arguments, notes: dict[str, object]) -> None:
    if args.lost:
        notes["interlock_unserialisable"] = list(args.lost[:_LOST_NAMES_MAX])
    if args.json is None:
        notes["interlock_oversize"] = True
    else:
        rest.args = msgspec.Raw(args.json)


def _told_attributes(attributes: Mapping[str, object] | None) -> tuple[dict[str, object], int]:
    """Attributes as plain JSON; names starting with `interlock_` are the client's alone."""
    if not attributes:
        return {}, 0
    convert = PlainJson()
    told = convert(attributes)
    if not isinstance(told, dict) or convert.is_cut or len(_encode(told)) > _ATTRIBUTES_BYTES_MAX:
        return {"interlock_attributes_oversize": True}, convert.lost_count
    kept = {name: value for name, value in told.items() if not name.startswith("interlock_")}
    return kept, convert.lost_count


def _put_result(rest: _Rest, result: object, size_left: int, notes: dict[str, object]) -> int:
    """Put the result, or the beginning of its text where it does not fit."""
    convert = PlainJson()
    told = convert(result)
    encoded = _encode(told)
    if convert.lost_count:
        notes["interlock_result_unserialisable"] = convert.lost_count
    if convert.is_cut or len(encoded) > size_left:
        # At least so long: past the conversion's own budget nobody counts.
        notes["interlock_result_length"] = max(len(encoded), _text_length(result))
        beginning = told if isinstance(told, str) else encoded.decode("utf-8")
        encoded = _encode(_fitting(beginning, size_left))
    rest.result = msgspec.Raw(encoded)
    return convert.lost_count


def _cut_text(text: str, size_left: int, notes: dict[str, object]) -> str:
    # A character takes six bytes at most, so short texts need not be encoded to know.
    if len(text) * 6 + 2 <= size_left or len(_encode(text)) <= size_left:
        return text
    notes["interlock_text_length"] = len(text)
    return _fitting(text, size_left)


def _fitting(text: str, size_max: int) -> str:
    """A beginning of `text` whose JSON has at most `size_max` bytes."""
    text = text[: max(0, size_max)]
    while text and len(_encode(text)) > size_max:
        # Escapes take up to six bytes a character: shrink by what was too much.
        text = text[: min(len(text) - 1, len(text) * size_max // len(_encode(text)))]
    return text


def _text_length(result: object) -> int:
    return len(result) if isinstance(result, str | bytes) else 0
