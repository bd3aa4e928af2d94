"""`interlock bench start`: the processor time of whole commands, relative to an empty Python.

Each round runs `python -c pass` and the commands one after another, each in a process of its own,
and reads the processor time that the system charged to it. A command starts without any state of
an earlier one; compiled modules (`.pyc`) are there, as after an installation: a first round, which
does not count, has made them. Ratios are medians over rounds.

A first verdict: `interlock run` over a file with one event, which violates a file of one's own with
two invariants; the same with `pack:default`; and that again with a state directory in which an
earlier start has left the image of the program, and nothing else.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import monitor
from invariants.model.errors import ConfigError
from monitor.service.program_image import IMAGE_FILE

MODULE: Final = "interlock_command"
MODULE_BEFORE: Final = "monitor.cli.__main__"
"""The module that the command begins in, and the one of a revision that has no `MODULE`."""
STATE: Final = "state"
OWN_FILE: Final = """\
version: 1
predicates:
  deletes: kind == "tool.requested" && tool == "db.delete"
  asked: kind == "message.user"
  granted: kind == "approval.granted"
invariants:
  - id: nothing-deleted-unasked
    severity: warning
    never: deletes and not once granted
  - id: user-asked-before
    severity: warning
    always: deletes implies once[1h] asked
"""
EVENT: Final = (
    '{"session":"s","seq":0,"ts":"2026-01-01T00:00:00Z","kind":"tool.requested",'
    '"tool":"db.delete","call":"c","args":{"command":"sudo rm -rf /"}}\n'
)


@dataclass(frozen=True, slots=True)
class StartFigures:
    """The results of one run; times are medians, in ms of processor time."""

    help_over_python: float
    first_verdict_over_python: float
    first_verdict_default_packs_over_python: float
    second_start_default_packs_over_python: float
    python_ms: float
    help_ms: float
    first_verdict_ms: float
    first_verdict_default_packs_ms: float
    second_start_default_packs_ms: float
    rounds: int
    beside: dict[str, float] | None


def measure_start(rounds: int, beside: Path | None = None) -> StartFigures:
    """Run every command once untimed, and then in each round.

    Raises
    ------
    ConfigError
        A command does not end as it should.
    """
    own = Path(next(iter(monitor.__path__))).parent
    checkouts = [own] if beside is None else [own, beside.resolve()]
    taken: list[dict[str, list[float]]] = [{} for _ in checkouts]
    with tempfile.TemporaryDirectory(prefix="interlock-bench-") as name:
        folder = Path(name)
        (folder / "own.yaml").write_text(OWN_FILE)
        (folder / "event.jsonl").write_text(EVENT)
        for number in range(rounds + 1):
            for checkout, times in zip(checkouts, taken, strict=True):
                for command, arguments in _commands(checkout).items():
                    _leave_the_image_alone(folder / STATE)
                    ms = _processor_ms(command, arguments, folder, checkout)
                    if number:
                        times.setdefault(command, []).append(ms)
    times = taken[0]
    return StartFigures(
        **_ratios(times),
        **{f"{command}_ms": round(statistics.median(ms), 1) for command, ms in times.items()},
        rounds=rounds,
        beside=None if beside is None else _ratios(taken[1]),
    )


def _commands(checkout: Path) -> Mapping[str, tuple[Sequence[str], int]]:
    """The commands, and the code with which each ends."""
    module = MODULE if (checkout / f"{MODULE}.py").is_file() else MODULE_BEFORE
    start = f"from {module} import entry_point; entry_point()"
    watch = [start, "run", "--source", "event.jsonl", "--invariants"]
    return {
        "python": (["pass"], 0),
        "help": ([start, "--help"], 0),
        "first_verdict": ([*watch, "own.yaml"], 1),
        "first_verdict_default_packs": ([*watch, "pack:default"], 1),
        "second_start_default_packs": ([*watch, "pack:default", "--state-dir", STATE], 1),
    }


def _leave_the_image_alone(state: Path) -> None:
    """Remove all but the image of the program from a state directory."""
    for path in state.glob("*"):
        if path.name != IMAGE_FILE:
            path.unlink()


def _processor_ms(
    command: str, given: tuple[Sequence[str], int], folder: Path, checkout: Path
) -> float:
    arguments, code = given
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPATH"] = str(checkout)
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "pycache")
    process = subprocess.Popen(  # noqa: S603 (our own interpreter and code)
        [sys.executable, "-c", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != code:
        raise ConfigError(
            f"`{command}` of `{checkout}` ended with {process.returncode}, expected {code}"
        )
    return (usage.ru_utime + usage.ru_stime) * 1_000


def _ratios(times: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {
        f"{command}_over_python": round(
            statistics.median(
                ms / python for ms, python in zip(of_command, times["python"], strict=True)
            ),
            2,
        )
        for command, of_command in times.items()
        if command != "python"
    }
