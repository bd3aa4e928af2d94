"""Paths within a shell text: the target of a relative one, after changes of directory.

Lexical, like `path_within`: links are not followed. `~` represents a home. The directory in which
the text begins is not known: it is the empty path, and paths below it stay relative.
"""

from __future__ import annotations

import re
from typing import Final

from ..values.possible import Gap
from ..values.tables import table
from ..values.unknown_text import ANY, Reading
from .term import Term, merged

HERE: Final[Reading] = ()

_NEEDS_FOLDING: Final = re.compile(r"//|(?:^|/)\.\.?(?:/|$)")

# Programs whose operands are paths. Source: the manual pages of coreutils 9 and findutils 4.9.
OF_PATHS: Final = table(
    "rm rmdir unlink shred truncate chmod chown chgrp cp mv ln install tee touch "
    "mkdir find dd cat rsync tar wipefs mkfs > >> <> <"
)
# The folder stands for everything in it.
_ALL_WITHIN: Final = re.compile(r"/(?:\*+|\.\*)\Z")
_OPERAND: Final = re.compile(r"((?:of|if)=|--[a-z-]+=)?(.*)", re.DOTALL)


def resolved(path: Reading, directory: Reading) -> Reading:
    """The target of `path` from `directory`."""
    start = path[0] if path and isinstance(path[0], str) else ""
    if path and isinstance(path[0], Gap) and path[0].kind in ("any", "variable"):
        return path  # It may be absolute.
    if not start.startswith(("/", "~")) and directory:
        path = merged([*directory, "/", *path])
    return _folded(path)


def _folded(path: Reading) -> Reading:
    """Without `.`, `..` and repeated slashes, up to the first gap."""
    if not path or isinstance(path[0], Gap):
        return path
    text, rest = path[0], path[1:]
    tail = ""
    if rest:
        head, slash, tail = text.rpartition("/")
        text = head + slash
    if not _NEEDS_FOLDING.search(text):
        return path
    folded = _fold(text)
    if rest and folded and not folded.endswith("/"):
        folded += "/"
    return merged([folded + tail, *rest])


def _fold(text: str) -> str:
    is_absolute, is_home = text.startswith("/"), text.startswith("~")
    kept: list[str] = []
    for part in text.split("/"):
        if part in ("", "."):
            continue
        if part != "..":
            kept.append(part)
        elif is_home and len(kept) <= 1:
            # Above a home is the folder of homes, and above that the root.
            kept = ["", "home"] if kept and kept[0].startswith("~") else []
            is_absolute, is_home = True, False
            kept = [name for name in kept if name]
        elif kept and kept[-1] != "..":
            kept.pop()
        elif not is_absolute:
            kept.append(part)
    joined = "/".join(kept)
    if is_absolute:
        return "/" + joined
    # `./~` is a name of this folder, and `~` a home.
    return f"./{joined}" if joined.startswith("~") and not is_home else joined or "."


def operand_of(term: Term, directory: Reading) -> Term:
    """An operand of a program that takes paths, as it leads from `directory`; options stay."""
    if term.start.startswith("-") and "=" not in term.start:
        return term
    readings = tuple(_operand(reading, directory) for reading in term.readings)
    return Term(readings, term.is_many)


def _operand(reading: Reading, directory: Reading) -> Reading:
    if not reading or isinstance(reading[0], Gap):
        return _without_all(resolved(reading, directory)) if reading else reading
    found = _OPERAND.fullmatch(reading[0])
    assert found is not None, "it matches every text"
    option, rest = found[1] or "", found[2]
    if directory == (ANY,) and not _may_be_all(rest):
        # Below an unknown directory, an own name is an own file.
        return reading
    path = resolved(merged([rest, *reading[1:]]), directory)
    return merged([option, *_without_all(path)])


def _without_all(path: Reading) -> Reading:
    if path and isinstance(path[-1], str):
        return merged([*path[:-1], _ALL_WITHIN.sub("/", path[-1])])
    return path


def _may_be_all(path: str) -> bool:
    """Is this everything in a directory, or the directory?"""
    return path in (".", "..", "./", "../", "*", "./*", ".*", "./.*", "**", "../*")


def entered(term: Term | None, directory: Reading) -> Reading:
    """The directory after `cd term`."""
    if term is None:
        return ("~",)
    if len(term.readings) != 1 or (term.is_many and not term.readings[0]):
        return (ANY,)
    path = term.readings[0]
    if path == ("-",):
        return (ANY,)
    if path and isinstance(path[0], Gap) and path[0].kind in ("any", "variable"):
        return (ANY,) if len(path) == 1 else merged([ANY, *path[1:]])
    found = resolved(path, directory)
    return HERE if found == (".",) else found
