"""What is in the place of a claim, or of a gate's folders, before the gate."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from invariants.model.errors import ConfigError
from monitor.gate.claims import FOLDER, FileClaims, make_own_folder
from monitor.gate.errors import ConflictError, NotReadyError
from monitor.topics import GATE
from monitor.trace_key import TraceKey
from tests.support.gate import GateHere


@pytest.mark.parametrize("sort", ["pipe", "link", "text"])
def test_nothing_in_the_place_of_a_claim_gives_a_session(tmp_path: Path, sort: str) -> None:
    """A pipe without a writer is not waited for, and a link is not followed."""
    key, claims = TraceKey("bot", "s-1"), FileClaims(tmp_path, "gate-1")
    claims.take(key)
    (path,) = (tmp_path / FOLDER).iterdir()
    path.unlink()
    (tmp_path / "mine").write_text("gate-1")
    if sort == "pipe":
        os.mkfifo(path)
    elif sort == "link":
        path.symlink_to(tmp_path / "mine")
    else:
        path.write_text("gate-2")
    with pytest.raises((ConflictError, NotReadyError)):
        claims.take(key)


@pytest.mark.parametrize("name", [GATE, FOLDER])
def test_folders_that_others_may_write_to_are_refused(tmp_path: Path, name: str) -> None:
    """An agent that may write to the log directory must not own the gate's log or claims."""
    folder = tmp_path / name
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match="other users may replace"):
        make_own_folder(folder)
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="other users may replace"):
        make_own_folder(folder)
    here = GateHere(tmp_path)
    made = tmp_path / "log" / name
    assert made.stat().st_mode & 0o022 == 0, "made at the start, before an agent can"
    here.close()
