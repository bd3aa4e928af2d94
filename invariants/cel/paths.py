"""`path_within(path, root)`: is a path inside a directory, by its text alone.

Lexical: `.` and `..` are folded, repeated and final slashes dropped; links are not followed, so
clients send resolved paths. Case counts. A backslash or a NUL, which other systems read as a
separator or an end, is an error.
"""

from __future__ import annotations

from typing import Any, Final

from ..values.unknown_text import UnknownText, quoted
from ..values.value import Failure, sure, text


def path_within(path: Any, root: Any) -> bool:
    """True if `path` is `root` or below it; both must be absolute."""
    if type(path) is UnknownText:
        return sure(path.answer(_below(_folded(root))), path)
    if type(root) is UnknownText:
        return sure(root.answer(_above(_folded(path))), root)
    inner, outer = _folded(path), _folded(root)
    return inner[: len(outer)] == outer


_SLASH: Final = r"/+(?:\./+)*"


def _below(root: list[str]) -> str:
    """The pattern of the content of a folder. A gap that could climb out again is not considered:
    paths from a shell's words are folded up to their first gap.
    """
    return rf"\A{''.join(_SLASH + quoted(part) for part in root)}(?:/|\z)" if root else r"\A/"


def _above(path: list[str]) -> str:
    """The pattern of the folders that a path lies in."""
    pattern = ""
    for part in reversed(path):
        pattern = rf"(?:{_SLASH}{quoted(part)}{pattern})?"
    return rf"\A{pattern}/*\z"


def _folded(path: Any) -> list[str]:
    written = text(path, "path_within")
    if not written.startswith("/"):
        raise Failure("`path_within` needs absolute paths")
    if "\\" in written or "\0" in written:
        raise Failure("`path_within` of a path with a backslash or a NUL")
    kept: list[str] = []
    for part in written.split("/"):
        if part == "..":
            # Above the root is the root, as in POSIX.
            del kept[-1:]
        elif part not in ("", "."):
            kept.append(part)
    return kept
