"""Puts a gate together from its settings, with the state that its log and its store have.

The store has the kernel's states and the book as of the last checkpoint, with the log's place. What
the log has behind it is taken in again, before the first answer.
"""

from __future__ import annotations

import dataclasses
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

from invariants.model.errors import ConfigError
from monitor.clock import Clock
from monitor.config.table import Settings
from monitor.gate.book import Book
from monitor.gate.budget import ByteBudget
from monitor.gate.claims import FOLDER, Claims, FileClaims, hold_name, make_own_folder
from monitor.gate.errors import NotReadyError
from monitor.gate.freshness import Freshness
from monitor.gate.gate import Gate
from monitor.gate.log import GateLog, LogPlace
from monitor.gate.recorder import Recorder
from monitor.gate.recovery import records_behind
from monitor.gate.stops import Stops
from monitor.gate.topic_claims import TopicClaims
from monitor.kernel.kernel import Kernel
from monitor.log import say
from monitor.principals.model import Principals
from monitor.scope_key import scope_named
from monitor.service.loop import scope_loader
from monitor.service.program import kernel_settings, open_births, open_program, tell_of_change
from monitor.store.lock import StateLock
from monitor.store.records import Change, Position
from monitor.store.store import STORE_FILE, Store
from monitor.topics import GATE
from monitor.trace_key import TraceKey
from monitor.transport.base import ClaimLog, ControlReader, RulingSource, Stream

MARK_FILE: Final = "gate-log-end"


class GateOptions(msgspec.Struct, frozen=True):
    """Where a gate's log is, and who may decide without a file of principals."""

    log_dir: Path
    is_synced: bool = False
    operators: frozenset[str] = frozenset()
    view_age_ns: int | None = None
    """How long ago monitors may have judged what other gates saw; None: there is no other gate."""


def uid_principal(uid: int) -> str:
    """The principal of a user of this machine whom no file names."""
    return f"uid-{uid}"


def own_operators() -> frozenset[str]:
    """Without a file of principals: the gate's own user, and root."""
    return frozenset({uid_principal(os.geteuid()), uid_principal(0)})


def open_gate(
    settings: Settings,
    options: GateOptions,
    clock: Clock,
    stack: ExitStack,
    *,
    principals: Principals | None = None,
    control: ControlReader | None = None,
    claim_log: ClaimLog | None = None,
    rulings: RulingSource | None = None,
) -> Gate:
    """Open everything, and take in what the log has behind the last checkpoint; `stack` closes it.

    `claim_log` is shared with gates elsewhere; without one, claims are files beside the log.
    `rulings` are decisions of operators that do not come over HTTP.

    Raises
    ------
    InterlockError, OSError
        With nothing kept.
    """
    state_dir = Path(settings.state_dir)
    lock = stack.enter_context(StateLock(state_dir))
    program = open_program(settings, state_dir, keeps_image=True)
    store = Store(
        state_dir / STORE_FILE,
        clock=clock,
        synchronous=settings.store_synchronous,
        ids_max=settings.ids_max,
    )
    stack.callback(store.close)
    tell_of_change(store, program, principals)
    births = open_births(store, program, clock.now_ns())
    own = kernel_settings(settings, births, principals, trusts_ts=False, is_finished_file=False)
    # Its own events never come late: deadlines are decided at once.
    own = dataclasses.replace(own, gate_lateness_ns=0)
    kernel = Kernel(program, own, scope_loader(store))
    _own_folders(options.log_dir, store.identity, stack)
    claims: Claims = FileClaims(options.log_dir, store.identity)
    if claim_log is not None:
        lease_ns = settings.gate.claim_lease_ns
        claims = _topic_claims(claim_log, store.identity, lease_ns, lock.place, clock, stack=stack)
    mark_file = state_dir / MARK_FILE
    log = GateLog(options.log_dir, store.identity, mark_file, is_synced=options.is_synced)
    stack.callback(log.close)
    recorder = Recorder(
        kernel,
        log,
        Book(scope_loader(store)),
        name=store.identity,
        clock=clock,
        principals=principals,
        budget=ByteBudget(settings.gate.principal_bytes_per_hour),
        stops_principals=settings.respond_principal,
        claims_trouble=lambda: claims.trouble,
    )
    keeper = _Keeper(store, recorder, log, claims)
    keeper.recover()
    if isinstance(claims, TopicClaims):
        claims.adopt(recorder.book.has)
        claims.start()
    # After an error of ours the state may be wrong; the log is right, and the next start reads it.
    stack.push(lambda kind, error, trace: None if kind else keeper.keep())
    stops = Stops(control, settings.respond_quarantine_ttl_ns)
    freshness = Freshness(program, stops, options.view_age_ns, own.mode_cap)
    gate = Gate(
        recorder,
        stops,
        freshness,
        claims=claims,
        rulings=rulings,
        operators=options.operators,
        invariants=frozenset(c.declared.id for c in program.invariants),
        refuses_contested=settings.mode != "observe",
        denies_blind=settings.gate.omitted_args == "deny",
        checkpoint=keeper.keep,
        needed_file=keeper.needed_file,
    )
    _complete(gate)
    return gate


