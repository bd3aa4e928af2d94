"""What is in the place of a claim, or of a gate's folders, before the gate."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from invariants.model.errors import ConfigError
from monitor.gate.claim_view import claim_key, claim_value
from monitor.gate.claims import FOLDER, FileClaims, make_own_folder
from monitor.gate.errors import ClaimPendingError, ConflictError, NotReadyError
from monitor.gate.wire import Opening, Ruling, Withdrawal
from monitor.topics import GATE
from monitor.trace_key import TraceKey
from tests.support.claim_topic import LEASE_NS, Clock, Stepped, Topic
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


class ClaimedGate(GateHere):
    """A gate whose claims are on a topic in memory, with turns that the test takes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.topic, self.time = Topic(), Clock()
        self.claims = Stepped(self.topic, self.time, "a", "a/0", lambda time_ns: None)
        self.claims.begin()
        self.gate._claims = self.claims
        self.gate._recorder._claims_trouble = lambda: self.claims.trouble

    def begin(self, session: str = "s-1") -> None:
        """An agent begins a session, and waits for its claim."""
        with pytest.raises(ClaimPendingError):
            self.ask("look", session=session, args={})
        self.claims.settle()
        assert self.ask("look", session=session, args={}).decision == "allow"


@pytest.fixture
def claimed(tmp_path: Path) -> Iterator[ClaimedGate]:
    gate = ClaimedGate(tmp_path)
    yield gate
    gate.close()


def test_nothing_of_a_session_is_written_before_its_claim(claimed: ClaimedGate) -> None:
    """Whatever its first request is."""
    with pytest.raises(ClaimPendingError):
        claimed.ask("look", args={})
    with pytest.raises(ClaimPendingError):
        claimed.tell("message.user", session="s-2", text="hello")
    with pytest.raises(ClaimPendingError):
        claimed.gate.open("bot", Opening("s-3"))
    assert claimed.records() == []
    claimed.claims.settle()
    claimed.tell("message.user", session="s-2", text="hello")
    assert claimed.gate.open("bot", Opening("s-3")).seq == 1
    assert claimed.gate.claims_count == 3


def test_a_gate_without_its_lease_changes_nothing(claimed: ClaimedGate) -> None:
    """Neither an agent, nor an operator, nor time; answers that were given stay as they are."""
    claimed.begin()
    held = claimed.ask("pay", args={"amount": 5}, request="r1").approval
    assert held is not None
    before = claimed.records()
    claimed.time.time_ns += LEASE_NS
    for refused in (
        lambda: claimed.ask("look", args={}),
        lambda: claimed.tell("message.user", text="hello"),
        lambda: claimed.gate.open("bot", Opening("s-1")),
        lambda: claimed.gate.rule("ana", held.id, Ruling("grant")),
        lambda: claimed.gate.withdraw("bot", Withdrawal("s-1", "r1")),
    ):
        with pytest.raises(NotReadyError, match="claim_lease"):
            refused()
    claimed.clock.time_ns += 3_600_000_000_000
    claimed.gate.tick()
    assert claimed.records() == before
    assert claimed.ask("pay", args={"amount": 5}, request="r1").decision == "hold"
    assert "claim_lease" in claimed.gate.trouble
    claimed.claims.turn()
    claimed.gate.tick()
    assert claimed.records()[-1]["kind"] == "tool.denied", "it has expired"


def test_a_session_that_another_gate_has_is_refused_although_it_has_begun(
    claimed: ClaimedGate,
) -> None:
    """A topic that was made again knows nothing of it, and the other gate was faster."""
    claimed.begin()
    held = claimed.ask("pay", args={"amount": 5}, request="r1").approval
    assert held is not None
    key = TraceKey("bot", "s-1")
    (own,) = claimed.topic.view().claims_of(key, "a")
    claimed.topic.append([(claim_key(key, own), None), (claim_key(key, "x"), claim_value("b"))])
    claimed.claims.settle()
    with pytest.raises(ConflictError):
        claimed.ask("look", args={})
    with pytest.raises(ConflictError):
        claimed.gate.rule("ana", held.id, Ruling("grant"))
    with pytest.raises(ConflictError):
        claimed.gate.withdraw("bot", Withdrawal("s-1", "r1"))


def test_a_session_is_known_until_it_is_forgotten(tmp_path: Path) -> None:
    """Also one that is in the store alone: its claim is kept over a restart."""
    here = GateHere(tmp_path)
    here.tell("message.user", text="hello")
    book = here.gate._book
    assert book.has(TraceKey("bot", "s-1"))
    assert not book.has(TraceKey("bot", "s-2"))
    here.restart()
    assert here.gate._book.has(TraceKey("bot", "s-1"))
    book.row(TraceKey("bot", "s-2"))
    assert not book.has(TraceKey("bot", "s-2"))
    here.close()


def test_a_copy_of_a_state_does_not_answer_beside_it(tmp_path: Path) -> None:
    """They have one name: each would take the other's sessions for its own."""
    folders = [tmp_path / name for name in ("first", "beside", "after")]
    for folder in folders:
        folder.mkdir()
    here = GateHere(folders[0])
    here.ask("search")
    here.gate.tick()
    for folder in folders[1:]:
        shutil.copytree(folders[0] / "state", folder / "state")
        (folder / "log").symlink_to(folders[0] / "log")
    with pytest.raises(ConfigError, match="copy of this `state_dir`"):
        GateHere(folders[1])
    assert here.ask("search").decision == "allow"
    here.close()
    assert GateHere(folders[2]).ask("search").decision == "allow"
