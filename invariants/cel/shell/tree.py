"""What shell text is made of, as `grammar.py` reads it and `started.py` walks it."""

from __future__ import annotations

from dataclasses import dataclass

from .scan import HereDocument
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
    """A command's words and where its streams go. Without words: redirections alone."""

    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...] = ()
    here: HereDocument | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Pipelines that share their streams: a subshell, a loop, a branch, the body of a function."""

    pipelines: tuple[Pipeline, ...]
    redirects: tuple[Redirect, ...] = ()
    here: HereDocument | None = None


Stage = Simple | Group


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each of which reads what the one before it writes."""

    stages: tuple[Stage, ...]
