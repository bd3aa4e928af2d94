"""The output of a command, as far as its text alone determines it: `echo x | base64 -d` is known.

Only text that shells read as code, or that becomes words of a command, is relevant. So this covers
the few programs that pass text on or list files; the output of any other is unknown.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from itertools import dropwhile
from typing import Final

from ..values.tables import table
from ..values.unknown_text import ANY, BELOW, NAME, READINGS_MAX, Reading
from .scope import UNKNOWN_VALUES, Scope
from .stream import UNKNOWN, Stream, Values
from .term import Term, known, merged

# Programs whose input is a program of their own: it is listed behind a `<<<` among their words.
FED: Final = table(
    "psql mysql mariadb sqlite3 sqlcmd sqlplus clickhouse-client cockroach mongosh mongo redis-cli "
    "cqlsh duckdb"
)
_FED_WITH_WORDS: Final = table("sftp ftp lftp")


def fed(terms: Sequence[Term], stream: Stream) -> list[Term]:
    """The words of such a program, and of any other unchanged, with its input."""
    if terms[0].base in _FED_WITH_WORDS and stream.kind == "known":
        return [*terms, known("<<<"), *map(known, stream.text.split())]
    if terms[0].base not in FED or stream.kind == "outside":
        return list(terms)
    text = known(stream.text) if stream.kind == "known" else Term(((ANY,),))
    return [*terms, known("<<<"), text]


_DECODE: Final = re.compile(r"-[dDi]*[dD][di]*|--decode")
_SIGNS: Final = re.compile(r"%[%s]|\\[n\\]|[%\\]")
_PASSING: Final = frozenset({"grep", "egrep", "fgrep", "head", "tail", "sort", "uniq", "tee"})
_ONE_NAME: Final = frozenset(
    {"date", "whoami", "id", "nproc", "hostname", "uname", "basename", "wc", "expr", "seq"}
)
_NAMES_OF_FILES: Final = frozenset({"-l", "-rl", "-lr", "-rlE", "--files-with-matches", "--files"})
_SEARCHING: Final = frozenset({"grep", "egrep", "fgrep", "rg", "ag", "fd", "fdfind"})


def output(terms: Sequence[Term], stream: Stream) -> Stream:
    """The output of these words with the input `stream`."""
    name = terms[0].base
    if name is None:
        return UNKNOWN
    names = _names(name, terms, stream)
    if names is not None:
        return names
    arguments = [text for term in terms[1:] if (text := term.text) is not None]
    if len(arguments) < len(terms) - 1:
        return UNKNOWN
    match name:
        case "echo":
            return _echo(arguments)
        case "printf":
            return _printf(arguments)
        case "cat" if not arguments or arguments == ["-"]:
            return stream
        case "tee":
            return stream
        case "base64" if len(arguments) == 1 and _DECODE.fullmatch(arguments[0]):
            return _decoded(stream)
        case "xxd" if sorted(arguments) in (["-p", "-r"], ["-pr"], ["-rp"]):
            return _from_hexadecimal(stream)
        case _:
            return UNKNOWN


def _names(name: str, terms: Sequence[Term], stream: Stream) -> Stream | None:
    """The output of programs that list files; None for all others."""
    words = {term.text for term in terms[1:]}
    if name in _PASSING and stream.kind == "names":
        return stream
    if name == "find":
        return Stream("names", names=found_below(terms))
    if name == "ls":
        # Paths among its operands come back as they are written, or as their pattern is.
        is_of_paths = any(
            term.start.startswith(("/", "~", "..")) and ("-d" in words or term.text is None)
            for term in terms[1:]
        )
        return Stream("names", names=UNKNOWN_VALUES if is_of_paths else ((NAME,),))
    if name == "git" and ("ls-files" in words or "--name-only" in words):
        return Stream("names", names=((BELOW,),))
    if name in _SEARCHING and (name in ("fd", "fdfind") or words & _NAMES_OF_FILES):
        is_below = all(
            term.text is not None and not term.start.startswith(("/", "~", "..")) for term in terms
        )
        return Stream("names", names=((BELOW,),) if is_below else UNKNOWN_VALUES)
    return None


def roots_of_find(terms: Sequence[Term]) -> list[Term]:
    """The start of a `find`; `.` by default."""
    roots: list[Term] = []
    for term in terms[1:]:
        if term.text in ("-H", "-L", "-P", "-E", "-X"):
            continue
        if term.start.startswith(("-", "(", "!", ")")):
            break
        roots.append(term)
    return roots or [Term(((".",),))]


def found_below(terms: Sequence[Term]) -> Values:
    """The paths that a `find` gives, its roots aside."""
    found: list[Reading] = []
    for root in roots_of_find(terms):
        for reading in root.readings:
            if not reading or root.is_many:
                return UNKNOWN_VALUES
            last = reading[-1]
            slash = "" if isinstance(last, str) and last.endswith("/") else "/"
            found.append(merged([*reading, slash, BELOW]))
    return tuple(found) if len(found) <= READINGS_MAX else UNKNOWN_VALUES


def substituted(terms: Sequence[Term], stream: Stream, scope: Scope) -> Values:
    """The result of a `$(...)` whose last command is these words."""
    words = [term.text for term in terms]
    match words:
        case ["pwd", *_]:
            return (scope.directory or (".",),)
        case ["git", "rev-parse", "--show-toplevel"]:
            return ((".",),)
        case ["git", "rev-parse" | "branch" | "symbolic-ref" | "config" | "describe" | "log", *_]:
            return ((NAME,),)
        case ["mktemp", *rest] if not any(word is None or "/" in word for word in rest):
            return (("/tmp/", NAME),)  # noqa: S108 - a text about it
        case [str() as name, *_] if name in _ONE_NAME:
            return ((NAME,),)
    written = output(terms, stream)
    if written.kind == "known":
        text = written.text.rstrip("\n")
        return ((text,) if text else (),)
    return written.names if written.kind == "names" else ((ANY,),)


def _echo(arguments: Sequence[str]) -> Stream:
    is_option = re.compile(r"-[neE]+").fullmatch
    joined = " ".join(dropwhile(is_option, arguments))
    # Whether `echo` obeys a backslash depends on the shell.
    return UNKNOWN if "\\" in joined else Stream("known", joined + "\n")


def _printf(arguments: Sequence[str]) -> Stream:
    if not arguments or arguments[0].startswith("-"):
        return UNKNOWN
    form, *values = arguments
    signs = _SIGNS.findall(form)
    if any(sign in ("%", "\\") for sign in signs):
        return UNKNOWN
    takes_count = signs.count("%s")
    if values and not takes_count:
        values = []
    # The form is used again until no value is left, and once if there is none.
    starts = range(0, len(values), takes_count) if values else (0,)
    written = [_filled(form, values[start : start + takes_count]) for start in starts]
    return Stream("known", "".join(written))


def _filled(form: str, values: Sequence[str]) -> str:
    left = iter(values)

    def written(sign: re.Match[str]) -> str:
        if sign[0] == "%s":
            return next(left, "")
        return {"%%": "%", "\\n": "\n"}.get(sign[0], "\\")

    return _SIGNS.sub(written, form)


def _decoded(stream: Stream) -> Stream:
    if stream.kind != "known":
        return UNKNOWN
    try:
        data = base64.b64decode("".join(stream.text.split()), validate=True)
        return Stream("known", data.decode())
    except (binascii.Error, ValueError):
        return UNKNOWN


def _from_hexadecimal(stream: Stream) -> Stream:
    if stream.kind != "known":
        return UNKNOWN
    try:
        return Stream("known", bytes.fromhex("".join(stream.text.split())).decode())
    except ValueError:
        return UNKNOWN
