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


class ProjectFacts(msgspec.Struct, frozen=True):
    """`folders` are those of `.claude`, `.git` and `.github` that the project has."""

    packages: frozenset[str]
    modules: frozenset[str]
    folders: frozenset[str]


def look_at_project(folder: Path) -> ProjectFacts:
    """The facts of the project in a folder."""
    packages: set[str] = set()
    for name in ("pyproject.toml", "package.json", "Pipfile", *_requirement_files(folder)):
        packages |= packages_of("Pipfile.toml" if name == "Pipfile" else name, _text(folder / name))
    modules: set[str] = set()
    for path in _code_files(folder):
        modules |= modules_of(_text(path))
    folders = {name for name in (".claude", ".git", ".github") if (folder / name).is_dir()}
    return ProjectFacts(frozenset(packages), frozenset(modules), frozenset(folders))


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
