"""Reads an item of `examples:` as an `Example`, with the defaults of docs/language.md.

`session` defaults to one session, and an event with neither `id` nor `seq` gets the next `seq` of
its session. `example_times.py` computes the times of events. Numbers follow JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..cel.unknown_names import MEANT_FIELDS
from ..yaml.faults import E_EXAMPLE, E_KEY_UNKNOWN
from ..yaml.nodes import YamlList, YamlNode, YamlScalar
from .example_times import TIME_KEYS, TIME_NS_MAX, Times
from .model import Example
from .typed_yaml import Shape, did_you_mean, sort_of

EVENTS_MAX: Final = 10_000  # Chosen: an example is read by people; recordings live in files.
SESSION_DEFAULT: Final = "example"

_KEYS: Final = ("name", "events", "violated_at", "inconclusive_at")
SHOWN_CHARACTERS_MAX: Final = 40  # Chosen: a longer value is not repeated in a correction.
# Source: docs/events.md, the table of fields. `result` may be any JSON value.
_TEXT_FIELDS: Final = frozenset(
    {"id", "session", "kind", "agent", "user", "tenant", "tool", "call", "error", "text", "parent"}
)
_MAP_FIELDS: Final = frozenset({"args", "attributes", "standing"})
_STANDING: Final = "version: 1, roles: [name], attributes: {}"
EVENT_FIELDS: Final = _TEXT_FIELDS | _MAP_FIELDS | {"v", "seq", "ts", "result"}
"""Fields of an event; an event of an example may have other times too (`TIME_KEYS`)."""


def read_example(node: YamlNode, default_name: str, shape: Shape) -> Example | None:
    """The example, or None if a fault was reported."""
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
        message = f"this example has {len(items)} events; the maximum is {EVENTS_MAX}"
        shape.add(node.place, E_EXAMPLE, message, "keep long traces as recordings")
        return ()
    events: list[Mapping[str, Any]] = []
    times = Times(shape)
    next_seq: dict[str, int] = {}
    for item in items:
        written, when = _read_event(item, shape)
        session = written.get("session", SESSION_DEFAULT)
        event = {"session": session, "ts": times.next(when, item.place), **written}
        if "id" not in event and "seq" not in event:
            event["seq"] = next_seq.get(session, 0)
        next_seq[session] = max(next_seq.get(session, 0), event.get("seq", -1) + 1)
        events.append(event)
    return tuple(events)


def _read_event(node: YamlNode, shape: Shape) -> tuple[dict[str, Any], dict[str, YamlNode]]:
    """The valid fields, and the keys that give the time; faults are reported."""
    top = shape.map_of(node, "an event")
    event: dict[str, Any] = {}
    when: dict[str, YamlNode] = {}
    for key, value in top.entries if top else ():
        if key.text in TIME_KEYS:
            when[key.text] = value
            continue
        if key.text not in EVENT_FIELDS:
            message = f"an event has no field `{key.text[:40]}`"
            mend = _mend_of_field(key.text)
            shape.add(
                key.place, E_KEY_UNKNOWN, message, f"{mend} (other values belong in `attributes`)"
            )
            continue
        json_value = shape.json_of(value)
        problem = _field_problem(key.text, json_value)
        if problem:
            message = f"`{key.text}` of an event must be {problem}, not {sort_of(value)}"
            shape.add(value.place, E_EXAMPLE, message, _mend_of_value(key.text, value))
        else:
            event[key.text] = json_value
    if top is not None and not any(key.text == "kind" for key, _ in top.entries):
        message = "this event has no `kind`"
        shape.add(top.place, E_EXAMPLE, message, "write one, such as `kind: tool.requested`")
    return event, when


def _mend_of_field(name: str) -> str:
    if name in ("time", "timestamp", "when"):
        return "write `ts: 2026-01-31T12:00:00Z`, `at: 5m` or `after: 10s`"
    meant = MEANT_FIELDS.get(name, "")
    return f"did you mean `{meant}`?" if meant in EVENT_FIELDS else did_you_mean(name, EVENT_FIELDS)


def _mend_of_value(field: str, value: YamlNode) -> str:
    if field == "standing":
        return f"write `standing: {{{_STANDING}}}`"
    if field in _MAP_FIELDS:
        return f"write `{field}: {{name: value}}`"
    if field in _TEXT_FIELDS:
        shown = value.text if isinstance(value, YamlScalar) else ""
        is_short = shown.isprintable() and 0 < len(shown) <= SHOWN_CHARACTERS_MAX
        return f'write `"{shown}"`' if is_short else "write text that is not empty"
    return "write `v: 1`" if field == "v" else f"write a number, such as `{field}: 0`"


def _field_problem(field: str, value: Any) -> str:
    """The expected value of a field if its value is not valid; see docs/events.md."""
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if field in _TEXT_FIELDS and not isinstance(value, str):
        return "text"
    if field in ("id", "session", "kind") and not value:
        return "text that is not empty"
    if field in _MAP_FIELDS and not isinstance(value, dict):
        return "a map"
    if field == "standing" and not _is_standing(value):
        return "a map of `version`, `roles` and `attributes`"
    if field == "v" and not (is_integer and value == 1):
        return "1"
    if field == "seq" and not (is_integer and 0 <= value <= TIME_NS_MAX):
        return "a whole number from 0"
    return ""


def _is_standing(value: Any) -> bool:
    """True for the form in which a gate records a standing (docs/events.md)."""
    roles = value.get("roles", [])
    return (
        value.keys() <= {"version", "roles", "attributes"}
        and isinstance(version := value.get("version"), int)
        and not isinstance(version, bool)
        and isinstance(roles, list)
        and all(isinstance(role, str) for role in roles)
        and isinstance(value.get("attributes", {}), dict)
    )


def _read_positions(
    node: YamlNode | None, key: str, events_count: int, shape: Shape
) -> frozenset[int]:
    if node is None or (isinstance(node, YamlList) and not node.items):
        return frozenset()  # An empty list means "nowhere", which is a valid expectation.
    positions: set[int] = set()
    for item in shape.items_of(node, f"`{key}`") or ():
        value = item.value if isinstance(item, YamlScalar) else None
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < events_count:
            message = f"`{key}` lists positions of events, from 0 to {max(events_count - 1, 0)}"
            shape.add(item.place, E_EXAMPLE, message, "write a number of this range")
        elif value in positions:
            shape.add(item.place, E_EXAMPLE, f"`{key}` lists {value} twice", "remove one")
        else:
            positions.add(value)
    return frozenset(positions)
