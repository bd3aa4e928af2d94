"""An operator states that a gate is gone for good: its claims end, and it never answers again.

The statement comes first. Then the lease of every run that has not stated its end passes: such a
run has read the statement by then, or refuses because it cannot read. Only then its claims are
released. If this is interrupted, it can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from invariants.model.errors import ConfigError
from monitor.clock import Clock
from monitor.gate.claim_view import ClaimView, Run, claim_key, run_key, run_value
from monitor.gate.topic_claims import CHUNK, START_S, read_to
from monitor.transport.base import ClaimEntry, ClaimLog

RETIRED: Final = "retired"
"""The id of the run that stands for the statement."""


def read_claims(log: ClaimLog, clock: Clock) -> ClaimView:
    """The claims and runs of all gates, as of now. Raises OSError."""
    view = ClaimView()
    _follow(log, view, clock)
    return view


def retire(log: ClaimLog, name: str, clock: Clock, wait: Callable[[int], None]) -> int:
    """Retire a gate; returns how many claims it had. `wait` lets a duration in ns pass.

    Raises
    ------
    ConfigError
        No gate has this name.
    OSError
        The topic cannot be read or written; the command may be repeated.
    """
    view = read_claims(log, clock)
    last = view.last_run(name)
    if last is None:
        raise ConfigError(f"there is no gate `{name}`; `interlock gate list` shows the names")
    if last[1].state != "retired":
        statement = Run(epoch=last[1].epoch + 1, lease_ns=0, state="retired")
        log.append([(run_key(name, RETIRED), run_value(statement))])
        _follow(log, view, clock)
    runs = view.runs_of(name)
    wait_ns = max((run.lease_ns for run in runs.values() if run.state == "runs"), default=0)
    if wait_ns:
        wait(wait_ns)
        _follow(log, view, clock)
    ended: list[ClaimEntry] = [
        (claim_key(trace, id_), None)
        for trace in view.sessions_of(name)
        for id_ in view.claims_of(trace, name)
    ]
    count = len(ended)
    ended += [(run_key(name, run), None) for run in sorted(runs.keys() - {RETIRED})]
    for start in range(0, len(ended), CHUNK):
        log.append(ended[start : start + CHUNK])
    return count


def _follow(log: ClaimLog, view: ClaimView, clock: Clock) -> None:
    def take_in(entries: list[ClaimEntry]) -> None:
        for key, value in entries:
            view.apply(key, value)

    read_to(log, log.end(START_S), START_S, clock, take_in)
