"""Suggestions for an unknown name, function, list or source: a correction as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..model.nearest import nearest
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
    **dict.fromkeys(("len", "length"), "write `size(...)`"),
    "count": "a list has `size(...)`; events are counted in formulas, as in `count(p)[10m] <= 3`",
    **dict.fromkeys(("isempty", "is_empty", "empty"), "write `size(args.x) == 0`"),
    **dict.fromkeys(("hour", "hours", "gethour"), "write `time.getHours()`"),
    **dict.fromkeys(("weekday", "dayofweek"), "write `time.getDayOfWeek()`"),
    **dict.fromkeys(("lower", "tolower", "tolowercase", "lcase"), "write `tool.lowerAscii()`"),
    **dict.fromkeys(("upper", "toupper", "touppercase", "ucase"), "write `tool.upperAscii()`"),
    "strip": "write `text.trim()`",
    "str": "write `string(...)`",
    **dict.fromkeys(("float", "parseint", "parsefloat"), "write `number(...)`"),
    **dict.fromkeys(("regex", "test", "match", "regexp_like"), 'write `tool.matches("^pay")`'),
    "includes": 'write `text.contains("a")`',
    **dict.fromkeys(("any", "some"), "write `args.list.exists(x, ...)`"),
    "every": "write `args.list.all(x, ...)`",
    **dict.fromkeys(
        ("defined", "has_key", "haskey", "hasownproperty", "has", "exists", "isset"),
        "write `has(args.x)`, or `present(tool)`",
    ),
    **dict.fromkeys(("equals", "eq"), "write `==`"),
    **dict.fromkeys(("now", "current_timestamp"), "the time of the event is `time`"),
    "get": "write `args.x`, and test an optional key with `has(args.x)`",
    "like": 'write `glob("pay*", tool)`: `*` is any text',
    **dict.fromkeys(
        (
            *("f", "g", "h", "o", "x", "y", "once", "always", "never", "eventually"),
            *("historically", "since", "until", "previous", "next", "globally", "finally"),
        ),
        "a predicate is about one event; formulas join events, as in `p and once q`",
    ),
}
"""Chosen: lower-case names of other languages for the functions of docs/cel.md."""

MEANT_VALUES: Final[Mapping[str, str]] = {
    "true": "true",
    "false": "false",
    **dict.fromkeys(("none", "nil", "null", "undefined"), "null"),
}
"""Lower-case names of other languages for literals."""


def mend_of_name(name: str, lists: Iterable[str]) -> str:
    """For a name that is not a field of events."""
    if name in lists:
        return f"write `lists.{name}`"
    if literal := MEANT_VALUES.get(name.lower()):
        return f"write `{literal}`"
    if name in ("event", "this", "self", "e"):
        return f"fields of the event stand alone: `tool`, not `{name}.tool`"
    if meant := MEANT_FIELDS.get(name) or nearest(name, FIELD_TYPES):
        return f"did you mean `{meant}`?"
    if name in FUNCTIONS:
        return f"a function needs brackets: `{name}(...)`"
    known = ", ".join(FIELD_TYPES)
    if name == "re":
        return 'write `tool.matches("^pay")`'
    return (
        f'write `"{name}"` if text is meant; names are {known}; '
        "predicates are joined in formulas, as in `p and q`"
    )


def mend_of_key(field: str, key: str) -> str:
    """For a key of a field that is text."""
    if key.lower() in ("length", "len", "size", "count"):
        return f"write `size({field})`"
    return f'write `"{field}.{key}"` if text is meant'


def mend_of_function(name: str, *, is_method: bool) -> str:
    """For a name that is not a function; `is_method` if it is written `x.f()`."""
    if name in MACROS and not is_method:
        other = "test a key with `has(args.x)`, and a list with " if name == "exists" else "write "
        return f"{other}`args.list.{name}(x, ...)`"
    if mend := LEFT_OUT.get(name) or MEANT_FUNCTIONS.get(name.lower()):
        return mend
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
