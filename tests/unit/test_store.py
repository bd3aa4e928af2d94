"""The store keeps a batch whole, and a repeat does nothing."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from monitor.findings.model import FindingRun, WitnessEvent
from monitor.response.breaker import Stopped
from monitor.response.plan import ResponsePolicy, plan
from monitor.store.records import (
    ActionMark,
    Backlog,
    Change,
    FindingFilter,
    LongestWaits,
    Position,
    StoredScope,
)
from monitor.store.store import Store, StoreError
from monitor.transport.base import Stream
from tests.support.rim import SECOND_NS, START_NS, HandClock, WrittenScope, make_finding

WAITS = LongestWaits(15 * SECOND_NS, 300 * SECOND_NS)
EVENTS_0 = Stream("agent.events", "0")


def open_store(directory: Path, **more: object) -> Store:
    return Store(directory / "state.sqlite", clock=HandClock(), **more)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def test_what_was_committed_is_there_after_a_start(tmp_path: Path) -> None:
    """Positions, headers, states, ids and deadlines come back as they were written."""
    store = open_store(tmp_path)
    written = WrittenScope("s", b"h", 5, {"d1": b"\0one", "d2": b""}, ((b"i1", b"c1"),))
    store.commit(Change({EVENTS_0: Position(7, "inode-3")}, scopes=[written]))
    store.close()
    store = open_store(tmp_path)
    assert store.load_positions() == {EVENTS_0: Position(7, "inode-3")}
    assert store.load_scope("s") == StoredScope(b"h", {"d1": b"\0one", "d2": b""})
    assert store.load_seen("s") == {b"i1": b"c1"}
    assert store.load_deadlines() == [(5, "s")]
    store.close()


def test_an_unknown_scope_is_empty(store: Store) -> None:
    """A scope that nobody wrote has no header, no states, no ids."""
    assert store.load_scope("nobody") == StoredScope(None, {})
    assert store.load_seen("nobody") == {}


def test_a_store_of_more_scopes_than_names_in_memory_has_them_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scope is found, and an unknown or dropped one is not, whether names are in memory or not.

    In memory they are read once, and follow what is written; beyond their bound they are let go.
    """
    monkeypatch.setattr("monitor.store.names.NAMES_MAX", 3)
    assert store.load_scope("s0").header is None
    for number in range(6):
        held = f"s{number}"
        assert store.load_scope(held).header is None
        store.commit(Change(scopes=[WrittenScope(held, b"h")], dropped=[f"s{number - 4}"]))
        headers = [store.load_scope(f"s{n}").header for n in range(6)]
        assert headers == [b"h" if number - 4 < n <= number else None for n in range(6)]


def test_only_what_changed_is_overwritten(store: Store) -> None:
    """A later change replaces the states that it names and leaves the others."""
    store.commit(Change(scopes=[WrittenScope("s", states={"a": b"1", "b": b"1"})]))
    store.commit(Change(scopes=[WrittenScope("s", b"new", states={"b": b"2"})]))
    assert store.load_scope("s") == StoredScope(b"new", {"a": b"1", "b": b"2"})


def test_a_dropped_scope_leaves_nothing_and_may_begin_anew(store: Store) -> None:
    """Dropping takes states, ids and deadlines along; the same change may write it afresh."""
    full = WrittenScope("s", b"h", 5, {"a": b"1"}, ((b"i", b"c"),))
    store.commit(Change(scopes=[full, WrittenScope("t")]))
    store.commit(Change(dropped=["s"], scopes=[WrittenScope("s", b"fresh")]))
    assert store.load_scope("s") == StoredScope(b"fresh", {})
    assert store.load_seen("s") == {}
    store.commit(Change(dropped=["s", "never-there"]))
    assert store.load_scope("s").header is None
    assert store.load_deadlines() == []
    assert store.backlog().scopes_count == 1


def test_the_oldest_ids_are_forgotten_first(tmp_path: Path) -> None:
    """Past `ids_max` per scope the newest stay, in the order in which they came."""
    store = open_store(tmp_path, ids_max=3)
    for number in range(5):
        seen = ((b"%d" % number, b"c"), (b"x%d" % number, b"c"))
        store.commit(Change(scopes=[WrittenScope("s", seen=seen), WrittenScope("t")]))
    assert list(store.load_seen("s")) == [b"x3", b"4", b"x4"]
    store.commit(Change(scopes=[WrittenScope("many", seen=[(b"%d" % n, b"c") for n in range(9)])]))
    assert list(store.load_seen("many")) == [b"6", b"7", b"8"]
    store.close()


