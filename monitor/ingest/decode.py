"""Bytes of our own event format -> `Event`, or `Rejected` with field, place and reason.

Stateless and total: whatever the bytes are, one of the two comes back. The form is that of
docs/events.md: one JSON object, UTF-8, no repeated key anywhere (two readers of one record must
not see different values), types exactly those of `EventRecord`. A number out of range makes no
record unreadable unless it is `ts`, `seq` or `v`: elsewhere it is a missing value.
"""

from __future__ import annotations

import json
import re
from datetime import date, datetime, time
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple, NoReturn

import msgspec

from interlock.kinds import meant_kind
from interlock.limits import (
    COSTLY_NUMBERS_MAX,
    NAME_CHARACTERS_MAX,
    NESTING_MAX,
    NUMBER_MAX,
    RECORD_BYTES_MAX,
    has_too_costly_numbers,
    nests_too_deep,
    unit_of_time,
)
from invariants.model.event import SECOND_NS, Event, EventRecord, Origin
from invariants.model.excepted import Excepted
from invariants.model.standing import Standing
from monitor.ingest.content import content_digest, read_canonical
from monitor.ingest.excepted import ExceptedError, read_excepted
from monitor.ingest.rejected import Reason, Rejected, reject
from monitor.ingest.salvage import Salvage, salvage
from monitor.ingest.standing import StandingError, read_standing
from monitor.ingest.unrepeated import RepeatedKeyError, check_unrepeated
from monitor.topics import GATE


class _Note(msgspec.Struct):
    name: str = ""


_record_decoder: Final = msgspec.json.Decoder(EventRecord)
_note_decoder: Final = msgspec.json.Decoder(_Note)
_value_decoder: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.Encoder().encode

_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,18}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_NULLABLE: Final = tuple(
    field.name
    for field in msgspec.structs.fields(EventRecord)
    if not field.required and field.name != "result"
)
"""Fields for which null is as good as nothing."""
_parts_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NAMES: Final = ("session", "kind", "id", "agent", "user", "tenant", "tool", "call", "parent")
_names: Final = attrgetter(*_NAMES)
_TIME: Final = "nanoseconds or RFC 3339"
_EXPECTED: Final = {
    "ts": f"integer {_TIME} text, such as 2026-01-31T12:00:00Z",
    "seq": f"a whole number from 0 to {NUMBER_MAX}",
    "v": "1",
    "args": "an object",
    "attributes": "an object",
}
"""The expected type of a field; the others are texts."""

_MISSING_FIELD: Final = re.compile(r"Object missing required field `(\w+)`")
_WRONG_TYPE: Final = re.compile(r"Expected `[^`]+`, got `([^`]+)`")
_PLACE: Final = re.compile(r" - at `\$\.(\w+)`")
_SHOWN: Final = re.compile(r"\{(ts|seq|v)\}")


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
    is_trusted: bool = False,
) -> Event | Rejected:
    """One record as an event.

    The standing and the exceptions that it states count on the topic of gates, and if the source
    `is_trusted`. On that topic every record is a gate's; from a trusted source, those that say so.

    Cost: about three times a plain decode; the rest is the content digest and the check for
    repeated keys (Measured: `interlock bench engine`).
    """
    try:
        is_vouched = is_trusted or origin.topic == GATE
        record, id_, ts_ns, digest, stated = _read(value, principal, is_vouched=is_vouched)
    except _NoEventError as error:
        known = salvage(value, is_scanned=error.reason == "repeated_key")
        detail = _SHOWN.sub(lambda match: _shown(known, match.group(1)), error.detail)
        rejected = reject(error.reason, detail, origin, value)
        return msgspec.structs.replace(
            rejected,
            known=known,
            principal=principal,
            arrival_ns=arrival_ns,
            not_before_ns=not_before_ns,
        )
    return Event(
        record,
        id_,
        ts_ns,
        digest,
        origin,
        arrival_ns,
        principal,
        not_before_ns=not_before_ns,
        standing=stated.standing,
        excepted=stated.excepted,
        is_of_gate=origin.topic == GATE or (is_trusted and _is_of_gate(record)),
    )


def _is_of_gate(record: EventRecord) -> bool:
    """True if the record has the note that a gate adds to each of its own."""
    if not memoryview(record.gate):
        return False
    try:
        return bool(_note_decoder.decode(record.gate).name)
    except msgspec.MsgspecError:
        return False


def _shown(known: Salvage, name: str) -> str:
    """`{ts}` in a detail: the record's `ts` if it may be shown, or a description."""
    return dict(known.shown).get(name, "a text" if name == "ts" else "its value")


