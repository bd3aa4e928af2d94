"""`UnknownText`: a partly known text, such as `"$DIR/bin/rm"` before the shell runs.

Functions return a result for it if every text that it could be gives the same result. Otherwise
they fail, so that a predicate that needs the missing part is inconclusive. Immutable.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from .possible import Gap, Part, search

ANY: Final = Gap("any")
"""Any text, the empty one too."""
VARIABLE: Final = Gap("variable")
"""The value of a variable that the text does not set: any text."""
NAME: Final = Gap("name", unlike="/", unlike_first="-~", is_empty=False)
"""A file's name, or a number: nothing with a slash, and no option."""
GLOB: Final = Gap("glob", unlike="/")
"""The expansion of `*` within a name."""
GLOB_FIRST: Final = Gap("glob", unlike="/", unlike_first=".-~")
"""The same at the beginning of a name: it matches no name that begins with a dot."""
PROGRAM: Final = Gap("program", unlike_first="-~", is_empty=False)
"""The name or path of a program."""
BELOW: Final = Gap("below", unlike_first="-/~")
"""A path downwards from its place, without `..`; may be empty."""

Reading = tuple[Part, ...]
"""One text that a word may be: known stretches, never two adjacent ones, and gaps."""

READINGS_MAX: Final = 8  # Chosen: texts that one word may be; beyond, it is any text.


class UnknownText(msgspec.Struct, frozen=True):
    """One of `readings`; `is_many` if it may be several words, or none.

    `reason` is the reason why it is not known, for the verdict; it quotes nothing.
    """

    readings: tuple[Reading, ...]
    reason: str
    is_many: bool = False

    def answer(self, pattern: str) -> bool | None:
        """If RE2's `pattern` matches somewhere; None if that depends on unknown parts."""
        answers = {search(pattern, reading) for reading in self.readings}
        return answers.pop() if len(answers) == 1 else None

    def changed(self, change: Callable[[str], str]) -> UnknownText:
        """The same with `change` applied to its known stretches."""
        readings = tuple(
            tuple(part if isinstance(part, Gap) else change(part) for part in reading)
            for reading in self.readings
        )
        return UnknownText(readings, self.reason, self.is_many)

    @property
    def steps(self) -> int:
        """The cost of a result in steps of the event's budget.

        Measured: a pattern of the packs over 20 characters and a gap takes 20 to 100 us.
        """
        known = sum(len(part) for r in self.readings for part in r if isinstance(part, str))
        return 32 * len(self.readings) + 8 * known


@lru_cache(maxsize=1024)
def exactly(text: str) -> str:
    """The pattern that matches `text` alone."""
    return rf"\A{quoted(text)}\z"


def quoted(text: str) -> str:
    """The pattern that matches `text` at any place."""
    return "".join(
        sign if sign.isascii() and sign.isalnum() else f"\\x{{{ord(sign):x}}}" for sign in text
    )
