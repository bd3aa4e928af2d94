"""Facts about a state directory -> diagnoses: its use, its room, its store and their versions.

Pure.
"""

from __future__ import annotations

from typing import Final

import msgspec

from monitor.doctor.diagnosis import Diagnosis, Learnt, NotLearnt, ok, trouble, unknown
from monitor.presentation import visible
from monitor.store.schema import SCHEMA_VERSION

LOCK, SPACE, STORE, PROGRAM = "state.lock", "state.space", "state.store", "state.program"
FREE_BYTES_MIN: Final = 256 * 1024 * 1024
"""As the alert `InterlockStoreDiskLow`. Source: monitor/rules/monitor.yml."""
FREE_FILES_MIN: Final = 1_000
"""Chosen: a gate's log and SQLite make few files; with none left, both fail."""


class StoreFacts(msgspec.Struct, frozen=True):
    """The store of a directory: the version of its tables, and the digest of its program."""

    schema_version: int = 0
    program_digest: str | None = None
    is_ours: bool = True
    """False for a database of another program."""


class StateFacts(msgspec.Struct, frozen=True):
    """A state directory. `holder` is the process that holds its lock: 0 is none.

    `files_free` is None on a file system that does not count files. `store` is None before the
    first start.
    """

    is_there: bool
    holder: Learnt[int]
    bytes_free: Learnt[int]
    files_free: int | None = None
    store: Learnt[StoreFacts] | None = None


def judge_state(path: str, facts: StateFacts, program_digest: str | None) -> list[Diagnosis]:
    """All checks of a state directory; `program_digest` is that of the invariants, if they load."""
    place = f"state_dir: `{visible(path)}`"
    return [_lock(place, facts), _space(place, facts), *_store(place, facts, program_digest)]


def _lock(place: str, facts: StateFacts) -> Diagnosis:
    if not facts.is_there:
        return ok(LOCK, place, "it does not exist yet; the first start makes it")
    if isinstance(facts.holder, NotLearnt):
        return unknown(LOCK, place, facts.holder.reason, is_required=False)
    if facts.holder:
        text = f"process {facts.holder} uses it: a second one would be refused"
        return ok(LOCK, place, text)
    return ok(LOCK, place, "no process uses it")


def _space(place: str, facts: StateFacts) -> Diagnosis:
    if isinstance(facts.bytes_free, NotLearnt):
        return unknown(SPACE, place, facts.bytes_free.reason)
    mend = "free disk space, or move `state_dir` while nothing uses it"
    if facts.bytes_free < FREE_BYTES_MIN:
        text = f"{_mib(facts.bytes_free)} are free, less than {_mib(FREE_BYTES_MIN)}"
        return trouble(SPACE, place, text, mend)
    if facts.files_free is not None and facts.files_free < FREE_FILES_MIN:
        text = f"{facts.files_free:,} more files fit on its file system"
        return trouble(SPACE, place, text, mend)
    return ok(SPACE, place, f"{_mib(facts.bytes_free)} are free")


def _store(place: str, facts: StateFacts, program_digest: str | None) -> list[Diagnosis]:
    store = facts.store
    if store is None:
        return [ok(STORE, place, "there is no store yet; the first start makes it")]
    if isinstance(store, NotLearnt):
        return [unknown(STORE, place, store.reason)]
    if not store.is_ours:
        text = "its `state.sqlite` is a database of another program"
        return [trouble(STORE, place, text, "name another `state_dir`")]
    if store.schema_version > SCHEMA_VERSION:
        text = f"a newer version wrote it (schema {store.schema_version}; this one reads up to "
        mend = "install that version again, or name another `state_dir`"
        return [trouble(STORE, place, f"{text}{SCHEMA_VERSION})", mend)]
    known = ok(STORE, place, f"schema {store.schema_version} of {SCHEMA_VERSION}")
    return [known, *_program(place, store, program_digest)]


def _program(place: str, store: StoreFacts, program_digest: str | None) -> list[Diagnosis]:
    """The program that the state belongs to: invariants, and the version of their meaning."""
    if store.program_digest is None:
        return []
    if program_digest is None:
        text = "the invariants do not load, so it is not known if the state belongs to them"
        return [unknown(PROGRAM, place, text)]
    if store.program_digest == program_digest:
        return [ok(PROGRAM, place, f"it belongs to these invariants (program {program_digest})")]
    text = "it belongs to other invariants, or to another version of them "
    text += f"({visible(store.program_digest, 40)}, now {program_digest}): after the next start, "
    text += "changed ones have not seen the past of running sessions"
    mend = "if you changed invariants, this is expected: docs/running.md, restarts"
    return [trouble(PROGRAM, place, text, mend, is_required=False)]


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 1024**2:,.0f} MiB"
