"""Helpers for tests of gated agents."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from interlock import ClientError, ClientOptions
from tests.support.agents_gate import AgentsGate

LOOKS_MAX = 20_000
QUICK = ClientOptions(ask_s_max=60, linger_ms=0)


def kinds(gate: AgentsGate) -> list[str]:
    return [event["kind"] for event in gate.log()]


def in_background(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """A thread with `work`, and a list that gets its result or its error."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except (ClientError, TypeError) as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def held(gate: AgentsGate, count: int = 1) -> str:
    """The request that was held last, once `count` are."""
    for _ in range(LOOKS_MAX):
        if len(waiting := gate.held()) >= count:
            return waiting[-1]
        threading.Event().wait(0.005)
    raise AssertionError(f"no call is held: {gate.log()}")
