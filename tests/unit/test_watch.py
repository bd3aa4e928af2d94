"""What a heartbeat may vouch for: nothing that was not read, nothing that waits, shard by shard."""

from __future__ import annotations

from interlock.watermarks import BEHIND_MAX
from monitor.ingest.watermark import JudgedUpTo, Watch
from monitor.transport.base import Frontier, Poll, Stream

A, B = Stream("agent.events", "0"), Stream("interlock.approvals", "0")
OTHER = Stream("agent.events", "3")
END = Frontier(9, is_at_end=True)
EVENTS = ("agent.events",)


def looked(*polls: tuple[Poll, int]) -> Watch:
    watch = Watch()
    for poll, begin_ns in polls:
        watch.look(poll, begin_ns)
    return watch


def test_streams_at_their_ends_are_known_up_to_the_poll() -> None:
    """Of a member of a group only the partitions that it reads are spoken of."""
    watch = looked((Poll(frontiers={A: END, B: END, OTHER: END}), 100))
    assert watch.judged({}) == JudgedUpTo(100, (0, 3), {}, EVENTS)


def test_what_waits_for_its_turn_was_not_judged() -> None:
    """A record that waits holds its own shard back, and no other."""
    watch = looked((Poll(frontiers={A: END, OTHER: END}), 100))
    assert watch.judged({A: 40}) == JudgedUpTo(100, (0, 3), {"agent.events/0": 40}, EVENTS)
    assert watch.judged({A: None}) == JudgedUpTo(100, (0, 3), {"agent.events/0": 0}, EVENTS)


def test_a_stream_that_is_behind_is_known_to_where_it_was_read() -> None:
    """Whatever the others are; one of which nothing was ever read vouches for nothing."""
    watch = looked((Poll(frontiers={A: END, B: Frontier(3, False, seen_to_ns=60)}), 100))
    assert watch.judged({}) == JudgedUpTo(100, (0,), {"interlock.approvals/0": 60}, EVENTS)
    watch.look(Poll(frontiers={A: END, B: Frontier(0, False)}, lost=(B,)), 200)
    assert watch.judged({}) == JudgedUpTo(200, (0,), {"interlock.approvals/0": 0}, EVENTS)


def test_a_new_record_of_a_quiet_stream_does_not_put_time_back() -> None:
    """The last record is an hour old, and what is unread came after the last poll."""
    watch = looked(
        (Poll(frontiers={A: END}), 5_000),
        (Poll(frontiers={A: Frontier(9, False, seen_to_ns=10)}), 5_100),
    )
    assert watch.judged({}) == JudgedUpTo(5_100, (0,), {"agent.events/0": 5_000}, EVENTS)


def test_a_heartbeat_speaks_of_every_topic_in_every_partition_or_says_where_it_does_not() -> None:
    """Topics and partitions are two lists: a pair that is not read is behind from the beginning."""
    of_bob = Stream("agent.events.bob", "3")
    watch = looked((Poll(frontiers={A: END, of_bob: END}), 100))
    judged = watch.judged({})
    assert judged is not None
    assert (judged.partitions, judged.topics) == ((0, 3), ("agent.events", "agent.events.bob"))
    assert judged.behind == {"agent.events/3": 0, "agent.events.bob/0": 0}


def test_an_order_that_was_promised_is_not_a_reading() -> None:
    """A flooded file keeps its promise of order at once, and is read minutes later."""
    watch = looked((Poll(frontiers={A: END}, is_whole=True), 100))
    for now in (200, 300):
        frontiers = {A: Frontier(9, False, read_to_ns=now - 5, part="1001")}
        watch.look(Poll(frontiers=frontiers, is_whole=True), now)
    assert watch.judged({}) == JudgedUpTo(300, None, {"agent.events/1001": 100})


def test_the_files_of_one_owner_are_one_shard() -> None:
    """What is furthest behind among them counts, a file that is not read included."""
    files = {Stream("agent.events", f"w-{n}.jsonl"): n for n in (1, 2, 3)}
    frontiers = {
        stream: Frontier(9, False, seen_to_ns=n * 10, part=str(1000 + n // 3))
        for stream, n in files.items()
    }
    watch = looked((Poll(frontiers=frontiers, is_whole=True, unread={"agent.events/1001": 7}), 90))
    behind = {"agent.events/1000": 10, "agent.events/1001": 7}
    assert watch.judged({}) == JudgedUpTo(90, None, behind)


def test_without_streams_only_a_whole_source_is_known() -> None:
    """An empty log directory is watched; a group's member without partitions watches nothing."""
    watch = looked((Poll(), 100))
    assert watch.judged({}) is None
    watch.look(Poll(is_whole=True), 100)
    assert watch.judged({}) == JudgedUpTo(100, None, {})


def test_too_many_shards_behind_lower_the_time_of_all() -> None:
    """Nothing that is left out is vouched for."""
    count = BEHIND_MAX + 5
    frontiers = {
        Stream("agent.events", str(n)): Frontier(1, False, seen_to_ns=n) for n in range(count)
    }
    judged = looked((Poll(frontiers=frontiers), 10_000)).judged({})
    assert judged is not None and len(judged.behind) == BEHIND_MAX
    assert judged.time_ns == BEHIND_MAX == max(judged.behind.values()) + 1
