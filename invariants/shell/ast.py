"""The parts of shell text, as `parser.py` parses them and `commands.py` walks them."""

from __future__ import annotations

from dataclasses import dataclass

from .lexer import HereDocument
from .word import Word


@dataclass(frozen=True, slots=True)
class Redirect:
    """`2> file`: `operator` is `<`, `>`, `>>`, `<>` or `<&`; descriptor -1 is the operator's own.

    What only doubles an output (`2>&1`) is left out.
    """

    operator: str
    target: Word
    descriptor: int = -1


@dataclass(frozen=True, slots=True)
class Simple:
    """A command's words and its redirected streams. Without words: assignments, redirections.

    `aside` are the commands of its substitutions.
    """

    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...] = ()
    here: HereDocument | None = None
    assignments: tuple[Word, ...] = ()
    aside: tuple[Pipeline, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Pipelines that share their streams: a subshell, a loop, a branch, the body of a function.

    `loop` is the variable of a `for` with its words. `is_certain` if all of it certainly runs.
    """

    pipelines: tuple[Pipeline, ...]
    redirects: tuple[Redirect, ...] = ()
    here: HereDocument | None = None
    aside: tuple[Pipeline, ...] = ()
    loop: tuple[str, tuple[Word, ...]] | None = None
    is_subshell: bool = False
    is_certain: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """`name() body`."""

    name: str
    body: Stage


Stage = Simple | Group | Function


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each of which reads the output of the previous one.

    `is_certain` unless it follows `&&` or `||`.
    """

    stages: tuple[Stage, ...]
    is_certain: bool = True
