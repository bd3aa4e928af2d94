"""`shell_commands(s)`: every command that a shell would start on its way through a text.

Each is the list of its words as the program receives them. Branches that may not be taken,
functions that may not be called, and commands that wrappers (`sudo`, `xargs`, `sh -c`, ...) start
count too. A redirection is listed as `[">", "file"]`. Variables that the text sets, its changes of
directory, and the output of `echo` and similar programs are tracked. A partly determined word is an
`UnknownText`, and so is a completely undetermined command.

Text that is read, results and listed commands are charged to the event (`costs.py` of this folder),
once for each text. Nesting and the number of commands are bounded as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ..values.value import Failure, text
from . import files, hooks
from .ast import Function, Group, Pipeline, Simple, Stage
from .costs import COMMAND_STEPS, LISTED_WORDS, WORD_STEPS, Charge, free
from .expand import Expander, assignment
from .heads import Command, head, is_blank, usual
from .marks import has_marks, marked
from .parser import parse
from .paths import OF_PATHS, entered, operand_of, resolved
from .redirections import fed, output, substituted
from .scope import UNKNOWN_VALUES, Scope
from .stream import FILE, NOTHING, OUTSIDE, UNKNOWN, Stream, Values
from .term import ANYTHING, SOME_PROGRAM, Term, known
from .within import fed_to_processes, process_of, substitutions
from .word import Word, of_plain_sh

COMMANDS_MAX: Final = 1_000  # Chosen: far more than one honest tool call contains.
CODE_CHARACTERS_MAX: Final = 1 << 19  # Chosen: text parsed in all, `sh -c` within `sh -c` too.
CODE_DEPTH_MAX: Final = 32  # Chosen: groups, wrappers and `sh -c` within each other.

_BLANK_OR_SIGN: Final = frozenset(" \t\n;&|<>()$`'\"\\")
# `-c` and its like, of a program that may be a shell.
_IS_CODE: Final = re.compile(r"-[a-z]*c").fullmatch
# Their operands are sums in Bash's `[[`, whose parts are listed as commands.
_COMPARISONS: Final = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})


def shell_commands(line: Any, charge: Charge = free) -> list[Command]:
    """The commands of `line`, a text, or the words of one command (`["sh", "-c", "ls"]`).

    Fails on text that it cannot parse. By default nothing is charged, as for an author's texts.
    """
    walk = Walk(charge)
    if type(line) is not list:
        walk.code(_own(text(line, "shell_commands")), OUTSIDE)
    elif line:
        walk.words([known(_own(text(word, "shell_commands"))) for word in line])
    else:
        raise Failure("`shell_commands` of no word")
    return walk.commands


def usual_commands(line: Any) -> list[Command]:
    """`shell_commands`, with variables that the text does not set taken for ordinary names."""
    return usual(shell_commands(line))


def _own(written: str) -> str:
    if has_marks(written):
        raise Failure("`shell_commands` of text with a character that is none")
    return written


class Walk:
    """Walks pipelines in order and collects the commands that they start."""

    def __init__(self, charge: Charge) -> None:
        self.commands: list[Command] = []
        self.scope = Scope()
        self.charge = charge
        self._characters_left = CODE_CHARACTERS_MAX
        self._depth = 0
        self._is_mute = False
        self._called: list[str] = []

    # Code

    def code(self, written: str, stream: Stream) -> None:
        """All that a shell starts when it reads `written`, with `stream` as its input."""
        self._characters_left -= len(written)
        self.deeper()
        if self._characters_left < 0:
            raise Failure("`shell_commands` of text that holds too much text to run")
        self._walk(parse(written, self.charge), stream)
        self._depth -= 1

    def code_of(self, terms: Sequence[Term], stream: Stream) -> None:
        """The same for words, joined like by `eval`; unknown parts stay unknown."""
        parts: list[str] = []
        for term in terms:
            if len(term.readings) > 1 or (term.text is None and is_blank(term)):
                self.unknown()
                return
            parts.append(marked(term.readings[0]))
        written = " ".join(parts)
        if has_marks(written):
            self.add([SOME_PROGRAM])
        self.code(written, stream)

    def unknown(self) -> None:
        """A completely unknown command."""
        self.add([ANYTHING])

    def words(self, terms: Sequence[Term]) -> None:
        """All that these words start; a first word that is not a name is text for a shell."""
        self.command(terms, OUTSIDE)
        if not _BLANK_OR_SIGN.isdisjoint(terms[0].text or ""):
            self.code_of(terms, OUTSIDE)

    def deeper(self) -> None:
        """One more level of groups, wrappers or code; raises Failure if there are too many."""
        self._depth += 1
        if self._depth > CODE_DEPTH_MAX:
            raise Failure("`shell_commands` of commands that start each other too deep")

    # Pipelines

    def _walk(self, pipelines: Iterable[Pipeline], stream: Stream) -> None:
        for pipeline in pipelines:
            before = self.scope
            if not pipeline.is_certain:
                self.scope = before.inner()
            passed = stream
            for stage in pipeline.stages:
                passed = self._stage(stage, passed)
            if not pipeline.is_certain:
                self.scope = before.joined(self.scope)

    def _stage(self, stage: Stage, passed: Stream) -> Stream:
        """One command of a pipeline: collects it and returns its output."""
        if isinstance(stage, Function):
            return self._define(stage)
        if isinstance(stage, Group):
            return self._group(stage, passed)
        return self._simple(stage, passed)

    def _define(self, function: Function) -> Stream:
        """A function counts where it is defined, and again where it is called."""
        self.scope.functions[function.name] = function.body
        self._in_subshell((Pipeline((function.body,)),), OUTSIDE)
        return UNKNOWN

    def _in_subshell(self, pipelines: Iterable[Pipeline], stream: Stream) -> None:
        outer = self.scope
        self.scope = outer.inner()
        self._walk(pipelines, stream)
        self.scope = outer

    def _group(self, group: Group, passed: Stream) -> Stream:
        stream = self._redirected(group, passed)
        self._in_subshell(group.aside, UNKNOWN)
        self.deeper()
        before = self.scope
        if group.loop is not None:
            name, words = group.loop
            through = self.terms(words) if words else before.arguments
            values = [value for term in through or (ANYTHING,) for value in term.readings]
            before.set(name, tuple(dict.fromkeys(values)))
        if group.is_certain and not group.is_subshell:
            self._walk(group.pipelines, stream)
        elif group.is_subshell:
            self._in_subshell(group.pipelines, stream)
        else:
            if not self._is_mute:
                # What one turn of a loop sets, the next one has.
                before = before.joined(self._after_a_turn(group.pipelines))
            self.scope = before.inner()
            self._walk(group.pipelines, stream)
            self.scope = before.joined(self.scope)
        self._depth -= 1
        targets = [(redirect, self.value(redirect.target)) for redirect in group.redirects]
        files.redirected(self.scope, targets, UNKNOWN)
        return UNKNOWN

    def _after_a_turn(self, pipelines: Iterable[Pipeline]) -> Scope:
        """The scope behind `pipelines`, which are walked without being listed."""
        outer, self._is_mute = self.scope, True
        self.scope = outer.inner()
        self._walk(pipelines, UNKNOWN)
        after, self.scope, self._is_mute = self.scope, outer, False
        return after

    def _simple(self, stage: Simple, passed: Stream) -> Stream:
        self._in_subshell(stage.aside, fed_to_processes(stage, passed))
        stream = self._redirected(stage, passed)
        self._assign(stage.assignments, is_lasting=not stage.words)
        if not (terms := self.terms(stage.words)):
            return UNKNOWN
        if any(word.text.endswith("@P}") for word in stage.words):
            self.unknown()  # `${x@P}` runs the substitutions in the value of `x`.
        if terms[0].text == "exec" and len(terms) == 1 and stream is not passed:
            raise Failure("`shell_commands` of text that changes its own input")
        if terms[0].is_any_program and any(_IS_CODE(term.text or "") for term in terms[1:]):
            self.unknown()
        self._alternatives(terms, stream, stage.words)
        terms = [head(terms), *terms[1:]]
        self.command(terms, stream, stage.words)
        self._read_by_a_plain_sh(stage.words, stream)
        written = output(terms, stream)
        targets = [(redirect, self.value(redirect.target)) for redirect in stage.redirects]
        files.redirected(self.scope, targets, written)
        files.written(self.scope, terms, stream)
        return NOTHING if any(files.takes_output(*pair) for pair in targets) else written

    def _read_by_a_plain_sh(self, words: Sequence[Word], stream: Stream) -> None:
        """The command as dash reads it, where a `$'...'` is a `$` and a quoted text."""
        if (plain := of_plain_sh(words)) is not None:
            before = self.scope
            self.scope = before.inner()
            self.command(self.terms(plain), stream, plain)
            self.scope = before.joined(self.scope)

    def _alternatives(self, terms: Sequence[Term], stream: Stream, words: Sequence[Word]) -> None:
        """The command with each program that its first word may be, if there are several."""
        if len(terms[0].readings) > 1 and not terms[0].is_many:
            for program in terms[0].programs:
                self.command([known(program), *terms[1:]], stream, words)
        elif terms[0].text is None and terms[0].start.startswith("/proc/"):
            self.unknown()

    def _redirected(self, stage: Simple | Group, passed: Stream) -> Stream:
        stream = passed
        for redirect in stage.redirects:
            target = self._expander().value(redirect.target)
            if redirect.operator != "<&":
                self.add([known(redirect.operator), target])
            if redirect.operator.startswith("<") and redirect.descriptor in (-1, 0):
                stream = self._of_file(redirect.target, target, redirect.operator)
            elif target.text == "0-" or (stream is not passed and redirect.operator == ">"):
                stream = UNKNOWN  # Moved away (`3<&0-`), or perhaps the same file, emptied.
        return self._input(stage, stream)

    def _of_file(self, word: Word, target: Term, operator: str) -> Stream:
        """The content of an input that comes from a file."""
        path = target.text
        inner = process_of(word)
        if inner is not None:
            return self.written(inner)
        if path is None or operator == "<&":
            return UNKNOWN
        path = "".join(map(str, resolved((path,), self.scope.directory)))
        is_device = path.startswith(("/dev/", "/proc/")) and path != "/dev/null"
        if path in self.scope.files:
            return self.scope.files[path]
        return UNKNOWN if is_device else FILE if path != "/dev/null" else OUTSIDE

    # Words

    def _expander(self) -> Expander:
        return Expander(self.scope, self._substituted, self.charge)

    def terms(self, words: Sequence[Word]) -> list[Term]:
        """The words as a program gets them."""
        made = self._expander().terms([word for word in words if word.pieces])
        self.charge(len(made) * WORD_STEPS)
        return made

    def value(self, word: Word) -> Term:
        """A word as one text, as assignments take it."""
        return self._expander().value(word)

    def split(self, written: str) -> list[Term] | None:
        """A text as the words of one command; None if it is more than that."""
        try:
            pipelines = parse(written, self.charge, 1)
        except Failure:
            return None
        stage = pipelines[0].stages[0] if len(pipelines) == len(pipelines[0].stages) == 1 else None
        is_plain = isinstance(stage, Simple) and not (stage.redirects or stage.aside or stage.here)
        return self.terms(stage.words) if isinstance(stage, Simple) and is_plain else None

    def _substituted(self, inner: tuple[Any, ...], scope: Scope) -> Values:
        """The result of `$(...)`."""
        stage = inner[0].stages[-1] if len(inner) == 1 else None
        if not isinstance(stage, Simple):
            return ((),) if not inner else UNKNOWN_VALUES
        stream = self._passed(inner[0].stages[:-1])
        terms = self.terms(stage.words)
        if not terms or stage.redirects:
            return UNKNOWN_VALUES
        return substituted(terms, self._input(stage, stream), scope)

    def written(self, inner: tuple[Any, ...]) -> Stream:
        """The output of the commands in `<(...)`."""
        stream = self._passed(inner[0].stages if len(inner) == 1 else ())
        return stream if stream.kind == "known" else UNKNOWN

    def _passed(self, stages: Sequence[Stage]) -> Stream:
        stream = OUTSIDE
        for stage in stages:
            if not isinstance(stage, Simple) or stage.redirects or not stage.words:
                return UNKNOWN
            terms = self.terms(stage.words)
            stream = output(terms, self._input(stage, stream)) if terms else UNKNOWN
        return stream

    def _input(self, stage: Simple | Group, passed: Stream) -> Stream:
        if stage.here is None:
            return passed
        body = self._expander().value(stage.here.body).text
        end = "" if stage.here.delimiter else "\n"
        return UNKNOWN if body is None else Stream("known", body + end)

    def _assign(self, words: Sequence[Word], *, is_lasting: bool) -> None:
        for word in words:
            found = assignment(word)
            if found is None:
                continue
            name, is_added, value = found
            if is_added and any("'" in p.text and "$(" in p.text for p in value.pieces):
                self.unknown()
            values = UNKNOWN_VALUES if is_added else self._expander().value(value).readings
            self.assigned(name, values, is_lasting=is_lasting)

    def assigned(self, name: str, values: Values, *, is_lasting: bool = True) -> None:
        """A variable gets a value. Code in it counts: sums, prompts and `eval` start that."""
        if name in hooks.STARTING:
            self.unknown()
        if name in hooks.VARIABLES:
            hooks.hooked(self, Term(values))
        self.scope.is_path_set = self.scope.is_path_set or name == "PATH"
        self.code_within([part for value in values for part in value if isinstance(part, str)])
        if is_lasting:
            self.scope.set(name, values)

    def code_within(self, texts: Iterable[str]) -> None:
        """The commands that the substitutions in these texts start if they are read again."""
        for written in texts:
            pipelines = substitutions(written, self.charge)
            if pipelines is None:
                self.unknown()
            else:
                self._in_subshell(pipelines, UNKNOWN)

    def code_within_terms(self, terms: Iterable[Term]) -> None:
        """The same of words."""
        readings = [reading for term in terms for reading in term.readings]
        self.code_within(part for reading in readings for part in reading if type(part) is str)

    # Commands

    def add(self, terms: Sequence[Term]) -> None:
        """A command for the list."""
        if self._is_mute:
            return
        if len(self.commands) >= COMMANDS_MAX:
            raise Failure(f"`shell_commands` of text that starts more than {COMMANDS_MAX} commands")
        self.charge(COMMAND_STEPS + len(terms) // LISTED_WORDS)
        if terms[0].base in OF_PATHS:
            rest = [operand_of(term, self.scope.directory) for term in terms[1:]]
            terms = [terms[0], *rest]
        self.commands.append([term.shown() for term in terms])

    def command(self, terms: Sequence[Term], stream: Stream, words: Sequence[Word] = ()) -> None:
        """A command and all that it starts in turn; `words` are its words as they are written."""
        from .starters import start

        self.add(fed(terms, stream))
        name = terms[0].text
        files.run(self, terms[0])
        if any(term.text in _COMPARISONS for term in terms):
            self.code_within_terms(terms)
        if name in self.scope.functions and name not in self._called:
            self._call(name, terms[1:], stream)
        elif name in self.scope.aliases:
            value = self.scope.aliases.pop(name)
            self.code_of([known(value), *terms[1:]], stream)
            self.scope.aliases[name] = value
        elif terms[0].base is not None:
            start(self, terms, stream, words)

    def inner(self, terms: Sequence[Term], stream: Stream) -> None:
        """A command that another one starts."""
        self.deeper()
        self.command([head(terms), *terms[1:]], stream)
        self._depth -= 1

    def _call(self, name: str, arguments: Sequence[Term], stream: Stream) -> None:
        self.deeper()
        self._called.append(name)
        outer = self.scope.positional()
        self.scope.set_positional(arguments)
        self.code_within_terms(arguments)
        self._walk((Pipeline((self.scope.functions[name],)),), stream)
        self.scope.restore_positional(outer)
        self._called.pop()
        self._depth -= 1

    def moved(self, term: Term | None) -> None:
        """The shell changes its directory."""
        self.scope.directory = entered(term, self.scope.directory)
