"""Commands within words: the content of `<(...)` and `>(...)`, and text that is read again."""

from __future__ import annotations

import re
from typing import Any, Final

from ..values.value import Failure
from .ast import Pipeline, Simple
from .costs import Charge
from .parser import parse
from .stream import UNKNOWN, Stream
from .word import Word

_SUBSTITUTES: Final = re.compile(r"\$\(|`|<\(")
_END: Final = "end-of-the-text"


def process_of(word: Word) -> tuple[Any, ...] | None:
    """The pipelines of a word that is `<(...)`."""
    if len(word.pieces) == 1 and word.pieces[0].kind == "process":
        return word.pieces[0].inner
    return None


def fed_to_processes(stage: Simple, passed: Stream) -> Stream:
    """The input of the commands within these words: a `>(...)` receives the command's output."""
    targets = [redirect.target for redirect in stage.redirects]
    pieces = [piece for word in (*stage.words, *targets) for piece in word.pieces]
    is_fed = any(piece.kind == "process" and piece.text[0] == ">" for piece in pieces)
    return UNKNOWN if is_fed and passed.kind == "outside" else passed


def substitutions(written: str, charge: Charge) -> list[Pipeline] | None:
    """The commands that a text substitutes when a sum or a prompt reads it; None: not known."""
    if not _SUBSTITUTES.search(written):
        return []
    # Like the body of a here-document, where quotes are plain signs as they are in sums.
    try:
        return parse(f": <<{_END}\n{written}\n{_END}", charge, 1)[1:]
    except Failure:
        return None
