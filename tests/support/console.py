"""Pages whose console blocks are run: what they hold, and whether they print what they say.

Each `console` block holds commands (`$ `, continued by `> `) and what they print. In what is
expected, `...` stands for anything within a line, and a line `...` for any lines.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "=== command"
SECONDS_MAX = 900
"""Only against waiting for ever: what a page shows does not depend on the processor."""


class Command(NamedTuple):
    """One command of a page, and the output that stands below it."""

    text: str
    expected: str


def commands_of(page: str) -> list[Command]:
    """All commands of a page, in order."""
    commands: list[tuple[list[str], list[str]]] = []
    for block in BLOCK.findall(page):
        for line in block.splitlines():
            if line.startswith("$ "):
                commands.append(([line[2:]], []))
            elif line == ">" or line.startswith("> "):
                commands[-1][0].append(line[2:])
            else:
                commands[-1][1].append(line)
    return [Command("\n".join(text), "\n".join(expected)) for text, expected in commands]


def pattern_of(expected: str) -> re.Pattern[str]:
    """What is expected, as a pattern for the whole output."""
    parts = [
        r"(?:.*\n)*?"
        if line == "..."
        else r"[^\n]*?".join(map(re.escape, line.split("..."))) + "\n"
        for line in expected.splitlines()
    ]
    return re.compile("".join(parts))


def assert_prints(commands: list[Command], folder: Path) -> None:
    """Runs the commands in order, in one shell; each prints what the page says that it prints."""
    bash = shutil.which("bash")
    assert bash is not None, "the page's commands are for a shell"
    script = "".join(f"echo '{MARK}'\n{command.text}\n" for command in commands)
    outputs = _run(bash, script, folder).split(f"{MARK}\n")[1:]
    for command, output in zip(commands, outputs, strict=True):
        assert pattern_of(command.expected).fullmatch(output), f"$ {command.text}\n{output}"


def _run(bash: str, script: str, folder: Path) -> str:
    """What a shell prints; nothing that it started is left behind."""
    settings = {k: v for k, v in os.environ.items() if not k.startswith("INTERLOCK_")}
    settings["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), settings["PATH"]])
    shell = subprocess.Popen(
        [bash, "-c", script],
        cwd=folder,
        env=settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        printed, _ = shell.communicate(timeout=SECONDS_MAX)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
    return printed.decode()
