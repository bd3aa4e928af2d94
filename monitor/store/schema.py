"""The store's tables, and the opening, checking and refusal of its file.

Input: a path. Output: an SQLite connection to a database of exactly this version's schema, or an
error with a correction. A database that is damaged, newer, or not a store of Interlock is never
written.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote

from invariants.model.errors import ConfigError, InterlockError

Synchronous = Literal["full", "normal"]

SCHEMA_VERSION: Final = 2
APPLICATION_ID: Final = 0x494C4B31
"""`ILK1` in the file's header: a database of another program is not taken for ours."""

SQLITE_VERSION_MIN: Final = (3, 37, 0)  # Source: sqlite.org, STRICT tables; RETURNING is older.
FILE_MODE: Final = 0o600
BUSY_MS: Final = 5_000  # Chosen: a reader's snapshot or a checkpoint never takes that long.
JOURNAL_BYTES_MAX: Final = 64 * 1024 * 1024
CHECKPOINT_PAGES: Final = 4_000
"""Pages of 4 KiB that the write-ahead log holds before they are moved into the database.

Measured: `interlock bench run`; with SQLite's 1,000 pages this took a quarter of the store's time.
"""

TABLES: Final = """
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE positions (
    topic TEXT NOT NULL,
    partition TEXT NOT NULL,
    next_offset INTEGER NOT NULL,
    file_identity TEXT,
    PRIMARY KEY (topic, partition)
) STRICT, WITHOUT ROWID;

CREATE TABLE scopes (
    scope_id INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL UNIQUE,
    header BLOB NOT NULL,
    wake_ns INTEGER
) STRICT;
CREATE INDEX scopes_by_wake ON scopes (wake_ns, scope) WHERE wake_ns IS NOT NULL;

CREATE TABLE states (
    scope_id INTEGER NOT NULL,
    invariant_digest TEXT NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (scope_id, invariant_digest)
) STRICT, WITHOUT ROWID;

CREATE TABLE seen (
    scope_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    id_hash BLOB NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (scope_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE findings (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    session TEXT NOT NULL,
    invariant TEXT NOT NULL,
    severity TEXT NOT NULL,
    type TEXT NOT NULL,
    stored_ns INTEGER NOT NULL,
    is_published INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    json BLOB NOT NULL
) STRICT;
CREATE INDEX findings_pending ON findings (seq) WHERE is_published = 0;
CREATE INDEX findings_by_age ON findings (stored_ns);

CREATE TABLE actions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    finding TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    mode TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planned', 'would', 'held', 'done', 'failed')),
    urgency INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before_ns INTEGER NOT NULL DEFAULT 0,
    stored_ns INTEGER NOT NULL,
    outcome TEXT NOT NULL DEFAULT '',
    json BLOB NOT NULL
) STRICT;
CREATE INDEX actions_pending ON actions (urgency, seq) WHERE state = 'planned';
CREATE INDEX actions_by_finding ON actions (finding);
CREATE INDEX actions_stopping ON actions (stored_ns)
    WHERE urgency < 2 AND state IN ('planned', 'done', 'failed');
"""

SINCE_VERSION_2: Final = """
CREATE TABLE dead_letters (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    origin TEXT NOT NULL,
    json BLOB NOT NULL
) STRICT;
"""


class StoreError(InterlockError):
    """The state file could not be read or written: nothing of the batch at hand was stored."""


def open_database(
    path: Path, synchronous: Synchronous, *, is_read_only: bool
) -> sqlite3.Connection:
    """A connection to the store's file, which is created if it is missing (unless read only).

    Raises
    ------
    ConfigError
        The file is newer than this version, is not a store of Interlock, or cannot be opened.
    StoreError
        The file is damaged.
    """
    if sqlite3.sqlite_version_info < SQLITE_VERSION_MIN:
        raise ConfigError(
            f"this Python has SQLite {sqlite3.sqlite_version}; 3.37 or newer is needed"
        )
    _prepare_file(path, is_read_only)
    mode = "ro" if is_read_only else "rw"
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path.absolute()))}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=BUSY_MS / 1000,
        )
    except sqlite3.Error as error:
        raise ConfigError(f"`{path}` cannot be opened: {error}") from None
    try:
        _check(connection, path, synchronous, is_read_only)
    except sqlite3.Error as error:
        connection.close()
        raise _damaged(path, str(error)) from None
    except InterlockError:
        connection.close()
        raise
    return connection


