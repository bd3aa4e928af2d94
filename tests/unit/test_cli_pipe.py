"""The command line into a pipe whose reader went away."""

from __future__ import annotations

import os
import subprocess
import sys


def test_a_reader_that_went_away_is_no_error() -> None:
    """`interlock schema event | head -0` says nothing and ends well."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "monitor.cli", "schema", "event"],
        stdout=write_end,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(write_end)
    assert done.stderr == b""
    assert done.returncode == 0