def _own_folders(log_dir: Path, name: str, stack: ExitStack) -> None:
    for folder in (GATE, FOLDER):
        make_own_folder(log_dir / folder)
    stack.callback(os.close, hold_name(log_dir, name))


def _complete(gate: Gate) -> None:
    """Answer what was decided before a kill, and end the exceptions that are over. ConfigError."""
    try:
        gate.complete()
        gate.end_exceptions()
    except NotReadyError as error:
        raise ConfigError(f"what was decided cannot be recorded: {error}") from None


def _topic_claims(
    log: ClaimLog, name: str, lease_ns: int, place: str, clock: Clock, *, stack: ExitStack
) -> TopicClaims:
    """The claims of this gate among those of others, as its last run."""
    claims = TopicClaims(log, name, lease_ns=lease_ns, place=place, clock=clock)
    stack.callback(claims.close)
    claims.begin()
    return claims


class _Keeper:
    """Checkpoints of one gate: its kernel and its book, with the place of its log."""

    def __init__(self, store: Store, recorder: Recorder, log: GateLog, claims: Claims) -> None:
        self._store, self._recorder, self._log, self._claims = store, recorder, log, claims
        self._kept = LogPlace()

    def recover(self) -> None:
        """Take in the records behind the last checkpoint.

        Raises
        ------
        ConfigError
            A part of the log that is needed is not there.
        """
        self._kept = self._stored()
        self._recorder.kernel.expect(self._store.load_deadlines())
        count = 0
        for value, line in records_behind(self._log, self._kept, self._recorder.book):
            count += 1
            self._recorder.take_again(value, line)
        if count:
            say("info", "gate_recovered", records=count)
        self.keep()

    def needed_file(self) -> str:
        """The first file of the log that a restart reads."""
        return self._log.file_of(self._kept)

    def keep(self) -> None:
        """Write what changed, with the end of the log; without it, a restart reads more of it."""
        if self._recorder.trouble:
            return
        try:
            place = self._log.place()
        except OSError as error:
            say("error", "gate_checkpoint_failed", text=error.strerror or type(error).__name__)
            return
        self._write(place)

    def _write(self, place: LogPlace) -> None:
        kernel, book = self._recorder.kernel, self._recorder.book
        changes, dropped = kernel.take_changes()
        # A session that was evicted and has events again goes on with its numbers: its ids were
        # given away.
        there = {change.scope for change in changes}
        evicted = (scope_named(name) for name in dropped if name not in there)
        gone = [key for key in evicted if isinstance(key, TraceKey)]
        rows, rows_dropped = book.take_changes(gone)
        if not (changes or dropped or rows) and place == self._kept:
            return
        before = self._kept
        self._store.commit(
            Change(
                positions={_stream(place): Position(place.offset)} if place.number else {},
                positions_dropped=[_stream(before)] if 0 < before.number < place.number else (),
                scopes=[*changes, *rows],
                dropped=[*dropped, *rows_dropped],
            )
        )
        self._kept = place
        for key in gone:
            self._claims.release(key)

    def _stored(self) -> LogPlace:
        places = [
            LogPlace(int(stream.partition), position.next_offset)
            for stream, position in self._store.load_positions().items()
            if stream.topic == GATE
        ]
        return max(places, default=LogPlace())


def _stream(place: LogPlace) -> Stream:
    return Stream(GATE, str(place.number))
