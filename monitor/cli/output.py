"""Output of the command line (text for people, JSON for programs) and its exit codes.

Text from events goes through `finding_text.visible` first: a terminal interprets control
characters, and agents choose the text.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from typing import Any, Final

EXIT_FINE: Final = 0
EXIT_VIOLATIONS: Final = 1
EXIT_USAGE: Final = 2
EXIT_RUNTIME: Final = 3
EXIT_UNJUDGED: Final = 4
"""Not everything of a finished file could be judged: this is never a success."""

_OBEYED: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
"""Control characters of both sorts, and characters that reverse the direction of text."""

_COLOURS: Final = {"critical": "31;1", "warning": "33", "info": "36", "good": "32", "dim": "2"}


def say(text: str = "") -> None:
    """Print one line for people on standard output."""
    print(text, flush=True)


def complain(text: str) -> None:
    """Print error lines on standard error, made safe for a terminal."""
    print(safe(text), file=sys.stderr, flush=True)


def safe(text: str) -> str:
    """`text` with its control characters escaped; its lines and letters are unchanged."""
    return _OBEYED.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def json_text(encoded: bytes) -> str:
    """JSON that is safe for a terminal: the same document, with control characters as `\\uXXXX`."""
    return _OBEYED.sub(lambda match: f"\\u{ord(match.group()):04x}", encoded.decode())


def say_json(content: Any) -> None:
    """Print one JSON document on standard output, with its keys in a fixed order."""
    import msgspec  # Not for `--help`.

    sys.stdout.write(json_text(msgspec.json.encode(content, order="sorted")) + "\n")
    sys.stdout.flush()


def coloured(text: str, colour: str) -> str:
    """`text` in a colour, if standard output is a terminal without NO_COLOR."""
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
