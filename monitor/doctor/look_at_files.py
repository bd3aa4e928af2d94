"""The probes of files: rights, the state directory, a socket, a log directory. They only read.

Links are followed, as the programs that use these files follow them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from invariants.model.errors import ConfigError
from monitor.authoring.packs import pack_paths
from monitor.authoring.paths import spec_paths
from monitor.config.table import Settings
from monitor.doctor.diagnosis import TEXT_CHARS_MAX, Learnt, NotLearnt
from monitor.doctor.log_dir import LogDirFacts
from monitor.doctor.rights import FileFacts, FolderFacts, SocketFacts, Sort
from monitor.doctor.state import StateFacts, StoreFacts
from monitor.presentation import visible
from monitor.store.lock import LOCK_FILE
from monitor.store.schema import StoreError, peek
from monitor.store.store import STORE_FILE
from monitor.transport.logdir.reader import shared_places

LOCKS: Final = Path("/proc/locks")
"""The locks of all processes. Source: proc_locks(5), Linux."""
OWN_FILES: Final = (STORE_FILE, f"{STORE_FILE}-wal", "digest.key")


def look_at_files(
    config: str | None, token_file: str | None, settings: Settings, *, has_state: bool
) -> list[FileFacts]:
    """Each file and folder that the settings and flags name, with its rights."""
    named: list[tuple[str, str | None, Sort]] = [
        ("--config", config, "deciding"),
        ("--token-file", token_file, "secret"),
        ("principals", settings.principals, "deciding"),
        ("digest_key_file", settings.digest_key_file, "secret"),
        ("webhook.secret_file", settings.webhook_secret_file, "secret"),
        ("kafka.sasl_plain_password_file", settings.kafka.sasl_plain_password_file, "secret"),
        ("kafka.ssl_keyfile", settings.kafka.ssl_keyfile, "secret"),
        ("kafka.ssl_password_file", settings.kafka.ssl_password_file, "secret"),
        ("sources.fingerprint_key_file", settings.sources.fingerprint_key_file, "secret"),
        ("detector.key_file", settings.detector.key_file, "secret"),
        ("detector.model", settings.detector.model, "deciding"),
    ]
    files = [look_at(name, path, sort) for name, path, sort in named if path is not None]
    files += [look_at("invariants", str(path), "deciding") for path in _invariant_files(settings)]
    return files + (_state_files(settings.state_dir) if has_state else [])


def look_at(setting: str, path: str, sort: Sort) -> FileFacts:
    """One file, and the folder that contains it."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a path of settings, as it was written
        folders = _folders_above(path)
    except FileNotFoundError:
        return FileFacts(setting, path, sort, is_absent=True)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this is not a usable path"
        return FileFacts(setting, path, sort, error=f"it cannot be examined: {reason}")
    return FileFacts(
        setting,
        path,
        sort,
        mode=found.st_mode,
        uid=found.st_uid,
        folders=folders,
    )


def _folders_above(path: str) -> tuple[FolderFacts, ...]:
    """All folders through which the file is reached, by its name and by the target of a link."""
    above = dict.fromkeys((*Path(path).absolute().parents, *Path(path).resolve().parents))
    found = [(folder, folder.stat()) for folder in above]
    return tuple(FolderFacts(str(folder), one.st_mode, one.st_uid) for folder, one in found)


def _invariant_files(settings: Settings) -> Iterator[Path]:
    """Files and folders of the user's own; faults of these paths are those of their check."""
    for location in map(Path, settings.invariants):
        if not location.exists() or pack_paths(location) is not None:
            continue
        yield location
        if location.is_dir():
            with suppress(ConfigError):
                yield from spec_paths(location)


def _state_files(state_dir: str) -> list[FileFacts]:
    whole = look_at("state_dir", state_dir, "state")
    if whole.is_absent:
        return [whole]
    inner = (look_at("state_dir", str(Path(state_dir) / name), "state") for name in OWN_FILES)
    return [whole, *(one for one in inner if not one.is_absent)]


def look_at_state(state_dir: str) -> StateFacts:
    """The state directory; nothing in it is created, locked or changed."""
    folder = Path(state_dir)
    is_there = folder.is_dir()
    bytes_free, files_free = _room(folder)
    return StateFacts(is_there, _holder(folder), bytes_free, files_free, _store(folder))


def _room(folder: Path) -> tuple[Learnt[int], int | None]:
    """Bytes and files that are free; of the nearest folder above, if it does not exist yet."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        found = os.statvfs(place)
    except OSError as error:
        return NotLearnt(f"its file system does not tell its room: {error.strerror}"), None
    return found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None


def _holder(folder: Path) -> Learnt[int]:
    """The process that holds the lock, without trying to take it: a start would be refused."""
    try:
        lock = (folder / LOCK_FILE).stat()
    except FileNotFoundError:
        return 0
    except OSError as error:
        return NotLearnt(f"its lock cannot be examined: {error.strerror}")
    try:
        lines = LOCKS.read_text("ascii", "replace").splitlines()
    except OSError:
        return NotLearnt("this system does not tell which process holds a lock")
    # 1: FLOCK  ADVISORY  WRITE 4711 fd:01:131 0 EOF
    noted = _noted(folder / LOCK_FILE)
    wanted = f"{os.major(lock.st_dev):02x}:{os.minor(lock.st_dev):02x}:{lock.st_ino}"
    for words in map(str.split, lines):
        if len(words) < 6 or words[1] != "FLOCK" or not words[4].isdigit():
            continue
        # Some file systems show another device here: then the process that the file names counts.
        is_same_file = words[5].endswith(f":{lock.st_ino}")
        if words[5] == wanted or (is_same_file and words[4] == noted):
            return int(words[4])
    return 0


def _noted(path: Path) -> str:
    """The process that a lock names, for people."""
    try:
        return path.read_bytes()[:32].decode("ascii", "replace").strip()
    except OSError:
        return ""


def _store(folder: Path) -> Learnt[StoreFacts] | None:
    if not (folder / STORE_FILE).exists():
        return None
    try:
        version, names = peek(folder / STORE_FILE)
    except ConfigError:
        return StoreFacts(is_ours=False)
    except StoreError as error:
        return NotLearnt(visible(str(error), TEXT_CHARS_MAX))
    return StoreFacts(version, names.get("program_digest"))


def look_at_socket(path: str, access: str) -> SocketFacts:
    """The socket of a gate; itself, not the target of a link."""
    try:
        mode = Path(path).lstat().st_mode
    except FileNotFoundError:
        return SocketFacts(path, access, is_absent=True)
    except OSError as error:
        return SocketFacts(path, access, error=f"it cannot be examined: {error.strerror}")
    return SocketFacts(path, access, mode=mode, is_socket=stat.S_ISSOCK(mode))


def look_at_log_dir(directory: str, topics: tuple[str, ...]) -> LogDirFacts:
    """A log directory, and whether this user can write to the folders of these topics."""
    folder = Path(directory)
    if not folder.exists():
        return LogDirFacts(is_there=False)
    closed = [
        topic
        for topic in topics
        if not os.access(folder / topic if (folder / topic).exists() else folder, os.W_OK | os.X_OK)
    ]
    shared = tuple(shared_places(folder)) if folder.is_dir() else ()
    return LogDirFacts(folder.is_dir(), folder.stat().st_uid, tuple(closed), shared)
