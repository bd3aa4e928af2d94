"""The environment of one adapter: its real library in locked versions, apart from our own.

`make adapters` makes them. A scenario runs there in a process of its own, with our client from this
checkout, against a gate that runs here.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.conftest import require_or_skip
from tests.support.gate_served import ServedGate
from tests.support.kafka_broker import CHECKOUT
from tests.support.monitor_process import PATIENCE_S

SCENARIOS = Path(__file__).parent / "scenarios"


def folder_of(name: str) -> Path:
    """Where an environment is, or would be."""
    return Path(os.environ.get("ADAPTER_ENVIRONMENTS", CHECKOUT / ".adapters")) / name


class Environment:
    """One of them, by the name of its requirements. It skips, with the reason, if there is none."""

    def __init__(self, name: str) -> None:
        self.python = folder_of(name) / "bin" / "python"
        if not self.python.exists():
            require_or_skip("adapters", f"{name} is not installed: `make test-adapters` does it")

    def run(self, scenario: str, gate: ServedGate, *arguments: str, token: str = "") -> Any:
        """What a scenario prints, as JSON. `token`: of its principal, if the gate has any. What its
        framework writes into a home is gone with the gate's folder.
        """
        command = [str(SCENARIOS / scenario), f"unix:{gate.socket}", *arguments]
        more = {"HOME": str(gate.folder), **({"INTERLOCK_GATE_TOKEN": token} if token else {})}
        done = self._run(command, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def check_types(self, adapter: str) -> None:
        """mypy, strict, with the library's own types."""
        command = ["-m", "mypy", "--strict", "--config-file", os.devnull]
        done = self._run([*command, "--follow-imports=silent", f"interlock/adapters/{adapter}.py"])
        assert done.returncode == 0, done.stdout + done.stderr

    def _run(self, arguments: list[str], **more: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=CHECKOUT,
            env=environment | more,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
