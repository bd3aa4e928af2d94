"""The clients of the gate in other languages, as the pages have them, against a gate."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from tests.support.agents_gate import AgentsGate
from tests.support.languages import go, typescript_compiler

CLIENTS = Path(__file__).resolve().parents[2] / "docs" / "clients"

AGENT_IN_TYPESCRIPT = """
import { connect, type Answer } from "./gate.js";
declare const process: { argv: string[] };
const [, , address, token] = process.argv;
const gate = connect(address!, token!, "ts-1");
const read: Answer = await gate.ask("read", { path: "ü" });
if (read.decision === "allow")
  await gate.tell({ kind: "tool.completed", tool: "read", call: read.call, result: "text" });
const denied = await gate.ask("delete", { path: "/" });
const other = await gate.tell({ kind: "tool.denied" }).catch((error: Error) => error.message);
console.log(JSON.stringify([read.decision, denied.decision, denied.message, other]));
"""
AGENT_IN_GO = """
package main

import (
	"agent/gate"
	"encoding/json"
	"os"
)

func main() {
	g := gate.Gate{Address: os.Args[1], Token: os.Args[2], Session: "go-1"}
	read, err := g.Ask("read", gate.Fields{"path": "ü"})
	if err == nil && read.Decision == "allow" {
		outcome := gate.Fields{"kind": "tool.completed", "tool": "read", "call": read.Call}
		err = g.Tell(outcome)
	}
	if err != nil {
		panic(err)
	}
	denied, err := g.Ask("delete", gate.Fields{"path": "/"})
	if err != nil {
		panic(err)
	}
	other := g.Tell(gate.Fields{"kind": "tool.denied"})
	printed := []any{read.Decision, denied.Decision, denied.Message, other.Error()}
	json.NewEncoder(os.Stdout).Encode(printed)
}
"""


def run(command: list[str], folder: Path, **more: str) -> str:
    """The output of a command that succeeds."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | more,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check(gate: AgentsGate, session: str, printed: str) -> None:
    """What an agent printed and a gate recorded of a call that was made, and of a denied one."""
    read, denied, message, other = json.loads(printed)
    assert (read, denied) == ("allow", "deny")
    assert message.startswith("This call was refused before it ran")
    assert "tool.denied" in other
    told = [event for event in gate.log() if event["session"] == session]
    kinds = [event["kind"] for event in told if event["kind"] != "session.started"]
    assert kinds == ["tool.requested", "tool.completed", "tool.denied"]
    assert told[-3]["args"] == {"path": "ü"}
    assert told[-3]["call"] == told[-2]["call"]


def test_the_client_in_typescript(gate: AgentsGate, tmp_path: Path) -> None:
    """It passes the strict checks of the compiler, and runs on Node without dependencies."""
    compiler = typescript_compiler()
    shutil.copy(CLIENTS / "gate.ts", tmp_path)
    (tmp_path / "agent.ts").write_text(AGENT_IN_TYPESCRIPT)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    flags = ["--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom"]
    run([*compiler, *flags, "agent.ts"], tmp_path)
    check(gate, "ts-1", run([compiler[0], "agent.js", gate.url, gate.token], tmp_path))


def test_the_client_in_go(gate: AgentsGate, tmp_path: Path) -> None:
    """It is formatted, passes `go vet`, and needs the standard library only."""
    program = go()
    (tmp_path / "gate").mkdir()
    shutil.copy(CLIENTS / "gate.go", tmp_path / "gate")
    (tmp_path / "go.mod").write_text("module agent\n\ngo 1.21\n")
    (tmp_path / "main.go").write_text(AGENT_IN_GO.lstrip())
    offline = {"GOTOOLCHAIN": "local", "GOPROXY": "off", "GOFLAGS": "-mod=mod"}
    run([program, "vet", "./gate"], tmp_path, **offline)
    formatted = shutil.which("gofmt")
    if formatted is not None:
        assert run([formatted, "-l", "gate"], tmp_path) == ""
    run([program, "build", "-o", "agent", "."], tmp_path, **offline)
    check(gate, "go-1", run([str(tmp_path / "agent"), gate.url, gate.token], tmp_path))
