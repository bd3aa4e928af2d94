"""The probe of a project: its requirements and imports, and the tools that it is set up for.

Foreign files are read within bounds and never run; links are not followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from monitor.project.facts import modules_of, packages_of

FILE_BYTES_MAX: Final = 1 << 18
"""Chosen: far above a file of requirements or a module that people write."""
CODE_FILES_MAX: Final = 300
"""Chosen: reading that many takes a second; requirements are the first witness."""
SKIPPED_FOLDERS: Final = frozenset({"node_modules", "venv", "env", "build", "dist", "__pycache__"})


MARKS: Final = (".claude", ".git", ".github", ".mcp.json")
"""Files and folders that show what a project is set up for."""


class ProjectFacts(msgspec.Struct, frozen=True):
    """`marks` are those of `MARKS` that are there. `has_code`: there is a module of Python."""

    packages: frozenset[str]
    modules: frozenset[str]
    marks: frozenset[str]
    has_code: bool = False

    @property
    def is_of_node(self) -> bool:
        """True if it has packages of Node, and no Python."""
        is_of_python = self.has_code or any(not name.startswith("npm:") for name in self.packages)
        return bool(self.packages) and not is_of_python


def look_at_project(folder: Path) -> ProjectFacts:
    """The facts of the project in a folder."""
    packages: set[str] = set()
    for name in ("pyproject.toml", "package.json", "Pipfile", *_requirement_files(folder)):
        packages |= packages_of("Pipfile.toml" if name == "Pipfile" else name, _text(folder / name))
    modules: set[str] = set()
    code = list(_code_files(folder))
    for path in code:
        modules |= modules_of(_text(path))
    marks = frozenset(name for name in MARKS if (folder / name).exists())
    return ProjectFacts(frozenset(packages), frozenset(modules), marks, bool(code))


def _requirement_files(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.glob("*requirements*.txt"))
    return names[:20]


def _code_files(folder: Path) -> Iterator[Path]:
    """Python files of the project, those of its environments left out."""
    left = CODE_FILES_MAX
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if name[0] != "." and name not in SKIPPED_FOLDERS
        )
        for name in sorted(names):
            if name.endswith(".py") and left > 0:
                left -= 1
                yield Path(here, name)
        if left <= 0:
            return


def _text(path: Path) -> str:
    """The beginning of an ordinary file; empty if there is none that can be read."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            return file.read(FILE_BYTES_MAX).decode("utf-8", "replace")
    except OSError:
        return ""
