"""A real Prometheus for a test: on loopback, at a free port, stopped by its process id."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.kafka_broker import free_port
from tests.support.prometheus_tools import program

PATIENCE_S = 60.0
LOOK_EVERY_S = 0.1
START_ATTEMPTS = 3  # Chosen: a port found free can be taken by somebody else before the start.


@dataclass
class PrometheusServer:
    """One server that reads `targets` every second; its files stand in `folder`."""

    folder: Path
    rule_files: list[Path]
    targets: list[str]
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        for _ in range(START_ATTEMPTS):
            self.port = free_port()
            self._launch()
            if self._is_up():
                return
        raise AssertionError(self.told())

    def end(self) -> None:
        """For the test's own end, whatever became of it."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples that an expression has now."""
        told = self._ask("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        result: list[dict[str, Any]] = told["data"]["result"]
        return result

    def alerts(self) -> list[dict[str, Any]]:
        """Alerts that are pending or firing."""
        result: list[dict[str, Any]] = self._ask("/api/v1/alerts")["data"]["alerts"]
        return result

    def wait_for(self, expression: str) -> list[dict[str, Any]]:
        """Until an expression has a sample."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := self.query(expression)):
            assert time.monotonic() < deadline, f"{expression}: nothing\n{self.told()}"
            time.sleep(LOOK_EVERY_S)
        return found

    def told(self) -> str:
        """The end of its log, for a message."""
        return (self.folder / "prometheus.log").read_text(errors="replace")[-2_000:]

    def _launch(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "prometheus.yml"
        config.write_text(yaml.safe_dump(self._config()))
        command = [program("prometheus"), f"--config.file={config}"]
        command += [f"--storage.tsdb.path={self.folder / 'data'}"]
        command += [f"--web.listen-address=127.0.0.1:{self.port}"]
        with (self.folder / "prometheus.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _config(self) -> dict[str, Any]:
        every_second = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        return {
            "global": {**every_second, "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in self.rule_files],
            "scrape_configs": [
                {"job_name": "interlock", "static_configs": [{"targets": self.targets}]}
            ],
        }

    def _is_up(self) -> bool:
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self._ask("/api/v1/status/buildinfo")
            except (urllib.error.URLError, ConnectionError):
                time.sleep(LOOK_EVERY_S)
            else:
                return True
        self.end()
        return False

    def _ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)
