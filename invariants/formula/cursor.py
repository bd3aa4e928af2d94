"""A position in a formula's tokens, shared by the two halves of the parser.

It consumes, expects and describes tokens, and raises faults for unexpected ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..model.errors import Place
from .tokens import FormulaFault, Token, show_text

COMPARISON_SIGNS: Final = ("==", "!=", "<=", ">=", "<", ">")

Locate = Callable[[int], Place]
"""From an offset in a formula's text to its place in the file."""


@dataclass
class Cursor:
    """The tokens, the index of the next one, and the places of their offsets in the file."""

    tokens: list[Token]
    locate: Locate
    index: int = 0

    @property
    def token(self) -> Token:
        """The next token; at the end, the `end` token again and again."""
        return self.tokens[self.index]

    @property
    def following(self) -> Token:
        """The token after the next one."""
        return self.tokens[min(self.index + 1, len(self.tokens) - 1)]

    def place(self, token: Token) -> Place:
        """The place of a token's start in the file."""
        return self.locate(token.offset)

    def take(self) -> Token:
        """The next token; moves on."""
        token = self.token
        if token.sort != "end":
            self.index += 1
        return token

    def is_end(self) -> bool:
        """True if no token is left."""
        return self.token.sort == "end"

    def is_sign(self, *signs: str) -> bool:
        """True if the next token is one of these signs."""
        return self.token.sort == "sign" and self.token.text in signs

    def is_word(self, *words: str) -> bool:
        """True if the next token is one of these reserved words."""
        return self.token.sort == "word" and self.token.text in words

    def before(self, count: int = 1) -> str:
        """The text of a token before the next one, or an empty text."""
        return self.tokens[self.index - count].text if self.index >= count else ""

    def expect(self, sign: str, mend: str) -> Token:
        """Take this sign, or raise E301."""
        if not self.is_sign(sign):
            message = f"expected `{sign}`, but found {self.met()}"
            raise FormulaFault(self.token.offset, "E301", message, mend)
        return self.take()

    def name(self, expected: str, mend: str) -> Token:
        """Take a name that is not a reserved word, or raise E301 or E309."""
        token = self.token
        if token.sort == "word":
            message = f"{show_text(token.text)} is a reserved word, not {expected}"
            raise FormulaFault(token.offset, "E309", message, f"choose another name; {mend}")
        if token.sort != "name":
            message = f"expected {expected}, but found {self.met()}"
            raise FormulaFault(token.offset, "E301", message, mend)
        return self.take()

    def met(self) -> str:
        """The next token as a message shows it."""
        return "the end" if self.is_end() else show_text(self.token.text)
