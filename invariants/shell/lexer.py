"""Splits shell text into words: quotes, backslashes, expansions, comments, here-documents.

Based on POSIX (XCU 2.2, 2.6, 2.10) with Bash's extensions (`$'...'`, `<(...)`, braces, arrays).
Each character is read a bounded number of times. `parser.py` continues from here; it parses the
commands within `$(...)`, backticks and `<(...)`, which are kept in `found`.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Final

from ..values.value import Failure
from .costs import BRACKETS, PART_STEPS, TEXT_CHARACTERS, WORD_STEPS, Charge
from .word import Piece, Word, expanded, made

ARITHMETIC_LENGTH_MAX: Final = 2_000  # Chosen: characters of one sum, so that all stays linear.
DEPTH_MAX: Final = 30  # Chosen: nesting of groups and substitutions within one text.

_PLAIN: Final = re.compile(r"[^ \t\n'\"\\$`|&;<>()]+")
_BLANK: Final = re.compile(r"(?:[ \t]+|\\\n)*")
_COMMENT: Final = re.compile(r"#[^\n]*")
_IN_DOUBLE: Final = re.compile(r"[^\"\\$`]+")
_IN_BODY: Final = re.compile(r"[^\\$`]+")
_NAME: Final = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])")
_IN_BACKTICKS: Final = re.compile(r"(?:[^`\\]|\\.)*", re.DOTALL)
_IN_ANSI: Final = re.compile(r"(?:[^'\\]|\\.)*", re.DOTALL)
_ASSIGNED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\[[^\]]*\])?\+?=")
_ANSI_ESCAPE: Final = re.compile(
    r"\\(?:([0-7]{1,3})|x(?:\{([0-9A-Fa-f]{1,8})\}?|([0-9A-Fa-f]{1,2}))|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})"
    r"|c(.)|(.))",
    re.DOTALL,
)
_ANSI_LETTERS: Final = {
    **{"a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r"},
    **{"t": "\t", "v": "\v"},
}


EMPTY: Final = made([])


@dataclass(slots=True)
class HereDocument:
    """`<<word`: its body, once the scanner came to it."""

    delimiter: str
    is_literal: bool
    drops_tabs: bool
    body: Word = EMPTY


class Scanner:
    """One text and a position in it. `grammar.Parser` adds the parts of commands."""

    def __init__(self, text: str, charge: Charge, depth: int) -> None:
        self.text, self.position, self.depth = text, 0, depth
        self.charge = charge
        self.check_depth(depth)
        self.pending: list[HereDocument] = []

    @staticmethod
    def check_depth(depth: int) -> None:
        """Raises Failure if nesting is deeper than in any honest text."""
        if depth > DEPTH_MAX:
            raise Failure("`shell_commands` of text that is nested too deep")

    @abstractmethod
    def substituted(self, text: str) -> tuple[Any, ...]:
        """Parse the text between backticks and keep its commands."""

    @abstractmethod
    def substituted_here(self) -> tuple[Any, ...]:
        """Parse commands from here to the `)` that closes them, step over it, keep them."""

    def at(self, text: str) -> bool:
        """True if `text` is here."""
        return self.text.startswith(text, self.position)

    def skip_blanks(self) -> None:
        """Skip blanks, joined lines and a comment; then a token begins."""
        self.position = self._match(_BLANK).end()
        if self.at("#"):
            self.position = self._match(_COMMENT).end()

    def take_newline(self) -> None:
        """Step over a line's end, and over the bodies of here-documents that begin there."""
        self.position += 1
        pending, self.pending = self.pending, []
        for document in pending:
            self._read_body(document)

    def words(self, *, may_assign: bool) -> tuple[list[Word], bool]:
        """The word here, as the words that its braces expand to; empty if there is none.

        Second: a flag for an assignment, in which braces are not expanded.
        """
        pieces = self._pieces()
        if not pieces:
            return [], False
        if may_assign and pieces[0].kind == "bare" and _ASSIGNED.match(pieces[0].text):
            return [made(pieces)], True
        return expanded(pieces, self.charge), False

    def word(self) -> Word | None:
        """The word here without braces expanded, or None."""
        pieces = self._pieces()
        return made(pieces) if pieces else None

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self.text, self.position)
        assert found is not None, "only patterns that match the empty text, or were looked for"
        return found

    def _pieces(self) -> list[Piece]:
        pieces: list[Piece] = []
        while self.position < len(self.text):
            plain = _PLAIN.match(self.text, self.position)
            if plain is not None:
                self.charge(PART_STEPS)
                pieces.append(Piece(plain[0], "bare"))
                self.position = plain.end()
                continue
            character = self.text[self.position]
            is_process = character in "<>" and self.text.startswith("(", self.position + 1)
            is_array = character == "(" and _opens_array(pieces)
            if character in " \t\n|&;()<>" and not (is_process or is_array):
                break
            self.charge(PART_STEPS)
            if is_process:
                pieces.append(self._process())
            elif is_array:
                pieces.append(self._array())
            else:
                self._quoted_or_expanded(pieces)
        if pieces:
            self.charge(WORD_STEPS)
        return pieces

    def _quoted_or_expanded(self, pieces: list[Piece]) -> None:
        character = self.text[self.position]
        if character == "'":
            pieces.append(Piece(self._until("'"), "quoted"))
        elif character == '"':
            self.position += 1
            self._double(pieces, _IN_DOUBLE, '"')
        elif character == "\\":
            if self.position + 1 >= len(self.text):
                raise Failure("`shell_commands` of text with a final backslash")
            escaped = self.text[self.position + 1]
            self.position += 2
            if escaped != "\n":
                pieces.append(Piece(escaped, "quoted"))
        elif character == "`":
            pieces.append(self._backticks(is_quoted=False))
        elif self.at("$'"):
            self.position += 1
            start = self.position
            text = self._ansi()
            plain = "$" + self.text[start + 1 : self.position - 1]
            pieces.append(Piece(text, "quoted", plain=plain))
        elif self.at('$"'):
            self.position += 2
            pieces.append(Piece("", "quoted", plain="$"))
            self._double(pieces, _IN_DOUBLE, '"')
        else:
            pieces.append(self._dollar(is_quoted=False))

    def _until(self, end: str) -> str:
        """The text between the sign here and the next `end`; skips both."""
        start = self.position + 1
        stop = self.text.find(end, start)
        if stop < 0:
            raise Failure("`shell_commands` of text with an open quote")
        self.position = stop + 1
        return self.text[start:stop]

    def _ansi(self) -> str:
        self.position += 1
        inner = self._match(_IN_ANSI)
        self.position = inner.end() + 1
        if self.position > len(self.text):
            raise Failure("`shell_commands` of text with an open quote")
        if "\\'" in inner[0]:
            # A plain sh reads `$'...'` as a `$` and a quote that ends here.
            raise Failure(
                "`shell_commands` of a quote within `$'...'`, which shells read in two ways"
            )
        return _ANSI_ESCAPE.sub(_ansi_character, inner[0])

    def _double(self, pieces: list[Piece], run: re.Pattern[str], end: str) -> None:
        """The inside of double quotes, or with `end` "" a whole body of a here-document."""
        pieces.append(Piece("", "quoted"))
        while self.position < len(self.text) and not (end and self.at(end)):
            self.charge(PART_STEPS)
            plain = run.match(self.text, self.position)
            if plain is not None:
                pieces.append(Piece(plain[0], "quoted"))
                self.position = plain.end()
            elif self.at("\\"):
                escaped = self.text[self.position + 1 : self.position + 2]
                self.position += 2
                if escaped not in ("\n", *("$`\\" + end)):
                    escaped = "\\" + escaped
                pieces.append(Piece(escaped if escaped != "\n" else "", "quoted"))
            elif self.at("`"):
                pieces.append(self._backticks(is_quoted=True))
            else:
                pieces.append(self._dollar(is_quoted=True))
        self.position += len(end)
        if self.position > len(self.text):
            raise Failure("`shell_commands` of text with an open quote")

    def _backticks(self, *, is_quoted: bool) -> Piece:
        start = self.position
        self.position += 1
        inner = self._match(_IN_BACKTICKS)
        self.position = inner.end() + 1
        if self.position > len(self.text):
            raise Failure("`shell_commands` of text with an open backtick")
        escapes = r"\\([$`\\\"])" if is_quoted else r"\\([$`\\])"
        commands = self.substituted(re.sub(escapes, r"\1", inner[0]))
        return self._expansion(start, commands, is_quoted=is_quoted)

    def _dollar(self, *, is_quoted: bool) -> Piece:
        start = self.position
        commands: tuple[Any, ...] | None = None
        if self.at("$("):
            self.position += 2
            if self.at("(") and (end := self.arithmetic_end()) >= 0:
                self.skip_arithmetic(end)
            else:
                commands = self.substituted_here()
        elif self.at("${"):
            self.position += 2
            self._parameter(is_quoted=is_quoted)
        elif (name := _NAME.match(self.text, self.position)) is not None:
            self.position = name.end()
        else:
            self.position += 1
            return Piece("$", "quoted")
        return self._expansion(start, commands, is_quoted=is_quoted)

    def _expansion(self, start: int, commands: tuple[Any, ...] | None, *, is_quoted: bool) -> Piece:
        text = self.text[start : self.position]
        # `"$@"` and `"${a[@]}"` are several words even within quotes.
        is_one = is_quoted and (commands is not None or "@" not in text)
        return Piece(text, "expansion" if is_one else "open_expansion", commands)

    def _parameter(self, *, is_quoted: bool) -> None:
        """Skip the rest of `${...}`; substitutions within are kept."""
        self.depth += 1
        self.check_depth(self.depth)
        aside: list[Piece] = []
        while not self.at("}"):
            if self.position >= len(self.text):
                raise Failure("`shell_commands` of text with an open `${`")
            if is_quoted and self.at("'"):
                # A quote or a plain sign, as the operator and the shell will have it.
                raise Failure('`shell_commands` of a single quote within `"${...}"`')
            if self.text[self.position] in "'\"\\$`":
                self._quoted_or_expanded(aside)
            elif self.at("<(") or self.at(">("):
                self._process()
            else:
                self.position += 1
        self.position += 1
        self.depth -= 1

    def arithmetic_end(self) -> int:
        """The position of the `))` for the `((` whose second bracket is here; -1 if not a sum.

        If it could be a command in a subshell it is not a sum, since a plain sh reads `((` so.
        """
        level = 0
        end = self.position + ARITHMETIC_LENGTH_MAX
        for number, found in enumerate(_BRACKET.finditer(self.text, self.position, end)):
            if number % BRACKETS == 0:
                self.charge(1)
            level += 1 if found[0] == "(" else -1
            if level == 0:
                self.charge((found.start() - self.position) // TEXT_CHARACTERS)
                is_arithmetic = self.text.startswith(")", found.end()) and (
                    _ARITHMETIC.fullmatch(self.text, self.position + 1, found.start())
                )
                return found.start() if is_arithmetic else -1
        return -1

    def skip_arithmetic(self, end: int) -> None:
        """Skip `...))` of arithmetic that ends at `end`; its substitutions are kept."""
        while self.position < end:
            if self.text[self.position] in "$`":
                self._quoted_or_expanded([])
            else:
                self.position += 1
        if not self.at("))"):
            raise Failure("`shell_commands` of arithmetic that cannot be read")
        self.position += 2

    def _process(self) -> Piece:
        start = self.position
        self.position += 2
        commands = self.substituted_here()
        return Piece(self.text[start : self.position], "process", commands)

    def _array(self) -> Piece:
        """`(a b c)` after `name=`: its words are values, not commands."""
        start = self.position
        self.position += 1
        self.depth += 1
        self.check_depth(self.depth)
        while not self.at(")"):
            if self.at("\n"):
                self.take_newline()
            elif self._skips_nothing() and self.word() is None:
                raise Failure("`shell_commands` of a list that cannot be read")
        self.position += 1
        self.depth -= 1
        return Piece(self.text[start : self.position], "open_expansion")

    def _skips_nothing(self) -> bool:
        start = self.position
        self.skip_blanks()
        return self.position == start

    def _read_body(self, document: HereDocument) -> None:
        lines: list[str] = []
        while self.position < len(self.text):
            line = self._line(document)
            if line == document.delimiter:
                break
            lines.append(line)
        body = "".join(f"{line}\n" for line in lines)
        if document.is_literal:
            document.body = made([Piece(body, "quoted")])
        else:
            self._expand_body(document, body)

    def _line(self, document: HereDocument) -> str:
        """One line of a body. A backslash at its end joins the next before it is looked at."""
        line = ""
        while True:
            stop = self.text.find("\n", self.position)
            is_last = stop < 0
            stop = len(self.text) if is_last else stop
            part = self.text[self.position : stop]
            self.position = min(stop + 1, len(self.text))
            if document.drops_tabs:
                part = part.lstrip("\t")
            slashes = len(part) - len(part.rstrip("\\"))
            if document.is_literal or is_last or slashes % 2 == 0:
                return line + part
            line += part[:-1]

    def _expand_body(self, document: HereDocument, body: str) -> None:
        after, outer = self.position, self.text
        self.text, self.position = body, 0
        pieces: list[Piece] = []
        self._double(pieces, _IN_BODY, "")
        self.text, self.position = outer, after
        document.body = made(pieces)


_BRACKET: Final = re.compile(r"[()]")
# Two operands side by side, or a path, are a command and no sum (`((rm -rf /))` in a plain sh).
_ARITHMETIC: Final = re.compile(
    r"(?:(?!\w\s+-*\w*[A-Za-z]|[\"'\\;\n]|(?<![\w)\]}])/[A-Za-z]).)*", re.DOTALL
)


def _opens_array(pieces: list[Piece]) -> bool:
    return (
        len(pieces) == 1
        and pieces[0].kind == "bare"
        and _ASSIGNED.fullmatch(pieces[0].text) is not None
    )


def _ansi_character(escape: re.Match[str]) -> str:
    octal, braced, hexadecimal, short, long, control, letter = escape.groups()
    if octal or braced or hexadecimal:
        return _byte(int(octal, 8) if octal else int(braced or hexadecimal, 16))
    for digits in (short, long):
        if digits is not None:
            return _character(int(digits, 16))
    if control is not None:
        return _character(ord(control) & 0x1F)
    return _ANSI_LETTERS.get(letter, letter if letter in "\\'\"?" else "\\" + letter)


def _byte(number: int) -> str:
    return _character(number & 0xFF if number & 0xFF <= 0x7F else 0)  # Not half a character.


def _character(number: int) -> str:
    if number == 0 or number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise Failure("`shell_commands` of a character that no word holds")
    return chr(number)
