"""Sends hostile requests to a gate, with an honest agent between them, and judges what it did.

Nothing may be opened: no forbidden call is allowed, no approval granted, no session of another
touched. Nothing may crash: the honest agent gets right answers, no status is 500 or 503, and the
gate's memory and its connections stay bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.gate_fuzz.requests import TAINTED, VICTIM, Hostile, hostile
from tests.support.gate_served import ServedGate

PARALLEL = 56
"""Chosen: below the number of connections at which strangers close each other's."""
DUE_S = 20.0
READ = {"path": "/srv/notes"}
MAYBE_S = 0.1
"""How long a response is waited for that is not due."""
BATCH = 1_000
MEMORY_GROWTH_BYTES_MAX = 256 * 1024 * 1024
STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
STATUSES = {200, 400, 401, 403, 404, 405, 408, 409, 413, 415, 421, 429}


@dataclass
class Tally:
    """The result of a run."""

    sent: Counter[str] = field(default_factory=Counter)
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    honest_count: int = 0
    memory_bytes: list[int] = field(default_factory=list)


def run(folder: Path, seed: int, indices: range, tally: Tally) -> None:
    """Send the requests with these indices to a gate of its own."""
    # The attacker shall reach the engine for the whole run, and not its budget of bytes.
    more = ("--principal-bytes-per-hour", str(10**12))
    gate = ServedGate(folder, tokens=("a", "b", "op"), more=more)
    gate.start()
    try:
        _prepare(gate)
        for begin in range(indices.start, indices.stop, BATCH):
            part = range(begin, min(begin + BATCH, indices.stop))
            asyncio.run(_send_all(gate.socket, [hostile(seed, i) for i in part], tally, part))
            _check_honest(gate, tally)
            if tally.faults:
                return
        gate.stop()
    finally:
        gate.end()
        tally.faults += [f"the log: {line}" for line in _bad_lines(gate)]
    tally.faults += judge_records(gate.records(), tally.honest_count)


def _prepare(gate: ServedGate) -> None:
    told = {"kind": "tool.completed", "tool": "read_file", "args": {"path": "/secrets/k"}}
    body = {"session": TAINTED, "events": [told]}
    assert gate.send("POST", "/v1/tell", body, token="b").status == 200
    assert gate.ask(VICTIM, "read_file", token="a", request="h0", args=READ).status == 200


async def _send_all(
    path: Path, requests: list[Hostile], tally: Tally, indices: Iterable[int]
) -> None:
    waiting = list(zip(requests, indices, strict=True))[::-1]

    async def worker() -> None:
        while waiting:
            one, index = waiting.pop()
            tally.sent[one.group] += 1
            responses = await _send(path, one)
            if one.is_whole and responses is None:
                tally.faults.append(f"index {index}: no response to {one.data[:300]!r}")
            for status, body in responses or ():
                tally.statuses[one.group, status] += 1
                if status not in STATUSES:
                    tally.faults.append(f"index {index}: status {status} to {one.data[:300]!r}")
                if status == 200 and one.group != "pipelines" and _is_opening(body):
                    tally.faults.append(f"index {index}: allowed {one.data[:600]!r}")

    await asyncio.gather(*(worker() for _ in range(PARALLEL)))


async def _send(path: Path, one: Hostile) -> list[tuple[int, bytes]] | None:
    """The responses, as status and body; None if the gate neither responds nor closes."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(path))
    except OSError:
        return []  # The queue of the listener is full.
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(one.data)
            await asyncio.wait_for(writer.drain(), DUE_S)
        data, is_over = b"", not one.is_whole
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(DUE_S if one.is_whole else MAYBE_S):
                while not (one.is_whole and _is_whole(data)):
                    part = await reader.read(1 << 16)
                    if not part:
                        is_over = True
                        break
                    data += part
        return _responses(data) if data or is_over else None
    finally:
        writer.transport.abort()


def _is_whole(data: bytes) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    if not end or head.startswith(b"HTTP/1.1 100"):
        return False
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    return bool(lengths) and len(body) >= int(lengths[0].partition(b":")[2])


def _responses(data: bytes) -> list[tuple[int, bytes]]:
    _, *parts = STATUS_LINE.split(data)
    found = zip(map(int, parts[::2]), parts[1::2], strict=True)
    return [(status, part.partition(b"\r\n\r\n")[2]) for status, part in found if status != 100]


def _is_opening(body: bytes) -> bool:
    """True for an allowed call in the session that has read a secret, or a granted approval."""
    try:
        answer = json.loads(body)
    except ValueError:
        return False
    if not isinstance(answer, dict) or answer.get("decision") != "allow":
        return False
    return answer.get("session") == VICTIM


def _check_honest(gate: ServedGate, tally: Tally) -> None:
    """An honest agent still gets the right answers, also on a new connection."""
    tally.honest_count += 1
    number = tally.honest_count
    allowed = gate.ask(VICTIM, "read_file", token="a", request=f"h{number}", args=READ)
    refused = gate.ask(TAINTED, "http.post", token="b", args={"url": f"http://x/{number}"})
    held = gate.ask(VICTIM, "pay", token="a", args={"amount": 1}, request="held")
    expected = ((allowed, "allow"), (refused, "deny"), (held, "hold"))
    for reply, decision in expected:
        if reply.status != 200 or reply.content["decision"] != decision:
            tally.faults.append(f"an honest ask got {reply} and not {decision}")
    text = gate.send("GET", "/metrics").content.decode()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    tally.memory_bytes.append(int(float(values["process_resident_memory_bytes"])))
    if tally.memory_bytes[-1] - tally.memory_bytes[0] > MEMORY_GROWTH_BYTES_MAX:
        tally.faults.append(f"memory grew from {tally.memory_bytes[0]} to {tally.memory_bytes[-1]}")
    if float(values["interlock_gate_waiting"]) > 100:
        tally.faults.append(f"{values['interlock_gate_waiting']} requests wait")


def _bad_lines(gate: ServedGate) -> list[str]:
    """Lines of the gate's log that tell of an error of ours."""
    words = ("gate_failed", "Traceback", "never retrieved", "Unhandled", "critical")
    said = (gate.folder / "gate.log").read_text(errors="replace").splitlines()
    return [line[:300] for line in said if any(word in line for word in words)][:20]


def judge_records(records: list[dict[str, Any]], honest_count: int) -> list[str]:
    """What the attacker left in the gate's log."""
    faults = []
    for record in records:
        kind, session, principal = record["kind"], record["session"], record.get("principal")
        if kind == "approval.granted":
            faults.append(f"an approval was granted: {record}")
        is_asked = "interlock_unasked" not in record.get("attributes", {})  # Else it is a report.
        is_post = (kind, session, record.get("tool")) == ("tool.requested", TAINTED, "http.post")
        if is_post and is_asked:
            faults.append(f"a post after a secret was allowed: {record}")
        if principal not in ("a", "b", "uid-0") and not str(principal).startswith("uid-"):
            faults.append(f"a record of nobody: {record}")
    asked = sum(r["kind"] == "tool.requested" and r.get("principal") == "a" for r in records)
    if asked != honest_count + 1:
        faults.append(f"{asked} calls of `a` are recorded, and {honest_count + 1} were asked")
    return faults[:20]
