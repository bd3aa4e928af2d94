"""The first refused call of docs/connecting.md: its blocks run in order, and print what they say.

The environments that the page makes are those of the tests: nothing is fetched.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.adapters.environment import Environment
from tests.support.console import SECONDS_MAX, assert_prints, commands_of
from tests.support.kafka_broker import CHECKOUT

COMMANDS_MAX = 12
INSTALLING = (" -m venv ", "/bin/pip install ")


def program(path: Path, *command: str) -> None:
    """A program that runs a command of the tests with the packages of the checkout."""
    path.parent.mkdir(parents=True)
    path.write_text(f'#!/bin/sh\nPYTHONPATH={CHECKOUT} exec {" ".join(command)} "$@"\n')
    path.chmod(0o755)


@pytest.mark.timeout(SECONDS_MAX + 30)
def test_the_page_leads_to_a_refused_call(tmp_path: Path) -> None:
    """In a few commands, from nothing."""
    page = (CHECKOUT / "docs" / "connecting.md").read_text()
    _, _, rest = page.partition("\n## A first refused call\n")
    commands = commands_of(rest.partition("\n## ")[0])
    assert 5 < len(commands) <= COMMANDS_MAX
    langchain = Environment("langchain")
    program(tmp_path / ".interlock-env" / "bin" / "interlock", sys.executable, "-m", "monitor.cli")
    program(tmp_path / ".venv" / "bin" / "python", os.fspath(langchain.python))
    installing = [one for one in commands if any(part in one.text for part in INSTALLING)]
    assert len(installing) == 4 and not any(one.expected for one in installing)
    # The page installs between the start of the gate and the agent, which takes longer.
    ready = commands[0]._replace(text="until test -S .interlock/gate.sock; do sleep 0.1; done")
    kept = [
        ready if one == installing[-1] else one for one in commands if one not in installing[:-1]
    ]
    assert_prints(kept, tmp_path)
