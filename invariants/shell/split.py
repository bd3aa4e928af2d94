"""`shell_words(s)`: the words of a line in a POSIX shell, before any expansion.

Quotes and backslashes are removed as in POSIX (XCU 2.2). Operators, comments, variables and
patterns are not interpreted: they stay in their words as text. An open construct at the end (a
quote, a final backslash) is an error.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ..values.value import Failure, text

# One alternative per first character, so that nothing is tried twice: linear in the text.
_PIECE: Final = re.compile(
    r"(?P<blank>[ \t\n]+)|(?P<plain>[^ \t\n'\"\\]+)|'(?P<single>[^']*)'"
    r"|\"(?P<double>[^\"\\]*(?:\\.[^\"\\]*)*)\"|\\(?P<escaped>.)",
    re.DOTALL,
)
_ESCAPE_IN_DOUBLE: Final = re.compile(r"\\(?:([$`\"\\])|\n)")


def shell_words(line: Any) -> list[str]:
    """The words of `line`, quotes removed."""
    written = text(line, "shell_words")
    words: list[str] = []
    word: list[str] | None = None
    position = 0
    while position < len(written):
        piece = _PIECE.match(written, position)
        if piece is None:
            raise Failure("`shell_words` of text with an open quote or a final backslash")
        position = piece.end()
        if piece["blank"] is None:
            unquoted = _unquoted(piece)
            if unquoted is not None:
                word = [] if word is None else word
                word.append(unquoted)
        elif word is not None:
            words.append("".join(word))
            word = None
    return words if word is None else [*words, "".join(word)]


def _unquoted(piece: re.Match[str]) -> str | None:
    """The text that `piece` adds to its word; None if it adds nothing, not even emptiness."""
    if piece["plain"] is not None:
        return piece["plain"]
    if piece["single"] is not None:
        return piece["single"]
    if piece["double"] is not None:
        return _ESCAPE_IN_DOUBLE.sub(r"\1", piece["double"])
    # A backslash before a line's end joins the lines.
    return None if piece["escaped"] == "\n" else piece["escaped"]
