"""Encodes one event as JSON bytes within the size that brokers accept.

Input: values of the agent's own types. Output: a `Draft`, which contains everything but `session`,
`seq` and `ts`. These are added under the publisher's lock so that they have one order.

The limits are those of `limits.py`. Results and texts are truncated, and values that JSON cannot
represent are replaced. Arguments are neither: one that JSON cannot represent is omitted, and if the
arguments do not fit, all are omitted. The event's attributes record what is missing
(docs/events.md). Predicates on missing parts are then unknown, where they could otherwise be false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from .json_values import PLACEHOLDER_KEY, PlainJson, readable, told_by_name
from .limits import (
    COSTLY_NUMBERS_MAX,
    NESTING_MAX,
    RECORD_BYTES_MAX,
    costly_numbers,
    stated_time,
)

_HEAD_BYTES: Final = 64 * 1024
"""Kept free for `session`, `seq` and `ts`, and for what a gate adds to a record."""

_ATTRIBUTES_BYTES_MAX: Final = 64 * 1024
_NOTES_BYTES: Final = 32 * 1024
_ENVELOPE_BYTES: Final = 48 * 1024
"""Names and `error`, every character escaped."""
_ERROR_CHARS_MAX: Final = 4096
_LOST_NAMES_BYTES_MAX: Final = 16 * 1024
"""Half of the notes. Arguments whose names take more are not listed individually."""

_ENVELOPE_LEVELS: Final = 2
"""A gate receives events as a list in an object, which has the same limit as an event."""
_FIELD_LEVELS: Final = NESTING_MAX - _ENVELOPE_LEVELS - 1
_ARGUMENT_LEVELS: Final = _FIELD_LEVELS - 1
"""Levels that remain below the event and the object of its arguments."""

_ARGUMENTS_NUMBERS_MAX: Final = COSTLY_NUMBERS_MAX // 2
_ATTRIBUTES_NUMBERS_MAX: Final = COSTLY_NUMBERS_MAX // 4
"""Shares of the cost of the numbers of one event; the result gets the rest."""

_NO_RAW: Final = msgspec.Raw(b"")
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Arguments:
    """Arguments of a call, converted once and repeated in every event of it.

    `json` is None if all of them were omitted; `lost` lists those that were omitted otherwise.
    """

    json: bytes | None = None
    lost: tuple[str, ...] = ()

    @property
    def is_oversize(self) -> bool:
        return self.json is None


@dataclass(frozen=True, slots=True)
class Draft:
    """An event without `session`, `seq` and `ts`, and a record of its losses."""

    kind: str
    rest: bytes
    unserialisable_count: int = 0
    is_oversize: bool = False
    is_cut: bool = False

    def numbered(self, session: str, seq: int, ts_ns: int) -> bytes:
        """The whole event. `session` consists of characters that JSON needs no escape for."""
        ts = _encode(stated_time(ts_ns))
        return b'{"session":"%s","seq":%d,"ts":%s,' % (session.encode(), seq, ts) + self.rest[1:]

    def asked(self, session: str, request: str) -> bytes:
        """A request of a call as a gate is asked: without its kind, with the id of the request."""
        kind = b'{"kind":"tool.requested",'
        assert self.rest.startswith(kind), "a gate is asked about calls alone"
        head = b'{"session":"%s","request":"%s",' % (session.encode(), request.encode())
        return head + self.rest[len(kind) :]


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
    convert = PlainJson(_ARGUMENT_LEVELS)
    plain, lost = told_by_name(convert, args)
    if plain is None or convert.is_cut or len(_encode(lost)) > _LOST_NAMES_BYTES_MAX:
        return Arguments()
    text = _encode(plain)
    limit = RECORD_BYTES_MAX - _HEAD_BYTES - _ATTRIBUTES_BYTES_MAX - _NOTES_BYTES - _ENVELOPE_BYTES
    is_told = len(text) <= limit and costly_numbers(text) <= _ARGUMENTS_NUMBERS_MAX
    return Arguments(text, tuple(lost)) if is_told else Arguments()


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
    is_unasked: bool = False,
) -> Draft:
    """The event as JSON, truncated to size, with notes in `attributes` on missing parts.

    `is_unasked`: a call that was made without the answer of a gate, which is noted too.
    """
    notes: dict[str, object] = {"interlock_unasked": True} if is_unasked else {}
    rest = _Rest(
        kind=kind,
        agent=identity.get("agent", ""),
        user=identity.get("user", ""),
        tenant=identity.get("tenant", ""),
        parent=identity.get("parent", ""),
        tool=tool,
        call=call,
        error=_cut_error(error, notes),
    )
    if args is not None:
        _put_arguments(rest, args, notes)
    told, lost_count = _told_attributes(attributes, notes)
    size_left = RECORD_BYTES_MAX - _HEAD_BYTES - _NOTES_BYTES - len(_encode(told))
    size_left -= len(_encode(rest))
    if text:
        rest.text = _cut_text(readable(text), size_left, notes)
        size_left -= len(_encode(rest.text))
    if result is not None:
        numbers_left = (
            COSTLY_NUMBERS_MAX - costly_numbers(bytes(rest.args)) - costly_numbers(_encode(told))
        )
        lost_count += _put_result(rest, result, size_left, numbers_left, notes)
    if notes or told:
        rest.attributes = msgspec.Raw(_encode({**told, **notes}))
    encoded = _encode(rest)
    assert len(encoded) <= RECORD_BYTES_MAX - _HEAD_BYTES, "every part was cut to its share"
    return Draft(
        kind,
        encoded,
        unserialisable_count=lost_count + (len(args.lost) if args else 0),
        is_oversize=args is not None and args.is_oversize,
        is_cut="interlock_result_length" in notes or "interlock_text_length" in notes,
    )


def _put_arguments(rest: _Rest, args: Arguments, notes: dict[str, object]) -> None:
    if args.json is None:
        notes["interlock_args_omitted"] = True
        return
    rest.args = msgspec.Raw(args.json)
    if args.lost:
        notes["interlock_args_omitted"] = list(args.lost)


def _told_attributes(
    attributes: Mapping[str, object] | None, notes: dict[str, object]
) -> tuple[dict[str, object], int]:
    """Attributes as plain JSON; names starting with `interlock_` are the client's alone."""
    if not attributes:
        return {}, 0
    convert = PlainJson(_FIELD_LEVELS)
    told = convert(attributes)
    is_told = isinstance(told, dict) and PLACEHOLDER_KEY not in told and not convert.is_cut
    encoded = _encode(told)
    if (
        not is_told
        or len(encoded) > _ATTRIBUTES_BYTES_MAX
        or costly_numbers(encoded) > _ATTRIBUTES_NUMBERS_MAX
    ):
        notes["interlock_attributes_omitted"] = True
        return {}, convert.lost_count
    assert isinstance(told, dict), "just seen"
    if convert.lost_count:
        notes["interlock_attributes_unserialisable"] = convert.lost_count
    kept = {name: value for name, value in told.items() if not name.startswith("interlock_")}
    return kept, convert.lost_count


def _put_result(
    rest: _Rest, result: object, size_left: int, numbers_left: int, notes: dict[str, object]
) -> int:
    """Put the result, or the beginning of its text if it does not fit."""
    convert = PlainJson(_FIELD_LEVELS)
    told = convert(result)
    encoded = _encode(told)
    if convert.lost_count:
        notes["interlock_result_unserialisable"] = convert.lost_count
    if convert.is_cut or len(encoded) > size_left or costly_numbers(encoded) > numbers_left:
        # At least this long: beyond the conversion's own budget the length is not counted.
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


def _cut_error(error: str, notes: dict[str, object]) -> str:
    if len(error) > _ERROR_CHARS_MAX:
        notes["interlock_error_length"] = len(error)
    return readable(error[:_ERROR_CHARS_MAX])


def _fitting(text: str, size_max: int) -> str:
    """A beginning of `text` whose JSON has at most `size_max` bytes."""
    text = text[: max(0, size_max)]
    while text and len(_encode(text)) > size_max:
        # Escapes take up to six bytes per character: shrink by the excess.
        text = text[: min(len(text) - 1, len(text) * size_max // len(_encode(text)))]
    return text


def _text_length(result: object) -> int:
    return len(result) if isinstance(result, str | bytes) else 0
