"""Claims of sessions on a topic, for gates on several hosts: the order of the log decides.

    take(key)      on the gate's thread: known, or refused, or pending
    a turn         on a thread of its own: append what is new, read up to it, decide

A gate appends its claim and reads the log up to it. The first claim of the session that is not
released has it, for every reader. A later claim is a loss, and is released by its writer.

Runs and leases are for two processes with one name (a copied state directory), and for a gate that
an operator retires: the last run of a name counts. From its own latest record in the log, a run
knows that it counted then. If that is `lease_ns` ago, it answers nothing. A later run waits that
long before it answers. So there are never two owners, and no clocks are compared, only durations.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

import msgspec

from invariants.model.errors import ConfigError
from invariants.model.event import SECOND_NS
from monitor.clock import Clock
from monitor.gate.claim_view import (
    ClaimView,
    Run,
    claim_key,
    claim_value,
    run_key,
    run_value,
)
from monitor.gate.claims import CLAIMED_TEXT
from monitor.gate.errors import ClaimPendingError, ConflictError, NotReadyError
from monitor.log import say
from monitor.topics import CLAIMS
from monitor.trace_key import TraceKey
from monitor.transport.base import ClaimEntry, ClaimLog, ForeignLogError

CLAIMS_MAX: Final = 1_000_000
"""Chosen: the claims of all gates that one keeps in memory. Beyond, no session begins."""
LOOK_S: Final = 0.1
"""Chosen: how soon a gate knows that another one has released a session."""
READ_S: Final = 5.0
START_S: Final = 60.0
"""Chosen: a million claims are read in some ten seconds."""
RENEWALS: Final = 4
"""Chosen: attempts within a lease to confirm it."""
PAUSE_S: Final = 1.0
"""Chosen: behind a failure, before the next attempt."""
CHUNK: Final = 1_000
"""Chosen: records that are written at a time."""
_POLL_S: Final = 0.05


def read_to(
    log: ClaimLog,
    end: int,
    timeout_s: float,
    clock: Clock,
    take_in: Callable[[list[ClaimEntry]], None],
) -> None:
    """Take in a log up to an offset, and perhaps more. Raises TimeoutError, and as `log.read`."""
    until_ns = clock.monotonic_ns() + int(timeout_s * SECOND_NS)
    while log.position() < end:
        if clock.monotonic_ns() > until_ns:
            raise TimeoutError(f"`{CLAIMS}` was not read to its end within {timeout_s:g} s")
        # Each part is taken in at once: what was read does not come again.
        take_in(log.read(_POLL_S))


class TopicClaims:
    """The claims of one gate. `place` is that of its state directory, see `Run`."""

    def __init__(
        self,
        log: ClaimLog,
        name: str,
        *,
        lease_ns: int,
        place: str,
        clock: Clock,
    ) -> None:
        self._log, self._name, self._clock = log, name, clock
        self._run_id = _new_id()
        self._own = Run(epoch=0, lease_ns=lease_ns, place=place)
        self._lock = threading.Lock()
        """Of everything below: the gate's thread asks, and the other one answers."""
        self._view = ClaimView()
        self._confirmed_ns = 0
        self._lost = ""
        """Why this run may answer nothing any more."""
        self._asked: dict[TraceKey, Future[None]] = {}
        self._new: list[TraceKey] = []
        self._writes: list[ClaimEntry] = []
        self._failure = ""
        self._has_rivals = False
        """True if an earlier run was there that may still write to the topic."""
        self._wake, self._is_closing = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="gate-claims")

    @property
    def trouble(self) -> str:
        """Why the gate may answer nothing now; empty while its sessions are its own."""
        if self._lost:
            return self._lost
        lease_ns = self._own.lease_ns
        if self._clock.monotonic_ns() - self._confirmed_ns < lease_ns:
            return ""
        reason = self._failure or "no answer yet"
        return (
            f"`{CLAIMS}` has not confirmed within `gate.claim_lease` ({lease_ns // SECOND_NS} s) "
            f"that this gate has its sessions ({reason}); check the brokers"
        )

    @property
    def count(self) -> int:
        """The claims of all gates that are not released."""
        return self._view.count

    def begin(self) -> None:
        """Read the topic, and become the gate's last run.

        It waits for the lease of an earlier run that may still answer.

        Raises
        ------
        ConfigError
            The gate was retired, or another run of it began at the same time.
        OSError
            The topic cannot be read or written.
        """
        read_to(self._log, self._log.end(START_S), START_S, self._clock, self._take_in)
        last = self._view.last_run(self._name)
        epoch = 1 if last is None else last[1].epoch + 1
        self._own = msgspec.structs.replace(self._own, epoch=epoch)
        if last is not None and last[1].state == "retired":
            raise ConfigError(
                f"an operator has retired this gate (`{self._name}`), and its sessions may be "
                "those of other gates; begin with another `state_dir`"
            )
        self._write([self._own_record()])
        if self._lost:
            raise ConfigError(self._lost)
        rivals = self._rivals()
        self._has_rivals = bool(rivals)
        if rivals:
            wait_ns = max(run.lease_ns for run in rivals)
            say("info", "gate_waits_for_lease", seconds=wait_ns // SECOND_NS)
            self._wait(wait_ns)
        earlier = self._view.runs_of(self._name).keys() - {self._run_id}
        ended = [(run_key(self._name, run), None) for run in sorted(earlier)]
        self._write([*ended, self._own_record()])
        if self._lost:
            raise ConfigError(self._lost)

    def adopt(self, is_known: Callable[[TraceKey], bool]) -> None:
        """Go on with the sessions that the gate's state knows, and release the others: they never
        began, or were forgotten before a kill.

        An earlier run that may still be there, asleep, could release its claims at any time. So
        behind such a run each session is claimed again, by an id of which that run does not know.

        Raises
        ------
        ConfigError
            A later run of this gate has begun.
        OSError
            The topic cannot be read or written.
        """
        with self._lock:
            for key in self._view.sessions_of(self._name):
                is_ours = is_known(key) and self._view.holder(key) == self._name
                if is_ours and not self._has_rivals:
                    continue
                for id_ in self._view.claims_of(key, self._name):
                    self._release(key, id_)
                if is_ours:
                    self._writes.append(self._claim_record(key, _new_id()))
            records, self._writes = [*self._writes, self._own_record()], []
        for start in range(0, len(records), CHUNK):
            self._write(records[start : start + CHUNK])
        if self._lost:
            raise ConfigError(self._lost)

    def start(self) -> None:
        """Begin to claim, and to follow what others claim."""
        self._thread.start()

    def take(self, key: TraceKey) -> None:
        """Claim a session. Raises ConflictError, NotReadyError, ClaimPendingError."""
        if trouble := self.trouble:
            raise NotReadyError(trouble)
        with self._lock:
            holder = self._view.holder(key)
            if holder == self._name:
                return
            if holder is not None:
                raise ConflictError(CLAIMED_TEXT)
            claimed = self._asked.get(key)
            if claimed is None:
                claimed = self._ask(key)
        self._wake.set()
        raise ClaimPendingError(claimed)

    def keep(self, key: TraceKey) -> None:
        """A session that began elsewhere, or before there were claims, needs one now."""
        self.take(key)

    def release(self, key: TraceKey) -> None:
        """The session is forgotten: any gate may begin it anew."""
        with self._lock:
            for id_ in self._view.claims_of(key, self._name):
                self._release(key, id_)

    def close(self) -> None:
        """Write what is left, and that this run has ended. Safe to call twice."""
        self._is_closing = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _ask(self, key: TraceKey) -> Future[None]:
        if self._view.count + len(self._asked) >= CLAIMS_MAX:
            raise NotReadyError(
                f"all gates have {CLAIMS_MAX} sessions, which is the maximum; retire gates that "
                "are gone (`interlock gate retire`), or shorten `linger`"
            )
        claimed: Future[None] = Future()
        # A request that gives up must not cancel it for others.
        claimed.set_running_or_notify_cancel()
        self._asked[key] = claimed
        self._new.append(key)
        return claimed

    def _release(self, key: TraceKey, id_: str) -> None:
        # At once in our own view: a session that begins anew before the record is there must not
        # rely on a claim that is about to go.
        self._view.release(key, id_)
        self._writes.append((claim_key(key, id_), None))

    def _run(self) -> None:
        try:
            while not self._is_closing and not self._lost:
                self._turn()
                self._wake.wait(PAUSE_S if self._failure else LOOK_S)
                self._wake.clear()
            if not self._lost:
                self._own = msgspec.structs.replace(self._own, state="stopped")
                self._turn()
        finally:
            self._lose("the thread of the claims has ended; restart the gate")

    def _turn(self) -> None:
        is_last = self._own.state == "stopped"
        with self._lock:
            new, self._new = ([] if is_last else self._new), []
            writes, self._writes = self._writes, []
        claims = {key: _new_id() for key in new}
        records = [
            *writes,
            *(self._claim_record(key, id_) for key, id_ in claims.items()),
        ]
        try:
            if is_last or self._is_due():
                records.append(self._own_record())
            if records:
                self._write(records)
            else:
                self._take_in(self._log.read(0))
        except ForeignLogError as error:
            self._lose(f"{error}; restart all gates, and let agents open new sessions")
        except OSError as error:
            self._fail(str(error), claims, writes)
        else:
            if not self._lost:  # Else all who asked know it already.
                self._settle(claims)

    def _is_due(self) -> bool:
        age_ns = self._clock.monotonic_ns() - self._confirmed_ns
        return age_ns >= self._own.lease_ns // RENEWALS

    def _write(self, records: list[ClaimEntry]) -> None:
        """Append, read up to it, and know that this run counted as of before."""
        before_ns = self._clock.monotonic_ns()
        end = self._log.append(records)
        if end < self._log.position():
            raise ForeignLogError(f"`{CLAIMS}` is shorter than it was")
        read_to(self._log, end, READ_S, self._clock, self._take_in)
        last = self._view.last_run(self._name)
        assert last is not None, "this run was there before, and a later one takes its place"
        if last[0] == self._run_id:
            self._confirmed_ns = before_ns
        elif last[1].state == "retired":
            self._lose(f"an operator has retired this gate (`{self._name}`)")
        else:
            self._lose(
                f"another process goes on with the sessions of this gate (`{self._name}`): "
                "its state directory was copied"
            )

    def _take_in(self, entries: list[ClaimEntry]) -> None:
        with self._lock:
            for key, value in entries:
                if not self._view.apply(key, value):
                    say("error", "gate_claims_unreadable", key=key)

    def _settle(self, claims: dict[TraceKey, str]) -> None:
        """Every claim that was written is won, or is lost and released."""
        self._failure = ""
        with self._lock:
            for key, id_ in claims.items():
                if self._view.holder(key) != self._name:
                    self._release(key, id_)
                self._asked.pop(key).set_result(None)

    def _fail(self, reason: str, claims: dict[TraceKey, str], writes: list[ClaimEntry]) -> None:
        """A claim whose fate is not known may be ours later: it is then as good as another."""
        if reason != self._failure:
            say("error", "gate_claims_failed", text=reason)
        self._failure = reason
        with self._lock:
            self._writes = [*writes, *self._writes]
            for key in claims:
                error = NotReadyError(f"the session cannot be claimed ({reason}); ask again")
                self._asked.pop(key).set_exception(error)

    def _lose(self, reason: str) -> None:
        if not self._lost:
            self._lost = reason
            if not self._is_closing:
                say("error", "gate_claims_lost", text=reason)
        with self._lock:
            asked, self._asked, self._new = self._asked, {}, []
            for claimed in asked.values():
                claimed.set_exception(NotReadyError(reason))

    def _own_record(self) -> ClaimEntry:
        return run_key(self._name, self._run_id), run_value(self._own)

    def _claim_record(self, key: TraceKey, id_: str) -> ClaimEntry:
        return claim_key(key, id_), claim_value(self._name)

    def _rivals(self) -> list[Run]:
        """The runs of this gate that may still answer."""
        place = self._own.place
        return [
            run
            for id_, run in self._view.runs_of(self._name).items()
            if id_ != self._run_id and run.state == "runs" and not (place and run.place == place)
        ]

    def _wait(self, wait_ns: int) -> None:
        until_ns = self._clock.monotonic_ns() + wait_ns
        while self._clock.monotonic_ns() < until_ns:
            self._wake.wait(LOOK_S)


def _new_id() -> str:
    return os.urandom(8).hex()
