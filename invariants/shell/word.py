"""A shell word as far as text alone determines it, and the expansion of its braces.

A word consists of pieces: bare text, quoted text, and expansions (`$x`, `$(...)`), whose values are
not known before the shell runs. An expansion stays in the word as written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final, Literal

from ..values.value import Failure
from .costs import BRACE_CHARACTERS, WORD_STEPS, Charge, free

BRACE_WORDS_MAX: Final = 512  # Chosen: words that one word with braces may expand to.
BRACE_DEPTH_MAX: Final = 20  # Chosen: no honest command line is nested deeper.

Kind = Literal["bare", "quoted", "expansion", "open_expansion", "process"]
"""An `open_expansion` is outside quotes: the shell may split it into several words."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text of one kind within a word; never empty if it is bare.

    `inner` are the pipelines that a substitution runs, for `expand.py`.
    """

    text: str
    kind: Kind
    inner: tuple[Any, ...] | None = None
    plain: str = ""
    """A plain sh's reading of it, if that differs."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word: `text` with quotes removed, and its open parts.

    `is_fixed` is true if nothing in it expands; `is_bare` if nothing of it is quoted or expanded,
    as in reserved words.
    """

    text: str
    is_fixed: bool = True
    is_bare: bool = True
    pieces: tuple[Piece, ...] = ()
    plain: tuple[Word, ...] | None = None
    """The words that a plain sh has in its place; a word without pieces is a plain sh's alone."""


def made(pieces: Sequence[Piece]) -> Word:
    """The word of these pieces."""
    kinds = {piece.kind for piece in pieces}
    return Word(
        text="".join(piece.text for piece in pieces),
        is_fixed=kinds <= {"bare", "quoted"},
        is_bare=kinds <= {"bare"},
        pieces=tuple(pieces),
    )


def of_plain_sh(words: Sequence[Word]) -> list[Word] | None:
    """A command as a plain sh reads it: braces are not expanded, and `$'...'` is a `$` and a text.

    None where that is the same, or starts no program that Bash knows of.
    """
    is_same = all(word.plain is None and not any(p.plain for p in word.pieces) for word in words)
    if is_same or words[0].plain is not None:
        return None
    taken = [each for word in words[1:] for each in ((word,) if word.plain is None else word.plain)]
    return [words[0], *(made([_of_plain_sh(p) for p in word.pieces]) for word in taken)]


def _of_plain_sh(piece: Piece) -> Piece:
    return Piece(piece.plain, "quoted") if piece.plain else piece


def expanded(pieces: list[Piece], charge: Charge = free) -> list[Word]:
    """The words that braces make of one, as Bash does it (`a{b,c}` is `ab ac`)."""
    if not any(piece.kind == "bare" and "{" in piece.text for piece in pieces):
        return [made(pieces)]
    units = [
        unit
        for piece in pieces
        for unit in (map(_bare, piece.text) if piece.kind == "bare" else (piece,))
    ]
    charge(len(units))
    results = _Expansion(units, _pairs(units), charge).alternatives(0, len(units), 0)
    words = [made(_merged(result)) for result in results if result or not units]
    if len(results) < 2:
        return words
    first = [replace(word, plain=(made(pieces),)) for word in words[:1]]
    return [*first, *(replace(word, plain=()) for word in words[1:])]


def _bare(character: str) -> Piece:
    return Piece(character, "bare")


@dataclass(slots=True)
class _Brace:
    """One pair of braces: its end, and the places of its own commas."""

    end: int = -1
    commas: list[int] = field(default_factory=list)


def _pairs(units: Sequence[Piece]) -> dict[int, _Brace]:
    """Every `{` that is closed, by its position; one pass."""
    found: dict[int, _Brace] = {}
    is_open: list[int] = []
    for position, unit in enumerate(units):
        if unit.kind != "bare":
            continue
        if unit.text == "{":
            is_open.append(position)
            found[position] = _Brace()
        elif unit.text == "," and is_open:
            found[is_open[-1]].commas.append(position)
        elif unit.text == "}" and is_open:
            found[is_open.pop()].end = position
    return {position: brace for position, brace in found.items() if brace.end >= 0}


@dataclass(frozen=True, slots=True)
class _Expansion:
    """The braces of one word, and the charge for their results."""

    units: Sequence[Piece]
    braces: dict[int, _Brace]
    charge: Charge

    def alternatives(self, start: int, end: int, depth: int) -> list[list[Piece]]:
        """The expansions of `units[start:end]`, each as pieces."""
        if depth > BRACE_DEPTH_MAX:
            raise Failure("`shell_commands` of braces that are nested too deep")
        results: list[list[Piece]] = [[]]
        position = start
        while position < end:
            choices = self._choices(position, depth)
            if choices is None:
                if len(results) > 1:
                    self.charge(len(results) // BRACE_CHARACTERS)
                for result in results:
                    result.append(self.units[position])
                position += 1
                continue
            if len(results) * len(choices) > BRACE_WORDS_MAX:
                raise Failure("`shell_commands` of braces that stand for too many words")
            length = len(results) * sum(map(len, choices)) + len(choices) * sum(map(len, results))
            self.charge(len(results) * len(choices) * WORD_STEPS + length // BRACE_CHARACTERS)
            results = [[*result, *choice] for result in results for choice in choices]
            position = self.braces[position].end + 1
        return results

    def _choices(self, position: int, depth: int) -> list[list[Piece]] | None:
        """The choices of the braces that begin here; None if there are none."""
        brace = self.braces.get(position)
        if brace is None:
            return None
        if not brace.commas:
            return _sequence(self.units, position + 1, brace.end)
        return [
            choice
            for left, right in pairwise([position, *brace.commas, brace.end])
            for choice in self.alternatives(left + 1, right, depth + 1)
        ]


SEQUENCE_CHARACTERS_MAX: Final = 40  # Chosen: `-999999999..999999999..999999999` has 33.
_NUMBERS: Final = re.compile(r"(-?[0-9]{1,9})\.\.(-?[0-9]{1,9})(?:\.\.-?[0-9]{1,9})?")
_LETTERS: Final = re.compile(r"([A-Za-z])\.\.([A-Za-z])(?:\.\.-?[0-9]{1,9})?")


def _sequence(units: Sequence[Piece], start: int, end: int) -> list[list[Piece]] | None:
    """The expansions of `{1..5}` or `{a..e}`: every value between, with or without steps."""
    # Asked first: braces within braces would copy the text once for each.
    if end - start > SEQUENCE_CHARACTERS_MAX:
        return None
    written = units[start:end]
    if any(unit.kind != "bare" for unit in written):
        return None
    text = "".join(unit.text for unit in written)
    if numbers := _NUMBERS.fullmatch(text):
        first, last = int(numbers[1]), int(numbers[2])
    elif letters := _LETTERS.fullmatch(text):
        first, last = ord(letters[1]), ord(letters[2])
    else:
        return None
    low, high = min(first, last), max(first, last)
    if high - low >= BRACE_WORDS_MAX:
        raise Failure("`shell_commands` of braces that stand for too many words")
    return [[Piece(str(n) if numbers else chr(n), "bare")] for n in range(low, high + 1)]


def _merged(units: Sequence[Piece]) -> list[Piece]:
    """Neighbouring bare characters as one piece."""
    pieces: list[Piece] = []
    run: list[str] = []
    for unit in units:
        if unit.kind == "bare":
            run.append(unit.text)
            continue
        if run:
            pieces.append(Piece("".join(run), "bare"))
            run = []
        pieces.append(unit)
    return [*pieces, Piece("".join(run), "bare")] if run else pieces
