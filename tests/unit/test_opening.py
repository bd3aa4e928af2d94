"""A log directory that is probably not the one that was meant is told at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.clock import SystemClock
from monitor.config.table import Settings
from monitor.service.connect import open_surroundings
from monitor.topics import POLICIES
from monitor.transport.address import LogDirAddress

MEND = "correct the `log:` address"


def told(directory: Path) -> list[str]:
    """What the start says of the address itself."""
    address = LogDirAddress(str(directory))
    opened = open_surroundings(address, Settings(), SystemClock(), "w")
    opened.source.close()
    return [warning for warning in opened.warnings if MEND in warning]


def test_a_directory_that_was_not_there_is_told(tmp_path: Path) -> None:
    """A mistyped path was made, and watched for ever; made on purpose it is told once."""
    directory = tmp_path / "lgo" / "deep"
    assert told(directory) == [
        f"`{directory}` did not exist and was created; if agents write elsewhere, {MEND}"
    ]
    assert directory.is_dir()
    assert told(directory) == []


def test_a_directory_of_something_else_is_told(tmp_path: Path) -> None:
    """`log:.` in a checkout watches a folder in which no agent publishes."""
    (tmp_path / "README.md").touch()
    assert told(tmp_path) == [
        f"`{tmp_path}` contains other files but no topic of Interlock; if agents write elsewhere, "
        f"{MEND}"
    ]


@pytest.mark.parametrize("topic", sorted(POLICIES))
def test_a_log_directory_is_not_told(tmp_path: Path, topic: str) -> None:
    """One topic is enough to know it by, whatever else lies there; an empty one is new."""
    assert told(tmp_path) == []
    (tmp_path / topic).mkdir()
    (tmp_path / "notes.txt").touch()
    assert told(tmp_path) == []
