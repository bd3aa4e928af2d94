"""The broker of the tests ends with them, however they end."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import require_or_skip
from tests.support.kafka_broker import CHECKOUT, Broker, is_running, why_not_available

STARTER = """
import sys, time
from pathlib import Path
from tests.support.kafka_broker import start_broker
print(start_broker(Path(sys.argv[1])).pid, flush=True)
time.sleep(300)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part in it is Linux's alone")
def test_a_killed_run_of_tests_leaves_no_broker(tmp_path: Path) -> None:
    """SIGKILL of whoever started it ends the broker within moments."""
    reason = why_not_available()
    if reason is not None:
        require_or_skip("kafka", reason)
    directory = tmp_path / "kafka"
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(directory)], cwd=CHECKOUT, stdout=subprocess.PIPE
    )
    assert starter.stdout is not None
    broker = Broker("", int(starter.stdout.readline()), directory)
    try:
        assert is_running(broker.pid, directory)
        starter.kill()
        starter.wait(10)
        deadline = time.monotonic() + 10
        while is_running(broker.pid, directory) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not is_running(broker.pid, directory)
    finally:
        starter.stdout.close()
        starter.kill()
        broker.kill()
