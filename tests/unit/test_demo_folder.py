"""The demo's folder: one demo at a time has it; a demo that is stopped leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.demo.stage import DemoError, Folder

ROOT = Path(__file__).resolve().parents[2]


def test_a_second_demo_is_refused(tmp_path: Path) -> None:
    """It wiped the folder in which the first one still ran, which then failed without a reason."""
    folder = Folder(tmp_path / "demo")
    with folder.taken():
        (folder.state / "kept").touch()
        with pytest.raises(DemoError, match="another demo runs"), Folder(folder.root).taken():
            pass
        assert (folder.state / "kept").exists()
    with folder.taken():
        assert not (folder.state / "kept").exists()


def test_a_folder_of_somebody_else_is_not_wiped(tmp_path: Path) -> None:
    """Only what a demo made, or an empty folder, is taken; and a link is not followed."""
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(DemoError, match="is not a demo's folder"), Folder(tmp_path).taken():
        pass
    assert (tmp_path / "thesis.txt").exists()
    folder = Folder(tmp_path / "demo")
    with folder.taken():
        (folder.root / "link").symlink_to(tmp_path)
    with folder.taken():
        assert not (folder.root / "link").exists()
    assert (tmp_path / "thesis.txt").exists()


def test_a_demo_that_is_stopped_says_so(tmp_path: Path) -> None:
    """Ctrl-C reaches everything that was started; forty lines of a traceback would help nobody."""
    demo = subprocess.Popen(
        [sys.executable, "-u", "-m", "fixtures.demo", "--directory", str(tmp_path / "demo")],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    # A shell's background jobs ignore Ctrl-C, and so would all that they start.
    assert demo.stdout is not None
    assert demo.stdout.readline().startswith("learning")
    os.killpg(demo.pid, signal.SIGINT)
    _, errors = demo.communicate(timeout=120)
    assert demo.returncode == 130
    assert errors == "the demo was stopped; what it started has ended\n"
