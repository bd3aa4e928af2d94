"""Merging: nothing is lost or reordered in a stream, and nobody waits for what cannot come."""

from __future__ import annotations

from msgspec.structs import replace

from invariants.model.event import Event, EventRecord, Origin
from monitor.ingest.merge import Merger
from monitor.ingest.rejected import reject
from monitor.transport.base import Frontier, Stream
from monitor.transport.kafka.streams import Held, frontier

EVENTS, APPROVALS = Stream("agent.events", "0"), Stream("interlock.approvals", "0")
END = Frontier(0, is_at_end=True)


def event(ts: int, arrival: int | None, offset: int = 0, not_before: int | None = None) -> Event:
    record = EventRecord(session="s", seq=offset, ts=ts, kind="k")
    origin = Origin("t", "0", offset)
    return Event(record, f"e{offset}", ts, b"", origin, arrival, not_before_ns=not_before)


def drained(merger: Merger) -> list[tuple[str, int]]:
    taken = []
    while (item := merger.next()) is not None:
        taken.append((item.stream.topic, item.offset))
    return taken


def merger() -> Merger:
    return Merger(lambda stream: stream.partition)


def test_arrival_decides_between_streams() -> None:
    """The approval that arrived first is first, whatever the payment's clock says."""
    merging = merger()
    merging.put(EVENTS, 0, event(ts=1, arrival=20))
    merging.put(APPROVALS, 0, event(ts=99, arrival=10))
    merging.know({EVENTS: END, APPROVALS: END})
    assert drained(merging) == [("interlock.approvals", 0), ("agent.events", 0)]


def test_a_rejected_record_waits_for_its_turn_like_an_event() -> None:
    """Else it would be told at an earlier place of a trace than where a replay tells it."""
    merging = merger()
    origin = Origin(APPROVALS.topic, "0", 0)
    merging.put(APPROVALS, 0, replace(reject("empty", "", origin, b""), arrival_ns=20))
    merging.put(EVENTS, 0, event(ts=99, arrival=10))
    merging.know({EVENTS: Frontier(1, False, read_to_ns=15), APPROVALS: END})
    assert drained(merging) == [("agent.events", 0)]
    assert merging.held_arrivals() == {APPROVALS: 20}
    merging.know({EVENTS: END})
    assert drained(merging) == [("interlock.approvals", 0)]


def test_a_rejected_line_pushes_nothing_back() -> None:
    """Only an interval is known of a line: it claims the beginning, and what follows keeps its
    own time."""
    merging = merger()
    origin = Origin(EVENTS.topic, "0", 0)
    line = replace(reject("empty", "", origin, b""), arrival_ns=90, not_before_ns=10)
    merging.put(EVENTS, 0, line)
    merging.put(EVENTS, 1, event(ts=20, arrival=90, offset=1, not_before=10))
    merging.put(APPROVALS, 0, event(ts=30, arrival=90, not_before=10))
    merging.know({EVENTS: END, APPROVALS: END})
    taken = [("agent.events", 0), ("agent.events", 1), ("interlock.approvals", 0)]
    assert drained(merging) == taken


def test_a_record_waits_for_a_stream_that_is_not_known_so_far() -> None:
    """Until the other topic was read to the record's arrival, or to its end."""
    merging = merger()
    merging.put(EVENTS, 0, event(ts=1, arrival=20))
    merging.know({EVENTS: END, APPROVALS: Frontier(0, False, read_to_ns=20)})
    assert drained(merging) == []
    assert merging.positions()[EVENTS] == 0
    merging.know({APPROVALS: Frontier(0, False, read_to_ns=21)})
    assert drained(merging) == [("agent.events", 0)]


def test_a_backfill_waits_for_ends() -> None:
    """Without an arrival there is nothing to compare: only an end lets a record go."""
    merging = merger()
    merging.put(EVENTS, 0, event(ts=1, arrival=None))
    merging.know({EVENTS: END, APPROVALS: Frontier(0, False, read_to_ns=10**18)})
    assert drained(merging) == []
    merging.know({APPROVALS: END})
    assert drained(merging) == [("agent.events", 0)]


def test_within_a_stream_nothing_is_reordered() -> None:
    """Times that go back do not move a record before its predecessor."""
    merging = merger()
    for offset, arrival in enumerate((30, 10, 20)):
        merging.put(EVENTS, offset, event(ts=arrival, arrival=arrival, offset=offset))
    merging.put(APPROVALS, 0, event(ts=25, arrival=25))
    merging.know({EVENTS: END, APPROVALS: END})
    taken = drained(merging)
    assert [offset for topic, offset in taken if topic == EVENTS.topic] == [0, 1, 2]
    assert taken[0] == ("interlock.approvals", 0)


def test_between_two_looks_the_producers_clocks_order() -> None:
    """In a log directory an answer comes after its question, in whichever look each was found."""
    merging = merger()
    merging.put(APPROVALS, 0, event(ts=15, arrival=20, not_before=10))
    merging.know({EVENTS: Frontier(0, True, read_to_ns=12), APPROVALS: Frontier(1, True, 12)})
    assert drained(merging) == []
    merging.put(EVENTS, 0, event(ts=14, arrival=30, not_before=12))
    merging.know({EVENTS: Frontier(1, True, 25), APPROVALS: Frontier(1, True, 31)})
    assert drained(merging) == [("agent.events", 0), ("interlock.approvals", 0)]


