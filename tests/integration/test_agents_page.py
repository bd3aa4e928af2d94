"""The pages for agents are executed: their blocks of Python run in order, against a monitor."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import inspect
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from interlock import Client, ClientOptions, guarded
from monitor.cli.__main__ import main
from tests.conftest import require_or_skip
from tests.support.agents_gate import AgentsGate
from tests.support.monitor_process import MonitorProcess

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INVARIANTS = """\
version: 1
predicates:
  deletes: kind == "tool.requested" && tool == "delete"
invariants:
  - {id: nothing-deleted, severity: warning, mode: enforce, respond: [quarantine], never: deletes}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A log directory with a monitor that may stop sessions, so that guards wait for it."""
    log = tmp_path / "log"
    log.mkdir()
    (tmp_path / "mine.yaml").write_text(INVARIANTS)
    monitor = MonitorProcess(f"log:{log}", tmp_path / "mine.yaml", tmp_path / "state")
    monitor.start()
    try:
        assert main(["control", "wait", "--source", f"log:{log}"]) == 0
        yield log
        monitor.stop()
    finally:
        monitor.end()


@pytest.fixture
def own_signals() -> Iterator[None]:
    """A page may set what SIGTERM does; afterwards it does what it did."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


WITHOUT_A_GATE = "## Publishing without a gate"
SOCKET = "/run/interlock/gate.sock"


def blocks(page: str, directory: Path) -> list[str]:
    text = (ROOT / page).read_text().partition(WITHOUT_A_GATE)
    return [
        block.replace("/var/lib/interlock", str(directory))
        for block in BLOCK.findall(text[2] or text[0])
    ]


def test_the_gated_agent_of_the_page_runs(gate: AgentsGate) -> None:
    """The first agent that a reader sees: each block asks, and its calls are recorded."""
    part = (ROOT / "docs" / "agents.md").read_text().partition(WITHOUT_A_GATE)[0]
    names: dict[str, Any] = {"read_inbox": lambda limit: ["mail"] * limit}
    for block in BLOCK.findall(part):
        names["mails"] = []
        execute(block.replace(SOCKET, str(gate.path)), names)
        assert len(names["mails"]) == 20 or "run-7" in block
    names["client"].close()
    told = [event["kind"] for event in gate.log()]
    assert told.count("tool.requested") == told.count("tool.completed") == 3
    assert told.count("session.started") == told.count("session.ended") + 1 == 3


def test_the_request_of_the_page_is_answered(gate: AgentsGate) -> None:
    """The `curl` command, as a reader pastes it."""
    if shutil.which("curl") is None:
        require_or_skip("curl", "`curl` is not installed")
    (command,) = re.findall(r"^curl (?:.*\\\n)*.*", (ROOT / "docs/agents.md").read_text(), re.M)
    done = subprocess.run(
        ["sh", "-c", command.replace(SOCKET, str(gate.path))],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout)["decision"] == "allow"
    assert gate.log()[-1]["args"] == {"limit": 20}


def test_every_option_is_on_the_page() -> None:
    """The table has a row for each field of the options."""
    part = (ROOT / "docs" / "agents.md").read_text().partition("\n## Settings\n")[2]
    rows = [re.findall("`([^`]+)`", row.split("|")[1]) for row in part.splitlines() if "|" in row]
    told = sorted(name for row in rows for name in row)
    assert told == sorted(field.name for field in dataclasses.fields(ClientOptions))


def execute(block: str, names: dict[str, Any]) -> None:
    """Run a block, which may wait for what is asynchronous."""
    result = eval(compile(block, "page", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if inspect.iscoroutine(result):
        asyncio.run(result)


def published(directory: Path) -> list[str]:
    """Kind and tool of each event."""
    events = [
        json.loads(line)
        for path in (directory / "agent.events").iterdir()
        for line in path.read_text().splitlines()
    ]
    return [f"{event['kind']} {event.get('tool', '')}".strip() for event in events]


def test_the_page_of_agents_runs(directory: Path, own_signals: None) -> None:
    """Each way to report a call is one that works, and publishes the call and its outcome."""
    first, *others = blocks("docs/agents.md", directory)

    async def afetch(url: str) -> str:
        return url

    names: dict[str, Any] = {
        "afetch": afetch,
        "read_inbox": lambda limit: ["mail"] * limit,
        "fetch": lambda url: url,
        "url": "https://example.org",
        "command": "true",
        "run": lambda command: command,
        "framework_tool": lambda function: function,
        "recipient": "bob",
        "amount": 1,
        "guarded": guarded,
        "signal": signal,
        "sys": sys,
    }
    execute(first, names)
    assert len(names["mails"]) == 20
    client: Client = names["client"]
    with client.session() as session:
        names |= {"session": session, "current_session": lambda: session}
        for block in others:
            execute(block, names)
    client.close()
    told = published(directory)
    for tool in ("read_inbox", "http.get", "shell", "send_money"):
        assert f"tool.requested {tool}" in told
        assert f"tool.completed {tool}" in told
    assert told.count("tool.requested http.get") == 2
    assert told.count("session.started") == told.count("session.ended") == 3


def test_the_page_of_the_client_runs(directory: Path) -> None:
    """What a package index shows is a program that works."""
    (block,) = blocks("interlock/README.md", directory)
    names: dict[str, Any] = {"fetch": lambda url: url}
    execute(block, names)
    names["client"].close()
    assert "tool.completed http.get" in published(directory)
