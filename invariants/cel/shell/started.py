"""`shell_commands(s)`: every command that a shell would start on its way through a text.

Each is the list of its words, quotes removed and braces expanded. Branches that may not be taken,
functions that may not be called, and what wrappers (`sudo`, `xargs`, `sh -c`, ...) start count too.
A redirection is listed as `[">", "file"]`. What is only known when it runs stays in its word as it
was written (`$x`); where it would decide *which* command is started, the whole text fails.

What is read, made and listed is charged to the event (`costs.py` of this folder), once for each
text, whatever asks for it. Nesting, and the number of commands, are bounded besides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from ..values import Failure, text
from .costs import COMMAND_STEPS, LISTED_WORDS, WORD_STEPS, Charge, free
from .grammar import parse
from .streams import OUTSIDE, UNKNOWN, Stream, output
from .tree import Group, Pipeline, Simple, Stage
from .word import Word
from .wrappers import JOINERS, RUNNERS, WRAPPERS, command_start, replaced_text

COMMANDS_MAX: Final = 1_000  # Chosen: far beyond what one call of a tool honestly holds.
CODE_CHARACTERS_MAX: Final = 1 << 19  # Chosen: text parsed in all, `sh -c` within `sh -c` too.
CODE_DEPTH_MAX: Final = 32  # Chosen: groups, wrappers and `sh -c` within each other.
RUNNER_WORDS_MAX: Final = 64  # Chosen: words of one `docker run ...`; keeps the sum linear.

_SHELLS: Final = frozenset(
    ["sh", "bash", "dash", "zsh", "ksh", "ksh93", "mksh", "ash", "rbash", "lksh", "yash", "posh"]
)
_FOREIGN_SHELLS: Final = frozenset(
    [
        "fish",
        "csh",
        "tcsh",
        "pwsh",
        "powershell",
        "powershell.exe",
        "cmd",
        "cmd.exe",
        "nu",
        "xonsh",
        "elvish",
    ]
)
_INTERPRETERS: Final = ("python", "perl", "ruby", "node", "php", "lua", "pypy", "deno", "bun")
_CONTAINER_CLIENTS: Final = frozenset({"docker", "podman", "nerdctl", "kubectl", "oc"})
_CONTAINER_VERBS: Final = frozenset({"exec", "run", "create", "debug", "rsh"})
_FIND_STARTS: Final = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_SHELL_LONG_FLAGS: Final = frozenset(
    [
        "--login",
        "--norc",
        "--noprofile",
        "--posix",
        "--restricted",
        "--verbose",
        "--noediting",
        "--debugger",
    ]
)
_STANDARD_INPUTS: Final = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
_BLANK_OR_SIGN: Final = frozenset(" \t\n;&|<>()$`'\"\\")
_INPUT = Word("$@", is_fixed=False, is_one=False, is_bare=False)


def shell_commands(line: Any, charge: Charge = free) -> list[list[str]]:
    """The commands of `line`, a text, or the words of one command (`["sh", "-c", "ls"]`).

    Fails on what it cannot parse or cannot know. Charged to nobody by default, as are texts of the
    file's author.
    """
    found = _Started(charge)
    if type(line) is not list:
        found.code(text(line, "shell_commands"), OUTSIDE)
    elif line:
        found.words([Word(text(word, "shell_commands")) for word in line])
    else:
        raise Failure("`shell_commands` of no word")
    return found.commands


class _Started:
    """Walks pipelines and gathers what they start."""

    def __init__(self, charge: Charge) -> None:
        self.commands: list[list[str]] = []
        self._charge = charge
        self._characters_left = CODE_CHARACTERS_MAX
        self._depth = 0

    def code(self, written: str, stream: Stream) -> None:
        """All that a shell starts when it reads `written`, with `stream` as its input."""
        self._characters_left -= len(written)
        self._deeper()
        if self._characters_left < 0:
            raise Failure("`shell_commands` of text that holds too much text to run")
        self._walk(parse(written, self._charge), stream)
        self._depth -= 1

    def words(self, words: Sequence[Word]) -> None:
        """All that these words start; a first word that is no name is text for a shell."""
        self._command(words, OUTSIDE)
        if not _BLANK_OR_SIGN.isdisjoint(words[0].text):
            self.code(_joined(words), OUTSIDE)

    def _walk(self, pipelines: Iterable[Pipeline], stream: Stream) -> None:
        for pipeline in pipelines:
            passed = stream
            for stage in pipeline.stages:
                passed = self._stage(stage, passed)

    def _stage(self, stage: Stage, passed: Stream) -> Stream:
        """One command of a pipeline: gathers it and gives what it writes."""
        stream = self._redirected(stage, passed)
        if isinstance(stage, Group):
            self._deeper()
            self._walk(stage.pipelines, stream)
            self._depth -= 1
            return UNKNOWN
        if not stage.words:
            return UNKNOWN
        if stage.words[0].text == "exec" and len(stage.words) == 1 and stream is not passed:
            raise Failure("`shell_commands` of text that changes its own input")
        self._command(stage.words, stream)
        return output(stage.words, stream)

    def _redirected(self, stage: Simple | Group, passed: Stream) -> Stream:
        stream = passed
        for redirect in stage.redirects:
            target = redirect.target
            if redirect.operator != "<&":
                self._list([redirect.operator, target.text])
            if redirect.operator.startswith("<") and redirect.descriptor in (-1, 0):
                is_file = target.is_fixed or not target.text.startswith(("<(", "$", "`"))
                is_device = target.text.startswith(("/dev/", "/proc/"))
                is_null = target.text == "/dev/null"
                is_outside = redirect.operator != "<&" and is_file and (is_null or not is_device)
                stream = Stream("outside") if is_outside else UNKNOWN
        if stage.here is not None:
            stream = Stream("known", stage.here.body) if stage.here.is_fixed else UNKNOWN
        return stream

    def _list(self, words: list[str]) -> None:
        if len(self.commands) >= COMMANDS_MAX:
            raise Failure(f"`shell_commands` of text that starts more than {COMMANDS_MAX} commands")
        self._charge(COMMAND_STEPS + len(words) // LISTED_WORDS)
        self.commands.append(words)

    def _command(self, words: Sequence[Word], stream: Stream) -> None:
        """A command and all that it starts in turn."""
        head = words[0]
        if not head.is_settled:
            raise Failure("`shell_commands` of a command that is only known when it runs")
        self._list([word.text for word in words])
        name = head.text.rsplit("/", 1)[-1]
        special = _SPECIAL.get(name)
        if special is not None:
            special(self, words, stream)
        elif name in _SHELLS:
            self._shell(words, stream)
        elif name in _FOREIGN_SHELLS:
            if len(words) > 1 or stream.kind != "outside":
                raise Failure("`shell_commands` of text for a shell of another language")
        elif name in WRAPPERS:
            self._wrapper(name, words, stream)
        elif name in RUNNERS:
            self._runner(name, words, stream)
        elif name.startswith(_INTERPRETERS) and stream.kind == "unknown" and _reads_input(words):
            raise Failure("`shell_commands` of a program that comes through a pipe")

    def _inner(self, words: Sequence[Word], stream: Stream) -> None:
        """A command that another one starts."""
        self._deeper()
        self._command(words, stream)
        self._depth -= 1

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > CODE_DEPTH_MAX:
            raise Failure("`shell_commands` of commands that start each other too deep")

    def _wrapper(self, name: str, words: Sequence[Word], stream: Stream) -> None:
        start = command_start(words, WRAPPERS[name])
        if start is None:
            self._runner(name, words, stream)
        elif start < len(words):
            self._inner(words[start:], stream)
        elif name in ("sudo", "doas") and stream.kind != "outside":
            # `sudo -s` and `sudo -i` are shells.
            self._from_input(stream)

    def _runner(self, name: str, words: Sequence[Word], stream: Stream) -> None:
        """Every rest of the words, since only the program knows where its command begins."""
        if name in _CONTAINER_CLIENTS and not _starts_in_container(words):
            return
        if len(words) > RUNNER_WORDS_MAX:
            raise Failure(f"`shell_commands` of a `{name}` of more than {RUNNER_WORDS_MAX} words")
        for start in range(1, len(words)):
            head = words[start]
            is_option = head.text.startswith("-")
            if not head.is_settled:
                if is_option or (name not in JOINERS and _is_option_value(words[start - 1])):
                    continue
                raise Failure("`shell_commands` of a command that is only known when it runs")
            if is_option and "=" not in head.text:
                continue
            if is_option:
                head = replace(head, text=head.text.partition("=")[2])
            rest = [head, *words[start + 1 :]]
            if name in JOINERS:
                self.code(_joined(rest), OUTSIDE)
            elif not _BLANK_OR_SIGN.isdisjoint(head.text):
                self.code(head.text, stream)
            elif head.text:
                self._inner(rest, stream)
        if name == "ssh" and stream.kind == "known":
            self.code(stream.text, OUTSIDE)

    def _shell(self, words: Sequence[Word], stream: Stream) -> None:
        position, has_code, has_input = 1, False, False
        while position < len(words) and words[position].text[:1] in ("-", "+"):
            word = words[position].text
            position += 1
            if not words[position - 1].is_settled:
                raise Failure("`shell_commands` of options that are only known when it runs")
            if word in ("-", "--"):
                break
            if word.startswith("--"):
                if word not in _SHELL_LONG_FLAGS:
                    raise Failure("`shell_commands` of a shell with an option that is not known")
                continue
            has_code = has_code or (word[0] == "-" and "c" in word)
            has_input = has_input or (word[0] == "-" and "s" in word)
            position += word.count("o") + word.count("O")
        operand = words[position] if position < len(words) else None
        if operand is not None and not operand.is_settled:
            raise Failure("`shell_commands` of a program that is only known when it runs")
        if has_code:
            if operand is not None:
                self.code(operand.text, stream)
        elif has_input or operand is None:
            self._from_input(stream)
        else:
            self._script(operand, stream)

    def _script(self, file: Word, stream: Stream) -> None:
        """A file that a shell reads. What is in a file, nobody knows here: it is a name."""
        if file.text in _STANDARD_INPUTS:
            self._from_input(stream)
        elif not file.is_settled or file.text.startswith(("/dev/", "/proc/")):
            raise Failure("`shell_commands` of a program that is only known when it runs")

    def _from_input(self, stream: Stream) -> None:
        if stream.kind == "unknown":
            raise Failure("`shell_commands` of a program that comes through a pipe")
        if stream.kind == "known":
            self.code(stream.text, OUTSIDE)

    def source(self, words: Sequence[Word], stream: Stream) -> None:
        """`. file`."""
        operands = [word for word in words[1:] if word.text != "--"]
        if operands:
            self._script(operands[0], stream)

    def evaluate(self, words: Sequence[Word], stream: Stream) -> None:
        """`eval`: its words joined, as text."""
        self.code(_joined(words[1:]), stream)

    def trap(self, words: Sequence[Word], stream: Stream) -> None:
        """`trap 'text' EXIT`: what runs later counts as if it ran now."""
        operands = [word for word in words[1:] if word.text != "--"]
        if len(operands) > 1 and operands[0].text not in ("-", "", "-p", "-l"):
            self.code(_joined(operands[:1]), stream)

    def alias(self, words: Sequence[Word], stream: Stream) -> None:
        """`alias name='text'`: some shells use it in scripts too."""
        for word in words[1:]:
            _, equals, value = word.text.partition("=")
            if equals:
                self.code(_joined([replace(word, text=value)]), stream)

    def find(self, words: Sequence[Word], stream: Stream) -> None:
        """`find ... -exec command {} ;`."""
        if not all(word.is_one or word.is_fixed for word in words):
            raise Failure("`shell_commands` of a `find` whose words are only known when it runs")
        position = 1
        while position < len(words):
            if words[position].text in _FIND_STARTS:
                start = position + 1
                while position < len(words) and words[position].text not in (";", "+"):
                    position += 1
                if start < position:
                    self._inner(_filled_in(words[start:position], "{}"), OUTSIDE)
            position += 1

    def xargs(self, words: Sequence[Word], stream: Stream) -> None:
        """`xargs command`: the words of its input come behind, or where `-I` says."""
        start = command_start(words, WRAPPERS["xargs"])
        if start is None:
            raise Failure("`shell_commands` of an `xargs` with an option that is not known")
        inner = list(words[start:]) or [Word("echo")]
        mark = replaced_text(words[1:start])
        if mark is not None:
            inner = _filled_in(inner, mark)
        elif stream.kind == "known" and not set("'\"\\") & set(stream.text):
            parts = stream.text.split()
            self._charge(len(parts) * WORD_STEPS)
            inner += map(Word, parts)
        else:
            inner.append(_INPUT)
        self._inner(inner, OUTSIDE)

    def at(self, words: Sequence[Word], stream: Stream) -> None:
        """`at` and `batch` read what a shell shall run later."""
        self._from_input(stream)

    def env(self, words: Sequence[Word], stream: Stream) -> None:
        """`env`; its `-S text` is cut into words as a shell would."""
        for index, word in enumerate(words[1:], 1):
            is_long = word.text.startswith("--split-string")
            if is_long or (word.text[:1] == "-" and word.text[1:2] != "-" and "S" in word.text):
                head = word.text.partition("=" if is_long else "S")[2]
                first = [replace(word, text=head)] if head else []
                self.code(_joined([*first, *words[index + 1 :]]), stream)
                return
            if not word.text.startswith("-"):
                break
        self._wrapper("env", words, stream)

    def command(self, words: Sequence[Word], stream: Stream) -> None:
        """`command`; with `-v` it only says what it would start."""
        if not (len(words) > 1 and words[1].text in ("-v", "-V", "-pv", "-pV")):
            self._wrapper("command", words, stream)


_SPECIAL: Final[dict[str, Callable[[_Started, Sequence[Word], Stream], None]]] = {
    ".": _Started.source,
    "source": _Started.source,
    "eval": _Started.evaluate,
    "trap": _Started.trap,
    "alias": _Started.alias,
    "find": _Started.find,
    "xargs": _Started.xargs,
    "at": _Started.at,
    "batch": _Started.at,
    "env": _Started.env,
    "command": _Started.command,
}


def _joined(words: Sequence[Word]) -> str:
    """Words as one text to run; fails where one is only known when it runs."""
    if not all(word.is_settled for word in words):
        raise Failure("`shell_commands` of a program that is only known when it runs")
    return " ".join(word.text for word in words)


def _is_option_value(before: Word) -> bool:
    """Is what follows the value of an option, and of one that takes no command?"""
    is_option = before.text.startswith("-") and before.is_settled
    return is_option and not before.text.endswith("c") and before.text != "--command"


def _starts_in_container(words: Sequence[Word]) -> bool:
    """Does a `docker` or `kubectl` start a program? Fails where its verb is not known."""
    first = next((word for word in words[1:] if not word.text.startswith("-")), None)
    if first is not None and not first.is_settled:
        raise Failure("`shell_commands` of a command that is only known when it runs")
    return any(word.text in _CONTAINER_VERBS for word in words)


def _reads_input(words: Sequence[Word]) -> bool:
    return len(words) == 1 or words[1].text in _STANDARD_INPUTS


def _filled_in(words: Sequence[Word], mark: str) -> list[Word]:
    """The words, those with `mark` in them no longer known."""
    return [replace(word, is_fixed=False) if mark in word.text else word for word in words]
