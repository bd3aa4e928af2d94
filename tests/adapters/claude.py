"""The real command line of Claude Code, with a scripted model and a gate in another process."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from monitor.cli.__main__ import main
from tests.adapters.environment import Environment
from tests.support.gate import INVARIANTS
from tests.support.gate_served import ServedGate
from tests.support.messages_api import ScriptedModel
from tests.support.monitor_process import PATIENCE_S

BINARY = """
import pathlib, claude_agent_sdk
print(pathlib.Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude")
"""
OF_CLAUDE = {
    'tool == "read_file" && args.path.startsWith("/secrets")': (
        'tool == "Read" && args.file_path.contains("/secrets/")'
    ),
    'tool == "http.post"': 'tool == "Bash" && args.command.contains("curl")',
    'tool == "pay" && args.amount > 1000': 'tool == "Write" && args.content == "1001"',
    'tool == "pay"': 'tool == "Write"',
}
"""The tools of the invariants, and those of Claude Code in their place."""
ALLOWED = "Bash,Read,Write,Agent"


class Claude:
    """A project with hooks for a gate, and runs of Claude Code in it."""

    def __init__(
        self, environment: Environment, gate: ServedGate, folder: Path, address: str, *more: str
    ) -> None:
        done = subprocess.run(
            [environment.python, "-c", BINARY], capture_output=True, text=True, check=True
        )
        self._binary = done.stdout.strip()
        self.gate, self.project, self._home = gate, folder / "p", folder / "home"
        (self.project / "secrets").mkdir(parents=True)
        (self.project / "secrets" / "key").write_text("key")
        self._home.mkdir()
        self.settings = self.project / ".claude" / "settings.json"
        hooks = ["init", "claude-code", "--gate", address, "--settings", str(self.settings)]
        assert main([*hooks, *more]) == 0

    def run(
        self, model: ScriptedModel, prompt: str, *more: str, allowed: str = ALLOWED
    ) -> dict[str, Any]:
        """One run without a terminal: the result that it prints."""
        command = [self._binary, "-p", prompt, "--output-format", "json", "--allowedTools", allowed]
        done = subprocess.run(
            [*command, *more],
            cwd=self.project,
            env=environment_of(model, self._home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.stdout, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def edit(self, change: Any) -> None:
        """Change the hooks in the settings."""
        settings = json.loads(self.settings.read_text())
        change(settings["hooks"])
        self.settings.write_text(json.dumps(settings))

    def kinds(self, session: str) -> list[str]:
        """Kinds of the records of a session, behind its begin."""
        return [one["kind"] for one in self.gate.records() if one["session"] == session][1:]


def environment_of(model: ScriptedModel, home: Path) -> dict[str, str]:
    """The variables of a run: nothing of the user's, no traffic but to the model and the gate."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": model.url,
        "ANTHROPIC_API_KEY": "none",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "INTERLOCK_GATE_TOKEN": "agent",
        "IS_SANDBOX": "1",  # Else it does not let root bypass permissions.
    }


def claude_gate(folder: Path) -> ServedGate:
    """A gate for the tools of Claude Code, on a socket and a port; `op` may approve."""
    gate = ServedGate(folder, tokens=("agent", "op"), listen="http://127.0.0.1:0")
    text = INVARIANTS
    for ours, theirs in OF_CLAUDE.items():
        text = text.replace(ours, theirs)
    (gate.folder / "gate.yaml").write_text(text)
    return gate
