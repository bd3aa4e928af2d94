"""The text of an expression in a file, and the places of its characters."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from .errors import Place


@dataclass(frozen=True, slots=True)
class SourceText:
    """An expression's text, and the places of its characters in the file.

    `place` is that of the first character. `segments` are offsets in the text with their places,
    for texts that YAML folded or unquoted; within a segment columns increase by one.
    """

    text: str
    place: Place
    segments: tuple[tuple[int, Place], ...] = field(default=(), compare=False)

    def place_at(self, offset: int) -> Place:
        """The place of `text[offset]` in the file, best effort."""
        start, place = 0, self.place
        if self.segments:
            index = bisect_right(self.segments, offset, key=lambda segment: segment[0])
            start, place = self.segments[max(index - 1, 0)]
        return Place(place.line, place.column + max(offset - start, 0))
