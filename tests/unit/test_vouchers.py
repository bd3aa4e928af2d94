"""Several monitors vouch for one shard: whose word a guard needs, and whose it does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from interlock.admission import Policy, refusal
from interlock.clock import Clock
from interlock.control_feed import FeedEntry, FeedReading
from interlock.control_record import ControlRecord, ControlView, heartbeat_key, voucher_of
from interlock.control_view import ControlFollower
from interlock.watermarks import VOUCHERS_MAX, Beat, Shard, Watermarks
from monitor.actions.control import ControlIssuer

SECOND = 1_000_000_000
TOPIC = "agent.events"
MINE = Shard(TOPIC, 3, is_partition=True)
FILES = Shard(TOPIC, 1001, is_partition=False)
POLICY = Policy("closed", "refuse", 0, 60 * SECOND, frozenset())


class Rig:
    """A guard, and monitors that write to its control topic when told to."""

    def __init__(self) -> None:
        self.now_ns = 1_000 * SECOND
        clock = Clock(wall_ns=lambda: self.now_ns, monotonic_ns=lambda: self.now_ns)
        self.follower = ControlFollower(self._none, clock, age_ns_max=10 * SECOND)

    def _none(self) -> Any:
        raise OSError("nothing is followed here")

    def beat(self, *vouchers: str, key: str | None = None, **more: Any) -> None:
        """All of them vouch for everything until now."""
        fields = {"state": "active", "issued_at": self.now_ns, **more}
        value = msgspec.json.encode(fields)
        keys = [heartbeat_key(one) for one in vouchers] if key is None else [key]
        self.follower.take_in(
            FeedReading([FeedEntry(one, value) for one in keys], is_at_end=True), self.now_ns
        )

    def pass_time(self, seconds: int, *alive: str, **more: Any) -> None:
        """Time goes on, and those that are alive vouch every second."""
        for _ in range(seconds):
            self.now_ns += SECOND
            self.beat(*alive, **more)

    def refused(self, shard: Shard = FILES) -> str:
        """Why the guard refuses; empty if it does not."""
        answer = refusal("t", ("session:s",), self.follower, POLICY, shards=[shard])
        return "" if answer is None else str(answer)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_living_monitor_does_not_vouch_for_one_that_died(rig: Rig) -> None:
    """Two judge other invariants of the same shard; the refusal names the silent one."""
    rig.beat("group:sessions", "issuer:wider")
    assert not rig.refused()
    rig.pass_time(11, "issuer:wider")
    assert "`group:sessions`" in rig.refused()
    assert "interlock control retire group:sessions" in rig.refused()
    assert not rig.follower.wait_until_judged(rig.now_ns - 5 * SECOND, 0, [FILES])
    rig.beat("group:sessions")
    assert not rig.refused()


def test_an_operator_retires_who_is_gone_for_good(rig: Rig) -> None:
    """Then the others' word is enough; a monitor that was retired and lives counts again."""
    rig.beat("group:a", "group:b")
    rig.pass_time(11, "group:b")
    assert rig.refused()
    rig.beat("group:a", retired=True)
    assert not rig.refused()
    rig.beat("group:a")
    rig.pass_time(11, "group:b")
    assert rig.refused()


def test_with_the_last_one_retired_nobody_vouches(rig: Rig) -> None:
    """To retire is no permission."""
    rig.beat("group:a")
    rig.beat("group:a", retired=True)
    assert rig.refused()


def test_the_end_of_an_observer_stops_nobody(rig: Rig) -> None:
    """It stops no session either: a guard that knew of no observer would answer the same."""
    rig.beat("group:a")
    rig.beat("issuer:test", observes=True)
    rig.pass_time(30, "group:a")
    assert not rig.refused()


def test_an_observer_does_not_vouch_for_who_can_stop(rig: Rig) -> None:
    """However alive it is."""
    rig.beat("group:a")
    rig.pass_time(11, "issuer:test", observes=True)
    assert "`group:a`" in rig.refused()


def test_where_all_observe_one_that_lives_is_enough(rig: Rig) -> None:
    """A first try with `mode: observe` refuses nobody, whatever earlier tries left behind."""
    rig.beat("issuer:first", observes=True)
    rig.pass_time(30, "issuer:second", observes=True)
    assert not rig.refused()
    rig.pass_time(11)
    assert rig.refused()


