"""Debian's Prometheus for tests: `promtool`, `prometheus`, `amtool`, found or fetched.

Input: a program's name. Output: its path. What is installed is taken; else Debian's packages are
downloaded and unpacked into `.cache/prometheus` of the checkout, which needs no rights, installs
nothing and starts no service. Where that cannot be done, one sentence says why.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import require_or_skip

CHECKOUT = Path(__file__).resolve().parents[2]
CACHE = CHECKOUT / ".cache" / "prometheus"
UNPACKED = CACHE / "unpacked"
PACKAGES = ("prometheus", "prometheus-alertmanager")
PROGRAMS = ("prometheus", "promtool", "amtool", "prometheus-alertmanager")
FETCH_SECONDS_MAX = 180
VERSION_MIN = (2, 42)
"""`keep_firing_for` came with it."""


class NotFetchedError(RuntimeError):
    """The packages could not be downloaded or unpacked; the message says which step and why."""


def program(name: str) -> str:
    """The path of one of `PROGRAMS`; where there is none, ends the test."""
    assert name in PROGRAMS
    reason = why_not_available()
    if reason is not None:
        require_or_skip("prometheus", reason)
    return shutil.which(name) or str(UNPACKED / "usr" / "bin" / name)


@functools.cache
def why_not_available() -> str | None:
    """Fetch it if need be; one sentence on why there is none, None where there is."""
    if not _is_installed():
        try:
            _fetch()
        except (NotFetchedError, OSError) as error:
            return f"Debian's packages {' and '.join(PACKAGES)} are not there: {error}"
    found = shutil.which("promtool") or str(UNPACKED / "usr" / "bin" / "promtool")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"version (\d+)\.(\d+)", said.stdout + said.stderr)
    if match is None or (int(match[1]), int(match[2])) < VERSION_MIN:
        least = ".".join(map(str, VERSION_MIN))
        return f"`promtool` here is too old or does not run; {least} or later is needed"
    return None


def _is_installed() -> bool:
    return all(map(shutil.which, PROGRAMS))


def _fetch() -> None:
    """Download and unpack, once for all test workers."""
    with _lock():
        if _is_unpacked(UNPACKED):
            return
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise NotFetchedError("`apt-get` and `dpkg-deb` fetch them, and are not there")
        unfinished = CACHE / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        _download(unfinished)
        for package in sorted(unfinished.glob("*.deb")):
            _run(["dpkg-deb", "-x", str(package), str(unfinished / "root")], unfinished)
        if not _is_unpacked(unfinished / "root"):
            raise NotFetchedError(f"the packages do not hold all of {', '.join(PROGRAMS)}")
        shutil.rmtree(UNPACKED, ignore_errors=True)
        (unfinished / "root").rename(UNPACKED)
        shutil.rmtree(unfinished)


def _download(directory: Path) -> None:
    """With the system's lists of packages; where those are missing, with lists of our own."""
    try:
        _run(["apt-get", "-q", "download", *PACKAGES], directory)
    except NotFetchedError:
        lists = directory / "lists"
        (lists / "partial").mkdir(parents=True)
        own = ["-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={directory / 'apt'}"]
        _run(["apt-get", "-q", *own, "update"], directory)
        _run(["apt-get", "-q", *own, "download", *PACKAGES], directory)


def _is_unpacked(root: Path) -> bool:
    return all((root / "usr" / "bin" / name).is_file() for name in PROGRAMS)


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _run(command: list[str], directory: Path) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            capture_output=True,
            text=True,
            timeout=FETCH_SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotFetchedError(f"`{command[0]}` took longer than {FETCH_SECONDS_MAX} s") from None
    if done.returncode != 0:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise NotFetchedError(f"`{' '.join(command[:3])}` failed: {' '.join(last)}")
