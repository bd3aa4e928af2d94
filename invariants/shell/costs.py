"""The cost of reading shell text, in steps of the event's budget.

Steps are counted as the text is read from left to right, so that unreadable text costs as much as
the part before the fault. Measured: every step takes 0.2 to 1 us. Source: docs/cel.md, Bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Charge = Callable[[int], None]
"""Takes steps from the event; raises `SpentError` when it has too few left."""

TEXT_CHARACTERS: Final = 8  # Characters of text that is read, here-documents and comments too.
WORD_STEPS: Final = 16  # For each word.
PART_STEPS: Final = 2  # For each stretch of a word: plain, quoted, escaped or expanded.
BRACE_CHARACTERS: Final = 8  # Characters of the words that braces make; of the written one, 1.
COMMAND_STEPS: Final = 4  # For each command that is listed.
LISTED_WORDS: Final = 8  # Words of listed commands: wrappers list the same ones again.
BRACKETS: Final = 4  # Brackets that are read to find the end of a possible sum.


def free(steps: int) -> None:
    """Charges nothing."""
