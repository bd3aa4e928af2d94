"""`named_any(patterns, name)`: whether a name of a tool or an argument is one of `patterns`.

Tools are named in many spellings: `sendEmail`, `send-email`, `SendEmail`, `mcp__gmail__send_email`.
A name is read as words: it is cut at every character that is neither a letter nor a digit, and
where camelCase begins a word; case is dropped. Patterns are read in the same way. `*` and `**` are
any text, a pattern without a star is the whole name. Words that are written together match too:
`sendemail` is `send_email`, and `web_page` is `webpage`; but a run of letters that crosses a border
of words which the pattern does not have begins and ends at borders, so that `uses_end` is not
`**send**`. `_` at the edge of a pattern, or beside a star, is a border of words: `widget` is
`**get**` and not `**_get_**`. `__` there is where a name begins or ends, or where the name of a
server does (`mcp__gmail__get_mail`, `gmail.get_mail`, `gmail/get_mail`), so that
`remove_get_rule` is not `**__get_**`.

Letters that only look alike are different letters. A name of more than 1,000 characters is a
failure, and nothing backtracks: a name takes at most its length times the pattern's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from ..taint.tokens import normalised
from ..values.value import Failure, text, type_name

Matcher = Callable[[str], bool]

SHORT_NAME_CHARACTERS: Final = 128  # Chosen: longer names are neither remembered nor free of steps.
_NAME_CHARACTERS_MAX: Final = 1_000  # Chosen: no tool and no argument has a longer name.
_ANSWERS_MAX: Final = 1_024  # Chosen: names that one list of patterns remembers, about 100 KiB.
_MATCHERS_MAX: Final = 64  # Chosen: lists of patterns in files; the packs have some thirty.
_FORMS_MAX: Final = 4_096  # Chosen: names whose words are remembered, for all lists together.
_FOREIGN_LENGTH_MAX: Final = 1_000  # Chosen: as `glob_any` has it.
_FOREIGN_COUNT_MAX: Final = 100  # Chosen: as `glob_any` has it.

# A word begins at a capital after a small letter or a digit, and at the last of several capitals
# before a small letter (`HTTPServer`), but for the `s` of a plural (`getURLs`).
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z](?!s(?![a-z]))[a-z])")
_SEPARATORS: Final = re.compile(r"([\W_]+)")
_AFTER_SERVER: Final = re.compile(r"__|[./:]")
_STARS: Final = re.compile(r"\*+")


class _Form(msgspec.Struct, frozen=True):
    """A name, or a pattern's text between two stars.

    `letters` are its words without boundaries. `borders` contains for each index of `letters`, the
    end included, a mark for a word boundary there: 0 none, 1 one, 2 the boundary of a name or a
    server's name. `left` and `right` are the same for the separators at its edges, which a pattern
    requires.
    """

    letters: str
    borders: bytes
    left: int
    right: int


class _Pattern(msgspec.Struct, frozen=True):
    """The texts between stars, in order; `is_open_*` means that there is a star at that end."""

    pieces: tuple[_Form, ...]
    is_open_left: bool
    is_open_right: bool


def named_matcher(patterns: Sequence[str]) -> Matcher:
    """Patterns of the user's file, prepared as one; raises Failure for one that has a `?`."""
    short, long = named_matchers.__wrapped__(tuple(patterns))
    return lambda name: (short if len(name) < SHORT_NAME_CHARACTERS else long)(name)


