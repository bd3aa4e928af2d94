"""The clients of the gate in other languages, as the pages have them, against a gate."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.support.agents_gate import AgentsGate
from tests.support.gated import held, in_background
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
const pay = await gate.ask("pay", { amount: 1000 });
console.log(JSON.stringify([read, denied, other, pay]));
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
	pay, err := g.Ask("pay", gate.Fields{"amount": 1000})
	if err != nil {
		panic(err)
	}
	json.NewEncoder(os.Stdout).Encode([]any{read, denied, other.Error(), pay})
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


def check(gate: AgentsGate, session: str, command: list[str], folder: Path) -> None:
    """An agent makes a call, has one denied, tells what it may not, and has one approved with other
    arguments.
    """
    thread, printed = in_background(lambda: run([*command, gate.url, gate.token], folder))
    gate.rule(held(gate), "grant", {"amount": 1})
    thread.join()
    read, denied, other, pay = json.loads(printed[0], object_hook=with_small_keys)
    assert read["decision"] == "allow"
    assert denied["decision"] == "deny"
    assert denied["message"].startswith("This call was refused before it ran")
    assert "tool.denied" in other
    assert (pay["decision"], pay["args"]) == ("allow", {"amount": 1})
    told = [event for event in gate.log() if event["session"] == session]
    kinds = [event["kind"] for event in told if event["kind"] != "session.started"]
    assert kinds == [
        "tool.requested", "tool.completed", "tool.denied", "approval.requested",
        "approval.granted", "tool.requested",
    ]  # fmt: skip
    requested, completed = told[-6:-4]
    assert requested["args"] == {"path": "ü"}
    assert requested["call"] == completed["call"]


def with_small_keys(fields: dict[str, Any]) -> dict[str, Any]:
    """Go prints the names of its fields."""
    return {name.lower(): value for name, value in fields.items()}


def test_the_client_in_typescript(gate: AgentsGate, tmp_path: Path) -> None:
    """It passes the strict checks of the compiler, and runs on Node without dependencies."""
    compiler = typescript_compiler()
    shutil.copy(CLIENTS / "gate.ts", tmp_path)
    (tmp_path / "agent.ts").write_text(AGENT_IN_TYPESCRIPT)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    flags = ["--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom"]
    run([*compiler, *flags, "agent.ts"], tmp_path)
    check(gate, "ts-1", [compiler[0], "agent.js"], tmp_path)


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
    check(gate, "go-1", [str(tmp_path / "agent")], tmp_path)
