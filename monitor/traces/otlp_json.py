"""Spans in OTLP's JSON, as a collector or an SDK writes them: one batch a line, or one in all.

    {"resourceSpans": [{"resource": .., "scopeSpans": [{"spans": [..]}]}]}

Ids are hexadecimal texts, numbers of 64 bits are texts of digits. `monitor/traces/spans.py` says
what a span becomes. Metrics are passed over; log records are not read.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from interlock.limits import NUMBER_MAX
from monitor.traces.fields import mapping_of, text_of
from monitor.traces.model import Document, Format, Item, Passed, Unread
from monitor.traces.spans import SpanRecord, items_of
from monitor.traces.times import from_digits

_STATUSES: Final[Mapping[int | str, str]] = {
    0: "",
    1: "ok",
    2: "error",
    "STATUS_CODE_UNSET": "",
    "STATUS_CODE_OK": "ok",
    "STATUS_CODE_ERROR": "error",
}
_UNKNOWN_STATUS: Final = "?"
_INTEGER_CHARS_MAX: Final = 20


class OddValueError(ValueError):
    """An attribute whose value is not one of OTLP, or that is there twice."""


def is_it(value: Any) -> bool:
    """By the one field that only this format has."""
    return isinstance(mapping_of(value).get("resourceSpans"), list)


def read(document: Document) -> Iterable[Item]:
    """All spans of a batch."""
    place, fields = document.place, mapping_of(document.value)
    if "resourceMetrics" in fields:
        return [Passed(place, "metrics")]
    groups = fields.get("resourceSpans")
    if not isinstance(groups, list):
        return [Unread(place, "it has no list `resourceSpans`")]
    return _groups(place, groups) if groups else [Passed(place, "an empty batch")]


def _groups(place: str, groups: list[Any]) -> Iterator[Item]:
    number = 0
    for group in groups:
        resource = mapping_of(mapping_of(group).get("resource"))
        scopes = mapping_of(group).get("scopeSpans")
        if not isinstance(scopes, list):
            yield Unread(place, "an element of `resourceSpans` without a list `scopeSpans`")
            continue
        for scope in scopes:
            spans = mapping_of(scope).get("spans")
            if not isinstance(spans, list):
                yield Unread(place, "an element of `scopeSpans` without a list `spans`")
                continue
            for span in spans:
                number += 1
                yield from _span(f"{place}, span {number}", mapping_of(span), resource)
    if not number:
        yield Passed(place, "an empty batch")


def _span(place: str, span: Mapping[str, Any], resource: Mapping[str, Any]) -> Iterable[Item]:
    trace, id_ = text_of(span.get("traceId")), text_of(span.get("spanId"))
    if not trace or not id_:
        return [Unread(place, "a span without `traceId` or `spanId`")]
    status = mapping_of(span.get("status"))
    try:
        return items_of(
            SpanRecord(
                place=place,
                trace=trace,
                id=id_,
                parent=parent_of(text_of(span.get("parentSpanId"))),
                name=text_of(span.get("name")),
                start_ns=from_digits(span.get("startTimeUnixNano")),
                end_ns=from_digits(span.get("endTimeUnixNano")),
                status=_status(status.get("code", 0)),
                status_text=text_of(status.get("message")),
                attributes=_attributes(span.get("attributes")),
                resource=_attributes(resource.get("attributes")),
                notes=_notes(span.get("events")),
                has_messages_as_events=_has_messages(span.get("events")),
            )
        )
    except OddValueError as odd:
        return [Unread(place, str(odd))]


def parent_of(id_: str) -> str:
    """The id of an outer span; an id of zeros is none."""
    return id_ if id_.strip("0") else ""


def _status(code: Any) -> str:
    is_known = isinstance(code, int | str) and not isinstance(code, bool)
    return _STATUSES.get(code, _UNKNOWN_STATUS) if is_known else _UNKNOWN_STATUS


def _notes(events: Any) -> tuple[Mapping[str, Any], ...]:
    listed = events if isinstance(events, list) else []
    return tuple(
        _attributes(one.get("attributes"))
        for one in map(mapping_of, listed)
        if one.get("name") == "exception"
    )


def _has_messages(events: Any) -> bool:
    listed = events if isinstance(events, list) else []
    return any(text_of(mapping_of(one).get("name")).startswith("gen_ai.") for one in listed)


def _attributes(listed: Any) -> dict[str, Any]:
    """A list of keys and values. Raises OddValueError."""
    if listed is None:
        return {}
    if not isinstance(listed, list):
        raise OddValueError("attributes that are not a list")
    made: dict[str, Any] = {}
    for one in map(mapping_of, listed):
        key = one.get("key")
        if not isinstance(key, str):
            raise OddValueError("an attribute without a key")
        if key in made:
            raise OddValueError("an attribute is there twice, and readers disagree about that")
        made[key] = _value(one.get("value"))
    return made


def _value(told: Any) -> Any:
    """Of one attribute; null if it has none. Raises OddValueError."""
    if told is None or told == {}:
        return None
    if not isinstance(told, dict) or len(told) != 1:
        raise OddValueError("the value of an attribute has more than one type, or none")
    ((sort, value),) = told.items()
    match sort:
        case "stringValue" if isinstance(value, str):
            return value
        case "boolValue" if isinstance(value, bool):
            return value
        case "intValue":
            return _integer(value)
        case "doubleValue":
            return _double(value)
        case "bytesValue" if isinstance(value, str):
            return _bytes(value)
        case "arrayValue":
            return [_value(one) for one in _listed(value)]
        case "kvlistValue":
            return _attributes(_listed(value))
    raise OddValueError("the value of an attribute is not of a type of OTLP")


def _listed(value: Any) -> list[Any]:
    listed = mapping_of(value).get("values", [])
    if not isinstance(value, dict) or not isinstance(listed, list):
        raise OddValueError("a list of values that is not a list")
    return listed


def _integer(value: Any) -> int:
    if isinstance(value, str) and len(value) <= _INTEGER_CHARS_MAX and value.isascii():
        digits = value.removeprefix("-")
        value = int(value) if digits.isdigit() else None
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > NUMBER_MAX + 1:
        raise OddValueError("a whole number of an attribute is not one of 64 bits")
    return value


def _double(value: Any) -> float | int:
    if isinstance(value, str):
        value = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(value)
    if isinstance(value, bool) or not isinstance(value, float | int):
        raise OddValueError("a number of an attribute is not a number")
    return value


def _bytes(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        raise OddValueError("the bytes of an attribute are not base64") from None


FORMAT: Final = Format(
    name="otlp-json",
    title="spans of OpenTelemetry in OTLP's JSON",
    version="OTLP 1; met live: SDK of Python 1.45",
    is_it=is_it,
    read=read,
)