def test_deadlines_are_found_without_loading_scopes(store: Store) -> None:
    """They come by time, then by name; a deadline that is over is taken away."""
    store.commit(Change(scopes=[WrittenScope(n, wake_ns=t) for n, t in (("b", 2), ("a", 9))]))
    store.commit(Change(scopes=[WrittenScope("c", wake_ns=2), WrittenScope("d")]))
    assert store.load_deadlines() == [(2, "b"), (2, "c"), (9, "a")]
    store.commit(Change(scopes=[WrittenScope("b")]))
    assert store.load_deadlines() == [(2, "c"), (9, "a")]


def test_a_time_beyond_64_bits_stops_nothing(store: Store) -> None:
    """An event that claims the end of time is stored as the latest time there is."""
    store.commit(Change(scopes=[WrittenScope("s", wake_ns=10**30)]))
    assert store.load_deadlines() == [(2**63 - 1, "s")]


@pytest.mark.parametrize(
    "scope", ["", "a\0b", "'; DROP TABLE scopes; --", "é\u202e", "x" * 100_000]
)
def test_any_text_is_a_scope(store: Store, scope: str) -> None:
    """Session ids are the agents' to choose."""
    store.commit(Change(scopes=[WrittenScope(scope, states={"d": b"1"}), WrittenScope("a")]))
    assert store.load_scope(scope).states == {"d": b"1"}
    assert store.load_scope("a").states == {}


def test_a_repeated_finding_does_nothing(store: Store) -> None:
    """A finding whose id is known is not stored again, and is not said to be new."""
    first, second = make_finding("f-1"), make_finding("f-2")
    actions = plan(first, ResponsePolicy())
    assert store.commit(Change(findings=[first], actions=actions)).actions == actions
    repeated = store.commit(Change(findings=[first, second, second], actions=actions))
    assert (repeated.findings, repeated.actions) == ((second,), ())
    assert [f.id for f in store.pending_findings(10)] == ["f-1", "f-2"]
    assert store.known_actions([actions[0].id, "a-other"]) == {actions[0].id}


def test_a_repeat_after_its_effect_does_nothing(store: Store) -> None:
    """What was published and done stays so when its cause is read again."""
    finding = make_finding()
    change = Change(findings=[finding], actions=plan(finding, ResponsePolicy()))
    store.commit(change)
    store.mark_published(["f-1"])
    store.mark_actions([ActionMark(a.id, "done") for a in change.actions])
    store.commit(change)
    assert store.backlog() == Backlog(0, 0, 0)
    assert {a.state for a in store.actions_of("f-1")} == {"done"}


def test_pending_findings_come_in_order_and_count_attempts(store: Store) -> None:
    """The oldest first; a failed attempt is counted and the finding stays."""
    store.commit(Change(findings=[make_finding(f"f-{n}") for n in range(4)]))
    store.mark_published(["f-1"])
    store.mark_unpublished(["f-0"])
    pending = store.pending_findings(2)
    assert [(f.id, f.session, f.attempts) for f in pending] == [
        ("f-0", "s-1", 1),
        ("f-2", "s-1", 0),
    ]
    assert b'"id":"f-0"' in pending[0].json


def test_pending_actions_come_by_urgency_and_time(store: Store) -> None:
    """Kills before quarantines before alerts; what must wait is left out until its time."""
    alert = make_finding("f-a", respond=["alert"])
    kill = make_finding("f-k", respond=["kill"], principal="")
    observed = make_finding("f-o", respond=["kill"], mode="observe")
    actions = [a for f in (alert, kill, observed) for a in plan(f, ResponsePolicy())]
    store.commit(Change(findings=[alert, kill, observed], actions=actions))
    assert [a.action.kind for a in store.pending_actions(START_NS, 9, WAITS)] == ["kill", "alert"]
    store.mark_actions([ActionMark(actions[1].id, "planned", "no broker", START_NS + 5)])
    assert [a.action.kind for a in store.pending_actions(START_NS + 4, 9, WAITS)] == ["alert"]
    retried = store.pending_actions(START_NS + 5, 1, WAITS)[0]
    assert (retried.attempts, retried.outcome) == (1, "no broker")


