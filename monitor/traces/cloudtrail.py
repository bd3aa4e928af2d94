"""Records of AWS CloudTrail: a document with `Records`, or one record a line.

| in the record | event |
|---|---|
| the record | `tool.requested`; `eventID` is the call |
| the record without `errorCode` | `tool.completed` with `responseElements` |
| the record with `errorCode` | `tool.failed` |

The tool is `eventSource/eventName`, such as `s3.amazonaws.com/GetObject`; `requestParameters` are
the arguments. There is no session: the events of one identity (`arn`, which of a role names its
session, else `principalId`) are one. A record has one time, of which both of its events are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from monitor.traces.fields import mapping_of, text_of
from monitor.traces.model import ABSENT, Document, Format, Item, Passed, Step, Unread
from monitor.traces.times import from_text


def is_it(value: Any) -> bool:
    """By the names that each record has."""
    fields = mapping_of(value)
    records = fields.get("Records")
    record = mapping_of(records[0]) if isinstance(records, list) and records else fields
    return {"eventSource", "eventName", "eventID"} <= record.keys()


def read(document: Document) -> Iterable[Item]:
    """The events of one record, or of a file of them."""
    place, fields = document.place, mapping_of(document.value)
    if isinstance(fields.get("Records"), list):
        yield Passed(place, "the head of a file")
        for number, one in enumerate(fields["Records"], 1):
            yield from _record(f"{place}, record {number}", mapping_of(one))
    else:
        yield from _record(place, fields)


def _record(place: str, record: Mapping[str, Any]) -> Iterator[Item]:
    source, name = text_of(record.get("eventSource")), text_of(record.get("eventName"))
    if not (source and name):
        yield Unread(place, "a record without the name of its event")
        return
    identity, given = mapping_of(record.get("userIdentity")), record.get("requestParameters")
    named = (text_of(identity.get(key)) for key in ("arn", "principalId", "invokedBy"))
    who = next(filter(None, named), "")
    common: dict[str, Any] = {
        "place": place,
        "session": who,
        "user": text_of(identity.get("userName")) or who,
        "time_ns": from_text(record.get("eventTime")),
        "tool": f"{source}/{name}",
        "call": text_of(record.get("eventID")),
        "args": given if isinstance(given, dict) else None,
        "attributes": _attributes(record),
    }
    yield Step(kind="tool.requested", **common)
    if text_of(record.get("errorCode")):
        reason = f"{record['errorCode']}: {text_of(record.get('errorMessage'))}".rstrip(": ")
        yield Step(kind="tool.failed", error=reason, **common)
    else:
        yield Step(kind="tool.completed", result=record.get("responseElements", ABSENT), **common)


def _attributes(record: Mapping[str, Any]) -> dict[str, Any]:
    told = {"region": "awsRegion", "source_ip": "sourceIPAddress", "user_agent": "userAgent"}
    found = {name: text_of(record.get(field)) for name, field in told.items()}
    return {name: value for name, value in found.items() if value}


FORMAT: Final = Format(
    name="cloudtrail",
    title="records of AWS CloudTrail",
    version="record format 1.11; from its published schema",
    is_it=is_it,
    read=read,
)
