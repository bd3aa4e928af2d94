"""The monitor's only store: positions, states, and an outbox of findings and actions (SQLite).

The changes of a batch are written in one transaction (`commit`), together with the positions that
they include. After a crash the store is in the state after some batch, and reading continues from
there. A finding or action with a known id is not stored again, so that a record that is read twice
has no second effect. Effects are taken from here after they were stored, and marked.

Used by one thread of one process (`lock.py`); others may read it with `is_read_only`. With
`synchronous="normal"` a power cut may undo the last batches, together with their positions. They
are read again, and an effect may be repeated under the same id.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from interlock.limits import NUMBER_MAX
from invariants.spec.model import ActionKind

from ..clock import Clock
from ..findings.incident import incident_of
from ..findings.model import Finding
from ..response.breaker import BREAKER_WINDOW_NS, Stopped
from ..response.plan import Action
from ..transport.base import Stream
from .names import StoredNames
from .records import (
    NOTHING_STORED,
    ActionMark,
    Backlog,
    Change,
    Committed,
    FindingFilter,
    LongestWaits,
    OutboxFinding,
    OutboxLetter,
    Position,
    StoredAction,
    StoredFinding,
    StoredScope,
)
from .rows import (
    HEADER,
    drop_scope,
    insert_action,
    insert_findings,
    insert_letters,
    set_meta,
    unsealed,
    write_positions,
    write_scopes,
)
from .schema import StoreError, Synchronous, open_database

__all__ = ["Store", "StoreError"]

PRUNED_MAX: Final = 2_000  # Findings in one call of `prune`. Chosen: a few ms of the loop's time.
STORE_FILE: Final = "state.sqlite"

Record = TypeVar("Record", Finding, Action)


class Store:
    """See the module. Every method may raise `StoreError`; then nothing of the call was stored."""

    def __init__(
        self,
        path: str | Path,
        *,
        clock: Clock,
        synchronous: Synchronous = "full",
        ids_max: int = 10_000,
        is_read_only: bool = False,
        new_identity: Callable[[], str] = lambda: os.urandom(4).hex(),
    ) -> None:
        self._path = Path(path)
        self._clock = clock
        self._ids_max = ids_max
        self._connection = open_database(self._path, synchronous, is_read_only=is_read_only)
        self._names = None if is_read_only else StoredNames(self._read_names)
        """A reader beside the monitor does not hear of later scopes."""
        if not is_read_only and self.meta("identity") is None:
            self.set_meta("created_ns", str(clock.now_ns()))
            self.set_meta("identity", new_identity())

    def close(self) -> None:
        """Let go of the file. Safe to call twice."""
        self._connection.close()

    # What the monitor is.

    def meta(self, name: str) -> str | None:
        """A fact about the store itself, such as `program_digest`."""
        row = self._row("SELECT value FROM meta WHERE name = ?", (name,))
        return None if row is None else str(row[0])

    def set_meta(self, name: str, value: str) -> None:
        with self._transaction() as connection:
            set_meta(connection, name, value)

    @property
    def identity(self) -> str:
        """A random identity, created with the file; it distinguishes monitors on the control
        topic.
        """
        identity = self.meta("identity")
        assert identity is not None
        return identity

    def next_epoch(self, issuer: str, told: int = 0) -> int:
        """A number greater than all previous ones, for this issuer's control records.

        `told` is the greatest on the control topic: a store that was restored under a clock that
        was also set back must not be fenced by the run that it has lost. It is counted in
        milliseconds since 1970, so that it also grows if both were lost.
        """
        name = f"epoch:{issuer}"
        known = min(max(int(self.meta(name) or 0), told), NUMBER_MAX - 1)
        epoch = max(known + 1, self._clock.now_ns() // 1_000_000)
        self.set_meta(name, str(epoch))
        return epoch

    # Positions and states.

    def load_positions(self) -> dict[Stream, Position]:
        """The position from which to continue reading, per stream."""
        rows = self._rows("SELECT topic, partition, next_offset, file_identity FROM positions")
        return {Stream(row[0], row[1]): Position(row[2], row[3]) for row in rows}

    def load_scope(self, scope: str) -> StoredScope:
        """The stored content of a scope; no header and no states if it is unknown.

        Raises
        ------
        StoreError
            A value differs from the one written: it must not be taken for an empty state.
        """
        if self._names is not None and not self._names.may_have(scope):
            return NOTHING_STORED
        row = self._row("SELECT scope_id, header FROM scopes WHERE scope = ?", (scope,))
        if row is None:
            return NOTHING_STORED
        states = self._rows(
            "SELECT invariant_digest, state FROM states WHERE scope_id = ?", (row[0],)
        )
        header = unsealed(row[1], scope, HEADER)
        return StoredScope(header, {d: unsealed(state, scope, d) for d, state in states})

    def load_seen(self, scope: str) -> dict[bytes, bytes]:
        """Event ids seen (hash -> digest of the content), in the order in which they came."""
        rows = self._rows(
            "SELECT id_hash, content FROM seen WHERE scope_id = "
            "(SELECT scope_id FROM scopes WHERE scope = ?) ORDER BY number",
            (scope,),
        )
        seen: dict[bytes, bytes] = {}
        for id_hash, content in rows:
            seen.pop(id_hash, None)
            seen[id_hash] = content
        return seen

    def load_deadlines(self) -> list[tuple[int, str]]:
        """Every time at which a scope must be looked at, with the scope; the earliest first."""
        query = (
            "SELECT wake_ns, scope FROM scopes WHERE wake_ns IS NOT NULL ORDER BY wake_ns, scope"
        )
        return [(int(row[0]), str(row[1])) for row in self._rows(query)]

    def commit(self, change: Change) -> Committed:
        """Write one batch as a whole or not at all; returns the findings and actions that were new.

        Scopes are dropped before others are written: a scope in both begins anew.
        """
        with self._transaction() as connection:
            write_positions(connection, change)
            for scope in change.dropped:
                drop_scope(connection, scope)
            write_scopes(connection, change.scopes, self._ids_max)
            now_ns = self._clock.now_ns()
            findings, before = insert_findings(connection, change.findings, now_ns)
            actions = [a for a in change.actions if insert_action(connection, a, now_ns)]
            insert_letters(connection, change.letters)
        if self._names is not None:
            self._names.change(change.dropped, (written.scope for written in change.scopes))
        return Committed(findings, tuple(actions), len(change.letters), before)

    # The outbox.

    def pending_findings(self, limit: int) -> list[OutboxFinding]:
        """Findings that are not published yet, the oldest first."""
        rows = self._rows(
            "SELECT seq, id, session, json, attempts FROM findings "
            "WHERE is_published = 0 ORDER BY seq LIMIT ?",
            (limit,),
        )
        return [OutboxFinding(*row) for row in rows]

    def mark_published(self, ids: Iterable[str]) -> None:
        self._each(
            "UPDATE findings SET is_published = 1, attempts = attempts + 1 WHERE id = ?", ids
        )

    def mark_unpublished(self, ids: Iterable[str]) -> None:
        """An attempt to publish these failed; they stay pending."""
        self._each("UPDATE findings SET attempts = attempts + 1 WHERE id = ?", ids)

    def pending_letters(self, limit: int) -> list[tuple[int, OutboxLetter]]:
        """Dead letters that are not published yet, the oldest first, with their numbers."""
        query = "SELECT seq, origin, json FROM dead_letters ORDER BY seq LIMIT ?"
        return [(row[0], OutboxLetter(row[1], row[2])) for row in self._rows(query, (limit,))]

    def forget_letters(self, numbers: Sequence[int]) -> None:
        """These are on their topic."""
        with self._transaction() as connection:
            connection.executemany(
                "DELETE FROM dead_letters WHERE seq = ?", [(number,) for number in numbers]
            )

    def pending_actions(self, now_ns: int, limit: int, longest: LongestWaits) -> list[StoredAction]:
        """Planned actions that are due: kills first, then quarantines, then alerts.

        A due time further in the future than the longest wait was set before the wall clock went
        back. It counts as due, or a stop would wait until the clock has caught up.
        """
        query = (
            "WHERE state = 'planned' AND (not_before_ns <= ? "
            "OR not_before_ns > CASE WHEN urgency < 2 THEN ? ELSE ? END) "
            "ORDER BY urgency, seq LIMIT ?"
        )
        latest_ns = now_ns + longest.stop_ns, now_ns + longest.other_ns
        return self._actions(query, (now_ns, *latest_ns, limit))

    def mark_actions(self, marks: Sequence[ActionMark]) -> None:
        """Record the outcomes of attempts in one transaction. `planned` means: retry later."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE actions SET state = ?, not_before_ns = ?, outcome = ?, "
                "attempts = attempts + ? WHERE id = ?",
                [(m.state, m.not_before_ns, m.outcome, m.is_attempt, m.id) for m in marks],
            )

    def known_actions(self, ids: Iterable[str]) -> frozenset[str]:
        """Those of the ids that are stored already: a repeat of them does nothing."""
        query = "SELECT 1 FROM actions WHERE id = ?"
        return frozenset(id_ for id_ in ids if self._row(query, (id_,)) is not None)

    def stops(self, now_ns: int) -> list[Stopped]:
        """Quarantines and kills of the hour before, each target once a kind, for the breaker."""
        rows = self._rows(
            "SELECT max(stored_ns), json FROM actions WHERE urgency < 2 "
            "AND state IN ('planned', 'done', 'failed') AND stored_ns > ? GROUP BY target, kind",
            (now_ns - BREAKER_WINDOW_NS,),
        )
        actions = [(row[0], self._decoded(row[1], Action)) for row in rows]
        return [Stopped(a.target, a.kind, a.principal, ns) for ns, a in actions]

    def stops_waiting(self) -> list[tuple[str, ActionKind]]:
        """Targets and kinds of the stops that were planned and are not carried out yet."""
        rows = self._rows(
            "SELECT DISTINCT target, kind FROM actions WHERE state = 'planned' AND urgency < 2"
        )
        return [(row[0], row[1]) for row in rows]

    # For people.

    def finding(self, id_: str) -> Finding | None:
        row = self._row("SELECT json FROM findings WHERE id = ?", (id_,))
        return None if row is None else self._decoded(row[0], Finding)

    def findings(self, wanted: FindingFilter) -> list[StoredFinding]:
        """Findings that match, the newest first."""
        where, values = wanted.condition()
        columns = "seq, stored_ns, is_published, attempts, json"
        query = f"SELECT {columns} FROM findings WHERE {where} ORDER BY seq DESC LIMIT ? OFFSET ?"  # noqa: S608
        rows = self._rows(query, (*values, wanted.limit, wanted.skipped))
        return [
            StoredFinding(row[0], row[1], bool(row[2]), row[3], self._decoded(row[4], Finding))
            for row in rows
        ]

    def count_findings(self, wanted: FindingFilter) -> int:
        """How many findings match, beyond `wanted.limit` too."""
        where, values = wanted.condition()
        row = self._row(f"SELECT count(*) FROM findings WHERE {where}", values)  # noqa: S608
        assert row is not None, "a count is one row"
        return int(row[0])

    def finding_of_incident(self, incident: str) -> str | None:
        """The finding that agents know as this incident. Cost: a hash for each finding."""
        for (id_,) in self._rows("SELECT id FROM findings ORDER BY seq DESC"):
            if incident_of(id_) == incident:
                return str(id_)
        return None

    def actions_of(self, finding_id: str) -> list[StoredAction]:
        """All planned actions of a finding, with their outcomes."""
        return self._actions("WHERE finding = ? ORDER BY urgency, seq", (finding_id,))

    def backlog(self) -> Backlog:
        """How much waits, and how much is held."""
        row = self._row(
            "SELECT (SELECT count(*) FROM scopes),"
            "(SELECT count(*) FROM findings WHERE is_published = 0),"
            "(SELECT count(*) FROM actions WHERE state = 'planned')"
        )
        assert row is not None
        return Backlog(*row)

    def prune(self, before_ns: int) -> int:
        """Delete published findings stored before a time, with their actions; returns the number.

        A finding with an action that is still to be carried out stays. Deletes at most
        `PRUNED_MAX`. If the same event of a deleted finding is judged again, the finding counts as
        new.
        """
        with self._transaction() as connection:
            rows = connection.execute(
                "SELECT seq, id FROM findings WHERE stored_ns < ? AND is_published = 1 "
                "AND NOT EXISTS (SELECT 1 FROM actions "
                "WHERE actions.finding = findings.id AND actions.state = 'planned') LIMIT ?",
                (before_ns, PRUNED_MAX),
            ).fetchall()
            connection.executemany("DELETE FROM actions WHERE finding = ?", [(r[1],) for r in rows])
            connection.executemany("DELETE FROM findings WHERE seq = ?", [(r[0],) for r in rows])
        return len(rows)

    # Inside.

    def _read_names(self, limit: int) -> list[str]:
        return [row[0] for row in self._rows("SELECT scope FROM scopes LIMIT ?", (limit,))]

    def _actions(self, rest: str, values: tuple[object, ...]) -> list[StoredAction]:
        columns = "json, state, attempts, not_before_ns, outcome, stored_ns"
        rows = self._rows(f"SELECT {columns} FROM actions {rest}", values)  # noqa: S608
        return [StoredAction(self._decoded(row[0], Action), *row[1:]) for row in rows]

    def _each(self, query: str, ids: Iterable[str]) -> None:
        with self._transaction() as connection:
            connection.executemany(query, [(id_,) for id_ in ids])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commits at the end; on any way out by an error, nothing of it was written."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _row(self, query: str, values: tuple[object, ...] = ()) -> Any:
        """The first row, or None."""
        rows = self._rows(query, values)
        return rows[0] if rows else None

    def _failed(self, error: sqlite3.Error) -> StoreError:
        return StoreError(
            f"`{self._path}`: {error}; look for a full or read-only disk, and for damage "
            "(`PRAGMA integrity_check`)"
        )

    def _decoded(self, json: bytes, kind: type[Record]) -> Record:
        try:
            return msgspec.json.decode(json, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StoreError(f"`{self._path}`: a stored record is damaged: {error}") from error
