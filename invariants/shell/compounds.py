"""Compound commands of a shell: `if`, `for`, `while`, `case`, `[[`. `parser.py` has the rest.

The content of a branch counts, whether it would be taken or not.
"""

from __future__ import annotations

from abc import abstractmethod

from ..values.value import Failure
from .ast import Pipeline, Simple
from .lexer import Scanner
from .word import Piece, Word, made


class Compounds(Scanner):
    """A scanner that reads compound commands, of lists that `grammar.Parser` reads."""

    @abstractmethod
    def list_until(self, stops: frozenset[str]) -> list[Pipeline]:
        """Pipelines up to a reserved word of `stops`, or the end of the enclosing construct."""

    @abstractmethod
    def skip_lines(self) -> None:
        """Step over blanks and lines' ends."""

    @abstractmethod
    def reserved(self) -> str | None:
        """The reserved word here, if one could be; it is not stepped over."""

    @abstractmethod
    def expect(self, text: str) -> None:
        """Skip `text`. Raises Failure if it is not here."""

    def compound(self, opener: str) -> list[Pipeline]:
        match opener:
            case "{":
                pipelines = self.list_until(frozenset({"}"}))
                self.expect("}")
                return pipelines
            case "if":
                return self._if()
            case "while" | "until":
                pipelines = self.list_until(frozenset({"do"}))
                return pipelines + self.do()
            case "case":
                return self._case()
            case _:
                return self._condition()

    def _if(self) -> list[Pipeline]:
        pipelines = self.list_until(frozenset({"then"}))
        self.expect("then")
        while True:
            pipelines += self.list_until(frozenset({"elif", "else", "fi"}))
            word = self.reserved()
            if word not in ("elif", "else", "fi"):
                raise Failure("`shell_commands` of text in which a `fi` is missing")
            self.position += len(word)
            if word == "fi":
                return pipelines
            if word == "elif":
                pipelines += self.list_until(frozenset({"then"}))
                self.expect("then")

    def do(self) -> list[Pipeline]:
        self.skip_lines()
        is_brace = self.reserved() == "{"
        self.expect("{" if is_brace else "do")
        end = "}" if is_brace else "done"
        pipelines = self.list_until(frozenset({end}))
        self.expect(end)
        return pipelines

    def for_head(self) -> tuple[str, tuple[Word, ...]] | None:
        """The variable and the words that it goes through; None for a `for ((...))`."""
        self.skip_blanks()
        words: list[Word] = []
        name: Word | None = None
        if self.at("(("):
            self.position += 1
            end = self.text.find("))", self.position)
            if end < 0:
                raise Failure("`shell_commands` of arithmetic that cannot be read")
            self.skip_arithmetic(end)
        else:
            name = self.word()
            if name is None:
                raise Failure("`shell_commands` of a `for` without a name")
        self.skip_lines()
        if self.reserved() == "in":
            self.position += 2
            self.skip_blanks()
            while taken := self.words(may_assign=False)[0]:
                words += taken
                self.skip_blanks()
        elif name is not None:
            words = [made([Piece("$@", "open_expansion")])]
        if self.at(";"):
            self.position += 1
        return None if name is None else (name.text, tuple(words))

    def _case(self) -> list[Pipeline]:
        self.skip_blanks()
        if self.word() is None:
            raise Failure("`shell_commands` of a `case` without a word")
        self.expect("in")
        pipelines: list[Pipeline] = []
        while True:
            self.skip_lines()
            if self.reserved() == "esac":
                self.position += 4
                return pipelines
            if self.at("("):
                self.position += 1
            self._patterns()
            pipelines += self.list_until(frozenset({"esac"}))
            if self.at(";;&"):
                self.position += 3
            elif self.at(";;") or self.at(";&"):
                self.position += 2
            elif self.reserved() != "esac":
                raise Failure("`shell_commands` of text in which an `esac` is missing")

    def _patterns(self) -> None:
        while True:
            self.skip_blanks()
            if self.word() is None:
                raise Failure("`shell_commands` of a `case` whose pattern cannot be read")
            self.skip_blanks()
            if self.at(")"):
                self.position += 1
                return
            if not self.at("|"):
                raise Failure("`shell_commands` of a `case` whose pattern cannot be read")
            self.position += 1

    def _condition(self) -> list[Pipeline]:
        """`... ]]` as a separate command, and the commands that a plain sh, which has no `[[`,
        would start after an operator.
        """
        opener = made([Piece("[[", "bare")])
        parts: list[list[Word]] = [[opener]]
        while True:
            self.skip_blanks()
            if self.position >= len(self.text):
                raise Failure("`shell_commands` of text with an open `[[`")
            if self.at("\n"):
                self.take_newline()
                parts.append([])
            elif (word := self.word()) is None:
                if self.text[self.position] in "|&;":
                    parts.append([])
                self.position += 1
            else:
                parts[-1].append(word)
                if word.text == "]]" and word.is_bare:
                    return [Pipeline((Simple(tuple(words)),)) for words in parts if words]
