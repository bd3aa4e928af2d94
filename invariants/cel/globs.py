"""`glob(pattern, s)` and `glob_any(list, s)`: the whole string against a path-like pattern.

`*` is any text without `/`, `**` any text, `?` any one character; nothing else is special. From
the left, two stars are one `**`. Common shapes are answered by string methods, all others by RE2,
which is linear in the string whatever the pattern; `re` is not, and agents choose the string.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import re2

from .unknown_text import quoted
from .values import Failure, text, type_name, utf8

Matcher = Callable[[str], bool]

PATTERN_MEMORY_BYTES_MAX: Final = 2 * 1024 * 1024  # Chosen: for patterns in the user's own file.
_FOREIGN_MEMORY_BYTES_MAX: Final = 256 * 1024  # Chosen: for patterns out of events, kept briefly.
_FOREIGN_LENGTH_MAX: Final = 1_000  # Chosen: characters of a pattern out of an event.
_FOREIGN_COUNT_MAX: Final = 100  # Chosen: patterns of a list out of an event, about 5 ms.

_PIECES: Final = re.compile(r"\*\*|[*?]|[^*?]+")
_WILD: Final = {"**": b"(?s:.*)", "*": b"[^/]*", "?": b"(?s:.)"}


def options(memory_bytes_max: int = PATTERN_MEMORY_BYTES_MAX) -> re2.Options:
    """RE2's options: quiet, bounded, and without groups, since only yes or no is needed."""
    chosen = re2.Options()
    chosen.max_mem = memory_bytes_max
    chosen.log_errors = False
    chosen.never_capture = True
    return chosen


def glob_matcher(pattern: str) -> Matcher:
    """A pattern of the user's file, prepared; raises re2.error if it is too large."""
    pieces = _PIECES.findall(pattern)
    if not any(piece in _WILD for piece in pieces):
        return lambda string: string == pattern
    if len(pieces) == 2 and pieces[0] == "*" and pieces[1] not in _WILD:
        return _ends_with(pieces[1])
    if len(pieces) == 2 and pieces[1] == "**" and pieces[0] not in _WILD:
        return lambda string: string.startswith(pieces[0])
    expression = re2.compile(_expression(pieces), options())
    return lambda string: expression.fullmatch(utf8(string)) is not None


def _ends_with(suffix: str) -> Matcher:
    length = len(suffix)
    return lambda string: string.endswith(suffix) and "/" not in string[: len(string) - length]


def _expression(pieces: Sequence[str]) -> bytes:
    return b"".join(_WILD.get(piece) or bytes(re2.escape(utf8(piece))) for piece in pieces)


def pattern_of(pattern: str) -> str:
    """The equivalent pattern of RE2's syntax for a whole text."""
    return "".join(
        _WILD[piece].decode() if piece in _WILD else quoted(piece)
        for piece in _PIECES.findall(pattern)
    )


def any_matcher(patterns: Sequence[str]) -> Matcher:
    """Several patterns of the user's file, prepared as one."""
    plain = frozenset(pattern for pattern in patterns if not set("*?") & set(pattern))
    wild = tuple(glob_matcher(pattern) for pattern in patterns if pattern not in plain)

    def is_match(string: str) -> bool:
        return string in plain or any(matcher(string) for matcher in wild)

    return is_match


def glob(pattern: Any, string: Any) -> bool:
    """True if the whole of `string` matches `pattern`, both from the event."""
    form, whole = text(pattern, "glob"), text(string, "glob")
    if len(form) > _FOREIGN_LENGTH_MAX:
        raise Failure(f"a pattern of more than {_FOREIGN_LENGTH_MAX} characters")
    try:
        pieces = _PIECES.findall(form)
        expression = re2.compile(_expression(pieces), options(_FOREIGN_MEMORY_BYTES_MAX))
    except re2.error:
        raise Failure("a pattern that needs too much memory") from None
    return expression.fullmatch(utf8(whole)) is not None


def glob_any(patterns: Any, string: Any) -> bool:
    """True if `string` matches one of `patterns`, all of which must be strings."""
    if type(patterns) is not list:
        raise Failure(f"`glob_any` needs a list of patterns, not {type_name(patterns)}")
    if len(patterns) > _FOREIGN_COUNT_MAX:
        raise Failure(f"`glob_any` of more than {_FOREIGN_COUNT_MAX} patterns from an event")
    if not all(type(pattern) is str for pattern in patterns):
        raise Failure("`glob_any` needs a list of strings only")
    whole = text(string, "glob_any")
    return any(glob(pattern, whole) for pattern in patterns)
