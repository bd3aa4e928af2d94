"""What the command line prints: text for people, JSON for programs, and how it ends.

Text from events goes through `finding_text.visible` first: a terminal obeys control characters,
and agents choose the text.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from typing import Any, Final

import msgspec

EXIT_FINE: Final = 0
EXIT_VIOLATIONS: Final = 1
EXIT_USAGE: Final = 2
EXIT_RUNTIME: Final = 3
EXIT_UNJUDGED: Final = 4
"""Of a finished file not everything could be judged: it is not fine, whatever was found."""

_OBEYED: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
"""Control characters of both sorts, and what turns the direction of text around."""

_COLOURS: Final = {"critical": "31;1", "warning": "33", "info": "36", "good": "32", "dim": "2"}


def say(text: str = "") -> None:
    """One line for a person, on standard output."""
    print(text, flush=True)


def complain(text: str) -> None:
    """Lines about what went wrong, on standard error, as a terminal may show them."""
    print(safe(text), file=sys.stderr, flush=True)


def safe(text: str) -> str:
    """`text` without what a terminal would obey; its lines and its letters stay as they are."""
    return _OBEYED.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def json_text(encoded: bytes) -> str:
    """JSON that a terminal does not obey: the same document, what it would obey as `\\uXXXX`."""
    return _OBEYED.sub(lambda match: f"\\u{ord(match.group()):04x}", encoded.decode())


def say_json(content: Any) -> None:
    """One JSON document on standard output, keys in a fixed order."""
    sys.stdout.write(json_text(msgspec.json.encode(content, order="sorted")) + "\n")
    sys.stdout.flush()


def coloured(text: str, colour: str) -> str:
    """`text` in a colour, where standard output is a terminal that wants one."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Rows as lines, columns aligned to the left."""
    kept = list(rows)
    if not kept:
        return []
    widths = [max(len(row[column]) for row in kept) for column in range(len(kept[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in kept
    ]
