"""JSON Schemas (2020-12) of the event and of invariant files, for editors and other programs.

They describe only the shape. `check/specs.py` reports what a schema cannot express (names,
formulas, CEL, repeated keys); a file that the schema refuses is refused there too.
"""

from __future__ import annotations

from typing import Any, Final, get_args

from . import allowed_calls
from .about import (
    DESCRIPTION_CHARACTERS_MAX,
    OWNER_CHARACTERS_MAX,
    REFERENCE_CHARACTERS_MAX,
    REFERENCES_MAX,
    TAG_CHARACTERS_MAX,
    TAGS_MAX,
)
from .model import ActionKind
from .pattern_table import PATTERNS

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_INT64_MAX: Final = 2**63 - 1
_NAME: Final = "^(?!_$)[A-Za-z_][A-Za-z0-9_]{0,99}$"
_ID: Final = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


def event_schema() -> Schema:
    """The event as agents publish it (docs/events.md)."""
    return {
        "$schema": DIALECT,
        "title": "Interlock event",
        "description": "One action of an agent, as a JSON object of at most 900 KiB.",
        **_published(),
        "required": ["session", "ts", "kind"],
        "anyOf": [{"required": ["id"]}, {"required": ["seq"]}],
    }


def invariant_file_schema() -> Schema:
    """A file of invariants, as far as this version reads the language (docs/language.md)."""
    return {
        "$schema": DIALECT,
        "title": "Interlock invariants",
        "description": "Predicates on single events, and invariants over them.",
        **_closed(
            {
                "version": {"const": 1, "description": "The version of the language."},
                "lists": _named("Values that predicates name as `lists.NAME`.", _list()),
                "sources": _named("Data memories: the values shown to a session.", _source()),
                "predicates": _named("Conditions on one event, in CEL.", _predicate()),
                "invariants": {"type": "array", "minItems": 1, "items": _invariant()},
            },
            required=["version", "invariants"],
        ),
    }


def _published() -> Schema:
    """The event as others write it: for optional fields null is as good as nothing."""
    event = _event()
    required = ("session", "ts", "kind")
    fields = {
        name: said if name in required or name == "result" else {"anyOf": [said, {"type": "null"}]}
        for name, said in event["properties"].items()
    }
    return {**event, "properties": fields}


_OF_GATES: Final[dict[str, Any]] = {
    "standing": {
        "type": "object",
        "description": "The principal's roles and attributes, stated by gates.",
        "properties": {
            "version": {"type": "integer"},
            "roles": {"type": "array", "items": {"type": "string"}, "maxItems": 64},
            "attributes": {"type": "object"},
        },
        "required": ["version"],
    },
    "excepted": {
        "type": "array",
        "description": "Exceptions of operators that concern the event, stated by gates.",
        "items": {
            "type": "array",
            "prefixItems": [{"type": "string"}, {"type": "string"}, {"type": "integer"}],
            "minItems": 3,
        },
        "maxItems": 64,
    },
    "gate": {
        "type": "object",
        "description": "The gate that recorded the event, its answer and its reasons.",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
    },
}
"""Fields that gates state."""


def _event() -> Schema:
    text = {"type": "string"}
    name = {"type": "string", "minLength": 1}
    return {
        "type": "object",
        "properties": {
            "v": {"const": 1, "description": "Schema version; absent means 1."},
            "id": {**name, "description": "Unique; if absent, session/seq."},
            "session": {**name, "description": "One run of one agent on one task."},
            "seq": {
                "type": "integer",
                "minimum": 0,
                "maximum": _INT64_MAX,
                "description": "Position in the session, assigned before an event can be dropped.",
            },
            "ts": {
                "description": "Time of the event at the producer: RFC 3339, or nanoseconds.",
                "anyOf": [
                    {"type": "string", "format": "date-time"},
                    {"type": "integer", "minimum": 0, "maximum": _INT64_MAX},
                ],
            },
            "kind": {**name, "examples": ["tool.requested", "tool.completed", "message.user"]},
            "agent": text,
            "user": text,
            "tenant": text,
            "tool": {**text, "description": "The tool's name."},
            "call": {**text, "description": "Ties request, decision and outcome together."},
            "args": {"type": "object", "description": "Arguments of the call."},
            "result": {"description": "Outcome of the call: any JSON value."},
            "error": text,
            "text": {**text, "description": "Text of a message."},
            "parent": {**text, "description": "The session that started this one."},
            "principal": {
                **text,
                "description": "The principal of the session, stated by operators and gates.",
            },
            "attributes": {"type": "object", "description": "Anything else."},
            **_OF_GATES,
        },
    }


def _closed(properties: Schema, *, required: list[str] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": required or [],
        "additionalProperties": False,
    }


def _named(description: str, values: Schema) -> Schema:
    return {
        "type": "object",
        "description": description,
        "minProperties": 1,
        "propertyNames": {"pattern": _NAME},
        "additionalProperties": values,
    }


def _list() -> Schema:
    values = {
        "type": "array",
        "minItems": 1,
        "items": {"type": ["string", "number", "boolean"], "minLength": 1},
    }
    file = {
        "type": "string",
        "minLength": 1,
        "description": "One item per line, in the folder of this file.",
    }
    return {"anyOf": [values, _closed({"file": file}, required=["file"])]}


def _expression(description: str) -> Schema:
    # `when: true` is CEL too, and YAML reads it as a truth value.
    types = ["string", "boolean", "number"]
    return {"type": types, "minLength": 1, "description": description}


