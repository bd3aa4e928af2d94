"""What the client knows of the control topic, and how old that is."""

from __future__ import annotations

import threading

import msgspec
import pytest

from interlock.clock import Clock
from interlock.control_feed import ControlFeed, FeedEntry, FeedReading
from interlock.control_record import ControlState
from interlock.control_view import ControlFollower
from interlock.watermarks import Shard

SECOND = 1_000_000_000


class Hands:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_ns = 1_000 * SECOND

    def clock(self) -> Clock:
        return Clock(wall_ns=lambda: self.now_ns, monotonic_ns=lambda: self.now_ns)


def entry(
    key: str, state: ControlState = "active", issued_at: int = 1, **more: object
) -> FeedEntry:
    return FeedEntry(key, msgspec.json.encode({"state": state, "issued_at": issued_at, **more}))


def no_feed() -> ControlFeed:
    raise OSError("no feed")


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def follower(hands: Hands) -> ControlFollower:
    return ControlFollower(no_feed, hands.clock(), age_ns_max=10 * SECOND)


def beat(hands: Hands, *entries: FeedEntry, is_at_end: bool = True, **more: bool) -> FeedReading:
    return FeedReading([*entries, entry("heartbeat", issued_at=hands.now_ns)], is_at_end, **more)


def test_a_half_read_topic_answers_nothing(follower: ControlFollower, hands: Hands) -> None:
    """Before the end was reached there is no view, whatever was read already."""
    follower.take_in(beat(hands, entry("session:a", "killed"), is_at_end=False), hands.now_ns)
    assert follower.age_ns() is None
    assert follower.standing(["session:a"]) == ("active", "")
    assert not follower.is_usable()
    follower.take_in(FeedReading(is_at_end=True), hands.now_ns)
    assert follower.standing(["session:a"]) == ("killed", "session:a")
    assert follower.is_usable()


def test_without_a_heartbeat_no_view_is_usable(follower: ControlFollower, hands: Hands) -> None:
    """An empty or unattended topic is no permission."""
    follower.take_in(FeedReading([entry("tool:x")], is_at_end=True), hands.now_ns)
    assert follower.age_ns() is None
    assert not follower.is_usable()
    assert not follower.was_usable() and not follower.was_heard


@pytest.mark.parametrize(("seconds", "is_usable"), [(9, True), (10, True), (11, False)])
def test_a_view_ages_from_its_last_heartbeat(
    follower: ControlFollower, hands: Hands, seconds: int, is_usable: bool
) -> None:
    """Reading on without a heartbeat keeps nothing young."""
    follower.take_in(beat(hands), hands.now_ns)
    hands.now_ns += seconds * SECOND
    follower.take_in(FeedReading(is_at_end=True), hands.now_ns)
    assert follower.is_usable() is is_usable
    assert follower.was_usable() is is_usable
    assert follower.was_heard


def test_a_view_ages_from_its_last_reading_to_the_end(
    follower: ControlFollower, hands: Hands
) -> None:
    """Heartbeats of one partition do not vouch for another that cannot be read."""
    follower.take_in(beat(hands), hands.now_ns)
    hands.now_ns += 11 * SECOND
    follower.take_in(beat(hands, is_at_end=False), hands.now_ns)
    assert not follower.is_usable()


@pytest.mark.parametrize("skew", [-11, 11])
def test_clocks_that_disagree_make_a_view_old(
    follower: ControlFollower, hands: Hands, skew: int
) -> None:
    """A heartbeat from the future would else look fresh for ever."""
    ahead = entry("heartbeat", issued_at=hands.now_ns + skew * SECOND)
    follower.take_in(FeedReading([ahead], is_at_end=True), hands.now_ns)
    assert not follower.is_usable()


def test_a_feed_that_begins_anew_shows_no_past(follower: ControlFollower, hands: Hands) -> None:
    """While old records come a second time, the last whole view goes on answering."""
    follower.take_in(beat(hands, entry("session:a", "killed")), hands.now_ns)
    again = FeedReading([entry("session:a", "active")], is_restart=True)
    follower.take_in(again, hands.now_ns)
    assert follower.standing(["session:a"])[0] == "killed"
    follower.take_in(beat(hands, entry("session:a", "quarantined")), hands.now_ns)
    assert follower.standing(["session:a"])[0] == "quarantined"