def _read(
    value: bytes, principal: str, *, is_vouched: bool
) -> tuple[EventRecord, str, int, bytes, _Stated]:
    """The record, its id, the producer's time in ns, the digest of its content, and what it states
    that counts.
    """
    if not value:
        raise _NoEventError("empty", "the record has no bytes")
    if len(value) > RECORD_BYTES_MAX:
        text = f"the record has {len(value)} bytes, expected at most {RECORD_BYTES_MAX}"
        raise _NoEventError("too_large", text)
    record, content = _parse(value)
    _check_record(record, content, len(value))
    ts_ns = _time_ns(record.ts)
    id_ = record.id or f"{record.session}/{record.seq}"
    stated = _stated(record) if is_vouched else _NOTHING_STATED
    digest = content_digest(
        content,
        record,
        id_,
        ts_ns,
        principal,
        standing=None if stated.standing is None else content["standing"],
        excepted=content["excepted"] if stated.excepted else None,
    )
    return record, id_, ts_ns, digest, stated


class _Stated(NamedTuple):
    """The fields that only a gate may state."""

    standing: Standing | None = None
    excepted: tuple[Excepted, ...] = ()


_NOTHING_STATED: Final = _Stated()


def _stated(record: EventRecord) -> _Stated:
    standing, excepted = None, tuple[Excepted, ...]()
    try:
        if memoryview(record.standing):
            standing = read_standing(record.standing)
        if memoryview(record.excepted):
            excepted = read_excepted(record.excepted)
    except StandingError as error:
        raise _NoEventError("field", f"standing: {error}") from None
    except ExceptedError as error:
        raise _NoEventError("field", f"excepted: {error}") from None
    return _Stated(standing, excepted)


def _parse(value: bytes) -> tuple[EventRecord, dict[str, Any]]:
    if nests_too_deep(value):
        text = f"the record nests deeper than {NESTING_MAX} levels"
        raise _NoEventError("too_deep", text)
    if has_too_costly_numbers(value):
        text = f"the record's numbers cost more than {COSTLY_NUMBERS_MAX} (docs/events.md)"
        raise _NoEventError("numbers", text)
    try:
        content = read_canonical(value)
        stated = value
        if b"null" in value and type(content) is dict:
            content, stated = _without_nulls(content, value)
        record = _record_decoder.decode(stated)
    except msgspec.ValidationError as error:
        _refuse_field(str(error))
    except (ValueError, msgspec.DecodeError) as error:
        # For a text that is not UTF-8 the decoder raises one or the other, by its version; Python's
        # reader, which reads whole numbers of too many digits, raises others.
        if isinstance(error, UnicodeDecodeError) or "UTF-8" in str(error):
            _check_utf8(value)
        raise _NoEventError("not_json", _told_of_json(str(error), value)) from None
    except RecursionError:
        raise _NoEventError("too_deep", "the record is nested too deeply to be read") from None
    # Written as our client writes it, no key is in it twice.
    if stated is not value or (_encode(content) != value and not _is_as_written(value)):
        _check_repeated_keys(value)
    return record, content


def _is_as_written(value: bytes) -> bool:
    """True if a record with such numbers as `1.0`, which is read as 1, is written like this."""
    try:
        return _encode(_value_decoder.decode(value)) == value
    except msgspec.ValidationError:
        return False  # Some number in it is out of range.


def _check_utf8(value: bytes) -> None:
    try:
        value.decode()
    except UnicodeDecodeError as error:
        raise _NoEventError("not_utf8", f"not UTF-8 from byte {error.start} on") from None


def _without_nulls(content: dict[str, Any], value: bytes) -> tuple[dict[str, Any], bytes]:
    """The record without the optional fields that are null; most records have none such."""
    nulls = [name for name in _NULLABLE if name in content and content[name] is None]
    if not nulls:
        return content, value
    parts = _parts_decoder.decode(value)
    for name in nulls:
        del parts[name]
    return {name: held for name, held in content.items() if name in parts}, _encode(parts)


def _refuse_field(message: str) -> NoReturn:
    """The decoder's error about a field's type, as field, actual and expected.

    The decoder names types and fields, and no value of the record.
    """
    missing = _MISSING_FIELD.match(message)
    if missing is not None:
        name = missing.group(1)
        raise _NoEventError("field", f"{name}: missing, expected {_EXPECTED.get(name, 'a text')}")
    place, types = _PLACE.search(message), _WRONG_TYPE.match(message)
    met = f"of type {types.group(1)}" if types is not None else "a number out of range"
    if place is None:
        raise _NoEventError("field", f"the record is {met}, expected an object")
    name = place.group(1)
    if name in ("ts", "seq", "v") and types is None:
        met = f"{{{name}}} is out of range"
    elif name in ("ts", "seq", "v") and met == "of type float":
        met = f"{{{name}}} is not a whole number"
    raise _NoEventError("field", f"{name}: {met}, expected {_EXPECTED.get(name, 'a text')}")


