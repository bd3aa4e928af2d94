"""Evidence is written for its owner alone, whole, and never through what others have laid there."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from invariants.model.errors import ConfigError
from monitor.evidence_file import create_evidence, write_evidence


def replace_whole(path: Path, content: bytes) -> None:
    write_evidence(path, content)


def replace_in_pieces(path: Path, content: bytes) -> None:
    with create_evidence(path, is_replacing=True) as file:
        file.write(content)


BOTH = pytest.mark.parametrize("write", [replace_whole, replace_in_pieces])
Write = Callable[[Path, bytes], None]


@BOTH
def test_the_mode_is_the_owners_whatever_was_there(tmp_path: Path, write: Write) -> None:
    """Also with a generous umask, and in the place of a file that everybody reads."""
    path = tmp_path / "page.html"
    path.write_text("old")
    path.chmod(0o666)
    before = os.umask(0)
    try:
        write(path, b"new")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


@BOTH
def test_a_link_is_replaced_and_not_followed(tmp_path: Path, write: Write) -> None:
    """What it points to is neither written nor made."""
    victim, link = tmp_path / "victim", tmp_path / "page.html"
    victim.write_text("mine")
    for target in (victim, tmp_path / "absent"):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        write(link, b"evidence")
        assert not link.is_symlink() and link.read_bytes() == b"evidence"
    assert victim.read_text() == "mine" and not (tmp_path / "absent").exists()


@BOTH
def test_a_hard_link_keeps_its_content(tmp_path: Path, write: Write) -> None:
    """A second name for a file of somebody else does not get the evidence."""
    other, path = tmp_path / "other", tmp_path / "page.html"
    other.write_text("mine")
    os.link(other, path)
    write(path, b"evidence")
    assert (other.read_text(), path.read_bytes()) == ("mine", b"evidence")


@BOTH
def test_a_pipe_is_written_to(tmp_path: Path, write: Write) -> None:
    """A device or a pipe that the user named stays what it is."""
    path, got = tmp_path / "pipe", list[bytes]()
    os.mkfifo(path)
    reader = Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    write(path, b"evidence")
    reader.join()
    assert got == [b"evidence"] and stat.S_ISFIFO(path.stat().st_mode)


def test_what_fails_changes_nothing(tmp_path: Path) -> None:
    """A place that cannot be written is an error that says so, and leaves no rest."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in (folder, tmp_path / "none" / "page.html", Path("/proc/none")):
        with pytest.raises(ConfigError, match="cannot be written"):
            write_evidence(path, b"x")
    assert list(tmp_path.iterdir()) == [folder]


def test_a_recording_is_not_written_over(tmp_path: Path) -> None:
    """Unless that is said; also not through a link that points nowhere."""
    path, link = tmp_path / "r.jsonl", tmp_path / "link"
    path.write_text("old")
    link.symlink_to(tmp_path / "absent")
    for there in (path, link):
        with pytest.raises(ConfigError, match="already exists"):
            create_evidence(there, is_replacing=False)
    assert path.read_text() == "old" and not (tmp_path / "absent").exists()
