"""The content of an input of a command, as far as it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from ..values.unknown_text import Reading

Values = tuple[Reading, ...]
"""The values that a word may have."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The content of an input: `text` if it is known; `names` of files, one per line; a file; the
    shell's own input (`outside`); or anything.
    """

    kind: Literal["known", "names", "file", "outside", "unknown"]
    text: str = ""
    names: Values = ()


OUTSIDE: Final = Stream("outside")
FILE: Final = Stream("file")
UNKNOWN: Final = Stream("unknown")
NOTHING: Final = Stream("known")
