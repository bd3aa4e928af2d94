"""README.md is executed: its console blocks run in order, and print what they say.

Input: the page. Each `console` block holds commands (`$ `, continued by `> `) and what they print.
In what is expected, `...` stands for anything within a line, and a line `...` for any lines.
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

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "=== command"
SECONDS_MAX = 240


class Command(NamedTuple):
    """One command of the page, and the output that stands below it."""

    text: str
    expected: str


def _commands(page: str) -> list[Command]:
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


def _pattern(expected: str) -> re.Pattern[str]:
    """What is expected, as a pattern for the whole output."""
    parts = [
        r"(?:.*\n)*?"
        if line == "..."
        else r"[^\n]*?".join(map(re.escape, line.split("..."))) + "\n"
        for line in expected.splitlines()
    ]
    return re.compile("".join(parts))


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


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder that looks like the checkout, in which files may be written."""
    for name in (".venv", "fixtures", "Makefile", "pyproject.toml", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.mark.timeout(SECONDS_MAX + 30)
def test_the_page_does_what_it_says(copy: Path) -> None:
    """Each command prints what the page says that it prints."""
    bash = shutil.which("bash")
    assert bash is not None, "the page's commands are for a shell"
    commands = _commands((ROOT / "README.md").read_text())
    assert len(commands) > 5
    script = "".join(f"echo '{MARK}'\n{command.text}\n" for command in commands)
    outputs = _run(bash, script, copy).split(f"{MARK}\n")[1:]
    for command, output in zip(commands, outputs, strict=True):
        assert _pattern(command.expected).fullmatch(output), f"$ {command.text}\n{output}"


def test_wildcards_are_no_wider_than_they_say() -> None:
    """`...` stays within its line; a line of its own takes any lines, none included."""
    assert _pattern("a ... c\n...\nd").fullmatch("a b c\nx\ny\nd\n")
    assert _pattern("a\n...\nd").fullmatch("a\nd\n")
    assert not _pattern("a ... c").fullmatch("a\nc\n")
    assert not _pattern("a").fullmatch("a\nb\n")
    assert not _pattern("").fullmatch("a\n")
