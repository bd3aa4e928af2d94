"""Runs a text by a real shell, and gives what the marker wrote down.

A `Room` belongs to one process of its own, which can write nowhere else from then on
(`sandbox.py`). It takes over every orphan of what it starts, waits
until all of them have ended, and kills those that do not. So nothing outlives its text, and what is
started in the background is seen without waiting for a time to pass. Linux only (`prctl`, `/proc`).
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from . import sandbox

TEXT_SECONDS_MAX: Final = 4.0
"""Chosen: the slowest form takes half a second on an idle machine."""
FILE_BYTES_MAX: Final = 1 << 22
_PR_SET_CHILD_SUBREAPER: Final = 36
_MARKER: Final = "#!/bin/sh\nprintf '%s\\0' \"$0\" \"$@\" '{end}' >> '{log}'\n"
_END: Final = "end-of-words"


@dataclass(frozen=True, slots=True)
class Ran:
    """What one text started: the marker's program and words, each time; was it killed?"""

    marks: tuple[tuple[str, ...], ...]
    is_late: bool


class _LateError(Exception):
    """The time of a text is over."""


class Room:
    """A throwaway folder with the marker in its `bin`, and an empty `cwd` for each text."""

    def __init__(self, folder: Path, seconds_max: float = TEXT_SECONDS_MAX) -> None:
        self._seconds_max = seconds_max
        self._cwd = folder / "cwd"
        self._log = folder / "log"
        binaries = folder / "bin"
        binaries.mkdir(parents=True)
        self._cwd.mkdir()
        self._log.touch()
        marker = binaries / "mark"
        marker.write_text(_MARKER.format(end=_END, log=self._log))
        marker.chmod(0o755)
        (binaries / "python3").symlink_to(Path(sys.executable).resolve())
        self.environment = {
            **{"PATH": f"{binaries}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
            **{"HOME": str(folder), "TMPDIR": str(self._cwd), "HISTFILE": "/dev/null"},
            **{"LC_ALL": "C.UTF-8", "TERM": "dumb", "GIT_CEILING_DIRECTORIES": str(folder)},
            **{
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "EMAIL": "x@localhost",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
        }
        sandbox.enter([self._cwd, self._log])
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, FILE_BYTES_MAX))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError("this system lets no process take over orphans")
        signal.signal(signal.SIGALRM, _late)

    def run(self, shell: str, text: str) -> Ran:
        """What `shell -c text` starts, once all of it has ended."""
        os.chdir(self._cwd)
        null = os.open(os.devnull, os.O_RDWR)
        actions = [(os.POSIX_SPAWN_DUP2, null, target) for target in (0, 1, 2)]
        with self._log.open("r+b") as log:
            log.truncate(0)
            is_late = False
            signal.setitimer(signal.ITIMER_REAL, self._seconds_max)
            try:
                os.posix_spawn(
                    shell,
                    [Path(shell).name, "-c", text],
                    self.environment,
                    file_actions=actions,
                    setsid=True,
                )
                _wait_for_all()
            except _LateError:
                is_late = True
                _kill_all()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                os.close(null)
            written = log.read().decode("utf-8", "surrogateescape")
        self._tidy()
        return Ran(_marks(written), is_late)

    def _tidy(self) -> None:
        for entry in self._cwd.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def _late(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _LateError


def _wait_for_all() -> None:
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _kill_all() -> None:
    """Until none is left: the orphans of those that were killed become ours."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while numbers := children.read_text().split():
        for number in map(int, numbers):
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
            os.waitpid(number, 0)


def _marks(written: str) -> tuple[tuple[str, ...], ...]:
    records = written.split(f"\0{_END}\0")
    return tuple(tuple(record.split("\0")) for record in records if record)