def peek(path: Path) -> tuple[int, dict[str, str]]:
    """The version of a store's tables, and its facts by name, without changing or creating a file.

    Raises
    ------
    ConfigError
        It is a database of another program.
    StoreError
        The file cannot be read.
    """
    # Without a log of changes nobody is writing. SQLite would make its files for sharing otherwise.
    is_still = not path.with_name(path.name + "-wal").exists()
    more = "&immutable=1" if is_still else ""
    uri = f"file:{quote(str(path.absolute()))}?mode=ro{more}"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_MS / 1000)) as connection:
            if _number(connection, "PRAGMA application_id") != APPLICATION_ID:
                raise ConfigError(f"`{path}` is a database of another program")
            rows = connection.execute("SELECT name, value FROM meta").fetchall()
            return _number(connection, "PRAGMA user_version"), {str(n): str(v) for n, v in rows}
    except sqlite3.Error as error:
        raise StoreError(f"`{path}` cannot be read: {error}") from None


def _prepare_file(path: Path, is_read_only: bool) -> None:
    """SQLite would make the file with the umask's rights; its `-wal` and `-shm` take ours."""
    try:
        if is_read_only:
            path.stat()
            return
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, FILE_MODE)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigError(f"`{path}` is not an ordinary file, and the store must be one")
            os.fchmod(descriptor, FILE_MODE)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be opened: {error.strerror}") from None


def _check(
    connection: sqlite3.Connection, path: Path, synchronous: Synchronous, is_read_only: bool
) -> None:
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    application_id = _number(connection, "PRAGMA application_id")
    version = _number(connection, "PRAGMA user_version")
    objects_count = _number(connection, "SELECT count(*) FROM sqlite_schema")
    is_new = objects_count == 0 and version == 0 and application_id == 0
    if is_new and is_read_only:
        raise ConfigError(f"`{path}` is empty: no monitor has stored anything there yet")
    if not is_new and application_id != APPLICATION_ID:
        raise ConfigError(f"`{path}` is a database of another program; name another `state_dir`")
    if version > SCHEMA_VERSION:
        raise ConfigError(
            f"`{path}` was written by a newer Interlock (its schema is {version}, this one "
            f"reads up to {SCHEMA_VERSION}); run the newer one, or name another `state_dir`"
        )
    if is_read_only:
        return
    _set_durability(connection, path, synchronous)
    if is_new:
        _make_tables(connection, TABLES + SINCE_VERSION_2)
        return
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise _damaged(path, verdict)
    if version < SCHEMA_VERSION:
        _make_tables(connection, SINCE_VERSION_2)


def _set_durability(connection: sqlite3.Connection, path: Path, synchronous: Synchronous) -> None:
    journal = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if journal != "wal":
        raise ConfigError(
            f"`{path}`: this file system does not support SQLite's write-ahead log; "
            "put `state_dir` on a local disk"
        )
    connection.execute(f"PRAGMA synchronous = {'FULL' if synchronous == 'full' else 'NORMAL'}")
    connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES_MAX}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")


def _make_tables(connection: sqlite3.Connection, tables: str) -> None:
    """All or nothing: a process killed here leaves a file of the version that it was of."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in tables.split(";"):
        if statement.strip():
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _number(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def _damaged(path: Path, detail: str) -> StoreError:
    return StoreError(
        f"`{path}` is damaged ({detail}): its contents cannot be trusted. "
        "Keep the file for examination, restore a copy or name another `state_dir`, and let "
        "the monitor read its topics again from their beginning"
    )
