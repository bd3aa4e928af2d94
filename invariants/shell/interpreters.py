"""Interpreters of other languages: their code is not analysed here, only its presence is known.

Code that is completely outside the text is an unknown command. In code that starts programs, the
quoted texts are read as commands, and the rest is unknown too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from ..values.possible import Gap
from ..values.value import Failure
from . import files
from .stream import OUTSIDE, Stream
from .term import SOME_PROGRAM, Term
from .word import Word

if TYPE_CHECKING:
    from .commands import Walk

INTERPRETERS: Final = re.compile(
    r"(?:python|perl|ruby|node|nodejs|php|lua|pypy|deno|bun|awk|gawk|mawk|nawk|sed|gsed|osascript"
    r"|tclsh|Rscript|R|julia|guile|erl|elixir)[0-9.]*$"
)
_CODE_OPTIONS: Final = re.compile(r"-[a-zA-Z]*[ceErR]$|--(?:eval|exec|execute|run|print)$|-p$")
_STARTS: Final = re.compile(
    r"system|exec|popen|spawn|subprocess|\bqx\b|`|os\.(?!(?:path|environ|getcwd|getenv|listdir|walk"
    r"|scandir|stat|sep|linesep|name|uname|makedirs|mkdir|access|cpu_count|getpid)\b)"
    r"|\|\s*getline|child_process|IO\.popen"
    r"|\|&?\s*\"|\bopen\b[^;]*[\"'][-+]?\||:sh\b"
)
_STARTS_OF_SED: Final = re.compile(
    r"(?:^|[;{}0-9$/,\s!])e(?:\s|$|;)|/[gIp0-9]*e[gIp0-9]*(?:$|[;\s}])"
)
_QUOTED: Final = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|`([^`]*)`", re.DOTALL)


def interpreter(walk: Walk, terms: Sequence[Term], stream: Stream, words: Sequence[Word]) -> None:
    """An interpreter with its code, a script, or its input."""
    name = str(terms[0].base)
    rest = list(terms[1:])
    if name.rstrip("0123456789.") in ("awk", "gawk", "mawk", "nawk", "sed", "gsed"):
        for term in rest:
            _code(walk, term, is_sed="sed" in name)
        for before, term in pairwise(terms):
            if before.text in ("-f", "--file") and files.read_by(walk, term) is not None:
                walk.unknown()
        return
    for index, term in enumerate(rest):
        if term.text is not None and _CODE_OPTIONS.match(term.text):
            for code in rest[index + 1 : index + 2]:
                _code(walk, code, is_sed=False)
            return
        if term.text == "-m":
            for code in rest[index + 1 :]:
                _text(walk, code.text or "")
            return
        if not term.start.startswith("-"):
            content = files.read_by(walk, term)
            if term.start.startswith("/dev/") or (content is not None and content.kind != "known"):
                walk.unknown()
            elif content is not None:
                _text(walk, content.text)
            return
        if term.text == "-":
            break
    if stream.kind in ("unknown", "names") and not any(
        term.text in ("--version", "-V", "--help", "-h", "-v") for term in rest
    ):
        walk.unknown()
    elif stream.kind == "known":
        _text(walk, stream.text)


def _code(walk: Walk, term: Term, *, is_sed: bool) -> None:
    gaps = [part for r in term.readings for part in r if isinstance(part, Gap)]
    is_blank = all(isinstance(part, Gap) for r in term.readings for part in r) and gaps
    if is_blank and not is_sed:
        walk.unknown()
        return
    if gaps:
        walk.add([SOME_PROGRAM])
    for reading in term.readings:
        written = "".join(part for part in reading if isinstance(part, str))
        if is_sed:
            if _STARTS_OF_SED.search(written):
                walk.unknown()
        else:
            _text(walk, written)


def _text(walk: Walk, written: str) -> None:
    """Code in another language that may start programs."""
    if not _STARTS.search(written):
        return
    for found in _QUOTED.finditer(written):
        try:
            walk.code(next(text for text in found.groups() if text is not None), OUTSIDE)
        except Failure:
            continue
    walk.unknown()
