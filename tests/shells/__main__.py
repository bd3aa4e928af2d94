"""Texts from a seed, run by Bash and dash, against `shell_commands`: `make shells`.

python -m tests.shells --cases 20000 --seed 0
python -m tests.shells --seed 0 --index 4711     one text alone: what it is, what ran, what is told
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from .forms import rendered
from .generator import FORMS, tree_of
from .judge import listing, told
from .result import lines, markdown, write
from .running import Room
from .trial import Tally, shells, tallies


def main() -> int:
    """0 if nothing is silently absent."""
    parser = argparse.ArgumentParser(prog="python -m tests.shells")
    parser.add_argument("--cases", type=int, default=20_000, help="texts (20000)")
    parser.add_argument("--seed", type=int, default=0, help="where they come from (0)")
    parser.add_argument("--index", type=int, help="this text alone")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--list", type=Path, help="a page for the absent ones")
    parser.add_argument("--result", type=Path, help="a page with marks for the last result")
    given = parser.parse_args()
    if given.index is not None:
        return _one(given.seed, given.index)
    began, tally = time.monotonic(), Tally()
    for part in tallies(given.seed, range(given.cases), given.processes):
        tally.add(part)
        done = f"\r{tally.texts_count} texts, {len(tally.absent)} absent "
        print(done, end="", file=sys.stderr, flush=True)
    took_s = time.monotonic() - began
    print(file=sys.stderr)
    for line in lines(tally, given.seed, took_s):
        print(line)
    if given.list:
        given.list.write_text("\n".join(markdown(tally)), "utf-8")
    if given.result and not tally.absent:
        write(given.result, tally, given.seed, took_s)
    return 1 if tally.absent else 0


def _one(seed: int, index: int) -> int:
    text = rendered(tree_of(seed, index))
    listed = listing(text)
    print(text)
    print(f"listed: {listed.describe()}")
    with tempfile.TemporaryDirectory(prefix="interlock-shells-") as folder:
        room = Room(Path(folder) / "room")
        for name, path in shells().items():
            ran = room.run(path, text)
            for mark in ran.marks or ((),):
                print(f"{name}: {list(mark)} {told(listed, mark) if mark else 'starts nothing'}")
    return 0


if __name__ == "__main__":
    assert FORMS, "the tables of forms"
    raise SystemExit(main())
