"""Words of a picture: printable, on lines of bounded width, and how wide they are."""

from __future__ import annotations

import textwrap
import unicodedata

COLUMNS_MAX = 40  # Chosen: wider boxes make a drawing that no screen shows whole.
LINES_MAX = 6  # Chosen: longer text can be read in the file.


def plain(text: str) -> str:
    """The text on one line, with unprintable characters as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def wrapped(text: str, columns_max: int = COLUMNS_MAX) -> list[str]:
    """The text over lines, truncated with a sign if it is too long. Empty for empty text."""
    return textwrap.wrap(
        plain(text), columns_max, break_on_hyphens=False, max_lines=LINES_MAX, placeholder=" …"
    )


def columns(text: str) -> int:
    """How many columns a monospaced font gives the text."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
