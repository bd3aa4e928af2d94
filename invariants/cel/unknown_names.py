"""Suggestions for an unknown name, function, list or source: a correction as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..nearest import nearest
from .ast import MACROS
from .functions import FIELD_TYPES, FUNCTIONS, LEFT_OUT

MEANT_FIELDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("ts", "timestamp", "now"), "time"),
    **dict.fromkeys(("arguments", "params", "parameters", "input"), "args"),
    **dict.fromkeys(("output", "response"), "result"),
    **dict.fromkeys(("message", "content"), "text"),
    **dict.fromkeys(("name", "tool_name", "action"), "tool"),
    **dict.fromkeys(("type", "event_type", "event_kind"), "kind"),
    **{f"{field}_id": field for field in ("agent", "call", "session", "tenant", "user")},
    **dict.fromkeys(("metadata", "attrs", "labels"), "attributes"),
}
"""Chosen: what other formats of traces call the fields of docs/events.md."""


MEANT_FUNCTIONS: Final[Mapping[str, str]] = {
    "not": "write `!(...)`",
    "len": "write `size(...)`",
    "length": "write `size(...)`",
    "lower": "write `a.lowerAscii()`",
    "upper": "write `a.upperAscii()`",
    "toLowerCase": "write `a.lowerAscii()`",
    "toUpperCase": "write `a.upperAscii()`",
    "strip": "write `a.trim()`",
    "str": "write `string(...)`",
    "float": "write `number(...)`",
    "regex": "write `a.matches(b)`",
    "includes": "write `a.contains(b)`",
    "any": "write `a.exists(x, ...)`",
    "defined": "write `has(args.x)`, or `present(tool)`",
}
"""Chosen: what other languages call the functions of docs/cel.md."""


def mend_of_name(name: str, lists: Iterable[str]) -> str:
    """For a name that is not a field of events."""
    if name in lists:
        return f"write `lists.{name}`"
    if name == "event":
        return "fields of the event stand alone: `tool`, not `event.tool`"
    if meant := MEANT_FIELDS.get(name) or nearest(name, FIELD_TYPES):
        return f"did you mean `{meant}`?"
    if name in FUNCTIONS:
        return f"a function needs brackets: `{name}(...)`"
    known = ", ".join(FIELD_TYPES)
    return (
        f'write `"{name}"` if text is meant; names are {known}; '
        "predicates are joined in formulas, as in `p and q`"
    )


def mend_of_function(name: str) -> str:
    """Of a function that there is not."""
    if said := LEFT_OUT.get(name) or MEANT_FUNCTIONS.get(name):
        return said
    near = nearest(name, (*FUNCTIONS, *MACROS, "has"))
    return f"did you mean `{near}`?" if near else f"functions are {', '.join(FUNCTIONS)}"


def mend_of_list(name: str, lists: Mapping[str, Any]) -> str:
    """Of a list that the file does not declare."""
    near = nearest(name, lists)
    return f"did you mean `lists.{near}`?" if near else _declared("lists", lists)


def mend_of_source(name: str, sources: Mapping[str, Any]) -> str:
    """Of a source that the file does not declare."""
    near = nearest(name, sources)
    return f"did you mean `{near}`?" if near else _declared("sources", sources)


def _declared(what: str, known: Mapping[str, Any]) -> str:
    return f"{what} are {', '.join(known)}" if known else f"declare it under `{what}:`"
