"""The page of the first hour is executed: its blocks run in order, and print what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.console import SECONDS_MAX, assert_prints, commands_of, pattern_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder that looks like the checkout, in which files may be written."""
    for name in (".venv", "fixtures", "Makefile", "pyproject.toml", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.mark.timeout(SECONDS_MAX + 30)
def test_the_page_does_what_it_says(copy: Path) -> None:
    """Each command prints what the page says that it prints."""
    commands = commands_of((ROOT / "docs" / "first-hour.md").read_text())
    assert len(commands) > 5
    assert_prints(commands, copy)


def test_wildcards_are_no_wider_than_they_say() -> None:
    """`...` stays within its line; a line of its own takes any lines, none included."""
    assert pattern_of("a ... c\n...\nd").fullmatch("a b c\nx\ny\nd\n")
    assert pattern_of("a\n...\nd").fullmatch("a\nd\n")
    assert not pattern_of("a ... c").fullmatch("a\nc\n")
    assert not pattern_of("a").fullmatch("a\nb\n")
    assert not pattern_of("").fullmatch("a\n")