def test_a_monitor_that_is_set_to_observe_binds_nobody_any_more(rig: Rig) -> None:
    """Its last heartbeat says what it is, not its first."""
    rig.beat("group:a", "group:b")
    rig.beat("group:b", observes=True)
    rig.pass_time(30, "group:a")
    assert not rig.refused()


def test_a_heartbeat_without_a_name_is_word_enough_only_where_there_is_no_other(rig: Rig) -> None:
    """It is of an earlier version: nobody knows whose invariants its monitor judges."""
    rig.beat(key="heartbeat")
    assert not rig.refused()
    rig.beat("group:a")
    for _ in range(11):
        rig.now_ns += SECOND
        rig.beat(key="heartbeat")
    assert "`group:a`" in rig.refused()
    rig.pass_time(30, "group:a")
    assert not rig.refused(), "the earlier version is gone"


def test_a_rebalance_makes_nobody_wait_longer(rig: Rig) -> None:
    """Another member of the group speaks of the partition: that is the group's word at once."""
    rig.beat("group:a", partitions=[0, 1], issuer="m1")
    rig.beat("group:a", partitions=[2, 3], issuer="m2")
    rig.pass_time(8, "group:a", partitions=[0, 1], issuer="m1")
    assert not rig.refused(MINE)
    rig.beat("group:a", partitions=[0, 1, 2, 3], issuer="m1")
    rig.pass_time(30, "group:a", partitions=[0, 1, 2, 3], issuer="m1")
    assert not rig.refused(MINE)


def test_a_guard_that_starts_later_waits_for_members_it_has_not_heard(rig: Rig) -> None:
    """Of a group a compacted topic keeps one member's word. Another voucher's does not replace the
    rest."""
    rig.beat("group:a", partitions=[0, 1], issuer="m1")
    rig.beat("issuer:wider", partitions=[0, 1, 2, 3])
    assert rig.refused(MINE)
    assert not rig.refused(MINE._replace(part=1))
    rig.beat("group:a", partitions=[2, 3], issuer="m2")
    assert not rig.refused(MINE)


def test_who_reads_other_topics_neither_vouches_nor_holds_back(rig: Rig) -> None:
    """Partitions of all topics have the same numbers."""
    rig.beat("group:bob", partitions=[3], topics=["agent.events.bob"])
    assert rig.refused(MINE)
    rig.pass_time(30, "group:mine", partitions=[3], topics=[TOPIC])
    assert not rig.refused(MINE)
    assert "group:bob" in rig.refused(Shard("agent.events.bob", 3, is_partition=True))


def test_a_clock_that_is_ahead_hides_no_silence(rig: Rig) -> None:
    """The least time is not the greatest age: each voucher has an age of its own."""
    rig.beat("issuer:ahead", issued_at=rig.now_ns + 600 * SECOND)
    rig.beat("group:a")
    assert rig.refused()
    rig.pass_time(11, "group:a")
    assert rig.refused()


def test_the_monitors_of_one_name_do_not_speak_for_each_other() -> None:
    """An older run's word is ignored: when the younger dies, nothing is vouched for."""
    view = ControlView()

    def beat(epoch: int, time_ns: int) -> bool:
        record = ControlRecord("active", time_ns, issuer="m", epoch=epoch)
        return view.apply(heartbeat_key("issuer:m"), msgspec.json.encode(record))

    assert beat(1, 10) and beat(2, 20) and not beat(1, 30)
    assert view.watermarks.of(None).judged_ns == 20


def test_a_group_is_never_taken_for_an_issuer_of_its_name() -> None:
    """They may well have one name, and judge different invariants."""
    group, alone = ControlIssuer("m", 1, "interlock"), ControlIssuer("interlock", 1)
    assert (group.voucher, alone.voucher) == ("group:interlock", "issuer:interlock")
    assert voucher_of(heartbeat_key(group.voucher)) == group.voucher
    assert voucher_of("heartbeat") == "" and voucher_of("session:heartbeat:x") is None


