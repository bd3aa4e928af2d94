"""`Term`: a word as the program gets it, as far as the text decides: expanded, quotes removed.

`word.py` has words as they are written; `expand.py` makes terms of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..values.possible import Gap, Part
from ..values.unknown_text import ANY, PROGRAM, Reading, UnknownText

REASON: Final = "`shell_commands` of a word that is only known when it runs"


@dataclass(frozen=True, slots=True)
class Term:
    """One of `readings`; `is_many` if the shell may split it into several words, or none."""

    readings: tuple[Reading, ...]
    is_many: bool = False

    @property
    def text(self) -> str | None:
        """The text, if it is known."""
        if self.is_many or len(self.readings) != 1:
            return None
        reading = self.readings[0]
        if not reading:
            return ""
        return reading[0] if len(reading) == 1 and isinstance(reading[0], str) else None

    @property
    def start(self) -> str:
        """Its known beginning."""
        starts = {
            reading[0] if reading and isinstance(reading[0], str) else ""
            for reading in self.readings
        }
        return starts.pop() if len(starts) == 1 else ""

    @property
    def base(self) -> str | None:
        """The last part of a path, if it is known."""
        ends = {
            reading[-1] if reading and isinstance(reading[-1], str) else ""
            for reading in self.readings
        }
        if len(ends) != 1:
            return None
        end = ends.pop()
        return end.rpartition("/")[2] if "/" in end else self.text

    @property
    def programs(self) -> tuple[str, ...]:
        """The known texts that it may be."""
        alone = (reading[0] for reading in self.readings if len(reading) == 1)
        return tuple(part for part in alone if isinstance(part, str))

    @property
    def is_any(self) -> bool:
        """True if it could be several unknown words."""
        return self.is_many and any(
            all(isinstance(part, Gap) for part in reading) for reading in self.readings
        )

    @property
    def is_any_program(self) -> bool:
        """True if it names an unknown program."""
        return self.text is None and any(
            reading and isinstance(reading[-1], Gap) for reading in self.readings
        )

    def shown(self) -> str | UnknownText:
        """The value that predicates get."""
        text = self.text
        return UnknownText(self.readings, REASON, self.is_many) if text is None else text


def known(text: str) -> Term:
    """A known word."""
    return Term(((text,) if text else (),))


ANYTHING: Final = Term(((ANY,),), is_many=True)
"""Unknown words."""
SOME_PROGRAM: Final = Term(((PROGRAM,),))


def merged(parts: list[Part]) -> Reading:
    """Neighbouring stretches as one."""
    made: list[Part] = []
    for part in parts:
        if not isinstance(part, Gap) and made and not isinstance(made[-1], Gap):
            made[-1] = str(made[-1]) + part
        elif part != "":
            made.append(part)
    return tuple(made)
