"""What guards make of heartbeats: their own shard counts, and no other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from interlock.transport.base import Whereabouts
from interlock.transport.open import shard_of
from interlock.transport.target import KafkaTarget
from interlock.watermarks import Beat, Heard, Shard, Watermarks
from monitor.ingest.watermark import Watch
from monitor.transport.base import Frontier, Poll, Stream

MINE = Shard("agent.events", 3, is_partition=True)
FILES = Shard("agent.events", 1001, is_partition=False)


def heard(shard: Shard | None, *beats: tuple[int, list[int] | None, dict[str, int]]) -> int | None:
    """What one voucher's heartbeats make of a shard."""
    marks = Watermarks()
    for time_ns, partitions, behind in beats:
        read = None if partitions is None else tuple(partitions)
        marks.apply("group:g", Beat(time_ns, read, behind))
    return marks.of(shard).judged_ns


def test_another_shard_that_is_behind_makes_no_view_old() -> None:
    """Neither another partition, nor another principal's topic, nor another user's files."""
    others = {"agent.events/4": 1, "agent.events.eve/3": 1, "agent.events/1002": 1}
    assert heard(MINE, (50, [3, 4], others)) == 50
    assert heard(FILES, (50, None, others)) == 50


def test_ones_own_shard_and_what_operators_said_of_it_count() -> None:
    """An unread denial or approval of the same partition is unread evidence of the session."""
    for name in ("agent.events/3", "interlock.approvals/3", "interlock.enforcement/3"):
        assert heard(MINE, (50, [3], {name: 20})) == 20
    assert heard(MINE, (50, [3], {"interlock.approvals/4": 20})) == 50
    for name in ("agent.events/1001", "interlock.approvals/0", "interlock.enforcement/7"):
        assert heard(FILES, (50, None, {name: 20})) == 20


def test_a_partition_that_no_monitor_speaks_of_is_not_watched() -> None:
    """The heartbeat of a monitor that reads other partitions vouches for nothing here."""
    assert heard(MINE, (50, [0, 1], {})) is None
    assert heard(FILES, (50, [0, 1], {})) is None
    assert heard(MINE) is heard(None) is None


def test_a_topic_that_the_member_of_a_partition_leaves_out_is_not_watched_there() -> None:
    """Members of one group with other lists of topics, as in a rolling restart: one that observes
    must not keep guards open where those that can stop somebody do not read."""
    marks = Watermarks()
    marks.apply("group:g", Beat(50, (0, 1), topics=("agent.events.alice",)))
    marks.apply("group:g", Beat(50, (2, 3), topics=("agent.events.alice", "agent.events.bob")))
    marks.apply("group:observer", Beat(50, (0, 1, 2, 3), observes=True))
    bobs = [Shard("agent.events.bob", part, is_partition=True) for part in range(4)]
    assert [marks.of(shard).judged_ns for shard in bobs] == [None, None, 50, 50]
    others = Shard("agent.events.carol", 0, is_partition=True)
    assert marks.of(others).judged_ns == 50, "no member reads it: whoever does may vouch"


def test_the_last_heartbeat_of_a_partition_counts() -> None:
    """When a monitor is gone, its last word grows old, whatever another says of its own."""
    assert heard(MINE, (50, [3], {}), (90, [4], {})) == 50
    assert heard(MINE, (50, [3, 4], {}), (90, [3], {})) == 90
    assert heard(MINE, (50, [3], {}), (40, None, {})) == 40
    assert heard(MINE, (40, None, {}), (50, [4], {})) is None


def test_of_an_unknown_shard_the_oldest_counts() -> None:
    """Whoever does not know where its events stand must not be fooled by the others."""
    assert heard(None, (50, [3], {"agent.events/3": 20}), (90, [4], {})) == 20
    assert heard(None, (50, None, {"agent.events/7": 10})) == 10


def test_a_heartbeat_that_is_read_again_did_not_arrive_again() -> None:
    """A feed that begins anew makes no old view young."""
    marks = Watermarks()
    marks.apply("group:g", Beat(50, arrived_ns=1_000))
    marks.apply("group:other", Beat(51, arrived_ns=8_000))
    marks.apply("group:g", Beat(50, arrived_ns=9_000))
    assert marks.of(None).said[0] == (Heard(50, 1_000, "group:g"),)


streams = st.builds(
    Stream,
    st.sampled_from(["agent.events", "agent.events.a", "agent.events.b", "interlock.approvals"]),
    st.sampled_from(["0", "1", "2"]),
)
times = st.integers(0, 90)


@given(
    st.dictionaries(streams, st.one_of(st.none(), times), min_size=1),
    st.dictionaries(streams, times, max_size=3),
)
def test_no_guard_is_told_more_than_was_judged(
    seen: dict[Stream, int | None], held: dict[Stream, int | None]
) -> None:
    """Law: a shard's watermark is at most what was seen of it and what of it waits."""
    frontiers = {s: Frontier(1, is_at_end=ns is None, seen_to_ns=ns) for s, ns in seen.items()}
    watch, marks = Watch(), Watermarks()
    watch.look(Poll(frontiers=frontiers), 100)
    judged = watch.judged({s: ns for s, ns in held.items() if s in seen})
    assert judged is not None
    marks.apply("group:g", Beat(*judged))
    for stream, ns in seen.items():
        true_ns = min(100 if ns is None else ns, held.get(stream) or 100)
        if held.get(stream, 1) == 0:
            true_ns = 0
        told = marks.of(Shard(stream.topic, int(stream.partition), is_partition=True)).judged_ns
        if stream.topic.startswith("interlock"):
            assert told is None, "nobody's session stands there"
            continue
        assert told is not None and told <= true_ns
        others = {s: s.topic != stream.topic and "events" in s.topic for s in seen}
        if all(others[s] or s.partition != stream.partition or s == stream for s in seen):
            assert told == true_ns


def test_an_ancestor_of_another_principal_stands_in_its_own_topic() -> None:
    """By the whole name it hashed to a partition of this topic where it had never been."""
    target = KafkaTarget("b:9092", "agent.events.alice")
    known = Whereabouts(partitions_count=12)
    mine = shard_of(target, known, "s-1")
    assert mine is not None and mine.topic == "agent.events.alice"
    theirs = shard_of(target, known, "bob/s-1")
    assert theirs == Shard("agent.events.bob", mine.part, is_partition=True)