def test_a_clock_that_goes_back_puts_no_stop_off(store: Store) -> None:
    """What was put off by 15 s is due when the clock stands an hour earlier, and alerts are too."""
    findings = make_finding("f-k", respond=["kill", "alert"], principal="")
    kill, alert = plan(findings, ResponsePolicy())
    store.commit(Change(findings=[findings], actions=[kill, alert]))
    store.mark_actions(
        [
            ActionMark(kill.id, "planned", "no broker", START_NS + 15 * SECOND_NS),
            ActionMark(alert.id, "planned", "no answer", START_NS + 300 * SECOND_NS),
        ]
    )
    hour_ns = 3_600 * SECOND_NS
    assert store.pending_actions(START_NS, 9, WAITS) == []
    assert [a.action.kind for a in store.pending_actions(START_NS - SECOND_NS, 1, WAITS)] == [
        "kill"
    ]
    early = store.pending_actions(START_NS - hour_ns, 9, WAITS)
    assert [a.action.kind for a in early] == ["kill", "alert"]


def test_the_breaker_counts_stops_of_the_last_hour(tmp_path: Path) -> None:
    """Planned, done and failed stops count by target; held and would-be ones do not."""
    clock = HandClock()
    store = Store(tmp_path / "s", clock=clock)
    for number, mode in enumerate(("enforce", "enforce", "observe")):
        finding = make_finding(f"f-{number}", session=f"s-{number // 2}", mode=mode, principal="")
        actions = plan(finding, ResponsePolicy())
        store.commit(Change(findings=[finding], actions=actions))
    stopped = Stopped("session:s-0", "quarantine", "", clock.now_ns())
    assert store.stops(clock.now_ns()) == [stopped]
    assert store.stops_waiting() == [("session:s-0", "quarantine")]
    clock.move(3600)
    assert store.stops(clock.now_ns()) == []
    store.close()


def test_findings_are_found_by_what_people_know(store: Store) -> None:
    """By the beginning of the id, session, invariant and severity; the newest first."""
    store.commit(
        Change(
            findings=[
                make_finding("f-aa1", session="x"),
                make_finding("f-aa2", severity="warning"),
                make_finding("f-%b3", invariant="other"),
            ]
        )
    )

    def ids(**wanted: object) -> list[str]:
        return [f.finding.id for f in store.findings(FindingFilter(**wanted))]  # type: ignore[arg-type]

    assert ids() == ["f-%b3", "f-aa2", "f-aa1"]
    assert ids(limit=1) == ["f-%b3"]
    assert ids(id_prefix="f-aa") == ["f-aa2", "f-aa1"]
    assert ids(id_prefix="f-%") == ["f-%b3"]
    assert ids(id_prefix="f-aa", session="x") == ["f-aa1"]
    assert ids(invariant="other", severity="critical") == ["f-%b3"]
    assert ids(session="' OR 1=1 --") == []
    assert store.finding("f-aa1") == make_finding("f-aa1", session="x")


def test_pruning_keeps_what_still_has_work(tmp_path: Path) -> None:
    """Only published findings go, only old ones, only those without planned actions."""
    clock = HandClock()
    store = Store(tmp_path / "s", clock=clock)
    done, waiting, unpublished = (make_finding(f"f-{n}") for n in range(3))
    actions = plan(waiting, ResponsePolicy())
    store.commit(Change(findings=[done, waiting, unpublished], actions=actions))
    store.mark_published(["f-0", "f-1"])
    assert store.prune(clock.now_ns()) == 0
    clock.move(1)
    assert store.prune(clock.now_ns()) == 1
    store.mark_actions([ActionMark(a.id, "failed") for a in actions])
    assert store.prune(clock.now_ns()) == 1
    assert [f.finding.id for f in store.findings(FindingFilter())] == ["f-2"]
    assert store.actions_of("f-1") == []
    store.close()


