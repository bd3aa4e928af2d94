"""CloudEvents whose data is one of our own events, or a document of another format.

| in the file | data |
|---|---|
| structured: `specversion`, `type`, `source` | `data`, or `data_base64` |
| a record of Kafka: `headers` with `content-type: application/cloudevents+json` | of its `value` |
| a record of Kafka: `headers` with `ce_specversion` | its `value` |

An event of our own keeps its session, and is at its own time or at that of the CloudEvent. Answers
of operators are not read: a file does not show who gave them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from interlock.kinds import RUNTIME_KINDS, meant_kind
from interlock.limits import NAME_CHARACTERS_MAX
from monitor.traces.documents import parsed
from monitor.traces.fields import json_of, mapping_of, text_of
from monitor.traces.model import ABSENT, Document, Format, Item, Step, Unread
from monitor.traces.times import from_digits, from_text

_NAMES: Final = ("specversion", "type", "source")
_STRUCTURED: Final = "application/cloudevents+json"
_TEXTS: Final = ("agent", "user", "parent", "tool", "call", "error", "text")
_UNTOLD: Final = frozenset({"session", "kind", "ts", "seq", "id", "v"})
"""Fields of an event that are read by themselves, or given anew."""


def around(formats: Sequence[Format]) -> Format:
    """The format of CloudEvents that carry documents of other formats."""

    def read(document: Document) -> Iterable[Item]:
        place, found = document.place, _unwrapped(document.value)
        if found is None:
            return [Unread(place, "it is not a CloudEvent")]
        data, time = found
        if {"session", "kind"} <= mapping_of(data).keys():
            return [_own(place, mapping_of(data), time)]
        inner = next((one for one in formats if one.is_it(data)), None)
        if inner is None:
            return [Unread(place, "a CloudEvent whose data is of no known format")]
        return list(inner.read(Document(place, data)))

    return Format(
        name="cloudevents",
        title="CloudEvents",
        version="CloudEvents 1.0, from the published schema",
        is_it=lambda value: _unwrapped(value) is not None,
        read=read,
    )


def _unwrapped(value: Any) -> tuple[Any, Any] | None:
    """The data and the time of a CloudEvent; None for anything else."""
    fields = mapping_of(value)
    headers = {name.lower(): told for name, told in mapping_of(fields.get("headers")).items()}
    if text_of(headers.get("content-type")).lower().startswith(_STRUCTURED):
        fields = mapping_of(json_of(fields.get("value")))
    elif "ce_specversion" in headers and "value" in fields:
        return json_of(fields["value"]), headers.get("ce_time")
    if not all(isinstance(fields.get(name), str) for name in _NAMES):
        return None
    return _data(fields), fields.get("time")


def _data(fields: Mapping[str, Any]) -> Any:
    if "data_base64" not in fields:
        return json_of(fields.get("data"))
    try:
        return parsed(base64.b64decode(text_of(fields["data_base64"]), validate=True))
    except (ValueError, binascii.Error):
        return None


def _own(place: str, data: Mapping[str, Any], time: Any) -> Item:
    kind, session = data["kind"], data["session"]
    if not isinstance(kind, str) or not isinstance(session, str) or not session:
        return Unread(place, "an event whose `kind` or `session` is not a text")
    if not _is_kind(kind):
        return Unread(
            place, "an event of a kind that a recording cannot prove, or of no known kind"
        )
    texts = {name: data[name] for name in _TEXTS if name in data}
    args, attributes = data.get("args"), data.get("attributes", {})
    is_read = all(isinstance(text, str) for text in texts.values())
    if not is_read or not isinstance(args, dict | None) or not isinstance(attributes, dict):
        return Unread(place, "an event with a field of another type")
    others = {name: data[name] for name in data.keys() - set(texts) - _UNTOLD - _PARTS}
    ts = data.get("ts", time)
    return Step(
        place=place,
        kind=kind,
        session=session,
        time_ns=from_digits(ts) or from_text(ts),
        args=args,
        result=data.get("result", ABSENT),
        attributes={**others, **attributes},
        **texts,
    )


_PARTS: Final = frozenset({"args", "result", "attributes"})


def _is_kind(kind: str) -> bool:
    is_name = bool(kind) and kind.isprintable() and len(kind) <= NAME_CHARACTERS_MAX
    return kind in RUNTIME_KINDS or (is_name and not meant_kind(kind))
