"""The canonical content of an event: equal bytes for events that are equal after parsing.

These are equal: `1` and `1.0`, both forms of a time, a derived `id` and the same one written out,
an absent `result` and null, absent `attributes` and `{}`. Absent `args` differ from `{}`. Numbers
out of range are equal if their texts are. Unknown top-level keys are ignored.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any, Final

import msgspec

from interlock.limits import DIGITS_MAX
from invariants.model.event import EventRecord
from invariants.model.missing import real_number

DIGEST_BYTES: Final = 16
INT64_MIN: Final = -(2**63)


def content_digest(
    content: dict[str, Any],
    record: EventRecord,
    id_: str,
    ts_ns: int,
    principal: str,
    *,
    standing: Any = None,
    excepted: Any = None,
) -> bytes:
    """The digest of the content of a record, which `read_canonical` has read; `ts_ns` is its time,
    and `principal` its sender. `standing` and `excepted` are those that it states, if they count.
    """
    spelt = [
        principal,
        id_,
        record.session,
        None if record.seq is msgspec.UNSET else record.seq,
        ts_ns,
        record.kind,
        record.agent,
        record.user,
        record.tenant,
        record.tool,
        record.call,
        record.error,
        record.text,
        record.parent,
        content.get("args"),
        content.get("result"),
        content.get("attributes") or {},
    ]
    if standing is not None:
        spelt.append(standing)
    if excepted:
        spelt.append({"excepted": excepted})
    return blake2b(_encode(spelt), digest_size=DIGEST_BYTES).digest()


def read_canonical(value: bytes) -> dict[str, Any]:
    """A record as a plain map: whole numbers as int, others as float, those out of range as text.

    Raises
    ------
    ValueError, msgspec.DecodeError
        The value is not JSON. It need not be a map.
    """
    try:
        content: dict[str, Any] = _decode(value)
    except msgspec.ValidationError:
        # Some whole number has too many digits: the decoder has no hook for these.
        content = json.loads(value.decode(), parse_int=_whole_number, parse_float=_number)
    return content


def _whole_number(text: str) -> int | msgspec.Raw:
    return int(text) if len(text) <= DIGITS_MAX else msgspec.Raw(text.encode())


def _number(text: str) -> float | int | msgspec.Raw:
    number = real_number(text)
    if not isinstance(number, float):
        return msgspec.Raw(text.encode())
    # Beyond int64 a whole number is missing to predicates, and a double is not: they differ.
    is_whole = INT64_MIN <= number < -INT64_MIN and number.is_integer()
    return int(number) if is_whole else number


_decode: Final = msgspec.json.Decoder(float_hook=_number).decode
_encode: Final = msgspec.json.Encoder(order="deterministic").encode
