"""Runs probes side by side, each until a deadline: one that hangs costs no other its answer.

A probe is a function that returns facts. Its expected errors become `NotLearnt`. A bug ends its
thread with a traceback on standard error, and its facts are not learnt either.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from invariants.model.errors import InterlockError
from monitor.doctor.diagnosis import TEXT_CHARS_MAX, Learnt, NotLearnt
from monitor.presentation import visible

Probe = Callable[[], Any]


def together(probes: Mapping[str, Probe], seconds: float) -> dict[str, Learnt[Any]]:
    """The facts of each probe, by its name; a probe that is not done in time goes on unheard."""
    found: dict[str, Learnt[Any]] = {}
    threads = {
        name: threading.Thread(target=_run, args=(found, name, probe), name=name, daemon=True)
        for name, probe in probes.items()
    }
    deadline = time.monotonic() + seconds
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    late = NotLearnt(f"no result within {seconds:g} s")
    ended = NotLearnt("the check ended by a bug in Interlock; its traceback is above")
    return {
        name: found[name] if name in found else late if thread.is_alive() else ended
        for name, thread in threads.items()
    }


def _run(found: dict[str, Learnt[Any]], name: str, probe: Probe) -> None:
    try:
        found[name] = probe()
    except (InterlockError, OSError) as error:
        found[name] = NotLearnt(visible(_text(error), TEXT_CHARS_MAX))


def _text(error: InterlockError | OSError) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"`{error.filename!s}`: {error.strerror}"
    return str(error)
