"""Effects come out of the store's outbox: what a topic does not take holds nothing else up."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from interlock.control_record import voucher_of
from invariants.model.event import Origin
from monitor.actions.contract import Done
from monitor.actions.control import ControlIssuer
from monitor.actions.dispatch import Dispatcher
from monitor.ingest.rejected import reject
from monitor.ingest.watermark import JudgedUpTo
from monitor.log import configure_log
from monitor.service.outbox import Effects
from monitor.service.record_size import FINDING_BYTES_MAX, RAW_BYTES_MAX, dead_letter, fitting
from monitor.store.records import Change
from monitor.store.store import Store
from monitor.topics import DEAD_LETTERS, FINDINGS
from tests.support.rim import START_NS, HandClock, MemoryPublisher, make_finding

RECORD_BYTES_MAX = 1_048_576 - 4_096
"""What a broker takes by default, less its own words around a record."""


class PickyPublisher(MemoryPublisher):
    """Refuses the records of one topic, as a broker does where a right is missing."""

    refuses = ""

    def publish(
        self, topic: str, key: str, value: bytes, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> None:
        if topic == self.refuses:
            raise PermissionError(f"`{topic}` may not be written")
        super().publish(topic, key, value, headers)

    def topics(self) -> list[str]:
        return [topic for topic, _, _ in self.records if topic in (FINDINGS, DEAD_LETTERS)]


class Rig:
    """Effects on a store, with everything else remembered."""

    def __init__(self, path: Path) -> None:
        self.clock = HandClock()
        self.publisher = PickyPublisher()
        self.store = Store(path, clock=self.clock)
        self.failures_count = 0
        self.judged_ns: int | None = START_NS
        self.behind: dict[str, int] = {}
        self.done: list[Done] = []
        self.effects = Effects(
            store=self.store,
            dispatcher=Dispatcher(self.store, {}, self.clock),
            publisher=self.publisher,
            clock=self.clock,
            issuer=ControlIssuer("m", 1),
            heartbeat_ns=5_000_000_000,
            follow_control=lambda: None,
            upkeep=lambda frontiers: None,
            count_action=self.done.append,
            count_failure=self._count,
        )

    def _count(self) -> None:
        self.failures_count += 1

    def take(self, change: Change) -> None:
        self.effects.carry_out(self.store.commit(change), self.judged, {})

    def idle(self) -> None:
        self.effects.idle(self.judged, {})

    def judged(self) -> JudgedUpTo | None:
        return None if self.judged_ns is None else JudgedUpTo(self.judged_ns, None, self.behind)

    def heartbeats(self) -> list[int]:
        return [
            said["issued_at"]
            for key, said in self.publisher.decoded()
            if voucher_of(key) is not None
        ]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "state.sqlite")
    yield made
    made.store.close()


def garbage(rig: Rig, raw: bytes = b"no event") -> Change:
    rejected = reject("not_json", "no JSON", Origin("agent.events", "0", 7), raw)
    return Change(letters=rig.effects.letters_of([(rejected, raw)]), findings=[make_finding()])


def test_garbage_does_not_stop_a_monitor_that_may_not_write_dead_letters(rig: Rig) -> None:
    """The findings of the batch go out; the letter waits in the store, and is told and counted."""
    rig.publisher.refuses = DEAD_LETTERS
    rig.take(garbage(rig))
    assert rig.publisher.topics() == [FINDINGS]
    assert len(rig.store.pending_letters(9)) == 1 and rig.failures_count == 1
    rig.publisher.refuses = ""
    for _ in range(2):
        rig.clock.move(6)
        rig.idle()
    assert rig.publisher.topics() == [FINDINGS, DEAD_LETTERS]
    assert rig.store.pending_letters(9) == []


def test_a_letter_that_a_crash_left_goes_out_at_the_next_start(rig: Rig) -> None:
    """It was stored with its batch."""
    rig.store.commit(garbage(rig))
    rig.effects.catch_up()
    assert DEAD_LETTERS in rig.publisher.topics()
    assert rig.store.pending_letters(9) == []


def test_a_letter_with_its_bytes_fits_a_record() -> None:
    """The largest record whose bytes are kept, and one of which they are left out."""
    for size, is_kept in ((RAW_BYTES_MAX, True), (RAW_BYTES_MAX + 1, False), (1_048_000, False)):
        raw = b"x" * size
        rejected = reject("too_large", "too large", Origin("agent.events", "0", 7), raw)
        letter = dead_letter(rejected, raw)
        assert len(letter) < RECORD_BYTES_MAX
        assert (msgspec.json.decode(letter)["raw"] is not None) == is_kept


def test_a_finding_larger_than_a_record_is_published_cut_and_says_so(rig: Rig) -> None:
    """Two large values of the same session must not keep every later finding from its topic."""
    value = "\x01" * 140_000
    large = make_finding("f-large", binding={"x": value, "y": value})
    whole = msgspec.json.encode(large)
    assert len(whole) > RECORD_BYTES_MAX > FINDING_BYTES_MAX
    rig.take(Change(findings=[large, make_finding("f-small")]))
    sent = [value for topic, _, value in rig.publisher.records if topic == FINDINGS]
    assert len(sent[0]) < RECORD_BYTES_MAX
    assert [msgspec.json.decode(one)["id"] for one in sent] == ["f-large", "f-small"]
    assert "truncated to fit" in msgspec.json.decode(sent[0])["detail"]
    kept = rig.store.finding("f-large")
    assert kept is not None and kept.binding["x"] == value


def test_a_finding_that_fits_goes_out_byte_for_byte() -> None:
    json = msgspec.json.encode(make_finding(binding={"x": "y"}))
    assert fitting(json) is json


def test_no_sign_of_life_before_anything_was_judged(rig: Rig) -> None:
    """A monitor that ends at each start vouches for nobody; the first sign comes once it can."""
    rig.judged_ns = None
    rig.effects.catch_up()
    rig.idle()
    assert rig.heartbeats() == []
    rig.judged_ns = START_NS + 5
    rig.idle()
    assert rig.heartbeats() == [START_NS + 5]


def test_a_monitor_that_is_behind_vouches_for_no_more_than_it_judged(rig: Rig) -> None:
    """An hour behind, guards take their view for an hour old."""
    rig.idle()
    rig.clock.move(3_600)
    rig.idle()
    assert rig.heartbeats() == [START_NS, START_NS]


def test_a_shard_that_is_behind_is_named_in_the_heartbeat(rig: Rig) -> None:
    """Its own guards refuse, nobody else's; for people the oldest counts."""
    rig.clock.move(60)
    rig.judged_ns, rig.behind = rig.clock.now_ns(), {"agent.events/1001": START_NS}
    rig.idle()
    (said,) = [said for key, said in rig.publisher.decoded() if voucher_of(key) is not None]
    assert said["issued_at"] == rig.clock.now_ns()
    assert said["behind"] == {"agent.events/1001": START_NS}
    assert rig.effects.heartbeat_age_s() == 60


