"""The records of the topic of claims, and what they say together: a pure fold over the log.

    ["claim", PRINCIPAL, SESSION, ID]   {"gate": NAME}         NAME claims a session
    ["gate", NAME, RUN]                 {"epoch": N, ...}      a run of a gate: one process
    the same key, no value              the claim is released, or the run forgotten

Each claim has a key of its own, so compaction never replaces one by another: the first claim of a
session that is not released stays the first, and its gate has the session. Runs are ordered by
(epoch, run), and not by the log, since compaction keeps the last record of each run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

import msgspec

from monitor.trace_key import TraceKey

VERSION: Final = 1


class Claim(NamedTuple):
    """One claim of a session: its id, and the gate that wrote it."""

    id: str
    gate: str


class Run(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One process of a gate. `lease_ns` is how long it goes on without the topic.

    `place` identifies the state directory while its machine runs. Of two runs with one place, the
    earlier has ended, since the later one has the lock. `state` is the end that a run has stated
    itself, or an operator for the whole gate.
    """

    v: int = VERSION
    epoch: int
    lease_ns: int
    place: str = ""
    state: Literal["runs", "stopped", "retired"] = "runs"


class _Claimed(msgspec.Struct, frozen=True):
    v: int
    gate: str


class ClaimView:
    """All claims and runs as of one position of the topic."""

    def __init__(self) -> None:
        self._claims: dict[TraceKey, tuple[Claim, ...]] = {}
        self._runs: dict[str, dict[str, Run]] = {}
        self._names: dict[str, str] = {}
        """Each name once: a million claims share the text."""
        self.count = 0
        """Claims that are not released."""

    def apply(self, key: str, value: bytes | None) -> bool:
        """Take in one record; false if it cannot be read, and changes nothing.

        A claim whose content cannot be read belongs to a gate without a name: nobody gets the
        session.
        """
        match _parts(key):
            case ["claim", principal, session, id_]:
                trace = TraceKey(principal, session)
                if value is None:
                    self.release(trace, id_)
                else:
                    self._claim(trace, Claim(id_, _gate_in(value)))
            case ["gate", name, run]:
                return self._run(name, run, value)
            case _:
                return False
        return True

    def release(self, trace: TraceKey, id_: str) -> None:
        """A claim ends; the next of its session is the first then."""
        before = self._claims.get(trace, ())
        after = tuple(claim for claim in before if claim.id != id_)
        self.count += len(after) - len(before)
        if after:
            self._claims[trace] = after
        else:
            self._claims.pop(trace, None)

    def holder(self, trace: TraceKey) -> str | None:
        """The gate that has a session; None if none has."""
        claims = self._claims.get(trace)
        return claims[0].gate if claims else None

    def claims_of(self, trace: TraceKey, gate: str) -> list[str]:
        """The ids of all claims of a session by one gate."""
        return [claim.id for claim in self._claims.get(trace, ()) if claim.gate == gate]

    def sessions_of(self, gate: str) -> list[TraceKey]:
        """The sessions that a gate has claimed, also in vain."""
        return [
            trace
            for trace, claims in self._claims.items()
            if any(claim.gate == gate for claim in claims)
        ]

    def runs_of(self, gate: str) -> dict[str, Run]:
        """The known runs of a gate, by their ids."""
        return dict(self._runs.get(gate, {}))

    def gates(self) -> Iterator[tuple[str, int]]:
        """Every gate that has a run or a claim, with the number of its claims."""
        counts = dict.fromkeys(self._runs, 0)
        for claims in self._claims.values():
            for claim in claims:
                counts[claim.gate] = counts.get(claim.gate, 0) + 1
        yield from sorted(counts.items())

    def last_run(self, gate: str) -> tuple[str, Run] | None:
        """The run of a gate that counts, and its id: that with the greatest (epoch, id)."""
        runs = self._runs.get(gate)
        if not runs:
            return None
        return max(runs.items(), key=lambda item: (item[1].epoch, item[0]))

    def _claim(self, trace: TraceKey, claim: Claim) -> None:
        before = self._claims.get(trace, ())
        if all(one.id != claim.id for one in before):
            shared = claim._replace(gate=self._names.setdefault(claim.gate, claim.gate))
            self._claims[trace] = (*before, shared)
            self.count += 1

    def _run(self, name: str, run: str, value: bytes | None) -> bool:
        if value is None:
            runs = self._runs.get(name, {})
            runs.pop(run, None)
            if not runs:
                self._runs.pop(name, None)
            return True
        try:
            found = msgspec.json.decode(value, type=Run)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return False
        self._runs.setdefault(name, {})[run] = found
        return True


def claim_key(trace: TraceKey, id_: str) -> str:
    """The key of a claim's records."""
    return msgspec.json.encode(["claim", trace.principal, trace.session, id_]).decode()


def claim_value(gate: str) -> bytes:
    """The content of a claim."""
    return msgspec.json.encode(_Claimed(VERSION, gate))


def run_key(gate: str, run: str) -> str:
    """The key of a run's records."""
    return msgspec.json.encode(["gate", gate, run]).decode()


def run_value(run: Run) -> bytes:
    """The content of a run's record."""
    return msgspec.json.encode(run)


def _parts(key: str) -> list[str]:
    try:
        return msgspec.json.decode(key, type=list[str])
    except (msgspec.MsgspecError, UnicodeError):
        return []


def _gate_in(value: bytes) -> str:
    try:
        return msgspec.json.decode(value, type=_Claimed).gate
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
