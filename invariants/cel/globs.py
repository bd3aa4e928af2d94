"""`glob(pattern, s)` and `glob_any(list, s)`: the whole string against a path-like pattern.

`*` is any text without `/`, `**` any text, `?` any one character; nothing else is special. From
the left, two stars are one `**`. Patterns without `*` and `?` are tests of substrings. All others
are answered by RE2, if the longest text of the pattern occurs at all; it is linear in the string
whatever the pattern. `re` is not, and agents choose the string.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import re2

from ..values.unknown_text import quoted
from ..values.value import Failure, text, type_name, utf8

Matcher = Callable[[str], bool]

PATTERN_MEMORY_BYTES_MAX: Final = 2 * 1024 * 1024  # Chosen: for patterns in the user's own file.
_FOREIGN_MEMORY_BYTES_MAX: Final = 256 * 1024  # Chosen: for patterns out of events, kept briefly.
_FOREIGN_LENGTH_MAX: Final = 1_000  # Chosen: characters of a pattern out of an event.
_FOREIGN_COUNT_MAX: Final = 100  # Chosen: patterns of a list out of an event, about 5 ms.
_TEXTS_LENGTH_MAX: Final = 1_000  # Chosen: characters of a pattern that RE2 is not needed for.

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
    pieces = _pieces(pattern)
    if not any(piece in _WILD for piece in pieces):
        return lambda string: string == pattern
    if len(pieces) == 2 and pieces[0] == "*" and pieces[1] not in _WILD:
        return _ends_with(pieces[1])
    if len(pieces) == 2 and pieces[1] == "**" and pieces[0] not in _WILD:
        return lambda string: string.startswith(pieces[0])
    matcher = _in_order(pieces) if _has_only_texts(pieces) else _by_expression(pieces)

    def is_match(string: str) -> bool:
        if not string.isascii():
            utf8(string)  # It fails for half of a surrogate pair, whatever the pattern.
        return matcher(string)

    return is_match


def _pieces(pattern: str) -> list[str]:
    """The wildcards and the texts between them; of several `**` in a row one is left."""
    pieces: list[str] = []
    for piece in _PIECES.findall(pattern):
        if piece != "**" or pieces[-1:] != ["**"]:
            pieces.append(piece)
    return pieces


def _has_only_texts(pieces: Sequence[str]) -> bool:
    """True if substrings decide: there is no wildcard but `**`, and no text that is too long."""
    length = sum(len(piece) for piece in pieces if piece not in _WILD)
    return length <= _TEXTS_LENGTH_MAX and not {"*", "?"} & set(pieces)


def _in_order(pieces: Sequence[str]) -> Matcher:
    """Texts with `**` between: the first begins the string unless a `**` precedes it, the last ends
    it likewise, and each other one is found at its first place after the one before.
    """
    texts = [piece for piece in pieces if piece != "**"]
    first = "" if pieces[0] == "**" else texts.pop(0)
    last = "" if pieces[-1] == "**" else texts.pop()
    if not texts and not first:
        return lambda string: string.endswith(last)
    if len(texts) == 1 and not first and not last:
        only = texts[0]
        return lambda string: only in string
    length = len(first) + len(last)

    def is_match(string: str) -> bool:
        if not (len(string) >= length and string.startswith(first) and string.endswith(last)):
            return False
        begin, end = len(first), len(string) - len(last)
        for piece in texts:
            found = string.find(piece, begin, end)
            if found < 0:
                return False
            begin = found + len(piece)
        return True

    return is_match


def _by_expression(pieces: Sequence[str]) -> Matcher:
    expression = re2.compile(_expression(pieces), options())
    longest = max((piece for piece in pieces if piece not in _WILD), key=len, default="")
    return lambda string: longest in string and expression.fullmatch(utf8(string)) is not None


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
    """Several patterns of the user's file, prepared as one.

    The many that are one text after, before or between `**` are asked for together.
    """
    plain = frozenset(pattern for pattern in patterns if not set("*?") & set(pattern))
    ends: list[str] = []
    starts: list[str] = []
    parts: list[str] = []
    others: list[Matcher] = []
    wild: list[Matcher] = []
    for pattern in patterns:
        if pattern in plain:
            continue
        wild.append(glob_matcher(pattern))
        match _pieces(pattern) if _has_only_texts(_pieces(pattern)) else ():
            case ["**", text_]:
                ends.append(text_)
            case [text_, "**"]:
                starts.append(text_)
            case ["**", text_, "**"]:
                parts.append(text_)
            case _:
                others.append(wild[-1])
    all_ends, all_starts = tuple(ends), tuple(starts)

    def is_match(string: str) -> bool:
        if string in plain:
            return True
        if not string.isascii() and not _is_unicode(string):
            return any(matcher(string) for matcher in wild)  # One after the other: some fail.
        return (
            string.endswith(all_ends)
            or string.startswith(all_starts)
            or any(part in string for part in parts)
            or any(matcher(string) for matcher in others)
        )

    return is_match


def _is_unicode(string: str) -> bool:
    try:
        utf8(string)
    except Failure:
        return False
    return True


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
