"""The door to invariant files: files and folders on disk -> specifications, or every fault.

Reads the files that `paths.py` finds, and the list files that they name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from invariants.check import specs as check
from invariants.check.checked import CheckedSpec
from invariants.model.errors import Fault, SpecError
from invariants.spec.lists import ListFileError
from monitor.authoring.field_faults import field_faults
from monitor.authoring.kind_faults import kind_faults
from monitor.authoring.packs import DEFAULT, PREFIX
from monitor.authoring.paths import paths_of_all, read_text, spec_paths


class FileText(msgspec.Struct, frozen=True):
    """An invariant file as it was read, with the lists' files that it names."""

    path: Path
    text: str
    lists: Mapping[str, str] = {}


Note = Callable[[Path, str], None]
"""Takes each file that is read, and its text."""


def _ignore(path: Path, text: str) -> None:
    """Nobody asked."""


def examine(*locations: Path, note: Note = _ignore) -> tuple[list[CheckedSpec], list[Fault]]:
    """All files at some paths, and every fault of every file at once, including warnings.

    If any fault is an error, there are no specifications.
    """
    texts: list[tuple[str, str]] = []
    faults: list[Fault] = []
    for path in paths_of_all(locations):
        text, fault = read_text(path)
        if fault is None:
            note(path, text)
            texts.append((str(path), text))
        else:
            faults.append(fault)
    specs: Sequence[CheckedSpec] = ()
    try:
        specs, warnings = check.read_specs(texts, partial(_noted_list, note))
        faults += warnings
    except SpecError as error:
        faults += error.faults
    faults += [*kind_faults(specs), *field_faults(specs)]
    return list(specs), sorted(faults, key=lambda fault: (fault.file, fault.place, fault.code))


def read_specs(*locations: Path, note: Note = _ignore) -> list[CheckedSpec]:
    """All files at some paths. Raises SpecError with every error of every file."""
    specs, faults = examine(*locations, note=note)
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


def _noted_list(note: Note, invariant_file: str, written: str) -> str:
    text = _open_list(invariant_file, written)
    note(Path(invariant_file).parent / written, text)
    return text


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
