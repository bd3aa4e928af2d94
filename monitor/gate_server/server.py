"""Runs a gate's server: listeners, turns, ticks, and a clean end.

    accept       a task for each listener
    judge        one task, the only one that calls the core for requests
    tick         once a second: deadlines, held calls, a checkpoint, connections that are late

When a stop is asked for, no connection is accepted any more, requests that are being answered are
finished, and the core is closed by its owner. An error of ours ends the server: agents then get no
answer, which is safer than a wrong one, and a restart reads the state from the log.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from monitor.clock import Clock
from monitor.gate.gate import Gate
from monitor.gate_server.accounts import Accounts
from monitor.gate_server.bounds import Bounds
from monitor.gate_server.connections import Connections
from monitor.gate_server.handler import Handler
from monitor.gate_server.http_door import HttpDoor, tell_failure
from monitor.gate_server.identity import Identity
from monitor.gate_server.judge import Judge
from monitor.gate_server.notices import Notices
from monitor.gate_server.telemetry import Published, Telemetry
from monitor.gate_server.turns import Turns
from monitor.telemetry.http_request import OwnNames

TICK_S: Final = 1.0
LOOK_S: Final = 0.1
"""Chosen: how soon a request to stop is seen."""
DRAIN_S: Final = 10.0
"""Chosen: how long requests may take that are being answered when the gate stops."""
NAMES: Final = OwnNames("127.0.0.1")


class _Failure:
    """The first error of ours, which ends the server."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def take(self, error: BaseException) -> None:
        tell_failure(error)
        self.error = self.error or error


class _Parts(NamedTuple):
    """A running server."""

    gate: Gate
    handler: Handler
    connections: Connections
    telemetry: Telemetry
    judge: Judge
    door: HttpDoor
    failure: _Failure


async def run_server(
    gate: Gate,
    listeners: Sequence[socket.socket],
    identity: Identity,
    clock: Clock,
    is_stopping: Callable[[], bool],
    *,
    bounds: Bounds | None = None,
    published: Callable[[], Published] = Published,
    notices: Notices | None = None,
) -> None:
    """Serve until `is_stopping()`; then finish what is in flight.

    `published` is how far the log is from Kafka; `notices` tells of held calls.

    Raises
    ------
    Exception
        An error of ours, which ends the server.
    """
    parts = _parts(gate, identity, clock, bounds or Bounds(), published=published, notices=notices)
    judging = asyncio.create_task(parts.judge.run())
    accepting = [asyncio.create_task(parts.connections.accept(one)) for one in listeners]
    try:
        await _turn(parts, [judging, *accepting], is_stopping)
    finally:
        for task in accepting:
            task.cancel()
        parts.handler.stop()
        if not judging.done():
            await parts.door.drain(DRAIN_S)
        judging.cancel()
        await parts.connections.close()
        await asyncio.gather(judging, *accepting, return_exceptions=True)


def _parts(
    gate: Gate,
    identity: Identity,
    clock: Clock,
    bounds: Bounds,
    *,
    published: Callable[[], Published],
    notices: Notices | None,
) -> _Parts:
    telemetry = Telemetry(
        clock, lambda: gate.trouble, published, program_digest=gate.program_digest
    )
    judge = Judge(Turns(), clock, telemetry.turn)
    accounts = Accounts(bounds, telemetry.reached)
    handler = Handler(
        gate,
        identity=identity,
        names=NAMES,
        judge=judge,
        accounts=accounts,
        bounds=bounds,
        clock=clock,
        telemetry=telemetry,
        notices=notices,
    )
    failure = _Failure()
    door = HttpDoor(handler.respond, bounds, failure.take, handler.unframed)
    connections = Connections(door.protocol, accounts, bounds, telemetry.reached)
    telemetry.gauges = lambda: {
        "interlock_gate_connections": len(connections),
        "interlock_gate_waiting": len(judge),
        "interlock_gate_polls": len(handler.polls),
        "interlock_gate_exceptions": gate.count_exceptions()["exception"],
        "interlock_gate_glass_broken": gate.count_exceptions()["break-glass"],
        "interlock_gate_claims": gate.claims_count,
        "interlock_gate_lost_notices": 0 if notices is None else notices.lost_count,
    }
    return _Parts(gate, handler, connections, telemetry, judge, door, failure)


async def _turn(
    parts: _Parts, tasks: Sequence[asyncio.Task[None]], is_stopping: Callable[[], bool]
) -> None:
    """Tick once a second, until a stop is asked for or something of ours fails."""
    loop = asyncio.get_running_loop()
    next_s = loop.time()
    while not is_stopping():
        if loop.time() >= next_s:
            next_s = loop.time() + TICK_S
            parts.gate.tick()
            parts.telemetry.pulse.beat()
            parts.handler.polls.review()
            parts.connections.close_late()
        done, _ = await asyncio.wait(tasks, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if parts.failure.error is not None:
            raise parts.failure.error
