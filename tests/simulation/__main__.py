"""Many seeds, and a summary that proves that faults did strike: `make simulation`.

python -m tests.simulation --seeds 2000 --seconds 600
python -m tests.simulation --seed 87        one seed alone, with the traceback
"""

from __future__ import annotations

import argparse
import faulthandler
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from tests.simulation.faults import KINDS
from tests.simulation.gates import simulate_gates
from tests.simulation.ledger import WrongError
from tests.simulation.world import Report, simulate

HANG_S: Final = 120
SEEDS_TO_SEE_ALL: Final = 300
"""From so many seeds on, a kind of fault that never struck is an error."""


def main() -> int:
    """0 where every seed held."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=2_000, help="how many (2000)")
    parser.add_argument("--seconds", type=float, default=600, help="how long at most (600)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--seed", type=int, help="this one alone")
    given = parser.parse_args()
    if given.seed is not None:
        print(_run(given.seed))
        return 0
    began, wrong, reports = time.monotonic(), 0, list[Report]()
    for seed in range(given.first, given.first + given.seeds):
        if time.monotonic() - began > given.seconds:
            break
        try:
            reports.append(_run(seed))
        except WrongError as error:
            wrong += 1
            print(f"WRONG {error}\n  again: python -m tests.simulation --seed {seed}", flush=True)
    is_complete = _summarise(reports, wrong, time.monotonic() - began)
    return 0 if is_complete and not wrong else 1


def _run(seed: int) -> Report:
    # A monitor that turns for ever is ended with its stack, and the seed.
    print(f"\rseed {seed} ", end="", file=sys.stderr, flush=True)
    faulthandler.dump_traceback_later(HANG_S, exit=True)
    try:
        with tempfile.TemporaryDirectory(prefix="interlock-simulation-") as folder:
            home = Path(folder) / "gates"
            home.mkdir()
            report = simulate(seed, Path(folder))
            gates = simulate_gates(seed, home)
            report.counts.update({f"gates: {name}": count for name, count in gates.items()})
            return report
    finally:
        faulthandler.cancel_dump_traceback_later()


def _summarise(reports: list[Report], wrong: int, took_s: float) -> bool:
    faults, counts = Counter[str](), Counter[str]()
    for report in reports:
        faults += report.faults
        counts += report.counts
    strict = sum(report.scenario.is_strict for report in reports)
    two = sum(report.scenario.nodes_count == 2 for report in reports)
    print(f"\n{len(reports) + wrong} seeds in {took_s:.0f} s, {wrong} wrong", end="; ")
    wider = sum(report.scenario.is_wider for report in reports)
    print(f"{strict} in strict worlds, {two} with two monitors, {wider} with wider scopes")
    print("; ".join(f"{name} {count:,}" for name, count in sorted(counts.items())))
    print(f"faults {faults.total():,}: " + "; ".join(f"{k} {faults[k]:,}" for k in KINDS))
    never = [kind for kind in KINDS if not faults[kind]]
    if never and len(reports) >= SEEDS_TO_SEE_ALL:
        print(f"never struck: {never}")
        return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
