"""An item of `examples:` into an `Example`, its events filled in as docs/language.md says.

`session` defaults to one session, `ts` to one second after the event before (0 at first), and
an event with neither `id` nor `seq` gets the next `seq` of its session. Numbers follow JSON.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from .event import SECOND_NS
from .shape import Shape, did_you_mean, sort_of
from .spec import Example
from .yaml_faults import E_EXAMPLE, E_KEY_UNKNOWN
from .yaml_text import YamlList, YamlMap, YamlNode, YamlScalar

EVENTS_MAX: Final = 10_000  # Chosen: an example is read by people; recordings live in files.
SESSION_DEFAULT: Final = "example"
TIME_NS_MAX: Final = 2**63 - 1  # Times are int64 nanoseconds.

_KEYS: Final = ("name", "events", "violated_at", "inconclusive_at")
# Source: docs/events.md, the table of fields. `result` may be any JSON value.
_TEXT_FIELDS: Final = frozenset(
    {"id", "session", "kind", "agent", "user", "tenant", "tool", "call", "error", "text", "parent"}
)
_MAP_FIELDS: Final = frozenset({"args", "attributes"})
EVENT_FIELDS: Final = _TEXT_FIELDS | _MAP_FIELDS | {"v", "seq", "ts", "result"}


def read_example(node: YamlNode, default_name: str, shape: Shape) -> Example | None:
    """The example, or None where a fault was told."""
    top = shape.map_of(node, "an example")
    if top is None:
        return None
    faults_before = len(shape.faults)
    keys = shape.keys_of(top, "an example", _KEYS, ("events",))
    name = shape.text_of(keys["name"], "`name`") if "name" in keys else None
    events = _read_events(keys["events"], shape) if "events" in keys else ()
    positions = {
        key: _read_positions(keys.get(key), key, len(events), shape)
        for key in ("violated_at", "inconclusive_at")
    }
    if len(shape.faults) > faults_before:
        return None
    return Example(
        name=name.text if name else default_name,
        events=events,
        violated_at=positions["violated_at"],
        inconclusive_at=positions["inconclusive_at"],
        place=top.place,
    )


def _read_events(node: YamlNode, shape: Shape) -> tuple[Mapping[str, Any], ...]:
    items = shape.items_of(node, "`events`") or ()
    if len(items) > EVENTS_MAX:
        message = f"an example has at most {EVENTS_MAX} events, and this one has {len(items)}"
        shape.add(node.place, E_EXAMPLE, message, "keep long traces as recordings")
        return ()
    events: list[Mapping[str, Any]] = []
    next_ts_ns = 0
    next_seq: dict[str, int] = {}
    for item in items:
        written = _read_event(item, shape)
        session = written.get("session", SESSION_DEFAULT)
        event = {"session": session, "ts": next_ts_ns, **written}
        if "id" not in event and "seq" not in event:
            event["seq"] = next_seq.get(session, 0)
        next_seq[session] = max(next_seq.get(session, 0), event.get("seq", -1) + 1)
        next_ts_ns = read_time_ns(event["ts"]) + SECOND_NS
        events.append(event)
    return tuple(events)


def _read_event(node: YamlNode, shape: Shape) -> dict[str, Any]:
    """The fields that are written and right; whatever is wrong is told."""
    top = shape.map_of(node, "an event")
    event: dict[str, Any] = {}
    for key, value in top.entries if top else ():
        if key.text not in EVENT_FIELDS:
            message = f"an event has no field `{key.text[:40]}`"
            mend = did_you_mean(key.text, EVENT_FIELDS)
            shape.add(key.place, E_KEY_UNKNOWN, message, f"{mend} (or put it in `attributes`)")
            continue
        json_value = _json_value(value, shape)
        problem = _field_problem(key.text, json_value)
        if problem:
            message = f"`{key.text}` of an event is {problem}, and this is {sort_of(value)}"
            shape.add(value.place, E_EXAMPLE, message, "write it as docs/events.md says")
        else:
            event[key.text] = json_value
    if top is not None and not any(key.text == "kind" for key, _ in top.entries):
        message = "this event has no `kind`"
        shape.add(top.place, E_EXAMPLE, message, "write one, such as `kind: tool.requested`")
    return event


def _field_problem(field: str, value: Any) -> str:
    """What the field should be, where it is not; see docs/events.md."""
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if field in _TEXT_FIELDS and not isinstance(value, str):
        return "text (in quotes, if it looks like a number)"
    if field in ("id", "session", "kind") and not value:
        return "text that is not empty"
    if field in _MAP_FIELDS and not isinstance(value, dict):
        return "a map"
    if field == "v" and not (is_integer and value == 1):
        return "1"
    if field == "seq" and not (is_integer and 0 <= value <= TIME_NS_MAX):
        return "a whole number from 0"
    if field == "ts":
        is_time = is_integer and 0 <= value <= TIME_NS_MAX
        if not is_time and not (isinstance(value, str) and _parse_time(value) is not None):
            return "an RFC 3339 time, or whole nanoseconds"
    return ""


def _json_value(node: YamlNode, shape: Shape) -> Any:
    match node:
        case YamlMap(entries=entries):
            return {key.text: _json_value(value, shape) for key, value in entries}
        case YamlList(items=items):
            return [_json_value(item, shape) for item in items]
        case YamlScalar(value=value):
            if isinstance(value, float) and not math.isfinite(value):
                message = f"`{node.text}` is no JSON value"
                shape.add(node.place, E_EXAMPLE, message, "write a finite number")
            return value


def _read_positions(
    node: YamlNode | None, key: str, events_count: int, shape: Shape
) -> frozenset[int]:
    if node is None or (isinstance(node, YamlList) and not node.items):
        return frozenset()  # An empty list says "nowhere", and that is worth writing.
    positions: set[int] = set()
    for item in shape.items_of(node, f"`{key}`") or ():
        value = item.value if isinstance(item, YamlScalar) else None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < events_count:
            message = f"`{key}` lists positions of events, from 0 to {max(events_count - 1, 0)}"
            shape.add(item.place, E_EXAMPLE, message, "write such a position")
        elif value in positions:
            shape.add(item.place, E_EXAMPLE, f"`{key}` lists {value} twice", "take one away")
        else:
            positions.add(value)
    return frozenset(positions)


_RFC_3339 = re.compile(
    r"(\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


def _parse_time(text: str) -> int | None:
    """RFC 3339 as nanoseconds since 1970, exactly; None where it is none, or before 1970."""
    match = _RFC_3339.fullmatch(text)
    if match is None:
        return None
    try:
        zone = "+00:00" if match[3] in "Zz" else match[3]
        moment = datetime.fromisoformat(match[1].upper() + zone)
        elapsed = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    seconds = elapsed.days * 86_400 + elapsed.seconds
    time_ns = seconds * SECOND_NS + int((match[2] or "").ljust(9, "0"))
    return time_ns if 0 <= time_ns <= TIME_NS_MAX else None


def read_time_ns(ts: int | str) -> int:
    """Nanoseconds of a time as an example has it."""
    if isinstance(ts, int):
        return ts
    time_ns = _parse_time(ts)
    assert time_ns is not None, "only times that were read are kept"
    return time_ns