def test_too_many_keys_make_the_view_old(
    follower: ControlFollower, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the bound nothing is dropped in silence: the view counts as unusable in time."""
    monkeypatch.setattr("interlock.control_view.KEYS_MAX", 2)
    follower.take_in(beat(hands), hands.now_ns)
    hands.now_ns += 11 * SECOND
    many = [entry(f"session:{n}", "killed") for n in range(3)]
    follower.take_in(beat(hands, *many), hands.now_ns)
    assert not follower.is_usable()


def test_a_feed_out_of_reach_is_tried_again_and_counted(hands: Hands) -> None:
    """Trouble with the feed ends neither the thread nor the view."""
    follower = ControlFollower(no_feed, Clock(), age_ns_max=10 * SECOND)
    assert not follower.wait_until_usable(0.05)
    follower.stop(5)
    assert follower.errors_count >= 1
    follower.stop(5)


def test_a_heartbeat_vouches_once_the_end_was_looked_for_after_it(
    follower: ControlFollower, hands: Hands
) -> None:
    """A stop that was written before it may stand in a partition that was read before it."""
    asked_ns = hands.now_ns
    follower.take_in(beat(hands), asked_ns)
    assert not follower.wait_until_judged(asked_ns, 0)
    follower.take_in(FeedReading([entry("session:a", "killed")]), asked_ns)
    assert not follower.wait_until_judged(asked_ns, 0), "not read to the end"
    follower.take_in(FeedReading(is_at_end=True), asked_ns)
    assert follower.wait_until_judged(asked_ns, 0)
    assert follower.standing(["session:a"])[0] == "killed"
    assert not follower.wait_until_judged(asked_ns + 1, 0)


@pytest.mark.parametrize(("ahead_ns", "is_believed"), [(SECOND, True), (SECOND + 1, False)])
def test_a_heartbeat_from_the_future_vouches_for_nothing(
    follower: ControlFollower, hands: Hands, ahead_ns: int, is_believed: bool
) -> None:
    """By a clock that is ahead everything would count as judged."""
    future = entry("heartbeat", issued_at=hands.now_ns + ahead_ns)
    follower.take_in(FeedReading([future], is_at_end=True), hands.now_ns)
    hands.now_ns += 2 * SECOND
    follower.take_in(FeedReading(is_at_end=True), hands.now_ns)
    assert follower.wait_until_judged(hands.now_ns - 2 * SECOND, 0) is is_believed


def test_a_monitor_that_fell_behind_vouches_for_less(
    follower: ControlFollower, hands: Hands
) -> None:
    """The last heartbeat counts, not the highest: after a restart it may be older."""
    began_ns = hands.now_ns
    for issued_at in (began_ns, began_ns - 5 * SECOND):
        reading = FeedReading([entry("heartbeat", issued_at=issued_at)], is_at_end=True)
        follower.take_in(reading, began_ns)
        follower.take_in(FeedReading(is_at_end=True), began_ns)
    assert not follower.wait_until_judged(began_ns, 0)
    assert follower.wait_until_judged(began_ns - 5 * SECOND, 0)


def test_who_reads_anew_or_is_a_new_process_knows_of_no_heartbeat(
    follower: ControlFollower, hands: Hands
) -> None:
    """What vouches has to be read by who asks, after the last trouble."""
    follower.take_in(beat(hands), hands.now_ns)
    follower.take_in(FeedReading(is_restart=True, is_at_end=True), hands.now_ns)
    assert not follower.wait_until_judged(hands.now_ns, 0)
    follower.take_in(beat(hands), hands.now_ns)
    follower.take_in(FeedReading(is_at_end=True), hands.now_ns)
    assert follower.wait_until_judged(hands.now_ns, 0)
    follower.after_fork_in_child()
    assert not follower.wait_until_judged(hands.now_ns, 0)


def test_the_end_of_the_client_ends_the_wait(follower: ControlFollower, hands: Hands) -> None:
    """Nobody waits for a follower that reads no more."""
    waiting = threading.Thread(target=follower.wait_until_judged, args=(hands.now_ns, 600))
    waiting.start()
    follower.stop(5)
    waiting.join(60)
    assert not waiting.is_alive()


def test_a_forked_child_keeps_what_was_known(follower: ControlFollower, hands: Hands) -> None:
    """In the child a stopped session stays stopped before the topic was read there."""
    follower.take_in(beat(hands, entry("session:a", "killed")), hands.now_ns)
    follower.after_fork_in_child()
    assert follower.standing(["session:a"])[0] == "killed"
    assert follower.was_heard
    follower.take_in(FeedReading([entry("session:a", "active")], is_restart=True), hands.now_ns)
    assert follower.standing(["session:a"])[0] == "killed"


def test_each_shard_has_an_age_of_its_own(follower: ControlFollower, hands: Hands) -> None:
    """Another user's files that are not read leave a view usable; ones own do not."""
    old_ns = hands.now_ns - 60 * SECOND
    behind = {"agent.events/1002": old_ns}
    follower.take_in(
        FeedReading([entry("heartbeat", issued_at=hands.now_ns, behind=behind)], is_at_end=True),
        hands.now_ns,
    )
    mine, other = (Shard("agent.events", owner, is_partition=False) for owner in (1001, 1002))
    assert follower.is_usable([mine])
    assert not follower.is_usable([other]) and not follower.is_usable([mine, other])
    assert not follower.is_usable(), "an unknown shard may be the one that is behind"
    assert follower.was_heard and follower.last_age_ns == 0
    assert follower.was_usable([mine]) and not follower.was_usable([other])
