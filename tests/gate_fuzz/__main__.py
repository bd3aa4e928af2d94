"""Hostile requests from a seed, against a real gate: `make gate-fuzz`; docs/gate.md.

python -m tests.gate_fuzz --requests 1000000 --seed 0
python -m tests.gate_fuzz --seed 0 --index 4711     the bytes of one request
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.gate_fuzz.attack import Tally, run
from tests.gate_fuzz.requests import hostile

BEGIN, END = "<!-- begin of the fuzz run -->", "<!-- end of the fuzz run -->"
OF_GATE = 100_000
"""Requests of one gate: its log, and what a new one has to read, stay small."""


def main() -> int:
    """0 if nothing was opened and nothing crashed."""
    parser = argparse.ArgumentParser(prog="python -m tests.gate_fuzz")
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0, help="where they come from (0)")
    parser.add_argument("--index", type=int, help="show this request alone")
    parser.add_argument("--result", type=Path, help="a page with marks for the last result")
    given = parser.parse_args()
    if given.index is not None:
        print(hostile(given.seed, given.index))
        return 0
    began, tally = time.monotonic(), Tally()
    for begin in range(0, given.requests, OF_GATE):
        part = range(begin, min(begin + OF_GATE, given.requests))
        tally.memory_bytes.clear()
        tally.honest_count = 0
        with tempfile.TemporaryDirectory(prefix="interlock-") as folder:
            run(Path(folder) / "g", given.seed, part, tally)
        print(f"{tally.sent.total()} requests, {len(tally.faults)} faults", file=sys.stderr)
        text = lines(tally, given.seed, time.monotonic() - began)
        if tally.faults:
            break
        if given.result:  # After each gate: a run may be ended early.
            before, _, rest = given.result.read_text().partition(BEGIN)
            after = rest.partition(END)[2]
            given.result.write_text(before + "\n".join([BEGIN, *text, END]) + after)
    print("\n".join(text))
    return 1 if tally.faults else 0


def lines(tally: Tally, seed: int, took_s: float) -> list[str]:
    """The result, as a part of a page."""
    day = datetime.now(UTC).date()
    told = [
        f"{day}, seed {seed}: {tally.sent.total():,} requests in {took_s:,.0f} s, "
        f"{len(tally.faults)} faults.",
        "",
        "| requests | sent | statuses of the responses |",
        "|---|---|---|",
    ]
    for group, count in sorted(tally.sent.items()):
        statuses = sorted((s, n) for (name, s), n in tally.statuses.items() if name == group)
        shown = ", ".join(f"{status}: {number:,}" for status, number in statuses)
        told.append(f"| {group} | {count:,} | {shown or 'closed'} |")
    return [*told, *(f"FAULT {fault}" for fault in tally.faults[:20])]


if __name__ == "__main__":
    raise SystemExit(main())
