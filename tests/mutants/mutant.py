"""Planted faults as data, and a private copy of the packages in which one of them is real."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    "detectors",
    "interlock",
    "invariants",
    "monitor",
    "replay",
    "tests/conformance",
    "tests/golden",
    "tests/laws",
    "tests/mutants",
    "tests/support",
    "tests/traces",
    "tests/unit",
)
COPIED_FILES = ("pyproject.toml", "tests/__init__.py", "tests/conftest.py")
OUTPUT = "killers.out"
KILLER = "killer.txt"
"""In a copy: the test that failed, by pytest's name for it."""


@dataclass(frozen=True)
class Mutant:
    """`old` stands exactly once in `file`; with `new` in its place something is `wrong`.

    `killed_by` names the file of tests to begin with, if `file` does not lead to it.
    """

    name: str
    file: str
    old: str
    new: str
    wrong: str
    killed_by: str = ""


def load_mutants(directory: Path) -> list[Mutant]:
    """All mutants of all files, in order of their names; a key that is not known is refused."""
    return [
        Mutant(**entry)
        for path in sorted(directory.glob("*.toml"))
        for entry in tomllib.loads(path.read_text("utf-8"))["mutant"]
    ]


def copy_packages(target: Path) -> None:
    """Everything that the killers need: our code is copied, so nothing of the checkout is run."""
    for name in COPIED:
        shutil.copytree(ROOT / name, target / name)
    for name in COPIED_FILES:
        shutil.copy2(ROOT / name, target / name)
    for name in ("fixtures", "docs"):
        (target / name).symlink_to(ROOT / name)


def plant(mutant: Mutant, target: Path) -> None:
    """Make the mutant's fault real in the copy."""
    path = target / mutant.file
    path.write_text(planted(mutant, path.read_text("utf-8")), "utf-8")
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
        compiled.unlink()


def planted(mutant: Mutant, text: str) -> str:
    """The text of the mutant's file with its fault."""
    count = text.count(mutant.old)
    assert count == 1, (
        f"update the mutant `{mutant.name}`: its old text stands {count} times in {mutant.file}"
    )
    assert mutant.new != mutant.old, f"update the mutant `{mutant.name}`: it changes nothing"
    return text.replace(mutant.old, mutant.new)


class Killers:
    """The process of `forking.py`, which runs the killers in one copy after the other."""

    def __init__(self) -> None:
        kept = {name: value for name, value in os.environ.items() if _is_kept(name)}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forking.py"))],
            env=kept,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, target: Path, file: str, first: str) -> tuple[int, str]:
        """The end of the killers in a copy, and what they wrote.

        Without a `file` only `first`, a test by pytest's name for it, is run; else the tests of
        that file begin.
        """
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{target}\t{file}\t{first}\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        return code, (target / OUTPUT).read_text("utf-8", errors="replace")

    def close(self) -> None:
        """End the process and wait for it."""
        self.process.communicate()


def _is_kept(name: str) -> bool:
    return not name.startswith(("PYTEST_", "INTERLOCK_"))
