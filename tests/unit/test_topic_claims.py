"""Claims on a topic, step by step: leases, runs, losses, and what is left behind."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from invariants.model.errors import ConfigError
from monitor.gate import topic_claims
from monitor.gate.claim_view import ClaimView, Run, claim_key, run_key, run_value
from monitor.gate.errors import ClaimPendingError, ConflictError, NotReadyError
from monitor.gate.retire import retire
from monitor.trace_key import TraceKey
from monitor.transport.base import ClaimEntry, ForeignLogError
from tests.support.claim_topic import LEASE_NS, Clock, Log, Stepped, Topic

KEY = TraceKey("bot", "s-1")
OTHER = TraceKey("bot", "s-2")


class Place:
    """One topic, one clock, and gates that begin."""

    def __init__(self) -> None:
        self.topic, self.clock = Topic(), Clock()
        self.waited_ns = 0

    def begin(self, name: str, place: str = "", knows: Sequence[TraceKey] = ()) -> Stepped:
        claims = Stepped(self.topic, self.clock, name, place or f"{name}/0", self.let_pass)
        claims.begin()
        claims.adopt(lambda key: key in knows)
        return claims

    def let_pass(self, time_ns: int) -> None:
        self.waited_ns += time_ns
        self.clock.time_ns += time_ns


@pytest.fixture
def place() -> Place:
    return Place()


def take(claims: Stepped, key: TraceKey = KEY) -> None:
    """As the server does it."""
    with pytest.raises(ClaimPendingError) as pending:
        claims.take(key)
    claims.turn()
    pending.value.claimed.result(0)
    claims.take(key)


def test_a_lease_that_was_not_confirmed_ends_every_answer(place: Place) -> None:
    """At its length, not before; a record of any sort that was read back confirms it."""
    claims = place.begin("a")
    take(claims)
    place.clock.time_ns += LEASE_NS - 1
    claims.keep(KEY)
    place.clock.time_ns += 1
    for key in (KEY, OTHER):
        with pytest.raises(NotReadyError, match=r"gate\.claim_lease"):
            claims.take(key)
    place.topic.fault = "lost"
    claims.turn()
    assert "lost" in claims.trouble, "the reason"
    claims.turn()
    claims.keep(KEY)


def test_a_lease_counts_from_before_its_record(place: Place) -> None:
    """A record that was confirmed late says nothing about the time until then."""
    claims = place.begin("a")
    take(claims)
    copies: list[Stepped] = []
    place.topic.meanwhile = lambda: copies.append(place.begin("a", "a/1", [KEY]))
    with pytest.raises(ClaimPendingError):
        claims.take(OTHER)
    claims.turn()
    assert copies[0].has(KEY)
    assert not claims.has(KEY), "the copy waited for a lease that is over"


def test_only_a_run_that_may_still_answer_is_waited_for(place: Place) -> None:
    """Not one that held the same lock, and not one that has said that it ended."""
    first = place.begin("a")
    place.begin("a")
    assert not place.waited_ns, "the lock of the state directory shows that the other has ended"
    place.begin("a", "elsewhere")
    assert place.waited_ns == LEASE_NS
    last = place.begin("a", "there")
    place.waited_ns = 0
    last.close()
    last._thread.start()
    last._thread.join()
    place.begin("a", "again")
    assert not place.waited_ns
    assert first.name == "a"


def test_a_place_that_is_not_known_is_no_proof(place: Place) -> None:
    """Without the machine's id, each run may be another one that still runs."""
    for _ in range(2):
        claims = Stepped(place.topic, place.clock, "a", "", place.let_pass)
        claims.begin()
    assert place.waited_ns == LEASE_NS


def test_the_loser_leaves_nothing(place: Place) -> None:
    """Its claim is released, so that the session is free when the winner forgets it."""
    a, b, c = place.begin("a"), place.begin("b"), place.begin("c")
    for one in (a, b):
        with pytest.raises(ClaimPendingError):
            one.take(KEY)
    a.turn()
    b.turn()
    a.take(KEY)
    with pytest.raises(ConflictError, match="another gate"):
        b.take(KEY)
    b.settle()
    assert place.topic.view().count == 1
    a.release(KEY)
    a.settle()
    c.settle()
    take(c)


def test_a_session_that_begins_anew_needs_a_claim_behind_the_release(place: Place) -> None:
    """The claim before it is about to go, although the topic still has it."""
    a = place.begin("a")
    take(a)
    a.release(KEY)
    take(a)
    a.settle()
    assert a.has(KEY)
    assert place.topic.view().count == 1


def test_a_restart_releases_what_its_state_does_not_know(place: Place) -> None:
    """A claim of a session that never began is nobody's use; the others stay as they are."""
    first = place.begin("a")
    take(first)
    take(first, OTHER)
    before = place.topic.view().claims_of(OTHER, "a")
    place.begin("a", knows=[OTHER])
    view = place.topic.view()
    assert view.holder(KEY) is None
    assert view.claims_of(OTHER, "a") == before


