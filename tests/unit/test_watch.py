"""What a sign of life may vouch for: nothing that was not read, and nothing that waits."""

from __future__ import annotations

from monitor.sources.base import Frontier, Stream
from monitor.watch import Watch

A, B = Stream("agent.events", "0"), Stream("interlock.approvals", "0")
END = Frontier(9, is_at_end=True)


def test_streams_at_their_ends_are_known_up_to_the_poll() -> None:
    watch = Watch()
    watch.look({A: END, B: END}, (), 100, is_whole=False)
    assert watch.judged_to_ns([]) == 100


def test_what_waits_for_its_turn_was_not_judged() -> None:
    watch = Watch()
    watch.look({A: END, B: END}, (), 100, is_whole=False)
    assert watch.judged_to_ns([40, 90]) == 40
    assert watch.judged_to_ns([None]) is None


def test_a_stream_that_is_behind_is_known_to_where_it_was_read() -> None:
    """Whatever the others are; one of which nothing was ever read vouches for nothing."""
    watch = Watch()
    watch.look({A: END, B: Frontier(3, False, seen_to_ns=60)}, (), 100, is_whole=False)
    assert watch.judged_to_ns([]) == 60
    watch.look({A: END, B: Frontier(0, False)}, (B,), 200, is_whole=False)
    assert watch.judged_to_ns([]) is None


def test_a_new_record_of_a_quiet_stream_does_not_put_time_back() -> None:
    """The last record is an hour old, and what is unread came after the last poll."""
    watch = Watch()
    watch.look({A: END}, (), 5_000, is_whole=False)
    watch.look({A: Frontier(9, False, seen_to_ns=10)}, (), 5_100, is_whole=False)
    assert watch.judged_to_ns([]) == 5_000


def test_an_order_that_was_promised_is_not_a_reading() -> None:
    """A flooded file keeps its promise of order at once, and is read minutes later."""
    watch = Watch()
    watch.look({A: END}, (), 100, is_whole=True)
    for now in (200, 300):
        watch.look({A: Frontier(9, False, read_to_ns=now - 5)}, (), now, is_whole=True)
    assert watch.judged_to_ns([]) == 100


def test_without_streams_only_a_whole_source_is_known() -> None:
    """An empty log directory is watched; a group's member without partitions watches nothing."""
    watch = Watch()
    watch.look({}, (), 100, is_whole=False)
    assert watch.judged_to_ns([]) is None
    watch.look({}, (), 100, is_whole=True)
    assert watch.judged_to_ns([]) == 100