@pytest.mark.parametrize("judged_ns", [START_NS, 0])
def test_a_start_is_not_told_as_half_a_century_behind(rig: Rig, judged_ns: int) -> None:
    """Before anything of a shard was judged there is no distance to tell."""
    stream = io.StringIO()
    handler = configure_log("info", "json", stream=stream)
    rig.clock.move(60)
    rig.judged_ns, rig.behind = rig.clock.now_ns(), {"agent.events/0": judged_ns}
    rig.idle()
    logging.getLogger().removeHandler(handler)
    (told,) = map(json.loads, stream.getvalue().splitlines())
    assert told["event"] == "monitor_is_behind"
    assert told.get("seconds") == (60 if judged_ns else None)
    assert ("these shards have not been judged yet" in told["text"]) == (not judged_ns)


def test_watermarks_are_told_more_often_while_a_shard_is_behind(rig: Rig) -> None:
    """What waits some seconds behind another's flood must not look older for want of news."""
    rig.idle()
    rig.clock.move(5)
    rig.judged_ns, rig.behind = rig.clock.now_ns(), {"agent.events/1002": START_NS}
    rig.idle()
    assert len(rig.heartbeats()) == 2
    rig.clock.move(0.5)
    rig.idle()
    assert len(rig.heartbeats()) == 2
    rig.clock.move(0.5)
    rig.judged_ns, rig.behind = rig.clock.now_ns(), {}
    rig.idle()
    assert rig.heartbeats()[2:] == [rig.judged_ns]
    rig.clock.move(3)
    rig.idle()
    assert len(rig.heartbeats()) == 3, "all is judged: the next is due after five seconds"
