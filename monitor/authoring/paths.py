"""Invariant files on disk: which they are, and their texts.

`*.yaml` and `*.yml` below a folder, also through links, in the order of their names.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from invariants.model.errors import ConfigError, Fault, Place
from monitor.authoring.packs import pack_paths

FILE_BYTES_MAX: Final = 1 << 20
FILES_MAX: Final = 1_000


def spec_paths(location: Path) -> list[Path]:
    """The invariant files at a path, or of a pack. Raises ConfigError if there are none."""
    if location.is_file():
        return [location]
    if (of_pack := pack_paths(location)) is not None:
        return of_pack
    if not location.is_dir():
        raise ConfigError(f"`{location}` is neither a file nor a folder; name your invariants")
    paths = _paths_below(location)
    if not paths:
        raise ConfigError(
            f"`{location}` contains no *.yaml file; write one, or name another folder"
        )
    if len(paths) > FILES_MAX:
        raise ConfigError(f"`{location}` contains {len(paths)} files; at most {FILES_MAX} are read")
    return paths


def _paths_below(location: Path) -> list[Path]:
    """The invariant files in a folder, its subfolders and the targets of links in them, each once.

    If a folder were skipped silently, its invariants would not be watched. Raises ConfigError for
    one that cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise ConfigError(
            f"`{error.filename}` cannot be read: {error.strerror}; the invariants in it would not "
            "be watched"
        ) from None

    entered: set[Path] = set()
    found: dict[Path, Path] = {}
    for folder, subfolders, names in os.walk(location, onerror=refuse, followlinks=True):
        here = Path(folder).resolve()
        if here in entered:
            subfolders.clear()  # A link back to a folder above: without this it never ends.
            continue
        entered.add(here)
        subfolders.sort()
        for path in (Path(folder, name) for name in names if name.endswith((".yaml", ".yml"))):
            # Kubernetes links each file of a mounted ConfigMap to one in a sibling folder.
            known = found.setdefault(path.resolve(), path)
            found[path.resolve()] = min(known, path, key=lambda p: (len(p.parts), p))
    return sorted(found.values())


def paths_of_all(locations: Sequence[Path]) -> list[Path]:
    """The invariant files at some paths, each once, though its folder is named too."""
    found: dict[Path, Path] = {}
    for location in locations:
        for path in spec_paths(location):
            found.setdefault(path.resolve(), path)
    if len(found) > FILES_MAX:
        raise ConfigError(f"{len(found)} files are given; at most {FILES_MAX} are read")
    return list(found.values())


def read_text(path: Path) -> tuple[str, Fault | None]:
    """The text of a file; else why it is none."""
    try:
        return decoded(path.read_bytes(), str(path))
    except OSError as error:
        text = f"the file cannot be read: {error.strerror}"
        return "", Fault(str(path), Place(), "E201", text)


def decoded(data: bytes, name: str) -> tuple[str, Fault | None]:
    """The text of some bytes; else why they are none."""
    if len(data) > FILE_BYTES_MAX:
        text = f"the file has {len(data)} bytes; at most {FILE_BYTES_MAX} are read"
        return "", Fault(name, Place(), "E201", text, "split it")
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError as error:
        text = f"byte {error.start} is not UTF-8"
        return "", Fault(name, Place(), "E201", text, "save the file as UTF-8")
