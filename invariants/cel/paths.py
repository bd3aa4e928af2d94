"""`path_within(path, root)`: is a path inside a directory, by its text alone.

Lexical: `.` and `..` are folded, repeated and final slashes dropped; links are not followed, so
clients send resolved paths. Case counts. A backslash or a NUL, which other systems read as a
separator or an end, is an error.
"""

from __future__ import annotations

from typing import Any

from .values import Failure, text


def path_within(path: Any, root: Any) -> bool:
    """Whether `path` is `root` or below it; both must be absolute."""
    inner, outer = _folded(path), _folded(root)
    return inner[: len(outer)] == outer


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
