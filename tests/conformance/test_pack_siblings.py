"""The packs on siblings of reported incidents, and on the everyday work that looks like them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.findings.model import Finding
from tests.conformance.test_pack_cases import findings

SIBLINGS = Path(__file__).resolve().parents[2] / "fixtures" / "pack_siblings.yaml"


@cache
def siblings() -> dict[str, Any]:
    read: dict[str, Any] = yaml.load(SIBLINGS.read_text(), Loader=yaml.CSafeLoader)
    return read


def loud(session: Any) -> list[Finding]:
    """What the default packs report of a session at `warning` or above."""
    calls = session if isinstance(session, list) else [session]
    about = {"session": "s", "kind": "tool.requested"}
    lines = []
    for seq, call in enumerate(calls):
        stated = {"tool": "Bash", "args": {"command": call}} if isinstance(call, str) else call
        event = {**about, "seq": seq, "ts": seq + 1, "call": f"c{seq}", **stated}
        lines.append(json.dumps(event).encode())
    return [f for f in findings(lines, "siblings")["s"] if f.severity != "info"]


@pytest.mark.parametrize("invariant", sorted(siblings()["told"]))
def test_siblings_of_incidents_are_told(invariant: str) -> None:
    """Each is violated, or undecided, by the invariant that is meant for it."""
    missed = []
    for session in siblings()["told"][invariant]:
        found = loud(session)
        names = {f.invariant for f in found} | {u.invariant for f in found for u in f.undecided}
        if not any(name.startswith(invariant) for name in names):
            missed.append(session)
    assert not missed


def test_everyday_work_is_quiet() -> None:
    """Commands and tools that look like those of an incident, and do no harm."""
    noisy = [(session, found) for session in siblings()["quiet"] if (found := loud(session))]
    assert not noisy
