"""Rows of the store: how each value is written, sealed, and read back.

Every function runs inside a transaction of its caller. A *seal* is a short digest in front of a
value, over the value and its place: SQLite notices a torn page, but not a flipped bit in a blob,
and a state that is silently another one would make a wrong verdict.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from ..findings.model import Finding
from ..response.plan import URGENCY, Action
from .records import Change, OutboxLetter, ScopeWrite
from .schema import StoreError

SEAL_BYTES: Final = 8
TIME_NS_MAX: Final = 2**63 - 1
HEADER: Final = ""
"""The name of the header, where otherwise the digest of an invariant names a state."""


def sealed(value: bytes, scope: str, name: str) -> bytes:
    """`value` with its seal; `name` is the invariant's digest, or `HEADER`."""
    return _seal(value, scope, name) + value


def unsealed(stored: bytes, scope: str, name: str) -> bytes:
    """The original value.

    Raises
    ------
    StoreError
        It differs from the value written at this place.
    """
    seal, value = stored[:SEAL_BYTES], stored[SEAL_BYTES:]
    if seal != _seal(value, scope, name):
        what = f"the state of invariant {name}" if name else "the header"
        shown = scope[:100].encode("unicode_escape", "backslashreplace").decode("ascii")
        raise StoreError(
            f"{what} of scope `{shown}` is damaged in the state file; restore a copy of it, or "
            "name another `state_dir` and let the monitor read its topics again"
        )
    return value


def write_positions(connection: sqlite3.Connection, change: Change) -> None:
    """Streams that are gone first, then those that moved."""
    connection.executemany(
        "DELETE FROM positions WHERE topic = ? AND partition = ?",
        [(stream.topic, stream.partition) for stream in change.positions_dropped],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?)",
        [
            (stream.topic, stream.partition, position.next_offset, position.file_identity)
            for stream, position in change.positions.items()
        ],
    )


def drop_scope(connection: sqlite3.Connection, scope: str) -> None:
    """Delete the stored content of a scope."""
    query = "DELETE FROM scopes WHERE scope = ? RETURNING scope_id"
    for (scope_id,) in connection.execute(query, (scope,)).fetchall():
        connection.execute("DELETE FROM states WHERE scope_id = ?", (scope_id,))
        connection.execute("DELETE FROM seen WHERE scope_id = ?", (scope_id,))


def write_scopes(
    connection: sqlite3.Connection, scopes: Iterable[ScopeWrite], ids_max: int
) -> None:
    """Of each scope the header, the states that changed, the ids that came."""
    # Ids of scopes only grow: a greater one is of a scope that has nothing stored.
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'scopes'").fetchone()
    greatest_id = 0 if row is None else int(row[0])
    for written in scopes:
        scope_id = _write_scope(connection, written)
        if written.seen:
            is_new = scope_id > greatest_id
            last = 0 if is_new else _last_number(connection, scope_id)
            _write_seen(connection, scope_id, written.seen, last, ids_max)
        greatest_id = max(greatest_id, scope_id)


def _write_scope(connection: sqlite3.Connection, written: ScopeWrite) -> int:
    """All but the ids; returns the number of the scope."""
    row = connection.execute(
        "INSERT INTO scopes (scope, header, wake_ns) VALUES (?, ?, ?) "
        "ON CONFLICT (scope) DO UPDATE SET header = excluded.header, "
        "wake_ns = excluded.wake_ns RETURNING scope_id",
        (written.scope, sealed(written.header, written.scope, HEADER), _stored_ns(written.wake_ns)),
    ).fetchone()
    scope_id = int(row[0])
    connection.executemany(
        "INSERT OR REPLACE INTO states VALUES (?, ?, ?)",
        [
            (scope_id, digest, sealed(state, written.scope, digest))
            for digest, state in written.states.items()
        ],
    )
    return scope_id