def test_a_run_that_grows_is_as_old_as_its_last_record(tmp_path: Path) -> None:
    """Retention deletes what has not grown for so long, and not what was begun before."""
    clock = HandClock()
    store = Store(tmp_path / "s", clock=clock)
    last = WitnessEvent(0, 0, "e")
    first = msgspec.structs.replace(make_finding("f-1"), run=FindingRun(1, last))
    store.commit(Change(findings=[first]))
    clock.move(10)
    store.commit(Change(findings=[msgspec.structs.replace(first, run=FindingRun(10, last))]))
    store.mark_published(["f-1"])
    assert store.prune(clock.now_ns()) == 0
    clock.move(1)
    assert store.prune(clock.now_ns()) == 1
    store.close()


def test_streams_that_are_gone_leave_no_position(store: Store) -> None:
    """A file that was removed is forgotten."""
    gone = Stream("agent.events", "w-0.jsonl")
    store.commit(Change({EVENTS_0: Position(1), gone: Position(2)}))
    store.commit(Change({EVENTS_0: Position(3)}, positions_dropped=[gone]))
    assert store.load_positions() == {EVENTS_0: Position(3)}


def test_a_failed_batch_leaves_nothing(store: Store) -> None:
    """Where one value cannot be stored, neither are the others, and the store goes on."""
    bad = Change({EVENTS_0: Position(2**70)}, scopes=[WrittenScope("s")])
    with pytest.raises(OverflowError):
        store.commit(bad)
    assert store.load_positions() == {}
    store.commit(Change(scopes=[WrittenScope("t")]))
    assert store.backlog().scopes_count == 1


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """What SQLite cannot write is a `StoreError` that says what to look for; nothing is stored."""
    store = open_store(tmp_path)
    store._connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StoreError, match="full"):
        store.commit(Change({EVENTS_0: Position(1)}, scopes=[WrittenScope("s", b"x" * 10**6)]))
    assert store.load_positions() == {}
    store.close()


def test_epochs_only_grow(tmp_path: Path) -> None:
    """Per issuer, over restarts, with a clock that went back, and where the store was lost."""
    clock = HandClock()
    store = Store(tmp_path / "a", clock=clock)
    first = store.next_epoch("monitor")
    store.close()
    clock.move(-3600)
    store = Store(tmp_path / "a", clock=clock)
    second = store.next_epoch("monitor")
    store.close()
    clock.move(7200)
    other = Store(tmp_path / "b", clock=clock)
    assert first < second < other.next_epoch("monitor")
    other.close()


def test_identity_and_facts_last(tmp_path: Path) -> None:
    """The identity is made once; facts about the store are kept."""
    store = open_store(tmp_path, new_identity=lambda: "aaaa")
    store.set_meta("program_digest", "p1")
    store.close()
    store = open_store(tmp_path, new_identity=lambda: "bbbb")
    assert (store.identity, store.meta("program_digest"), store.meta("x")) == ("aaaa", "p1", None)
    store.close()


def test_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    """Mode 0600, whatever the umask or an earlier mode, for the journal as well."""
    path = tmp_path / "state.sqlite"
    path.touch(mode=0o644)
    old = os.umask(0)
    try:
        store = open_store(tmp_path)
        store.commit(Change(scopes=[WrittenScope("s")]))
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    finally:
        os.umask(old)
    assert modes == dict.fromkeys(("state.sqlite", "state.sqlite-wal", "state.sqlite-shm"), 0o600)
    store.close()


def test_others_may_read_while_the_monitor_writes(tmp_path: Path) -> None:
    """A reader sees what was committed, and cannot write."""
    store = open_store(tmp_path)
    store.commit(Change(findings=[make_finding()]))
    reader = open_store(tmp_path, is_read_only=True)
    assert [f.finding.id for f in reader.findings(FindingFilter())] == ["f-1"]
    with pytest.raises(StoreError, match="readonly"):
        reader.mark_published(["f-1"])
    store.commit(Change(findings=[make_finding("f-2")]))
    assert len(reader.findings(FindingFilter())) == 2
    reader.close()
    store.close()


@pytest.mark.parametrize(("setting", "number"), [("full", 2), ("normal", 1)])
def test_durability_is_as_asked(tmp_path: Path, setting: str, number: int) -> None:
    """Write-ahead log; synchronous FULL unless NORMAL is asked for."""
    store = open_store(tmp_path, synchronous=setting)
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (number,)
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()
    assert sqlite3.sqlite_version_info >= (3, 37)
