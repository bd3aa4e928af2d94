"""Parses shell text into pipelines of commands: POSIX's grammar with Bash's extensions.

Input: text. Output: pipelines, in order, whether a branch would be taken or not. Nothing is
executed and no variable is known. Other text raises Failure: a guess would allow evasion.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from ..values.value import Failure
from .ast import Function, Group, Pipeline, Redirect, Simple, Stage
from .compounds import Compounds
from .costs import TEXT_CHARACTERS, Charge, free
from .lexer import HereDocument
from .word import Piece, Word, made

PIPELINES_MAX: Final = 1_000  # Chosen: far more than one honest tool call contains.


@dataclass(slots=True)
class _Streams:
    redirects: list[Redirect] = field(default_factory=list)
    here: HereDocument | None = None


_REDIRECT: Final = re.compile(
    r"(?:([0-9]{1,9})|\{[A-Za-z_][A-Za-z0-9_]*\})?(&>>|&>|<<<|<<-|<<|<&|<>|>>|>&|>\||[<>])(?!\()"
)
_RESERVED: Final = re.compile(r"(?:[a-z]+|[{}!]|\[\[)(?=[ \t\n;&|<>()]|\\\n|$)")
# A plain sh takes the braces for a word.
_NAMED: Final = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}(?=[<>]|&>)")
_DUPLICATE: Final = re.compile(r"[0-9]+-?|-")
_CALCULATES: Final = re.compile(r"[-+*%=^~?]")
_TIME_FLAGS: Final = re.compile(r"(?:-p(?=[ \t\n;&|]|$)[ \t]*)?(?:--(?=[ \t\n;&|]|$))?")
_OPENERS: Final = frozenset({"{", "if", "while", "until", "for", "select", "case", "[["})
_CLOSERS: Final = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}"})


def parse(text: str, charge: Charge = free, depth: int = 0) -> list[Pipeline]:
    """Every pipeline of `text`, with those in substitutions after the others.

    Raises Failure if it is not shell text, or is nested too deep.
    """
    if "\0" in text:
        raise Failure("`shell_commands` of text with a NUL")
    charge(len(text) // TEXT_CHARACTERS)
    return _Parser(text, charge, depth).whole()


class _Parser(Compounds):
    """Recursive descent; the depth of nesting is counted, so that recursion stays bounded."""

    def __init__(self, text: str, charge: Charge, depth: int) -> None:
        super().__init__(text, charge, depth)
        self.found: list[Pipeline] = []
        self._count = 0

    def whole(self) -> list[Pipeline]:
        pipelines = self.list_until(frozenset())
        if self.position < len(self.text):
            raise Failure("`shell_commands` of text with a sign that nothing opened")
        if self.pending:
            raise Failure("`shell_commands` of a here-document without its body")
        return [*pipelines, *self.found]

    def substituted(self, text: str) -> tuple[Pipeline, ...]:
        inner = parse(text, self.charge, self.depth + 1)
        self.found += inner
        return tuple(inner)

    def substituted_here(self) -> tuple[Pipeline, ...]:
        self._deeper()
        start, pending, self.pending = self.position, self.pending, []
        inner = self.list_until(frozenset())
        self.expect(")")
        if pending and "\n" in self.text[start : self.position]:
            raise Failure("`shell_commands` of lines within a line that a here-document follows")
        self.pending = [*pending, *self.pending]
        self.depth -= 1
        self.found += inner
        return tuple(inner)

    def _aside(self, mark: int) -> tuple[Pipeline, ...]:
        """The substitutions that were found since; they are taken."""
        taken = tuple(self.found[mark:])
        del self.found[mark:]
        return taken

    def _deeper(self) -> None:
        self.depth += 1
        self.check_depth(self.depth)

    def list_until(self, stops: frozenset[str]) -> list[Pipeline]:
        """Pipelines up to a reserved word of `stops`, a `)`, a `;;` or the end of the text."""
        pipelines: list[Pipeline] = []
        is_certain = True
        while True:
            self.skip_lines()
            if self.position >= len(self.text) or self.at(")") or self.at(";;") or self.at(";&"):
                return pipelines
            if self.reserved() in stops:
                return pipelines
            pipeline = self._pipeline()
            pipelines.append(pipeline if is_certain else replace(pipeline, is_certain=False))
            self.skip_blanks()
            # `a && b`: b runs only sometimes; but a script that continues with c has run both.
            is_certain = not self.at("||")
            if self.at("&&") or self.at("||"):
                self.position += 2
            elif (self.at(";") and not (self.at(";;") or self.at(";&"))) or self.at("&"):
                self.position += 1

    def skip_lines(self) -> None:
        self.skip_blanks()
        while self.at("\n"):
            self.take_newline()
            self.skip_blanks()

    def reserved(self) -> str | None:
        """The reserved word here, if one could be; it is not stepped over."""
        found = _RESERVED.match(self.text, self.position)
        return found[0] if found is not None else None

    def expect(self, text: str) -> None:
        self.skip_lines()
        if not self.at(text) or (text != ")" and self.reserved() != text):
            raise Failure(f"`shell_commands` of text in which a `{text}` is missing")
        self.position += len(text)

    def _pipeline(self) -> Pipeline:
        self._count += 1
        if self._count > PIPELINES_MAX:
            raise Failure(f"`shell_commands` of text with more than {PIPELINES_MAX} commands")
        while self.reserved() in ("!", "time"):
            is_time = self.reserved() == "time"
            self.position += 4 if is_time else 1
            self.skip_blanks()
            if is_time and (flags := _TIME_FLAGS.match(self.text, self.position)):
                self.position = flags.end()
                self.skip_blanks()
            if is_time and self._ends_here():
                return Pipeline(())
        stages = [self._command()]
        while True:
            self.skip_blanks()
            if self.at("||") or not self.at("|"):
                return Pipeline(tuple(stages))
            self.position += 2 if self.at("|&") else 1
            self.skip_lines()
            stages.append(self._command())

    def _ends_here(self) -> bool:
        return self.position >= len(self.text) or self.text[self.position] in "\n;&|)"

    def _command(self) -> Stage:
        self.skip_blanks()
        word = self.reserved()
        mark = len(self.found)
        if word in _CLOSERS or word in ("function", "coproc"):
            # `function f {` and `coproc name {` are specific to Bash; `f() {` is the portable form
            # of the first.
            if word == "function":
                return self._function(mark)
            raise Failure(f"`shell_commands` of text with a `{word}` that cannot be read there")
        loop = None
        is_subshell = self.at("(")
        if is_subshell:
            self._deeper()
            group = self._parenthesised()
        elif word in _OPENERS:
            assert word is not None, "it is one of the openers"
            self._deeper()
            self.position += len(word)
            if word in ("for", "select"):
                loop = self.for_head()
                group = self.do()
            else:
                group = self.compound(word)
        else:
            return self._simple(mark)
        self.depth -= 1
        streams = _Streams()
        while True:
            self.skip_blanks()
            if not self._redirect(streams):
                break
        return Group(
            tuple(group),
            tuple(streams.redirects),
            streams.here,
            self._aside(mark),
            loop,
            is_subshell,
            is_certain=is_subshell or word == "{",
        )

    def _parenthesised(self) -> list[Pipeline]:
        self.position += 1
        if self.at("(") and (end := self.arithmetic_end()) >= 0:
            inner = self.text[self.position + 1 : end]
            # `((reboot))` and `((a || b))` are commands in a plain sh.
            if _CALCULATES.search(inner) and not set("&|") & set(inner):
                self.skip_arithmetic(end)
                return self._as_commands(inner)
        pipelines = self.list_until(frozenset())
        self.expect(")")
        return pipelines

    def _as_commands(self, sum_text: str) -> list[Pipeline]:
        """The commands that a plain sh starts where Bash calculates, if it can read that at all."""
        try:
            return parse(sum_text, self.charge, self.depth + 1)
        except Failure:
            return []

    def _function(self, mark: int) -> Stage:
        self.position += len("function")
        self.skip_blanks()
        name = self.word()
        if name is None:
            raise Failure("`shell_commands` of a function without a name")
        self.skip_blanks()
        if self.at("("):
            self._empty_brackets()
        return self._body(name, mark)

    def _empty_brackets(self) -> None:
        self.position += 1
        self.skip_blanks()
        if not self.at(")"):
            raise Failure("`shell_commands` of text with a `(` where none can be")
        self.position += 1

    def _body(self, name: Word, mark: int) -> Stage:
        """The body of a function."""
        self.skip_lines()
        self._deeper()
        body = self._command()
        self.depth -= 1
        before = self._aside(mark)
        if before:
            return Group((Pipeline((Function(name.text, body),)),), aside=before)
        return Function(name.text, body)

    def _simple(self, mark: int) -> Stage:
        start = self.position
        words: list[Word] = []
        streams = _Streams()
        assignments: list[Word] = []
        while True:
            self.skip_blanks()
            named = _NAMED.match(self.text, self.position)
            if named is not None and not words:
                raise Failure("`shell_commands` of a `{name}` that dash reads as a program")
            if named is not None and words[0].text != "exec":
                words.append(Word("", plain=(made([Piece(named[0], "quoted")]),)))
            if self._redirect(streams):
                continue
            if self.at("("):
                if len(words) == 1 and not streams.redirects and not assignments:
                    self._empty_brackets()
                    return self._body(words[0], mark)
                raise Failure("`shell_commands` of text with a `(` where none can be")
            taken, is_assignment = self.words(may_assign=not words)
            if not taken:
                break
            if is_assignment:
                assignments += taken
            else:
                words += taken
        if self.position == start:
            raise Failure("`shell_commands` of text in which a command is missing")
        return Simple(
            tuple(words),
            tuple(streams.redirects),
            streams.here,
            tuple(assignments),
            self._aside(mark),
        )

    def _redirect(self, streams: _Streams) -> bool:
        """Step over a redirection here, if there is one."""
        found = _REDIRECT.match(self.text, self.position)
        if found is None:
            return False
        self.position = found.end()
        self.skip_blanks()
        descriptor = int(found[1]) if found[1] else -1
        operator = found[2]
        if operator in ("<<", "<<-"):
            document = self._here_document(drops_tabs=operator == "<<-")
            if descriptor <= 0:
                streams.here = document
            return True
        target = self.word()
        if target is None:
            raise Failure("`shell_commands` of a redirection without a target")
        if operator == "<<<":
            if descriptor <= 0 and not found[0].startswith("{"):
                streams.here = HereDocument("", True, False, target)
        elif operator != ">&" or not _DUPLICATE.fullmatch(target.text):
            plain = {"&>": ">", "&>>": ">>", ">|": ">", ">&": ">"}
            streams.redirects.append(Redirect(plain.get(operator, operator), target, descriptor))
        return True

    def _here_document(self, *, drops_tabs: bool) -> HereDocument:
        start = self.position
        delimiter = self.word()
        if delimiter is None:
            raise Failure("`shell_commands` of a here-document without a delimiter")
        if not delimiter.is_fixed:
            raise Failure("`shell_commands` of a here-document whose delimiter expands")
        is_literal = any(sign in self.text[start : self.position] for sign in "'\"\\")
        document = HereDocument(delimiter.text, is_literal, drops_tabs)
        self.pending.append(document)
        return document
