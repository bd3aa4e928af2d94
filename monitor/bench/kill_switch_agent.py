"""The agent of `interlock bench kill-switch`, a separate process with a real client.

    python -m monitor.bench.kill_switch_agent TARGET SESSIONS SEED

For each session: call `guard` until it allows calls, publish the event that violates the invariant,
and call `guard` again until it raises. Prints a JSON list of these durations in ns; null if one
exceeded `PATIENCE_S`.
"""

from __future__ import annotations

import random
import sys
import time
from typing import Final

import msgspec

from interlock import Client, ClientOptions, Killed, NoView, Refused
from interlock.session import Session

PATIENCE_S: Final = 120.0
"""After that a session counts as missed: a slow machine is late, and the figures show by how
much.
"""
ASK_EVERY_S: Final = 0.0005
"""The interval between calls of `guard`: it adds a quarter of a millisecond to the result on
average. Without a pause it would take the processor from the client's own threads."""
PAUSE_S_MAX: Final = 0.05
"""Before each session, at random, so that samples do not fall in step with anybody's polling."""


def main(target: str, sessions_count: int, seed: int) -> list[int | None]:
    """How long each session went on after it had broken the invariant, in ns."""
    draw = random.Random(seed)  # noqa: S311 - pauses of a measurement
    took_ns = []
    with Client(target, ClientOptions(view_age_s_max=60, wait_s_max=60), agent="bench") as client:
        for _ in range(sessions_count):
            session = client.session()  # A random id: the control topic remembers others.
            _wait_for_view(session)
            time.sleep(draw.uniform(0, PAUSE_S_MAX))
            took_ns.append(_break_and_wait(session))
            session.end()
    return took_ns


def _wait_for_view(session: Session) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            session.guard("bench.next")
        except NoView:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the monitor was not heard on the control topic within 60 s")


def _break_and_wait(session: Session) -> int | None:
    began_ns = time.perf_counter_ns()
    session.emit("tool.requested", tool="bench.forbidden", call="c-1", args={})
    while (took_ns := time.perf_counter_ns() - began_ns) < PATIENCE_S * 1e9:
        try:
            session.guard("bench.next")
        except Killed:
            return time.perf_counter_ns() - began_ns
        except Refused as refused:
            raise SystemExit(f"refused for another reason: {refused}") from None
        time.sleep(ASK_EVERY_S)
    assert took_ns
    return None


if __name__ == "__main__":
    print(  # noqa: T201 - this is a command
        msgspec.json.encode(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))).decode()
    )
