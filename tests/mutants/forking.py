"""A process that has loaded all libraries and nothing of ours, and runs each copy in a child.

Reads lines `FOLDER<tab>FILE<tab>FIRST`; for each it forks a child in which the copy in that folder
is what is imported, runs the killers of FILE there, beginning with FIRST, or the test FIRST alone
if there is no FILE, and answers with the child's exit code. What the child wrote is in
`killers.out` in the folder. Starting Python and pytest anew for each fault took as long as killing
it (Measured: 233 s for 206 faults on two cores, and 145 s with forks).
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path

# Loaded here, once; nothing of ours may be among them.
import hypothesis  # noqa: F401
import msgspec  # noqa: F401
import pyrsistent  # noqa: F401
import pytest  # noqa: F401
import re2  # noqa: F401
import yaml  # noqa: F401

PROCESSOR_S_MAX = 1_200  # Chosen: all killers together take a fifth of it on a slow machine.
OUTPUT = "killers.out"
BROKEN = 70  # None of pytest's codes.


def serve() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        folder, file, first = line.rstrip("\n").split("\t")
        child = os.fork()
        if not child:
            os._exit(run_or_tell(Path(folder), file, first))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def run_or_tell(folder: Path, file: str, first: str) -> int:
    """In the child; what breaks the killers themselves is told apart from a test that fails."""
    try:
        return run(folder, file, first)
    except BaseException:  # noqa: BLE001 - whatever it is, it is no killed mutant
        traceback.print_exc()
        sys.stderr.flush()
        return BROKEN


def run(folder: Path, file: str, first: str) -> int:
    """The killers of the copy in `folder`, or one test of theirs."""
    # A fault that makes a loop endless is ended by it, and has not been killed.
    signal.setitimer(signal.ITIMER_PROF, PROCESSOR_S_MAX)
    os.chdir(folder)
    sys.path[0] = str(folder)
    sys.dont_write_bytecode = True
    written = os.open(OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(written, 1)
    os.dup2(written, 2)
    from tests.mutants import killers

    code = killers.main(file, first)
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    assert not [name for name in sys.modules if name.startswith(("invariants", "tests."))]
    serve()