@lru_cache(_MATCHERS_MAX)
def named_matchers(patterns: tuple[str, ...]) -> tuple[Matcher, Matcher]:
    """The same as two: one for names shorter than `SHORT_NAME_CHARACTERS`, whose answers are
    remembered, and one for all. Predicates with equal patterns have the same ones.
    """
    plain, wild = set(), []
    for pattern in patterns:
        if "?" in pattern:
            raise Failure("`named_any` takes no `?` in a pattern")
        if "*" in pattern:
            made = _pattern(pattern)
            longest = max((piece.letters for piece in made.pieces), key=len, default="")
            wild.append((longest, made))
        else:
            plain.add(_form(pattern).letters)

    def is_named(name: str) -> bool:
        if len(name) > _NAME_CHARACTERS_MAX:
            raise Failure(f"a name of more than {_NAME_CHARACTERS_MAX} characters")
        form = _form_of(name)
        letters = form.letters
        if letters in plain:
            return True
        # Most patterns are not in most names: the longest of their texts decides that alone.
        for longest, pattern in wild:  # noqa: SIM110 - a generator takes twice the time.
            if longest in letters and _is_match(pattern, form):
                return True
        return False

    return lru_cache(_ANSWERS_MAX)(is_named), is_named


def named_any(patterns: Any, name: Any) -> bool:
    """The same with patterns out of the event."""
    if type(patterns) is not list:
        raise Failure(f"`named_any` needs a list of patterns, not {type_name(patterns)}")
    if len(patterns) > _FOREIGN_COUNT_MAX:
        raise Failure(f"`named_any` of more than {_FOREIGN_COUNT_MAX} patterns from an event")
    for pattern in patterns:
        if len(text(pattern, "named_any")) > _FOREIGN_LENGTH_MAX:
            raise Failure(f"a pattern of more than {_FOREIGN_LENGTH_MAX} characters")
    return named_matcher(patterns)(text(name, "named_any"))


def _form_of(name: str) -> _Form:
    return _remembered_form(name) if len(name) < SHORT_NAME_CHARACTERS else _form(name)


def _form(name: str) -> _Form:
    parts = _SEPARATORS.split(_CAMEL.sub("_", normalised(name)).lower())
    words, separators = parts[::2], parts[1::2]
    left = right = 0
    if separators and not words[0]:
        del words[0]
        left = _strength(separators.pop(0))
    if separators and not words[-1]:
        del words[-1]
        right = _strength(separators.pop())
    borders = bytearray(b"\x02")
    for word, separator in zip(words, [*separators, "__"], strict=True):
        if word:
            borders += bytes(len(word) - 1)
            borders.append(_strength(separator))
    return _Form("".join(words), bytes(borders), left, right)


def _strength(separator: str) -> int:
    return 2 if _AFTER_SERVER.search(separator) else 1


_remembered_form: Final = lru_cache(_FORMS_MAX)(_form)


def _pattern(pattern: str) -> _Pattern:
    texts = _STARS.split(pattern)
    forms = tuple(_form(piece) for piece in texts if piece)
    return _Pattern(forms, texts[0] == "", texts[-1] == "")


def _is_match(pattern: _Pattern, name: _Form) -> bool:
    """Match pieces from the left, each at the first possible place: a later one is never better."""
    position, pieces, end = 0, list(pattern.pieces), len(name.letters)
    if not pattern.is_open_left:
        first = pieces.pop(0)
        if not name.letters.startswith(first.letters) or not _fits(first, name, 0):
            return False
        position = len(first.letters)
    if not pattern.is_open_right:
        last = pieces.pop()
        end -= len(last.letters)
        is_ending = end >= position and name.letters.endswith(last.letters)
        if not is_ending or not _fits(last, name, end):
            return False
    for piece in pieces:
        found = _place(piece, name, position, end)
        if found is None:
            return False
        position = found + len(piece.letters)
    return True


def _place(piece: _Form, name: _Form, start: int, end: int) -> int | None:
    found = name.letters.find(piece.letters, start, end)
    while found >= 0:
        if _fits(piece, name, found):
            return found
        found = name.letters.find(piece.letters, found + 1, end)
    return None


def _fits(piece: _Form, name: _Form, start: int) -> bool:
    """True if the word boundaries allow `piece` at `start`, where its letters match."""
    end = start + len(piece.letters)
    begins, ends = name.borders[start], name.borders[end]
    if begins < piece.left or ends < piece.right:
        return False
    if begins and ends:
        return True
    inner = zip(name.borders[start + 1 : end], piece.borders[1:-1], strict=True)
    return not any(crossed and not own for crossed, own in inner)
