"""A real `interlock run` in a process of its own, killed and started again as a test likes."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.kafka_broker import CHECKOUT

PATIENCE_S = 150.0
LOOK_EVERY_S = 0.02
ENTRY = [sys.executable, "-m", "monitor.cli"]


@dataclass(frozen=True)
class Reached:
    """What the store of a monitor says: per partition of a topic, and what is not published."""

    next_offsets: dict[int, int] = field(default_factory=dict)
    unpublished: int = 0

    @property
    def records(self) -> int:
        return sum(self.next_offsets.values())


@dataclass
class MonitorProcess:
    """One monitor: its state directory and settings outlive its processes."""

    source: str
    invariants: Path
    state_dir: Path
    more: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert self.process is None or self.process.poll() is not None
        self.state_dir.mkdir(parents=True, exist_ok=True)
        command = [*ENTRY, "run", "--source", self.source, "--invariants", str(self.invariants)]
        command += ["--state-dir", str(self.state_dir), *self.more]
        if "--http-enabled" not in self.more:
            command.append("--no-http-enabled")
        with (self.state_dir.parent / f"{self.state_dir.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def stop(self) -> None:
        """Ask for the end, as an operator does; it must come, and be no failure."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self.told()

    def kill(self) -> None:
        """End it without warning, as a power cut would."""
        assert self.process is not None and self.process.poll() is None, self.told()
        self.process.kill()
        self.process.wait(10)

    def end(self) -> None:
        """For the test's own end, whatever became of it."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def reached(self, topic: str) -> Reached:
        """How far the store has come; nothing where there is none yet."""
        path = self.state_dir / "state.sqlite"
        if not path.exists():
            return Reached()
        base = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        try:
            query = "SELECT partition, next_offset FROM positions WHERE topic = ?"
            offsets = {int(number): int(offset) for number, offset in base.execute(query, (topic,))}
            query = "SELECT count(*) FROM findings WHERE is_published = 0"
            return Reached(offsets, base.execute(query).fetchone()[0])
        except sqlite3.OperationalError:
            return Reached()  # The first process is making its tables.
        finally:
            base.close()

    def wait_for(self, topic: str, records: int) -> None:
        """Until so many records of the topic are stored as taken in (by a live process)."""
        deadline = time.monotonic() + PATIENCE_S
        while self.reached(topic).records < records:
            assert self.process is not None and self.process.poll() is None, self.told()
            assert time.monotonic() < deadline, f"{self.reached(topic)} of {records} records"
            time.sleep(LOOK_EVERY_S)

    def told(self) -> str:
        """The end of its log, for a message."""
        log = self.state_dir.parent / f"{self.state_dir.name}.log"
        return log.read_text(errors="replace")[-2_000:]


def wait_until_done(monitors: Sequence[MonitorProcess], topic: str, ends: dict[int, int]) -> None:
    """Until some monitor has reached the end of each partition, and nothing waits to go out."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        reached = [monitor.reached(topic) for monitor in monitors]
        furthest = {n: max(r.next_offsets.get(n, 0) for r in reached) for n in ends}
        if furthest == ends and not any(r.unpublished for r in reached):
            return
        assert any(m.process and m.process.poll() is None for m in monitors), monitors[0].told()
        assert time.monotonic() < deadline, f"{reached} of {ends}\n{monitors[0].told()}"
        time.sleep(LOOK_EVERY_S)


def findings_of_file(path: Path, invariants: Path, state_dir: Path) -> bytes:
    """What `interlock run` prints over a finished file, as JSON lines."""
    command = [*ENTRY, "run", "--source", str(path), "--invariants", str(invariants)]
    command += ["--state-dir", str(state_dir), "--output", "json", "--log-level", "error"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, check=False, timeout=200)
    assert done.returncode == 1, done.stderr.decode(errors="replace")[-2_000:]
    return done.stdout
