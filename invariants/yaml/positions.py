"""The place in the file of each character of a YAML scalar, after folding, quotes and escapes.

Input: the scalar's value and the piece of file that it was read from. Output: segments, each an
offset in the value and the place of the character there; within a segment columns go on by one.
Method: the characters of the value, except spaces, have the same order in the file, so one pass
over both aligns them. If that fails, the segments so far are kept.
"""

from __future__ import annotations

from typing import Literal

from ..model.errors import Place

Segments = tuple[tuple[int, Place], ...]


def align_text(
    start: Place, style: Literal["plain", "'", '"', "|", ">"], raw: str, value: str
) -> Segments:
    """The segments of `value`; at least one, and the first at offset 0."""
    walk = _Walk(start, style, raw)
    segments: list[tuple[int, Place]] = []
    expected: Place | None = None
    for offset, character in enumerate(value):
        place = walk.find(character)
        if place is None:
            break
        is_going_on = place == expected
        is_space = character in " \t\n"
        if not is_going_on and not is_space:
            segments.append((offset, place))
        # A space at another place makes no segment; the text after it then does.
        expected = Place(place.line, place.column + 1) if is_going_on or not is_space else None
    if not segments or segments[0][0]:
        segments.insert(0, (0, _first_place(start, style)))
    return tuple(segments)


def _first_place(start: Place, style: str) -> Place:
    if style in ("'", '"'):
        return Place(start.line, start.column + 1)
    return Place(start.line + 1, 1) if style in ("|", ">") else start


_ESCAPE_LENGTHS = {"x": 4, "u": 6, "U": 10}
_SPACE_ESCAPES = "nt \t\n"


class _Walk:
    """A position in the raw text of a scalar, with its line and column in the file."""

    def __init__(self, start: Place, style: str, raw: str) -> None:
        self.raw = raw
        self.style = style
        self.index = 0
        self.line = start.line
        self.column = start.column
        if style in ("'", '"'):
            self.move(1)
        elif style in ("|", ">"):
            header = raw.find("\n")
            self.move(len(raw) if header < 0 else header + 1)

    def move(self, count: int) -> None:
        for character in self.raw[self.index : self.index + count]:
            if character == "\n":
                self.line, self.column = self.line + 1, 1
            else:
                self.column += 1
        self.index += count

    def find(self, character: str) -> Place | None:
        """The place of the next character of the value; None when the two texts part."""
        if character in " \t\n":
            return self.find_space(character)
        self.skip_space()
        met = self.raw[self.index : self.index + 1]
        place = Place(self.line, self.column)
        if self.style == '"' and met == "\\":
            self.move(_ESCAPE_LENGTHS.get(self.raw[self.index + 1 : self.index + 2], 2))
            return place
        if met != character:
            return None
        self.move(2 if self.style == "'" and met == "'" else 1)
        return place

    def find_space(self, character: str) -> Place:
        place = Place(self.line, self.column)
        if self.raw[self.index : self.index + 1] == character:
            self.move(1)
        return place

    def skip_space(self) -> None:
        """Skip spaces, folded line breaks and escapes for spaces."""
        while self.index < len(self.raw):
            met = self.raw[self.index]
            following = self.raw[self.index + 1 : self.index + 2]
            if met in " \t\r\n":
                self.move(1)
            elif self.style == '"' and met == "\\" and following and following in _SPACE_ESCAPES:
                self.move(2)
            else:
                return
