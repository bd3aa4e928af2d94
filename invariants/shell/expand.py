"""Words as written -> terms: parameters, substitutions, `~`, globs, and fields.

Values come from the text itself (`scope.py`), from the certain output of a substitution
(`redirections.py`), or are gaps. Source: POSIX XCU 2.6, and Bash's manual for its extensions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, Final

from ..values.possible import Gap, Part
from ..values.unknown_text import ANY, GLOB, GLOB_FIRST, NAME, READINGS_MAX, VARIABLE, Reading
from .costs import TEXT_CHARACTERS, Charge
from .marks import unmarked
from .scope import UNKNOWN_VALUES, Scope
from .stream import Values
from .term import ANYTHING, Term, merged
from .word import Piece, Word

Substituted = Callable[[tuple[Any, ...], Scope], Values]
"""The result of `$(...)`, from its pipelines."""

_PLAIN: Final = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])")
_PARAMETER: Final = re.compile(
    r"\$\{([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])(?:(:?[-=?+])(.*))?\}", re.DOTALL
)
_GLOB: Final = re.compile(r"\*+|\?|\[(?:[!^]?\][^\]/]*|[^\]/]+)\]")
_SIGNS: Final = frozenset("'\"\\$`")
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[[^\]]*\])?(\+?)=")

_Run = tuple[Part, bool]
"""A stretch, and a flag for pattern signs in it: bare text, or expansions outside quotes."""


class Expander:
    """Expands the words of one scope."""

    def __init__(self, scope: Scope, substituted: Substituted, charge: Charge) -> None:
        self._scope, self._substituted, self._charge = scope, substituted, charge
        self._is_usual = "IFS" not in scope.variables

    def terms(self, words: Sequence[Word]) -> list[Term]:
        """The words that a command receives."""
        return [term for word in words for term in self.fields(word)]

    def fields(self, word: Word) -> list[Term]:
        """The words that one becomes: none, one, or several."""
        pieces = word.pieces
        is_parameter = any(piece.kind.endswith("expansion") for piece in pieces)
        if is_parameter and word.text in ("$@", "${@}", "$*") and self._scope.arguments is not None:
            if not self._scope.arguments and any(piece.kind == "quoted" for piece in pieces):
                return [ANYTHING]  # Bash makes one empty word of `''"$@"`, dash may make none.
            return list(self._scope.arguments)
        if len(pieces) == 1 and pieces[0].kind == "open_expansion":
            return self._open(pieces[0])
        if all(piece.kind in ("bare", "quoted") for piece in pieces):
            runs = _tilde(pieces)
            is_open = any(part in (ANY, VARIABLE) and is_pattern for part, is_pattern in runs)
            return [Term((self._patterned(runs),), is_many=is_open)]
        return self._mixed(pieces)

    def value(self, word: Word) -> Term:
        """One text: in an assignment, a redirection, a here-document."""
        found = [self._of_piece(piece) for piece in word.pieces]
        return Term(tuple(_combined(found) or UNKNOWN_VALUES))

    def _open(self, piece: Piece) -> list[Term]:
        """A whole word that expands outside quotes."""
        values = self._values(piece)
        texts = [value[0] if value else "" for value in values if len(value) <= 1]
        known = [text for text in texts if isinstance(text, str)]
        if not self._is_usual:
            return [ANYTHING]
        if len(known) == len(values) == 1:
            return [Term((self._patterned([(part, True)]),)) for part in known[0].split()]
        if len(known) == len(values) and not any(set(text) & set(" \t\n") for text in known):
            return [Term(values)]
        is_name = all(len(value) == 1 and value[0] == NAME for value in values)
        return [Term(values, is_many=not is_name)]

    def _mixed(self, pieces: Sequence[Piece]) -> list[Term]:
        """Text and expansions in one word; a known value with blanks splits it."""
        fields: list[list[_Run]] = [[]]
        is_many = False
        alternatives: list[tuple[list[_Run], int, Values]] = []
        for piece, runs in _tilde_by_piece(pieces):
            if piece.kind in ("bare", "quoted"):
                fields[-1] += runs
                continue
            values = self._values(piece)
            is_open = piece.kind == "open_expansion"
            if is_open and not self._is_usual:
                values = UNKNOWN_VALUES
            if len(values) == 1 and all(isinstance(part, str) for part in values[0]):
                text = "".join(map(str, values[0]))
                self._append(fields, text, is_open=is_open)
                continue
            is_many = is_many or (is_open and not _is_one(values))
            alternatives.append((fields[-1], len(fields[-1]), values))
            fields[-1].append((ANY, False))
        if len(fields) > 1 and not any(part for part, _ in fields[-1]):
            fields.pop()
        return [
            self._field(runs, [one for one in alternatives if one[0] is runs], is_many=is_many)
            for runs in fields
        ]

    @staticmethod
    def _append(fields: list[list[_Run]], text: str, *, is_open: bool) -> None:
        """A known value after the last field; outside quotes its blanks begin new ones."""
        parts = re.split(r"[ \t\n]+", text) if is_open else [text]
        for number, part in enumerate(parts):
            if number:
                fields.append([])
            fields[-1].append((part, is_open))
        fields[:-1] = [runs for runs in fields[:-1] if any(part for part, _ in runs)]

    def _field(
        self, runs: list[_Run], alternatives: list[tuple[list[_Run], int, Values]], *, is_many: bool
    ) -> Term:
        choices: list[list[list[_Run]]] = [[[run]] for run in runs]
        for _, position, values in alternatives:
            choices[position] = [[(part, False) for part in value] for value in values]
        count = 1
        for choice in choices:
            count *= max(1, len(choice))
        if count > READINGS_MAX:
            choices = [choice if len(choice) == 1 else [[(ANY, False)]] for choice in choices]
        readings = [
            self._patterned([run for choice in chosen for run in choice])
            for chosen in product(*choices)
        ]
        return Term(tuple(dict.fromkeys(readings)), is_many)

    def _of_piece(self, piece: Piece) -> Values:
        if piece.kind in ("bare", "quoted"):
            return (tuple(part for part in unmarked(piece.text) if part != ""),)
        return self._values(piece)

    def _values(self, piece: Piece) -> Values:
        """All values of an expansion, paid for by their length."""
        values = self._values_of(piece)
        self._charge(
            sum(len(part) for value in values for part in value if isinstance(part, str))
            // TEXT_CHARACTERS
        )
        return values

    def _values_of(self, piece: Piece) -> Values:
        if piece.kind == "process":
            return (("/dev/fd/", NAME),)
        if piece.inner is not None:
            return self._substituted(piece.inner, self._scope)
        text = piece.text
        if text.startswith("$(("):
            return ((NAME,),)
        plain = _PLAIN.fullmatch(text)
        if plain is not None:
            return UNKNOWN_VALUES if plain[1] in "@*" else self._scope.value(plain[1])
        found = _PARAMETER.fullmatch(text)
        if found is None or found[1] in ("@", "*"):
            return ((NAME,),) if text.startswith("${#") else UNKNOWN_VALUES
        return self._parameter(found[1], found[2] or "", found[3] or "")

    def _parameter(self, name: str, operator: str, word: str) -> Values:
        values = self._scope.value(name)
        if not operator:
            return values
        if operator.endswith("?"):
            # A script that checks for a variable means its own; a set variable keeps its value.
            checked = tuple(value for value in values if value)
            is_known = all(isinstance(part, str) for value in checked for part in value)
            return checked if is_known and checked else ((NAME,),)
        other: Reading = (ANY,) if set(word) & _SIGNS else ((word,) if word else ())
        if operator.endswith("+"):
            return ((), other)
        either = tuple(dict.fromkeys((*values, other)))
        if operator.endswith("="):
            self._scope.set(name, either)
        return either

    @staticmethod
    def _patterned(runs: Sequence[_Run]) -> Reading:
        """The word of these runs, patterns of files' names as gaps.

        A last part that is `*` alone stays: it is all that a folder holds, whatever that is.
        """
        made: list[Part] = []
        before = "/"
        for index, (part, is_pattern) in enumerate(runs):
            if isinstance(part, Gap):
                made.append(part)
                before = "?"
                continue
            if is_pattern and not (index == len(runs) - 1 and _is_star(part, before)):
                made += _with_gaps(part, before, is_last=index == len(runs) - 1)
            else:
                made.append(part)
            before = part[-1:] or before
        return merged(made)


def _is_star(part: str, before: str) -> bool:
    return part in ("*", ".*", "**") and before == "/"


def _with_gaps(text: str, before: str, *, is_last: bool) -> list[Part]:
    parts: list[Part] = []
    at = 0
    for found in _GLOB.finditer(text):
        if found.start() == 0 and len(text) == 1 and text == "[":
            continue
        left = text[found.start() - 1] if found.start() else before
        is_whole = is_last and found.end() == len(text) and found[0] in ("*", "**")
        if left == "/" and is_whole:
            break
        parts += [text[at : found.start()], GLOB_FIRST if left == "/" else GLOB]
        at = found.end()
    return [*parts, text[at:]]


def _tilde(pieces: Sequence[Piece]) -> list[_Run]:
    return [run for _, runs in _tilde_by_piece(pieces) for run in runs]


def _tilde_by_piece(pieces: Sequence[Piece]) -> list[tuple[Piece, list[_Run]]]:
    """The runs of each piece; a `~` that is quoted is a file's name, and no home."""
    found: list[tuple[Piece, list[_Run]]] = []
    is_first = True
    for piece in pieces:
        text = piece.text
        if is_first and piece.kind == "quoted" and text.startswith("~"):
            text = "./" + text
        is_first = is_first and not text
        is_plain = piece.kind in ("bare", "quoted")
        parts: list[Part] = unmarked(text) if is_plain else []
        found.append((piece, [(part, piece.kind == "bare") for part in parts]))
    return found


def _is_one(values: Values) -> bool:
    return all(
        not isinstance(part, Gap) or part.kind == "name" for value in values for part in value
    )


def _combined(found: Sequence[Values]) -> list[Reading]:
    """Every text that the parts may form together; empty if there are too many."""
    made: list[Reading] = [()]
    for values in found:
        if len(made) * len(values) > READINGS_MAX:
            return []
        made = [merged([*left, *right]) for left in made for right in values]
    return list(dict.fromkeys(made))


def assignment(word: Word) -> tuple[str, bool, Word] | None:
    """`name=value` as the name, whether it adds to it, and the value; None for a list or an
    element of one.
    """
    first = word.pieces[0]
    found = _ASSIGNMENT.match(first.text)
    if first.kind != "bare" or found is None:
        return None
    rest = first.text[found.end() :]
    pieces = (Piece(rest, "bare"), *word.pieces[1:]) if rest else word.pieces[1:]
    is_list = any(piece.kind == "open_expansion" and piece.text[:1] == "(" for piece in pieces)
    value = Word("".join(piece.text for piece in pieces), pieces=pieces)
    if found[2] is not None or is_list:
        return found[1], True, value
    return found[1], bool(found[3]), value
