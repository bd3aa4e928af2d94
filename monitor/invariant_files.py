"""The door to invariant files: files and folders on disk -> specifications, or every fault.

Reads `*.yaml` and `*.yml` below the folder, also through links, in the order of their names, and
the list files that they name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from invariants import check
from invariants.checked import CheckedSpec
from invariants.errors import ConfigError, Fault, Place, SpecError
from invariants.load_lists import ListFileError
from monitor.field_faults import field_faults
from monitor.kind_faults import kind_faults
from monitor.packs import DEFAULT, PREFIX, pack_paths

FILE_BYTES_MAX = 1 << 20
FILES_MAX = 1_000


class FileText(msgspec.Struct, frozen=True):
    """An invariant file as it was read, with the lists' files that it names."""

    path: Path
    text: str
    lists: Mapping[str, str] = {}


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


def _paths_of_all(locations: Sequence[Path]) -> list[Path]:
    """The invariant files at some paths, each once, though its folder is named too."""
    found: dict[Path, Path] = {}
    for location in locations:
        for path in spec_paths(location):
            found.setdefault(path.resolve(), path)
    if len(found) > FILES_MAX:
        raise ConfigError(f"{len(found)} files are given; at most {FILES_MAX} are read")
    return list(found.values())


def examine(*locations: Path) -> tuple[list[CheckedSpec], list[Fault]]:
    """All files at some paths, and every fault of every file at once, including warnings.

    If any fault is an error, there are no specifications.
    """
    texts: list[tuple[str, str]] = []
    faults: list[Fault] = []
    for path in _paths_of_all(locations):
        text, fault = read_text(path)
        if fault is None:
            texts.append((str(path), text))
        else:
            faults.append(fault)
    specs: Sequence[CheckedSpec] = ()
    try:
        specs, warnings = check.read_specs(texts, _open_list)
        faults += warnings
    except SpecError as error:
        faults += error.faults
    faults += [*kind_faults(specs), *field_faults(specs)]
    return list(specs), sorted(faults, key=lambda fault: (fault.file, fault.place, fault.code))


def read_specs(*locations: Path) -> list[CheckedSpec]:
    """All files at some paths. Raises SpecError with every error of every file."""
    specs, faults = examine(*locations)
    errors = [fault for fault in faults if fault.severity == "error"]
    if errors:
        raise SpecError(errors)
    return specs


def default_pack_specs() -> list[CheckedSpec]:
    """The specifications of all packs that are on by default."""
    return read_specs(Path(PREFIX + DEFAULT))


def read_texts(location: Path) -> list[FileText]:
    """The exact texts behind `read_specs`, to be kept with its findings.

    Raises SpecError like `read_specs`.
    """
    files = []
    for path in spec_paths(location):
        text, fault = read_text(path)
        lists: dict[str, str] = {}

        def note(file: str, written: str, lists: dict[str, str] = lists) -> str:
            lists[written] = _open_list(file, written)
            return lists[written]

        if fault is not None:
            raise SpecError([fault])
        check.read_specs([(str(path), text)], note)
        files.append(FileText(path, text, lists))
    return files


def _open_list(invariant_file: str, written: str) -> str:
    """A list's file, which lies in the invariant file's folder or below it."""
    folder = Path(invariant_file).parent
    path = folder / written
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ListFileError(
            f"`{written}` is outside the folder of this file", "move it into this folder"
        )
    text, fault = read_text(path) if path.is_file() else ("", None)
    if fault is not None:
        raise ListFileError(f"`{written}`: {fault.message}", fault.mend or "fix the file")
    if not path.is_file():
        raise ListFileError(f"there is no file `{written}`", "names are relative to this file")
    return text


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