def test_too_many_that_can_stop_vouch_for_nothing_until_some_are_retired() -> None:
    """None is forgotten: the one that would be might be the one that died."""
    marks = Watermarks()
    for number in range(VOUCHERS_MAX + 1):
        marks.apply(f"issuer:{number}", Beat(50))
    assert marks.of(None).judged_ns is marks.of(MINE).judged_ns is None
    marks.retire("issuer:7")
    assert marks.of(None).judged_ns == marks.of(MINE).judged_ns == 50


def test_any_number_of_observers_leave_guards_as_they_are() -> None:
    """Each test that somebody runs is a new one: the longest unheard are forgotten."""
    marks = Watermarks()
    marks.apply("group:a", Beat(50, arrived_ns=1))
    for number in range(3 * VOUCHERS_MAX):
        marks.apply(f"issuer:{number}", Beat(60 + number, observes=True, arrived_ns=number))
    assert marks.of(MINE).judged_ns == 50
    assert marks.keys_count == VOUCHERS_MAX + 1
    assert f"issuer:{3 * VOUCHERS_MAX - 1}" in marks.vouchers()


@dataclass(frozen=True)
class Said:
    """A record of the control topic: `partitions` empty stands for a retirement."""

    voucher: str
    time_ns: int
    partitions: tuple[int, ...] = ()

    @property
    def record(self) -> bytes:
        return msgspec.json.encode(
            ControlRecord(
                "active",
                self.time_ns,
                partitions=self.partitions,
                topics=TOPICS[self.voucher],
                observes=self.voucher.startswith("issuer:o"),
                retired=not self.partitions,
            )
        )


TOPICS = {"group:a": (TOPIC,), "group:b": None, "issuer:o1": None, "issuer:o2": (TOPIC,), "": None}
OTHERS = Shard("agent.events.bob", 1, is_partition=True)
said = st.builds(
    Said,
    st.sampled_from([*TOPICS]),
    st.just(0),
    st.sampled_from([(), (0,), (1,), (0, 1), (0, 1), (1, 2), (2,)]),
)


def view_of(log: Sequence[Said]) -> Watermarks:
    view = ControlView()
    for one in log:
        assert view.apply(heartbeat_key(one.voucher), one.record)
    return view.watermarks


def standing(log: Sequence[Said], voucher: str) -> list[Said]:
    """What it said since it was last retired, the last first."""
    found: list[Said] = []
    for one in log:
        if one.voucher == voucher:
            found = [one, *found] if one.partitions else []
    return found


def by_definition(log: Sequence[Said], shard: Shard) -> int | None:
    """The least of what those who can stop and read the topic said last; else the others' best."""
    words: dict[bool, list[int | None]] = {True: [], False: []}
    for voucher, topics in TOPICS.items():
        mine = standing(log, voucher)
        if not mine or (topics is not None and shard.topic not in topics):
            continue
        times = [one.time_ns for one in mine if shard.part in one.partitions]
        words[voucher.startswith("group:")].append(times[0] if times else None)
    if words[True]:
        binding = [time_ns for time_ns in words[True] if time_ns is not None]
        return min(binding) if len(binding) == len(words[True]) else None
    return max((time_ns for time_ns in words[False] if time_ns is not None), default=None)


@given(st.lists(said, max_size=12), st.integers(0, 2), st.randoms(use_true_random=False))
@example([Said("group:a", 0, (1,)), Said("group:b", 0, (1,))], 1, Random(0))
def test_a_guard_takes_the_least_whenever_it_began_to_listen(
    drawn: list[Said], part: int, random: Random
) -> None:
    """Law: against the definition; and of a compacted topic, in whatever order its partitions are
    read, a guard is told what one was that heard all, or nothing."""
    log = [replace(one, time_ns=10 * (at + 1)) for at, one in enumerate(drawn)]
    last = list({one.voucher: one for one in log}.values())
    random.shuffle(last)
    live, late = view_of(log), view_of(last)
    for shard in (Shard(TOPIC, part, is_partition=True), OTHERS):
        told = live.of(shard).judged_ns
        assert told == by_definition(log, shard)
        if live.of(shard).is_binding:
            assert late.of(shard).judged_ns in (told, None)