def test_a_run_that_wakes_up_releases_nothing_of_a_later_one(place: Place) -> None:
    """It had forgotten the session, and was asleep before it wrote that down."""
    first = place.begin("a")
    take(first)
    first.release(KEY)
    copy = place.begin("a", "a/1", [KEY])
    assert copy.has(KEY)
    first.turn()
    assert first.is_lost
    copy.turn()
    assert copy.has(KEY)
    assert place.topic.view().holder(KEY) == "a"


def test_requests_for_one_session_wait_for_one_claim(place: Place) -> None:
    """And all of them learn that it failed."""
    claims = place.begin("a")
    pendings = []
    for _ in range(2):
        with pytest.raises(ClaimPendingError) as pending:
            claims.take(KEY)
        pendings.append(pending.value.claimed)
    assert pendings[0] is pendings[1]
    pendings[0].cancel()
    place.topic.fault = "late"
    claims.turn()
    for pending in pendings:
        with pytest.raises(NotReadyError, match="late"):
            pending.result(0)
    place.topic.append(place.topic.late.pop())
    claims.turn()
    claims.take(KEY)
    assert place.topic.view().holder(KEY) == "a", "a claim that came late is as good"


def test_a_later_run_and_a_retired_gate_are_refused(place: Place) -> None:
    """With the reason: at the start, and for whoever asks a run that has lost."""
    claims = place.begin("a")
    with pytest.raises(ClaimPendingError) as pending:
        claims.take(KEY)
    assert retire(Log(place.topic), "a", place.clock, place.let_pass) == 0
    assert place.waited_ns == LEASE_NS
    claims.turn()
    with pytest.raises(NotReadyError, match="retired"):
        pending.value.claimed.result(0)
    with pytest.raises(NotReadyError, match="retired"):
        claims.take(KEY)
    with pytest.raises(ConfigError, match="retired this gate"):
        place.begin("a")
    later = run_key("b", "x"), run_value(Run(epoch=9, lease_ns=1))
    place.topic.meanwhile = lambda: place.topic.append([later])
    with pytest.raises(ConfigError, match="another process goes on"):
        place.begin("b")


def test_retiring_again_is_harmless_and_unknown_names_are_refused(place: Place) -> None:
    """The command may have been interrupted while it waited."""
    claims = place.begin("a")
    take(claims)

    def interrupted(time_ns: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retire(Log(place.topic), "a", place.clock, interrupted)
    assert place.topic.view().holder(KEY) == "a", "its lease has not passed"
    assert retire(Log(place.topic), "a", place.clock, place.let_pass) == 1
    assert place.waited_ns == LEASE_NS, "it is not known for how long the first one waited"
    assert place.topic.view().holder(KEY) is None
    assert retire(Log(place.topic), "a", place.clock, place.let_pass) == 0
    assert place.waited_ns == LEASE_NS
    with pytest.raises(ConfigError, match="no gate `b`"):
        retire(Log(place.topic), "b", place.clock, place.let_pass)


def test_a_claim_that_cannot_be_read_is_somebody_elses(place: Place) -> None:
    """A key that cannot be read says nothing, and is reported by `apply`."""
    claims = place.begin("a")
    place.topic.append([(claim_key(KEY, "x"), b"{"), ("garbage", b"{}"), ('["claim"]', b"")])
    claims.settle()
    with pytest.raises(ConflictError):
        claims.take(KEY)
    view = ClaimView()
    assert not view.apply("garbage", b"{}")
    assert not view.apply(run_key("a", "x"), b"{}")
    assert view.apply(run_key("a", "x"), None)
    assert list(view.gates()) == []
    place.topic.append([(claim_key(KEY, "x"), None)])
    claims.settle()
    take(claims)


def test_claims_are_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it no session begins; those that have begun go on."""
    monkeypatch.setattr(topic_claims, "CLAIMS_MAX", 2)
    a, b = place.begin("a"), place.begin("b")
    take(a)
    take(b, OTHER)
    a.turn()
    with pytest.raises(NotReadyError, match="interlock gate retire"):
        a.take(TraceKey("bot", "s-3"))
    a.take(KEY)
    assert a.count == 2


def test_another_topic_of_the_same_name_ends_the_gate(place: Place) -> None:
    """Who has which session is not known any more."""

    class Foreign(Log):
        def read(self, timeout_s: float) -> list[ClaimEntry]:
            raise ForeignLogError("it is another")

    claims = place.begin("a")
    claims._log = Foreign(place.topic)
    claims.turn()
    assert "it is another; restart all gates" in claims.trouble
    claims = place.begin("b")
    place.topic.end = 1
    with pytest.raises(ClaimPendingError):
        claims.take(KEY)
    claims.turn()
    assert "shorter than it was" in claims.trouble