def insert_findings(
    connection: sqlite3.Connection, findings: Iterable[Finding], now_ns: int
) -> tuple[tuple[Finding, ...], dict[str, Finding]]:
    """The findings that are new or have grown, once each, and the earlier records of the latter."""
    written: dict[str, Finding] = {}
    before: dict[str, Finding] = {}
    for finding in findings:
        known = _stored_finding(connection, finding.id) if finding.is_growing else None
        if not _insert_finding(connection, finding, now_ns):
            continue
        if known is not None and finding.id not in written:
            before[finding.id] = known
        written[finding.id] = finding
    return tuple(written.values()), before


def _stored_finding(connection: sqlite3.Connection, id_: str) -> Finding | None:
    row = connection.execute("SELECT json FROM findings WHERE id = ?", (id_,)).fetchone()
    return None if row is None else msgspec.json.decode(row[0], type=Finding)


def _insert_finding(connection: sqlite3.Connection, finding: Finding, now_ns: int) -> bool:
    """False if its id is known: then nothing is written.

    A group or a run that has grown replaces its stored record, is published again, and is as old as
    its last record: else retention would delete it, and its next record would lack its witness.
    """
    known = (
        "DO UPDATE SET invariant = excluded.invariant, severity = excluded.severity, "
        "json = excluded.json, stored_ns = excluded.stored_ns, is_published = 0 "
        "WHERE json <> excluded.json"
        if finding.is_growing
        else "DO NOTHING"
    )
    cursor = connection.execute(
        "INSERT INTO findings (id, session, invariant, severity, type, stored_ns, json) "  # noqa: S608
        f"VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) {known}",
        (
            finding.id,
            finding.session,
            finding.invariant,
            finding.severity,
            finding.type,
            now_ns,
            msgspec.json.encode(finding),
        ),
    )
    return cursor.rowcount == 1


def insert_action(connection: sqlite3.Connection, action: Action, now_ns: int) -> bool:
    """False if its id is known: then nothing is written."""
    cursor = connection.execute(
        "INSERT INTO actions "
        "(id, finding, kind, target, mode, state, urgency, stored_ns, outcome, json) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (
            action.id,
            action.finding,
            action.kind,
            action.target,
            action.mode,
            action.state,
            URGENCY[action.kind],
            now_ns,
            f"superseded: {action.reason}" if action.state == "done" else "",
            msgspec.json.encode(action),
        ),
    )
    return cursor.rowcount == 1


def insert_letters(connection: sqlite3.Connection, letters: Sequence[OutboxLetter]) -> None:
    connection.executemany(
        "INSERT INTO dead_letters (origin, json) VALUES (?, ?)",
        [(letter.origin, letter.json) for letter in letters],
    )


def set_meta(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def _last_number(connection: sqlite3.Connection, scope_id: int) -> int:
    query = "SELECT coalesce(max(number), 0) FROM seen WHERE scope_id = ?"
    return int(connection.execute(query, (scope_id,)).fetchone()[0])


def _write_seen(
    connection: sqlite3.Connection,
    scope_id: int,
    seen: Sequence[tuple[bytes, bytes]],
    last: int,
    ids_max: int,
) -> None:
    """Ids after the one with the number `last` (0: none).

    Numbers are dense in each scope, so that the oldest beyond the bound are one range.
    """
    connection.executemany(
        "INSERT INTO seen VALUES (?, ?, ?, ?)",
        [
            (scope_id, number, id_hash, content)
            for number, (id_hash, content) in enumerate(seen, last + 1)
        ],
    )
    beyond = last + len(seen) - ids_max
    if beyond > 0:
        connection.execute(
            "DELETE FROM seen WHERE scope_id = ? AND number <= ?", (scope_id, beyond)
        )


def _stored_ns(time_ns: int | None) -> int | None:
    """As SQLite holds it: an event may claim a time that no 64 bits carry, and must not stop us."""
    return None if time_ns is None else max(min(time_ns, TIME_NS_MAX), -TIME_NS_MAX)


def _seal(value: bytes, scope: str, name: str) -> bytes:
    place = f"{len(scope)}:{scope}:{name}".encode()
    key = blake2b(place, digest_size=16).digest()
    return blake2b(value, digest_size=SEAL_BYTES, key=key).digest()