def test_a_stream_that_is_not_placed_has_no_position() -> None:
    """Right after a start or a rebalance nobody knows where it stands: storing 0 would lose that.

    Found by the simulation: a crash before the next poll had the whole topic read again.
    """
    merging = merger()
    unplaced = frontier(Held(EVENTS))
    assert unplaced.next_offset is None
    merging.know({EVENTS: unplaced, APPROVALS: Frontier(7, is_at_end=True)})
    assert merging.positions() == {APPROVALS: 7}
    placed_again = frontier(Held(EVENTS, position=5))
    merging.know({EVENTS: placed_again, APPROVALS: Frontier(7, is_at_end=True)})
    assert merging.positions() == {EVENTS: 5, APPROVALS: 7}


def test_groups_do_not_wait_for_each_other() -> None:
    """A partition that is behind holds nobody back but itself."""
    other = Stream("agent.events", "1")
    merging = merger()
    merging.put(EVENTS, 0, event(ts=1, arrival=20))
    merging.know({EVENTS: END, other: Frontier(0, False)})
    assert drained(merging) == [("agent.events", 0)]


def test_a_lost_stream_leaves_nothing_behind() -> None:
    """What waited on it is dropped unprocessed, and nobody waits for it."""
    merging = merger()
    merging.put(EVENTS, 7, event(ts=1, arrival=20))
    merging.know({EVENTS: END, APPROVALS: Frontier(0, False)})
    merging.forget(APPROVALS)
    assert drained(merging) == [("agent.events", 7)]
    merging.put(EVENTS, 8, event(ts=1, arrival=20))
    merging.forget(EVENTS)
    assert merging.held_count == 0
    assert merging.positions() == {}


def test_a_stream_that_went_away_holds_nobody_back() -> None:
    """Retention takes a file; what it held is given on, and the others do not wait for more."""
    merging = merger()
    merging.put(APPROVALS, 0, event(ts=5, arrival=5))
    merging.know({EVENTS: Frontier(0, True, read_to_ns=10), APPROVALS: Frontier(1, True, 10)})
    assert drained(merging) == [("interlock.approvals", 0)]
    merging.put(EVENTS, 0, event(ts=20, arrival=20))
    merging.know({EVENTS: Frontier(1, True, read_to_ns=30)})
    assert drained(merging) == [("agent.events", 0)]
    assert APPROVALS not in merging.positions()


def test_what_a_stream_that_went_away_had_brought_is_given_on() -> None:
    """Also where its last frontier said that there was more to come; its end is its position."""
    merging = merger()
    merging.put(EVENTS, 7, event(ts=20, arrival=20))
    merging.know({EVENTS: Frontier(8, False, read_to_ns=1), APPROVALS: Frontier(0, False, 1)})
    assert drained(merging) == []
    merging.know({APPROVALS: END})
    assert drained(merging) == [("agent.events", 7)]
    assert merging.positions()[EVENTS] == 8


def test_time_goes_on_where_all_streams_went_away() -> None:
    """Deadlines of sessions are decided although retention took every file."""
    merging = merger()
    merging.know({EVENTS: Frontier(0, True, read_to_ns=10)})
    assert merging.reached_ns("0", 99) == 10
    merging.know({})
    assert [merging.reached_ns(name, 99) for name in merging.groups()] == [99]


def test_what_waits_may_have_arrived_at_the_beginning_of_its_interval() -> None:
    """A record that was read at 30 may be of 12: nothing since then was judged while it waits."""
    merging = merger()
    merging.put(EVENTS, 0, event(ts=14, arrival=30, not_before=12))
    merging.put(EVENTS, 1, event(ts=14, arrival=40, not_before=30))
    merging.put(APPROVALS, 0, event(ts=14, arrival=20))
    merging.know({EVENTS: END, APPROVALS: END})
    assert merging.held_arrivals() == {EVENTS: 12, APPROVALS: 20}


def test_an_offset_of_a_stream_is_not_one_in_its_successor() -> None:
    """A topic was made anew, or a file replaced, while records of the old one waited: a restart
    begins where the new one does, until nothing old is left."""
    merging = merger()
    waits = Frontier(0, is_at_end=False)
    merging.put(EVENTS, 40, event(ts=5, arrival=5, offset=40))
    merging.know({EVENTS: Frontier(41, is_at_end=True), APPROVALS: waits})
    merging.begin_again(EVENTS, 3)
    merging.know({EVENTS: Frontier(3, is_at_end=False), APPROVALS: waits})
    assert merging.positions() == {EVENTS: 3, APPROVALS: 0}
    merging.put(EVENTS, 3, event(ts=6, arrival=6, offset=3))
    merging.put(EVENTS, 4, event(ts=7, arrival=7, offset=4))
    merging.know({EVENTS: Frontier(5, is_at_end=True), APPROVALS: waits})
    assert merging.positions()[EVENTS] == 3
    merging.know({EVENTS: Frontier(5, is_at_end=True), APPROVALS: END})
    reached = []
    while (item := merging.next()) is not None:
        reached.append((item.offset, merging.positions()[EVENTS]))
    assert reached == [(40, 3), (3, 4), (4, 5)]


def test_a_stream_without_waiting_records_begins_again_where_it_is_read() -> None:
    merging = merger()
    merging.begin_again(EVENTS, 3)
    merging.know({EVENTS: Frontier(40, is_at_end=True)})
    merging.begin_again(EVENTS, 3)
    merging.know({EVENTS: Frontier(7, is_at_end=True)})
    assert merging.positions() == {EVENTS: 7}
