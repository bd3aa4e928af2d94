"""The environment of a framework for Node: its packages in locked versions, and the compiler.

A scenario is copied there with our clients from `docs/clients`, as a user copies them, and is run
after the compiler has checked all of them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.adapters.environment import SCENARIOS, folder_of
from tests.adapters.scenarios.scripted import SCRIPTS
from tests.conftest import require_or_skip
from tests.support.gate_served import ServedGate
from tests.support.kafka_broker import CHECKOUT
from tests.support.monitor_process import PATIENCE_S

STRICT = ["--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom"]
# The library's own types need those of Node, which are not ours to check.
STRICT += ["--skipLibCheck"]


class NodeEnvironment:
    """One of them, by the name of its requirements. It skips, with the reason, if there is none."""

    def __init__(self, name: str, folder: Path) -> None:
        modules = folder_of(name) / "node_modules"
        self._node = shutil.which("node")
        if self._node is None or not modules.exists():
            require_or_skip("adapters", f"{name} is not installed: `make test-adapters` does it")
        self._folder = folder
        (folder / "node_modules").symlink_to(modules)
        (folder / "package.json").write_text('{"type": "module"}')

    def run(self, scenario: str, gate: ServedGate, *cases: str, token: str) -> Any:
        """What a scenario prints, as JSON. The gate listens on a port as well."""
        for file in (*(CHECKOUT / "docs" / "clients").glob("*.ts"), SCENARIOS / scenario):
            shutil.copy(file, self._folder)
        compiler = self._folder / "node_modules" / "typescript" / "bin" / "tsc"
        self._run([str(compiler), *STRICT, scenario])
        scripts = json.dumps({name: [asdict(turn) for turn in s] for name, s in SCRIPTS.items()})
        url = gate.listen.rpartition(",")[2]
        program = str(Path(scenario).with_suffix(".js"))
        printed = self._run([program, url, scripts, *cases], INTERLOCK_GATE_TOKEN=token)
        return json.loads(printed.splitlines()[-1])

    def _run(self, arguments: list[str], **more: str) -> str:
        assert self._node is not None
        done = subprocess.run(
            [self._node, *arguments],
            cwd=self._folder,
            env=os.environ | more,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
