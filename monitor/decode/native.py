"""Bytes of our own event format -> `Event`, or `Rejected` with the reason.

Stateless and total: whatever the bytes are, one of the two comes back. The form is that of
docs/events.md: one JSON object, UTF-8, no repeated key anywhere (two readers of one record must
not see different values), types exactly those of `EventRecord`.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from invariants.event import RAW_ABSENT, SECOND_NS, Event, EventRecord, Origin
from monitor.decode.rejected import Reason, Rejected, reject

RECORD_BYTES_MAX: Final = 900 * 1024
NESTING_MAX: Final = 64
"""Chosen: far deeper than any tool's arguments, far from the recursion limits of readers."""
NAME_CHARACTERS_MAX: Final = 512
"""Chosen: for ids and names; a session id is a key in topics, tables and reports."""
TIME_NS_MAX: Final = 2**63 - 1

_record_decoder: Final = msgspec.json.Decoder(EventRecord)
_value_decoder: Final = msgspec.json.Decoder()
_plain_encoder: Final = msgspec.json.Encoder()
_sorted_encoder: Final = msgspec.json.Encoder(order="deterministic")

_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:\.(\d{1,18}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_NULLABLE: Final = tuple(
    field.name
    for field in msgspec.structs.fields(EventRecord)
    if not field.required and field.name != "result"
)
"""Fields for which null is as good as nothing."""
_parts_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NAMES: Final = ("session", "kind", "id", "agent", "user", "tenant", "tool", "call", "parent")


class _NoEventError(Exception):
    """Carries the reason out of the checks below; never leaves this module."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason
        self.detail = detail


def decode_event(
    value: bytes,
    origin: Origin,
    *,
    arrival_ns: int | None = None,
    not_before_ns: int | None = None,
    principal: str = "",
) -> Event | Rejected:
    """One record as an event.

    Cost: about three times a plain decode; the rest is the content digest and the check for
    repeated keys (Measured: `interlock bench engine`).
    """
    try:
        record, id_, ts_ns, digest = _read(value)
    except _NoEventError as error:
        return reject(error.reason, error.detail, origin, value)
    return Event(
        record, id_, ts_ns, digest, origin, arrival_ns, principal, not_before_ns=not_before_ns
    )


def _read(value: bytes) -> tuple[EventRecord, str, int, bytes]:
    """The record, its id, the producer's time in ns, and the digest of its content."""
    if not value:
        raise _NoEventError("empty", "the record has no bytes")
    if len(value) > RECORD_BYTES_MAX:
        raise _NoEventError("too_large", f"{len(value)} bytes; at most {RECORD_BYTES_MAX} are read")
    record, content = _parse(value)
    _check_record(record, len(value))
    ts_ns = _time_ns(record.ts)
    id_ = record.id or f"{record.session}/{record.seq}"
    digest = hashlib.blake2b(_sorted_encoder.encode(content), digest_size=16).digest()
    return record, id_, ts_ns, digest


def _parse(value: bytes) -> tuple[EventRecord, dict[str, Any]]:
    if value.count(b"{") + value.count(b"[") > NESTING_MAX:
        _check_nesting(value)
    try:
        content = _value_decoder.decode(value)
        stated = value
        if b"null" in value and type(content) is dict:
            content, stated = _without_nulls(content, value)
        record = _record_decoder.decode(stated)
    except msgspec.ValidationError as error:
        raise _NoEventError("field", str(error)) from None
    except UnicodeDecodeError:
        raise _NoEventError("not_utf8", "the record is not UTF-8") from None
    except msgspec.DecodeError as error:
        raise _NoEventError("not_json", str(error)) from None
    except RecursionError:
        raise _NoEventError("too_deep", "the record nests too deeply to be read") from None
    if stated is not value or _plain_encoder.encode(content) != value:
        _check_repeated_keys(value)
    return record, content


def _without_nulls(content: dict[str, Any], value: bytes) -> tuple[dict[str, Any], bytes]:
    """The record without the optional fields that are null; most records have none such."""
    nulls = [name for name in _NULLABLE if name in content and content[name] is None]
    if not nulls:
        return content, value
    parts = _parts_decoder.decode(value)
    for name in nulls:
        del parts[name]
    return {name: held for name, held in content.items() if name in parts}, _plain_encoder.encode(
        parts
    )


def _check_nesting(value: bytes) -> None:
    """Count open brackets outside strings: linear, and without recursion."""
    depth = 0
    for match in re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', value, re.DOTALL):
        token = match.group()
        if token in (b"{", b"["):
            depth += 1
            if depth > NESTING_MAX:
                text = f"the record nests deeper than {NESTING_MAX} levels"
                raise _NoEventError("too_deep", text)
        elif token in (b"}", b"]"):
            depth -= 1


def _check_repeated_keys(value: bytes) -> None:
    """The slow and exact check, for records that are not written as our client writes them."""

    def no_repeats(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise _NoEventError("repeated_key", "an object of the record names a key twice")

    try:
        json.loads(value, object_pairs_hook=no_repeats, parse_int=len, parse_float=len)
    except UnicodeDecodeError:
        raise _NoEventError("not_utf8", "the record is not UTF-8") from None
    except ValueError as error:
        raise _NoEventError("not_json", f"two readers disagree on it: {error}") from None


def _check_record(record: EventRecord, size_bytes: int) -> None:
    if record.v != 1:
        raise _NoEventError("version", f"schema version {record.v}; this monitor reads 1")
    if size_bytes > NAME_CHARACTERS_MAX:
        _check_lengths(record)
    if not record.session or not record.kind:
        raise _NoEventError("field", "`session` and `kind` must not be empty")
    if record.seq is msgspec.UNSET:
        if not record.id:
            raise _NoEventError("field", "one of `id` and `seq` must be there")
    elif not 0 <= record.seq <= TIME_NS_MAX:
        raise _NoEventError("field", "`seq` must be a whole number from 0 to 2^63-1")
    _check_object("args", record.args)
    _check_object("attributes", record.attributes)


def _check_lengths(record: EventRecord) -> None:
    for name in _NAMES:
        if len(getattr(record, name)) > NAME_CHARACTERS_MAX:
            text = f"`{name}` is longer than {NAME_CHARACTERS_MAX} characters"
            raise _NoEventError("field", text)


def _check_object(name: str, raw: msgspec.Raw) -> None:
    if raw is not RAW_ABSENT and bytes(raw)[:1] != b"{":
        raise _NoEventError("field", f"`{name}` must be an object")


def _time_ns(ts: str | int) -> int:
    """RFC 3339 text or integer nanoseconds, as nanoseconds since 1970."""
    time_ns = ts if isinstance(ts, int) else _parse_rfc3339(ts)
    if not 0 <= time_ns <= TIME_NS_MAX:
        raise _NoEventError("field", "`ts` lies outside 1970 to 2262")
    return time_ns


def _parse_rfc3339(text: str) -> int:
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise _NoEventError("field", "`ts` must be RFC 3339 text or integer nanoseconds")
    date, minutes, seconds, fraction, zone = match.groups()
    # A leap second is the second after :59, as everywhere in POSIX time.
    is_leap = seconds == "60"
    zone = "+00:00" if zone in "Zz" else zone
    try:
        moment = datetime.fromisoformat(f"{date}T{minutes}:{'59' if is_leap else seconds}{zone}")
    except ValueError as error:
        raise _NoEventError("field", f"`ts` is no time: {error}") from None
    elapsed = moment - _EPOCH
    whole = elapsed.days * 86_400 + elapsed.seconds + is_leap
    return whole * SECOND_NS + int((fraction or "0")[:9].ljust(9, "0"))


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