def _predicate() -> Schema:
    values = _named("Values of the event, by name.", _expression("A value, in CEL."))
    when = _expression("True at the matching events, in CEL.")
    return {"anyOf": [when, _closed({"when": when, "with": values}, required=["when"])]}


def _source() -> Schema:
    when = _expression("True at the events that show something, in CEL.")
    values = _expression("The values they show, in CEL: every string in them counts.")
    return _closed({"when": when, "values": values}, required=["when", "values"])


def _invariant() -> Schema:
    text = {"type": "string", "minLength": 1}
    properties = {
        "id": {"type": "string", "pattern": _ID},
        "severity": {"enum": ["info", "warning", "critical"]},
        "never": {**text, "description": "A formula that must be false at every event."},
        "always": {**text, "description": "A formula that must be true at every event."},
        "pattern": _pattern(),
        "summary": {**text, "description": "One sentence for readers of the finding."},
        **_about(),
        "enabled": {
            "type": "boolean",
            "default": True,
            "description": "If false, the invariant is checked but not run.",
        },
        "per": {
            "enum": ["session", "agent", "user", "tenant"],
            "default": "session",
            "description": "The scope whose events form one trace.",
        },
        "on_unknown": {
            "enum": ["violate", "report"],
            "description": "The treatment of doubt; a critical invariant must set it.",
        },
        "report": {
            "enum": ["every", "first", "edge"],
            "default": "every",
            "description": "The verdicts that become findings, for each binding of a scope.",
        },
        "mode": {"enum": ["observe", "enforce"], "default": "observe"},
        "fail": {
            "enum": ["open", "closed"],
            "default": "closed",
            "description": "The answer of a gate if the verdict is inconclusive.",
        },
        "respond": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"enum": list(get_args(ActionKind))},
            "default": ["alert"],
        },
        "examples": {"type": "array", "minItems": 1, "items": _example()},
    }
    return {
        **_closed(properties, required=["id", "severity"]),
        "oneOf": [{"required": [form]} for form in ("never", "always", "pattern")],
        "if": {"properties": {"severity": {"const": "critical"}}, "required": ["severity"]},
        "then": {"required": ["on_unknown"]},
    }


def _about() -> Schema:
    """Information for people; the bounds are those of `about.py`."""

    def line(characters_max: int, description: str) -> Schema:
        bounds = {"minLength": 1, "maxLength": characters_max}
        return {"type": "string", **bounds, "description": description}

    def lines(count_max: int, item: Schema) -> Schema:
        return {
            "type": "array",
            "minItems": 1,
            "maxItems": count_max,
            "uniqueItems": True,
            "items": item,
        }

    return {
        "description": line(DESCRIPTION_CHARACTERS_MAX, "More than `summary`, in several lines."),
        "tags": lines(TAGS_MAX, line(TAG_CHARACTERS_MAX, "A word for sorting findings.")),
        "owner": line(OWNER_CHARACTERS_MAX, "The responsible person or team."),
        "references": lines(
            REFERENCES_MAX, line(REFERENCE_CHARACTERS_MAX, "An http(s) address, or a text.")
        ),
    }


def _pattern() -> Schema:
    """One pattern by its name, with its parts."""
    text = {"type": "string", "minLength": 1}
    numbers = {"times": {"type": "integer", "minimum": 0}, "within": text}
    options: Schema = {}
    for name, pattern in PATTERNS.items():
        if pattern.is_list:
            options[name] = {"type": "array", "minItems": 2, "items": text}
            continue
        parts = (*pattern.required, *pattern.optional)
        properties = {part: numbers.get(part, text) for part in parts}
        options[name] = _closed(properties, required=list(pattern.required))
    options[allowed_calls.NAME] = _allowed_calls()
    return {**_closed(options, required=[]), "minProperties": 1, "maxProperties": 1}


def _allowed_calls() -> Schema:
    names: Schema = {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}}
    item = _closed(dict.fromkeys(allowed_calls.ITEM_KEYS, names), required=["tools"])
    items = {"type": "array", "minItems": 1, "maxItems": allowed_calls.ITEMS_MAX, "items": item}
    return _closed(
        {
            "role": {"type": "string", "minLength": 1, "description": "A role of principals."},
            "allow": {**items, "description": "The calls that it may make."},
            "deny": {**items, "description": "Calls that it may not make; stronger than `allow`."},
            "default": {"enum": ["deny", "allow"], "default": "deny"},
            "host_arguments": {**names, "description": "Patterns of arguments that hold hosts."},
            "path_arguments": {**names, "description": "Patterns of arguments that hold paths."},
        },
        required=["role"],
    )


def _example() -> Schema:
    positions = {
        "type": "array",
        "uniqueItems": True,
        "items": {"type": "integer", "minimum": 0},
        "description": "Positions of events, from 0.",
    }
    event = {**_event(), "required": ["kind"], "additionalProperties": False}
    span = {"type": "string", "pattern": "^(0|[1-9][0-9]*)(ms|s|m|h|d)$"}
    times = {
        "ts": {**event["properties"]["ts"], "anyOf": [*event["properties"]["ts"]["anyOf"], span]},
        "at": {**span, "description": "The time since the beginning of the example."},
        "after": {**span, "description": "The time since the previous event."},
    }
    event = {**event, "properties": {**event["properties"], **times}}
    return _closed(
        {
            "name": {"type": "string", "minLength": 1},
            "events": {"type": "array", "minItems": 1, "items": event},
            "violated_at": positions,
            "inconclusive_at": positions,
        },
        required=["events"],
    )
