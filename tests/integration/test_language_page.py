"""docs/language.md is executed: its files are saved as it says, and its commands run on them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.console import SECONDS_MAX, assert_prints, commands_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "language.md").read_text()
NAMED_FILE = re.compile(r"^```yaml\n(# (\S+\.yaml)\n.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.timeout(SECONDS_MAX + 30)
def test_the_lesson_does_what_it_says(tmp_path: Path) -> None:
    """Each command, on the files of the page, prints what the page says that it prints."""
    files = {name: text for text, name in NAMED_FILE.findall(PAGE)}
    assert len(files) >= 7
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    commands = commands_of(PAGE)
    assert {command.text.split()[1] for command in commands} >= {"check", "test", "explain", "run"}
    assert_prints(commands, tmp_path)
