"""The page of an incident is executed: a session is stopped, and each of its commands works."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from interlock import Client, Refused
from monitor.cli.__main__ import main
from tests.support.monitor_process import MonitorProcess

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INVARIANTS = """\
version: 1
invariants:
  - id: nothing-deleted
    severity: critical
    on_unknown: violate
    mode: enforce
    respond: [quarantine]
    never: deletes
predicates:
  deletes: kind == "tool.requested" && tool == "delete"
"""
SETTINGS = """\
source: log:log
state_dir: state
invariants: [invariants/]
"""


def incident(folder: Path) -> None:
    """An agent of the session `s-1` is refused, after more events than the page looks at."""
    (folder / "log").mkdir()
    (folder / "invariants").mkdir()
    (folder / "invariants" / "mine.yaml").write_text(INVARIANTS)
    (folder / "interlock.yaml").write_text(SETTINGS)
    source = f"log:{folder / 'log'}"
    monitor = MonitorProcess(source, folder / "invariants", folder / "state")
    monitor.start()
    try:
        assert main(["control", "wait", "--source", source]) == 0
        with Client(source, agent="a") as client, client.session("s-1") as session:
            for number in range(12):
                session.user_message(str(number))
            session.call("delete", lambda: None)
            assert client.wait_until_judged()
            try:
                session.call("delete", lambda: None)
            except Refused as refused:
                assert refused.state == "quarantined"
            else:
                raise AssertionError("the second call was not refused")
        assert main(["control", "wait", "--source", source]) == 0
        monitor.stop()
    finally:
        monitor.end()


def interlock(folder: Path, line: str) -> str:
    """One command of the page, as a process of its own; it must succeed."""
    words = shlex.split(line)
    assert words.pop(0) == "interlock"
    done = subprocess.run(
        [sys.executable, "-m", "interlock_command", *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_every_command_of_the_page_works(tmp_path: Path) -> None:
    """In the order of the page, with what the page cannot know filled in."""
    incident(tmp_path)
    found = interlock(tmp_path, "interlock findings list --state-dir state")
    match = re.search(r"nothing-deleted violated .* \[(f-[0-9a-f]+)\]", found)
    assert match is not None, found
    # With one topic for each principal, the monitor would have stopped this one.
    interlock(tmp_path, "interlock control quarantine session-of:alice/s-1 --source log:log")
    blocks = BLOCK.findall((ROOT / "docs" / "incident.md").read_text())
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) > 10
    listed = interlock(tmp_path, "interlock control list --source log:log")
    voucher = re.search(r"last heartbeat of (\S+):", listed)
    assert voucher is not None, listed
    filled = {"SOURCE": "log:log", "STATE_DIR": "state"}
    filled |= {"f-3b467d": match[1], "group:interlock": voucher[1]}
    told = {}
    for line in lines:
        words = [filled.get(word, word) for word in line.split(" ")]
        told[line] = interlock(tmp_path, " ".join(words))
    first_list = told["interlock control list --source SOURCE"]
    assert re.search(r"session:s-1 +quarantined", first_list), first_list
    assert (tmp_path / "incident.html").exists()
