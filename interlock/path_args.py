"""Resolves arguments that are paths, as the system would resolve them.

Input: the arguments of one call. A path that cannot be opened as given, or whose resolution would
take longer than a call may wait, becomes a value that cannot be represented. The argument is then
omitted from the event and listed there, and a predicate on it is unknown rather than false.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import PurePath
from typing import Final

from .json_values import PlainJson

PATH_BYTES_MAX: Final = 4096
"""The system's own limit for one path. Resolving a longer one costs the square of its length."""

PATHS_MAX: Final = 1_000
"""Paths in one call. Chosen: a look at the disk for each component of each of them."""

LEVELS_MAX: Final = 8


class Unresolved:
    """Replaces a path that cannot be represented."""


def resolved(
    tool: str, args: Mapping[str, object], path_args: frozenset[str]
) -> Mapping[str, object]:
    """`args` with the paths among them made absolute and free of links."""
    if not path_args:
        return args
    resolve = _Resolution()
    return {
        name: resolve(value, 0) if name in path_args or f"{tool}.{name}" in path_args else value
        for name, value in args.items()
    }


class _Resolution:
    """The paths of one call, within one budget."""

    def __init__(self) -> None:
        self._paths_left = PATHS_MAX

    def __call__(self, value: object, level: int) -> object:
        """A path, or a list of paths, as the system would resolve it now; others as they are.

        A path that cannot be resolved (a NUL in it) stays: opening it fails as well.
        """
        if isinstance(value, list | tuple):
            if level > LEVELS_MAX or len(value) > self._paths_left:
                return Unresolved()
            return [self(item, level + 1) for item in value]
        if isinstance(value, os.PathLike) and not isinstance(value, PurePath):
            # A user's type: its conversion to text may raise anything, and this function never
            # raises.
            value = PlainJson(LEVELS_MAX)(value)
            if not isinstance(value, str):
                return Unresolved()
        if not isinstance(value, str | bytes | PurePath):
            return value
        self._paths_left -= 1
        if self._paths_left < 0:
            return Unresolved()
        return _resolved_path(value)


def _resolved_path(value: str | bytes | PurePath) -> object:
    try:
        path = os.fsencode(value)
        if len(path) > PATH_BYTES_MAX:
            return Unresolved()
        return os.path.realpath(os.fsdecode(path))
    except (OSError, ValueError):
        return value
