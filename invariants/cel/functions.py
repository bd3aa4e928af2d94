"""The functions that predicates may call: their syntax, arguments and results.

Two kinds are special, since they are prepared when the file is loaded and not when called:
`matches`, whose pattern is a literal, and `glob`/`glob_any` with patterns from the file. `digest`
needs the key, `seen` and `only_from` the session's memories, `present` the name of a field,
`shell_commands` and `usual_commands` the event that is charged for it; `evaluate.py` binds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from ..shell import split as words
from ..shell.derived import commands_alone, usual_commands_alone
from . import addresses, command_lines, globs, names, numbers, paths, strings, times
from .costs import (
    Steps,
    by_addresses,
    by_length,
    by_lines,
    by_names,
    by_parts,
    by_pattern,
    by_patterns,
    by_sql,
    by_texts,
    by_words,
)

Type = Literal[
    "any", "null", "bool", "int", "double", "string", "list", "map", "timestamp", "duration"
]
"""The static type of a value; `any` if nothing is known."""

Style = Literal["function", "method", "both"]
"""`f(x)`, `x.f()`, or either."""


class Function(msgspec.Struct, frozen=True):
    """One function: `takes` holds for each argument (the receiver first) the types it may have."""

    name: str
    style: Style
    takes: tuple[frozenset[Type], ...]
    gives: Type
    apply: Callable[..., Any]
    steps: Steps = by_length
    makes: bool = False
    """True if its result is charged too: a list, or a text longer than its inputs."""


def _types(*names: Type) -> frozenset[Type]:
    return frozenset(names)


_TEXT: Final = _types("string")
_SIZED: Final = _types("string", "list", "map")
_NUMERIC: Final = _types("int", "double", "string")
_LIST: Final = _types("list")
_MAP: Final = _types("map")
_TEXT_OR_LIST: Final = _types("string", "list")
_OPTIONAL: Final = _types("null", "string", "list")
_INSTANT: Final = _types("timestamp")
_TIME: Final = _types("timestamp", "duration")
_JSON: Final = _types("null", "bool", "int", "double", "string", "list", "map")
_ANY: Final = _JSON | _types("timestamp", "duration")


def _bound_elsewhere(*_: Any) -> Any:
    raise AssertionError("evaluate.py binds this function itself")


# Those that read a language of their own are imported when they are first called: most files do
# without them.


def _sql_loses(written: Any) -> bool:
    from ..sql.effects import sql_loses

    return sql_loses(written)


def _sql_changes(written: Any) -> bool:
    from ..sql.effects import sql_changes

    return sql_changes(written)


def _emails(value: Any) -> list[str]:
    from .named_addresses import emails

    return emails(value)


def _urls(value: Any) -> list[str]:
    from .named_addresses import urls

    return urls(value)


_ALL: Final = (
    Function("size", "both", (_SIZED,), "int", strings.size),
    Function("contains", "method", (_TEXT, _TEXT), "bool", strings.contains),
    Function("startsWith", "method", (_TEXT, _TEXT), "bool", strings.starts_with),
    Function("endsWith", "method", (_TEXT, _TEXT), "bool", strings.ends_with),
    Function("matches", "both", (_TEXT, _TEXT), "bool", _bound_elsewhere),
    Function("lowerAscii", "method", (_TEXT,), "string", strings.lower_ascii),
    Function("upperAscii", "method", (_TEXT,), "string", strings.upper_ascii),
    Function("trim", "method", (_TEXT,), "string", strings.trim),
    Function("split", "method", (_TEXT, _TEXT), "list", strings.split, makes=True),
    Function("replace", "method", (_TEXT, _TEXT, _TEXT), "string", strings.replace, makes=True),
    Function(
        "int",
        "function",
        (_types("bool", "int", "double", "string", "timestamp"),),
        "int",
        numbers.to_int,
    ),
    Function("double", "function", (_NUMERIC,), "double", numbers.to_double),
    Function("bool", "function", (_types("bool", "string"),), "bool", numbers.to_bool),
    Function("string", "function", (_types("bool", "int", "string"),), "string", strings.string),
    Function("dyn", "function", (_ANY,), "any", lambda value: value),
    Function(
        "timestamp",
        "function",
        (_types("int", "string", "timestamp"),),
        "timestamp",
        times.to_timestamp,
    ),
    Function(
        "duration", "function", (_types("string", "duration"),), "duration", times.to_duration
    ),
    *(
        Function(name, "method", (_INSTANT,), "int", read)
        for name, read in times.PARTS_OF_DATE.items()
    ),
    *(
        Function(name, "method", (_TIME,), "int", read)
        for name, read in times.PARTS_OF_SPAN.items()
    ),
    Function("number", "function", (_NUMERIC,), "any", numbers.number),
    Function("texts", "function", (_OPTIONAL,), "list", strings.texts, makes=True),
    Function("all_texts", "function", (_JSON,), "list", strings.all_texts, by_texts, makes=True),
    Function("leaves", "function", (_JSON,), "list", strings.leaves, by_texts, makes=True),
    Function("known", "function", (_TEXT,), "bool", strings.known),
    Function("present", "function", (_ANY,), "bool", _bound_elsewhere),
    Function("host", "function", (_TEXT,), "string", addresses.host, by_parts),
    Function("domain", "function", (_TEXT,), "string", addresses.domain, by_parts),
    Function("glob", "function", (_TEXT, _TEXT), "bool", globs.glob, by_pattern),
    Function("glob_any", "function", (_LIST, _TEXT), "bool", globs.glob_any, by_patterns),
    Function("named_any", "function", (_LIST, _TEXT), "bool", names.named_any, by_names),
    Function(
        "command_lines",
        "function",
        (_LIST, _MAP),
        "list",
        command_lines.command_lines,
        by_lines,
        makes=True,
    ),
    Function("sql_loses", "function", (_TEXT,), "bool", _sql_loses, by_sql),
    Function("sql_changes", "function", (_TEXT,), "bool", _sql_changes, by_sql),
    Function("path_within", "function", (_TEXT, _TEXT), "bool", paths.path_within, by_parts),
    Function("digest", "function", (_JSON,), "string", _bound_elsewhere),
    Function(
        "emails",
        "function",
        (_TEXT_OR_LIST,),
        "list",
        _emails,
        by_addresses,
        makes=True,
    ),
    Function("urls", "function", (_TEXT_OR_LIST,), "list", _urls, by_addresses, makes=True),
    Function("seen", "function", (_TEXT_OR_LIST, _TEXT), "bool", _bound_elsewhere),
    Function("only_from", "function", (_TEXT_OR_LIST, _TEXT), "bool", _bound_elsewhere),
    Function("entropy", "function", (_TEXT,), "double", strings.entropy, by_parts),
    Function("shell_words", "function", (_TEXT,), "list", words.shell_words, by_words),
    Function("shell_commands", "function", (_TEXT_OR_LIST,), "list", commands_alone),
    Function("usual_commands", "function", (_TEXT_OR_LIST,), "list", usual_commands_alone),
)

FUNCTIONS: Final[dict[str, Function]] = {function.name: function for function in _ALL}

FIELD_TYPES: Final[dict[str, Type]] = {
    **dict.fromkeys(
        ("kind", "tool", "call", "agent", "principal", "session", "user", "tenant"), "string"
    ),
    "principal.roles": "list",
    "principal.attributes": "map",
    "seq": "int",
    "time": "timestamp",
    "text": "string",
    "args": "map",
    "result": "any",
    "error": "string",
    "attributes": "map",
    "lists": "map",
}
"""The names that expressions may read, with the certain part of their types."""

LEFT_OUT: Final = {
    "type": 'test the value itself, as in `args.x == ""`',
    "bytes": "events contain no bytes",
    "uint": "events contain no unsigned ints; write int()",
}
"""Functions of CEL that are not supported, with their replacements."""
