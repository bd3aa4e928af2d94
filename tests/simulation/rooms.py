"""The monitor's own parts, each with a witness or a fault in front: store, engine, merger.

Subclasses and one proxy; what they do is what the real ones do, or a crash.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from invariants.model.event import Event
from invariants.runtime.program import Program
from monitor.clock import Clock
from monitor.detection.scoring import Scoring
from monitor.findings.model import Finding
from monitor.ingest.merge import Item, Merger
from monitor.ingest.rejected import Rejected
from monitor.ingest.sequence import Noticed
from monitor.kernel import prepared
from monitor.kernel.kernel import Kernel
from monitor.kernel.scope import LoadedScope
from monitor.kernel.settings import KernelSettings
from monitor.store.records import Change, Committed
from monitor.store.store import Store
from tests.simulation.faults import Crash, Faults
from tests.simulation.ledger import Ledger, Refused, Stepped, Ticked, Unread

POISON: Final = "poison"
"""A tool at whose events the simulated engine fails, as a fault of its own would make it."""


class FaultyConnection:
    """An SQLite connection at which the process may die, or the disk be full."""

    def __init__(
        self, connection: sqlite3.Connection, faults: Faults, after_commit: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._faults = faults
        self._after_commit = after_commit
        self.is_dead = False
        connection.execute("PRAGMA synchronous = OFF")  # No power is really cut here.

    def execute(self, query: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        self._before(query)
        cursor = self._connection.execute(query, values)
        if query == "COMMIT":
            self._after_commit()
            self._faults.crash_on("crash after COMMIT")
        return cursor

    def executemany(self, query: str, rows: Any) -> sqlite3.Cursor:
        self._before(query)
        return self._connection.executemany(query, rows)

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def close(self) -> None:
        self._connection.close()

    def copy_to(self, path: Path) -> None:
        """The database as it is now, for a power cut to come."""
        path.unlink(missing_ok=True)
        target = sqlite3.connect(path)
        self._connection.backup(target)
        target.close()

    def _before(self, query: str) -> None:
        if self.is_dead:
            raise Crash("dead already")
        faults = self._faults
        if query == "COMMIT":
            faults.crash_on("crash before COMMIT")
            if faults.strikes("COMMIT fails"):
                raise sqlite3.OperationalError("disk I/O error")
        elif query.startswith("BEGIN"):
            if faults.strikes("database locked"):
                raise sqlite3.OperationalError("database is locked")
        elif self.in_transaction and query != "ROLLBACK":
            faults.crash_on("crash inside a transaction")
            if faults.strikes("disk full"):
                raise sqlite3.OperationalError("database or disk is full")


class SimulatedStore(Store):
    """The store on a faulty connection; what it commits is told to the ledger."""

    def __init__(
        self,
        path: Path,
        *,
        faults: Faults,
        ledger: Ledger,
        identity: str,
        clock: Clock,
        **rest: Any,
    ) -> None:
        super().__init__(path, clock=clock, new_identity=lambda: identity, **rest)
        self.faulty = FaultyConnection(self._connection, faults, self._after_commit)
        self._connection = self.faulty  # type: ignore[assignment]
        self._faults = faults
        self._ledger = ledger
        self._writing: Change | None = None

    def commit(self, change: Change) -> Committed:
        self._faults.crash_on("crash before the store")
        self._writing = change
        try:
            return super().commit(change)
        finally:
            self._writing = None

    def _after_commit(self) -> None:
        """The file holds it: from here on it counts, whatever becomes of the process."""
        if self._writing is not None:
            self._ledger.commit(self._writing)
            self._writing = None


class WitnessedEngine(Kernel):
    """The engine; the ledger sees what it is given. It fails on `POISON`."""

    def __init__(
        self,
        program: Program,
        settings: KernelSettings,
        load: Callable[[str], LoadedScope],
        scoring: Scoring | None = None,
        *,
        ledger: Ledger,
    ) -> None:
        super().__init__(program, settings, load, scoring)
        self._ledger = ledger

    def take(self, given: Event, group: str = "") -> prepared.Stepped:
        if given.record.tool == POISON:
            raise RuntimeError("simulated: a fault of our own")
        at_hand, before = self._ledger.at_hand, self._duplicates_count
        traces, given_count = self.traces_of(given), len(at_hand.given)
        stepped = super().take(given, group)
        # An event that acts for nobody is refused within the step; it was given once.
        del at_hand.given[given_count:]
        is_duplicate = self._duplicates_count > before
        at_hand.given.append(Stepped(given, group, is_duplicate, traces))
        self._note(stepped.findings)
        return stepped

    def tick(self, time_ns: int, groups: frozenset[str] | None = None) -> list[Finding]:
        self._ledger.at_hand.given.append(Ticked(time_ns, groups))
        return self._note(super().tick(time_ns, groups))

    def refuse(self, event: Event, noticed: Noticed) -> list[Finding]:
        self._ledger.at_hand.given.append(Refused(event, noticed))
        return super().refuse(event, noticed)

    def unread(self, rejected: Rejected) -> list[Finding]:
        self._ledger.at_hand.given.append(Unread(rejected))
        return super().unread(rejected)

    def _note(self, findings: list[Finding]) -> list[Finding]:
        at_hand = self._ledger.at_hand
        for finding in findings:
            if not finding.is_of_known_run:
                at_hand.decided[finding.group or finding.id] = len(at_hand.taken)
            if finding.invariant:
                at_hand.verdicts.add(finding.id)
        return findings


class WitnessedMerger(Merger):
    """The merger; the ledger sees every record that it gives on."""

    def __init__(self, group_of: Callable[[Any], str], ledger: Ledger) -> None:
        super().__init__(group_of)
        self._ledger = ledger

    def next(self) -> Item | None:
        item = super().next()
        if item is None:
            self._ledger.at_hand.is_all_taken = True
        else:
            self._ledger.at_hand.taken.append(item)
        return item
