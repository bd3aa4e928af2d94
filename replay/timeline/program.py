"""The invariants that a recording is replayed with, and those that cannot be judged again.

If a folder is given, its invariants are used. Otherwise those embedded in the header, as they were
live; else the default packs. An invariant that was live and is not here with the same digest cannot
be re-evaluated, and each one is reported: another digest is another meaning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from invariants.check.checked import CheckedSpec
from invariants.check.specs import read_specs as check_texts
from invariants.compile.digest import PROGRAM_VERSION
from invariants.image.compile import compile_program
from invariants.model.errors import ConfigError
from invariants.runtime.program import Program
from invariants.runtime.scope_program import Compiled
from invariants.spec.lists import ListFileError
from monitor.authoring.files import default_pack_specs, read_specs, read_texts
from replay.recording.format import (
    EMBEDDED_BYTES_MAX,
    RecordedFile,
    RecordedInvariant,
    RecordingHeader,
)
from replay.timeline.player import limits_of

REPLAY_KEY: Final = b"replay"
"""The key of `digest(...)` if the live one is not given: then digests differ."""


@dataclass(frozen=True, slots=True)
class Unevaluable:
    """An invariant that was live and cannot be judged here as it was then; and why."""

    invariant: str
    digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class LiveProgram:
    """The program to replay with. `origin`: `given`, `recorded` or `packs`."""

    program: Program
    origin: str
    unevaluable: tuple[Unevaluable, ...]


def find_program(
    header: RecordingHeader, given: Sequence[Path], digest_key: bytes | None, session: str = ""
) -> LiveProgram:
    """The program for a recording, or for one session of it.

    Raises
    ------
    ConfigError
        The header names files that it had no room for, and none are given.
    SpecError
        Files that are faulty, or that this release cannot read any more.
    """
    specs, origin = _specs(header, given)
    program = compile_program(
        specs, limits=limits_of(header.settings), digest_key=digest_key or REPLAY_KEY
    )
    # A key that the header does not name may be the right one: a wrong one shows as differences.
    is_other_key = digest_key is None or name_key(digest_key) != (
        header.key_digest or name_key(digest_key)
    )
    unevaluable = _unevaluable(header, program, is_other_key)
    if session or header.source.session:
        known = {item.digest for item in unevaluable}
        unevaluable += [item for item in _wider(program) if item.digest not in known]
        program = replace(program, wider=())
    return LiveProgram(program, origin, tuple(unevaluable))


def _wider(program: Program) -> list[Unevaluable]:
    return [
        Unevaluable(
            c.declared.id,
            c.digest,
            f"it is about a whole {c.declared.per}, but only one session is replayed",
        )
        for c in program.invariants
        if c.declared.per != "session"
    ]


def name_key(key: bytes) -> str:
    """A name for a key, to compare keys; the key cannot be derived from it."""
    return hashlib.blake2b(b"interlock digest key", key=key[:64], digest_size=8).hexdigest()


def embed(location: Path) -> list[RecordedFile]:
    """The invariant files at a path for a header; without text if there is no room.

    Raises ConfigError and SpecError like reading them.
    """
    left = EMBEDDED_BYTES_MAX
    files = []
    for read in read_texts(location):
        is_below = location.is_dir()
        name = read.path.relative_to(location.parent).as_posix() if is_below else read.path.name
        size = sum(len(text.encode()) for text in (read.text, *read.lists.values()))
        has_room = size <= left
        left -= size if has_room else 0
        lists = dict(read.lists) if has_room else {}
        files.append(RecordedFile(name, read.text if has_room else None, lists))
    return files


def describe(program: Program) -> list[RecordedInvariant]:
    """The invariants of a program as a header names them."""
    return [
        RecordedInvariant(compiled.declared.id, compiled.digest, Path(compiled.file).name)
        for compiled in program.invariants
    ]


def _specs(header: RecordingHeader, given: Sequence[Path]) -> tuple[list[CheckedSpec], str]:
    if given:
        return read_specs(*given), "given"
    if header.files:
        absent = [file.name for file in header.files if file.text is None]
        if absent:
            raise ConfigError(
                f"the recording does not contain `{absent[0]}`; name the files with `--invariants`"
            )
        return _embedded(header), "recorded"
    return default_pack_specs(), "packs"


def _embedded(header: RecordingHeader) -> list[CheckedSpec]:
    lists = {file.name: file.lists for file in header.files}

    def open_list(invariant_file: str, written: str) -> str:
        text = lists[invariant_file].get(written)
        if text is None:
            raise ListFileError(f"`{written}` is not in the recording", "name the files")
        return text

    texts = [(file.name, file.text) for file in header.files if file.text is not None]
    return list(check_texts(texts, open_list)[0])


def _unevaluable(
    header: RecordingHeader, program: Program, is_other_key: bool
) -> list[Unevaluable]:
    here = {compiled.declared.id: compiled for compiled in program.invariants}
    found = []
    for live in header.invariants:
        compiled = here.get(live.id)
        if header.program_version not in (0, PROGRAM_VERSION):
            reason = (
                f"verdicts had version {header.program_version} then, and have "
                f"{PROGRAM_VERSION} in this release"
            )
        elif compiled is None:
            reason = "it is not among the invariants of this replay"
        elif compiled.digest != live.digest:
            reason = f"it has changed: digest {live.digest} then, {compiled.digest} here"
        elif is_other_key and _uses_digest(program, compiled):
            reason = "it uses `digest(...)`, and its key is not given; use `--digest-key-file`"
        else:
            continue
        found.append(Unevaluable(live.id, live.digest, reason))
    return found


def _uses_digest(program: Program, compiled: Compiled) -> bool:
    """True if a value in the ids of findings may depend on the key."""
    predicates = program.session.predicates[compiled.file_index]
    return any("digest" in predicates[name].checked.functions for name in compiled.predicates)