def _told_of_json(message: str, value: bytes) -> str:
    """The position at which JSON is invalid. The decoder describes only some halves of pairs."""
    try:
        # What Python alone takes for numbers (`NaN`, `Infinity`) `int` refuses as we do.
        json.loads(value.decode(), parse_int=len, parse_float=len, parse_constant=int)
    except (ValueError, RecursionError):
        return f"not JSON: {message.removeprefix('JSON is malformed: ')}"
    return "not JSON: half of a surrogate pair (`\\ud800` to `\\udfff`) is not a character"


def _check_repeated_keys(value: bytes) -> None:
    """The slow and exact check, for records that are not written as our client writes them."""
    try:
        check_unrepeated(value)
    except RepeatedKeyError:
        text = "an object of the record contains a key twice"
        raise _NoEventError("repeated_key", text) from None
    except UnicodeDecodeError:
        raise _NoEventError("not_utf8", "the record is not UTF-8") from None
    except ValueError as error:
        raise _NoEventError("not_json", f"two parsers disagree on it: {error}") from None


def _check_record(record: EventRecord, content: dict[str, Any], size_bytes: int) -> None:
    if record.v != 1:
        text = "v: {v} is not a supported version, expected 1"
        raise _NoEventError("version", text)
    if size_bytes > NAME_CHARACTERS_MAX:
        _check_lengths(record)
    if not record.session or not record.kind:
        name = "kind" if record.session else "session"
        raise _NoEventError("field", f"{name}: empty, expected a text")
    if (kind := meant_kind(record.kind)) and kind != record.kind:
        raise _NoEventError("field", f"kind: a misspelling of a known kind, expected `{kind}`")
    if record.seq is msgspec.UNSET:
        if not record.id:
            raise _NoEventError("field", "seq: missing, like `id`; expected one of them")
    elif not 0 <= record.seq <= NUMBER_MAX:
        raise _NoEventError("field", f"seq: {{seq}} is out of range, expected {_EXPECTED['seq']}")
    for name in ("args", "attributes"):
        if name in content and type(content[name]) is not dict:
            raise _NoEventError("field", f"{name}: not an object, expected one")


def _check_lengths(record: EventRecord) -> None:
    if max(map(len, _names(record))) <= NAME_CHARACTERS_MAX:
        return
    for name in _NAMES:
        length = len(getattr(record, name))
        if length > NAME_CHARACTERS_MAX:
            text = f"{name}: {length} characters, expected at most {NAME_CHARACTERS_MAX}"
            raise _NoEventError("field", text)


def _time_ns(ts: str | int) -> int:
    """RFC 3339 text or integer nanoseconds, as nanoseconds since 1970."""
    if isinstance(ts, int):
        time_ns = ts
        if (unit := unit_of_time(ts)) is not None:
            raise _NoEventError("field", f"ts: {{ts}} is {unit}, expected {_TIME}")
    else:
        time_ns = _parse_rfc3339(ts)
    if not 0 <= time_ns <= NUMBER_MAX:
        raise _NoEventError("field", "ts: {ts} is outside 1970 to 2262")
    return time_ns


def _parse_rfc3339(text: str) -> int:
    match = _RFC3339.fullmatch(text)
    if match is None:
        is_zone_missing = _RFC3339.fullmatch(f"{text}Z") is not None
        met = "{ts} has no time zone" if is_zone_missing else "{ts} is not a valid time"
        raise _NoEventError("field", f"ts: {met}, expected {_EXPECTED['ts']}")
    day, hours, minutes, seconds, fraction, zone = match.groups()
    # A leap second is the second after :59, as everywhere in POSIX time.
    is_leap = seconds == "60"
    try:
        whole_s = _minute_s(day, hours, minutes) + int(seconds)
        if seconds > "59" and not is_leap:
            time(second=int(seconds))
        if zone not in "Zz":
            whole_s -= _ahead_s(zone)
    except ValueError as error:
        raise _NoEventError("field", f"ts: {{ts}} is not a valid time: {error}") from None
    whole_ns = whole_s * SECOND_NS
    return whole_ns if fraction is None else whole_ns + int(fraction[:9].ljust(9, "0"))


@lru_cache(maxsize=4_096)
def _minute_s(day: str, hours: str, minutes: str) -> int:
    """The beginning of a minute in UTC, in seconds since 1970; raises ValueError."""
    days = date.fromisoformat(day).toordinal() - _DAY_1970
    at = time(int(hours), int(minutes))
    return days * 86_400 + at.hour * 3_600 + at.minute * 60


@lru_cache(maxsize=1_024)
def _ahead_s(zone: str) -> int:
    """How many seconds a zone is ahead of UTC; raises ValueError."""
    offset = datetime.fromisoformat(f"1970-01-01T00:00:00{zone}").utcoffset()
    assert offset is not None, "the zone is given"
    return offset.days * 86_400 + offset.seconds


_DAY_1970: Final = date(1970, 1, 1).toordinal()
