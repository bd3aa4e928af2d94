"""What the command line prints: text for people, JSON for programs, and how it ends.

Text from events goes through `finding_text.visible` first: a terminal obeys control characters,
and agents choose the text.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, Final

import msgspec

EXIT_FINE: Final = 0
EXIT_VIOLATIONS: Final = 1
EXIT_USAGE: Final = 2
EXIT_RUNTIME: Final = 3

_COLOURS: Final = {"critical": "31;1", "warning": "33", "info": "36", "good": "32", "dim": "2"}


def say(text: str = "") -> None:
    """One line for a person, on standard output."""
    print(text, flush=True)


def complain(text: str) -> None:
    """One line about what went wrong, on standard error."""
    print(text, file=sys.stderr, flush=True)


def say_json(content: Any) -> None:
    """One JSON document on standard output, keys in a fixed order."""
    sys.stdout.write(msgspec.json.encode(content, order="sorted").decode() + "\n")
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
