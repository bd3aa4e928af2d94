"""The packs: invariant files that ship with Interlock, found by name.

Comments at the head of a pack contain its name, its default, how to adapt it, and what it does not
cover; comments above each invariant contain its threat and its known false alarms. Only the YAML
below those comments is evaluated; `files.py` reads it like any other file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

import invariants
from invariants.model.errors import ConfigError

PREFIX: Final = "pack:"
"""`pack:NAME` selects a pack wherever a path of invariants is accepted."""
DEFAULT: Final = "default"
"""`pack:default` selects all packs that are on by default."""

_NOTE: Final = re.compile(r"# ([a-z][a-z ]*): (.*)")
_ID: Final = re.compile(r"\s*- id: (\S+)")


class Pack(msgspec.Struct, frozen=True):
    """One pack and its comments; `notes` has `threat` and `false alarms` by invariant."""

    name: str
    path: Path
    title: str
    is_default: bool
    about: str
    adapt: str
    not_covered: str
    notes: Mapping[str, Mapping[str, str]]


def all_packs() -> list[Pack]:
    """Every pack, by name."""
    folder = Path(next(iter(invariants.__path__))) / "packs"
    return [_read(path) for path in sorted(folder.glob("*.yaml"))]


def find_pack(name: str) -> Pack:
    """The pack of that name. Raises ConfigError if there is none."""
    packs = all_packs()
    for pack in packs:
        if pack.name == name:
            return pack
    known = ", ".join(f"`{pack.name}`" for pack in packs)
    raise ConfigError(f"there is no pack `{name[:60]}`; expected one of {known}, or `{DEFAULT}`")


def pack_paths(location: Path) -> list[Path] | None:
    """The files of `pack:NAME` or `pack:default`; None for any other path."""
    if not location.name.startswith(PREFIX):
        return None
    name = location.name.removeprefix(PREFIX)
    if name == DEFAULT:
        return [pack.path for pack in all_packs() if pack.is_default]
    return [find_pack(name).path]


def _read(path: Path) -> Pack:
    lines = path.read_text(encoding="utf-8").splitlines()
    head = _notes(line for line in lines[: lines.index("version: 1")])
    notes: dict[str, Mapping[str, str]] = {}
    comments: list[str] = []
    for line in lines:
        if line.lstrip().startswith("#"):
            comments.append(line.strip())
            continue
        found = _ID.match(line)
        if found is not None:
            notes[found[1]] = _notes(comments)
        comments = []
    return Pack(
        name=path.stem,
        path=path,
        title=head["pack"],
        is_default=head["default"] == "on",
        about=head["about"],
        adapt=head["adapt"],
        not_covered=head["not covered"],
        notes=notes,
    )


def _notes(lines: Iterable[str]) -> dict[str, str]:
    """`# key: text`, whose next lines begin with two more blanks, as key and text."""
    notes: dict[str, str] = {}
    key = ""
    for line in lines:
        found = _NOTE.fullmatch(line)
        if found is not None:
            key = found[1]
            notes[key] = found[2]
        elif key:
            notes[key] += " " + line.removeprefix("#").strip()
    return notes
