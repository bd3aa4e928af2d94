"""Gaps within text that a shell reads once more: `bash -c "rm $x"` is read as `rm ` and a mark.

A mark is a noncharacter of Unicode, one for each kind of gap; text of events that holds one is
refused before.
"""

from __future__ import annotations

import re
from typing import Final

from ..values.possible import Gap, Part
from ..values.unknown_text import ANY, BELOW, GLOB, GLOB_FIRST, NAME, PROGRAM, VARIABLE, Reading

_GAPS: Final = (ANY, VARIABLE, NAME, GLOB, GLOB_FIRST, PROGRAM, BELOW)
_FIRST: Final = 0xFDD0  # Source: Unicode, the noncharacters U+FDD0 to U+FDEF.
_MARKS: Final = {gap: chr(_FIRST + index) for index, gap in enumerate(_GAPS)}
_OF_MARKS: Final = {mark: gap for gap, mark in _MARKS.items()}
_MARK: Final = re.compile(f"[{chr(_FIRST)}-{chr(_FIRST + 31)}]")


def has_marks(text: str) -> bool:
    """Does it hold a mark?"""
    return not text.isascii() and _MARK.search(text) is not None


def marked(reading: Reading) -> str:
    """The reading as text."""
    return "".join(_MARKS[part] if isinstance(part, Gap) else part for part in reading)


def unmarked(text: str) -> list[Part]:
    """The text, its marks as gaps again."""
    if not has_marks(text):
        return [text]
    parts: list[Part] = []
    at = 0
    for found in _MARK.finditer(text):
        parts += [text[at : found.start()], _OF_MARKS.get(found[0], ANY)]
        at = found.end()
    return [part for part in (*parts, text[at:]) if part != ""]
