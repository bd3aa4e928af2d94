"""The cost of functions in steps, which an event's budget counts (docs/cel.md, Bounds).

Steps are defined by the inputs and the result of a function, never by its computation, so that
every implementation counts the same. A short text costs nothing: counting does not make a predicate
on an ordinary event slower.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ..taint.tokens import characters_of
from ..values.unknown_text import UnknownText
from ..values.value import STEP_CHARACTERS, STRING_BYTES_MAX
from .names import SHORT_NAME_CHARACTERS

Steps = Callable[..., int]
"""Takes the arguments of a call, gives its steps."""

_PART_CHARACTERS: Final = 16  # Measured: characters of paths and addresses cut into parts in 1 us.
_STEPS_OF_TEXT: Final = 8  # Measured: 20 us for a text in which addresses are looked for.
_MADE_CHARACTERS: Final = 32  # Chosen: of text that is made, so that steps bound memory too.
_NAME_CHARACTERS: Final = 4  # Measured: of a name against a pattern of 100 letters in 7 us.
_WORD_CHARACTERS: Final = 2  # Measured: characters of words of one letter, cut in 2 us.


def by_length(*values: Any) -> int:
    """A step for each 128 characters of all texts together."""
    return sum(map(_length, values)) // STEP_CHARACTERS


def _length(value: Any) -> int:
    """Characters of a text; none of one that is refused for its length, unread."""
    if type(value) is UnknownText:
        return value.steps * STEP_CHARACTERS
    is_read = type(value) is str and len(value) <= STRING_BYTES_MAX
    return len(value) if is_read else 0


def by_parts(*values: Any) -> int:
    """A step for each 16 characters: the text is cut into parts, or each character counted."""
    return sum(map(_length, values)) // _PART_CHARACTERS


def by_addresses(value: Any) -> int:
    """Eight for each text, and one for each 16 characters of its one form, which is searched."""
    texts = value if type(value) is list else [value]
    read = [text for text in texts if _length(text)]
    found = sum(characters_of(text) // _PART_CHARACTERS for text in read)
    return _STEPS_OF_TEXT * len(texts) + found


def by_texts(value: Any) -> int:
    """A step for each value within, and for each 128 characters of texts."""
    count, characters = 0, 0
    waiting = [value]
    while waiting:
        one = waiting.pop()
        count += 1
        if type(one) is list:
            waiting += one
        elif type(one) is dict:
            waiting += one.values()
        else:
            characters += _length(one)
    return count + characters // STEP_CHARACTERS


def by_lines(names: Any, arguments: Any) -> int:
    """A step for each value within, and for each 128 characters of texts; none for the names."""
    return by_texts(arguments)


def by_sql(written: Any) -> int:
    """A step for each character and dialect by which it is read."""
    from ..sql.tokens import readings_count  # Most files do without SQL.

    length = _length(written)
    return length * readings_count(written) if length and type(written) is str else length


def by_words(line: Any) -> int:
    """A step for each two characters."""
    return _length(line) // _WORD_CHARACTERS


def by_pattern(pattern: Any, string: Any) -> int:
    """Of a pattern out of the event: its characters, once for each 128 characters of the text."""
    if type(pattern) is not str or type(string) is not str:
        return 0
    return _length(pattern) * (1 + _length(string) // STEP_CHARACTERS)


def by_patterns(patterns: Any, string: Any) -> int:
    """The same of every pattern of a list."""
    if type(patterns) is not list:
        return 0
    return sum(by_pattern(pattern, string) for pattern in patterns)


def by_names(patterns: Any, name: Any) -> int:
    """For patterns from the event: the cost of `glob_any`, and that of `naming`."""
    if type(patterns) is not list:
        return 0
    return by_patterns(patterns, name) + naming(len(patterns), name)


def naming(patterns_count: int, name: Any) -> int:
    """Nothing for a short name; else a step for each 4 characters and pattern."""
    if type(name) is not str or _length(name) < SHORT_NAME_CHARACTERS:
        return 0
    return max(1, patterns_count) * (characters_of(name) // _NAME_CHARACTERS)


def made(result: Any) -> int:
    """A step for each element of a list that a call gives, and each 32 characters of a text."""
    if type(result) is str:
        return len(result) // _MADE_CHARACTERS
    return len(result) if type(result) is list else 0
