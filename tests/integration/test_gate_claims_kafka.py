"""Claims on a real broker: gates that race, that are killed in between, and that lose Kafka."""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from invariants.model.errors import ConfigError
from monitor.gate.claim_view import Run, claim_key, claim_value, run_key, run_value
from monitor.gate.errors import ConflictError, NotReadyError
from monitor.gate.topic_claims import TopicClaims
from monitor.topics import CLAIMS, POLICIES
from monitor.trace_key import TraceKey
from monitor.transport.base import ClaimEntry
from monitor.transport.kafka.claim_log import KafkaClaimLog
from monitor.transport.kafka.client import open_admin
from monitor.transport.kafka.topic_config import check_claims, init_topics
from tests.support.claims import PATIENCE_S, claims_of, claims_topic, take
from tests.support.kafka_broker import Broker, start_broker
from tests.support.kafka_topics import one_topic

pytestmark = pytest.mark.kafka
ROOT: Final = Path(__file__).parents[2]
SESSIONS: Final = 200
DIES_BEHIND_ITS_CLAIM: Final = """
import os, signal, sys
from tests.support.claims import claims_of, take
from monitor.transport.kafka.claim_log import KafkaClaimLog

bootstrap, topic, name = sys.argv[1:]
append = KafkaClaimLog.append

def dying(self, records):
    end = append(self, records)
    if any('"claim"' in key for key, _ in records):
        os.kill(os.getpid(), signal.SIGKILL)
    return end

KafkaClaimLog.append = dying
with claims_of(bootstrap, topic, name) as claims:
    take(claims, "s-1")
"""


@pytest.fixture
def topic(kafka_broker: Broker) -> str:
    return claims_topic(kafka_broker.bootstrap)


def wins(claims: TopicClaims, session: str) -> bool:
    """True if the gate gets the session; false if another one has it."""
    try:
        take(claims, session)
    except ConflictError:
        return False
    return True


def until(is_so: object) -> None:
    """Wait for a condition."""
    assert callable(is_so)
    waiting = threading.Event()
    for _ in range(int(PATIENCE_S / 0.05)):
        if is_so():
            return
        waiting.wait(0.05)
    raise AssertionError("it did not come")


def test_of_two_gates_that_race_one_wins_each_session(kafka_broker: Broker, topic: str) -> None:
    """From four threads each, all at once; both know afterwards, and so does a third."""
    place = kafka_broker.bootstrap, topic
    with claims_of(*place, "a") as a, claims_of(*place, "b") as b, ThreadPoolExecutor(16) as pool:
        asked = [
            (session, claims, pool.submit(wins, claims, f"s-{session}"))
            for session in range(SESSIONS)
            for claims in ((a, b) if session % 2 else (b, a))
        ]
        won: dict[int, list[TopicClaims]] = {}
        for session, claims, result in asked:
            won.setdefault(session, [])
            if result.result(PATIENCE_S):
                won[session].append(claims)
        assert all(len(winners) == 1 for winners in won.values())
        assert {id(winners[0]) for winners in won.values()} == {id(a), id(b)}, "it was a race"
        until(lambda: a.count == SESSIONS)
        with claims_of(*place, "c") as c:
            assert c.count == SESSIONS, "who lost has released its claim"
            for session, (winner,) in won.items():
                loser = a if winner is b else b
                assert wins(winner, f"s-{session}")
                assert not wins(loser, f"s-{session}")
                assert not wins(c, f"s-{session}")


def test_a_session_that_is_released_is_anyones(kafka_broker: Broker, topic: str) -> None:
    """The gate that released it has to claim it again, like any other."""
    place, key = (kafka_broker.bootstrap, topic), TraceKey("bot", "s-1")
    with claims_of(*place, "a") as a, claims_of(*place, "b") as b:
        assert wins(a, "s-1")
        assert not wins(b, "s-1")
        a.release(key)
        until(lambda: b.count == 0)
        assert wins(b, "s-1")
        until(lambda: a.count == 1)
        assert not wins(a, "s-1")
        b.release(key)
        assert wins(b, "s-1"), "a claim behind the release, whichever is read first"
        assert not wins(a, "s-1")


def test_a_gate_that_dies_between_writing_and_reading_has_the_session(
    kafka_broker: Broker, topic: str
) -> None:
    """Nobody else gets it; its next run may go on with it, or release what never began."""
    place = kafka_broker.bootstrap, topic
    killed = subprocess.run(
        [sys.executable, "-c", DIES_BEHIND_ITS_CLAIM, *place, "a"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    with claims_of(*place, "b") as b:
        assert not wins(b, "s-1")
        with claims_of(*place, "a") as again:
            assert wins(again, "s-1")
            assert not wins(b, "s-1")
        with claims_of(*place, "a", knows=lambda key: False) as again:
            until(lambda: b.count == 0)
            assert wins(b, "s-1")
            assert not wins(again, "s-1")


def test_the_last_process_of_a_name_counts(kafka_broker: Broker, topic: str) -> None:
    """A copy of the state goes on; the process that it was copied from answers nothing more."""
    place = kafka_broker.bootstrap, topic
    second = 1_000_000_000
    with claims_of(*place, "a", lease_ns=2 * second) as first:
        assert wins(first, "s-1")
        with claims_of(*place, "a", lease_ns=2 * second, place="there") as copy:
            assert "another process goes on" in first.trouble, "before the copy began"
            with pytest.raises(NotReadyError, match="copied"):
                take(first, "s-1")
            assert wins(copy, "s-1")
    with claims_of(*place, "a", place="elsewhere") as third:
        assert third.trouble == ""


@pytest.fixture
def _collected(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let the collector close the sockets of refused connections, which the library forgets."""
    caplog.set_level(logging.CRITICAL, logger="kafka")
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.usefixtures("_collected")
def test_without_kafka_no_session_begins(tmp_path: Path) -> None:
    """Those that have begun go on within the lease; when Kafka is back, so is everything."""
    broker = start_broker(tmp_path / "kafka")
    try:
        place = broker.bootstrap, claims_topic(broker.bootstrap)
        with claims_of(*place, "a", delivery_ms=1_000) as a:
            assert wins(a, "s-1")
            broker.kill()
            with pytest.raises(NotReadyError, match="cannot be claimed"):
                take(a, "s-2")
            take(a, "s-1")
            broker = start_broker(tmp_path / "kafka")
            until(lambda: _is_won(a, "s-2"))
            with claims_of(*place, "b") as b:
                assert not wins(b, "s-1")
                assert not wins(b, "s-2")
    finally:
        broker.stop()


def _is_won(claims: TopicClaims, session: str) -> bool:
    try:
        take(claims, session)
    except NotReadyError:
        return False
    return True


def test_compaction_changes_no_owner(kafka_broker: Broker) -> None:
    """The loser died before it released its claim, which is the later one of the session."""
    topic = one_topic(
        kafka_broker.bootstrap,
        cleanup_policy="compact",
        segment_ms="200",
        max_compaction_lag_ms="200",
        min_cleanable_dirty_ratio="0.01",
        delete_retention_ms="0",
    )
    place, key = (kafka_broker.bootstrap, topic), TraceKey("bot", "s-1")
    with claims_of(*place, "a") as a:
        assert wins(a, "s-1")
        lost = [(claim_key(key, "lost"), claim_value("b"))]
        log = KafkaClaimLog(*place)
        log.append(lost)
        number = 0

        def is_compacted() -> bool:
            nonlocal number
            number += 1
            log.append([(run_key("c", "x"), run_value(Run(epoch=number, lease_ns=1)))])
            return len(all_of(place)) < number // 2

        until(is_compacted)
        log.close()
        assert len([key for key, _ in all_of(place) if key == lost[0][0]]) == 1
        with claims_of(*place, "c") as c, claims_of(*place, "b", knows=lambda _: False) as b:
            assert not wins(c, "s-1")
            assert not wins(b, "s-1")
            assert wins(a, "s-1")


def all_of(place: tuple[str, str]) -> list[ClaimEntry]:
    """Everything that is in a topic now."""
    log, found = KafkaClaimLog(*place), list[ClaimEntry]()
    end = log.end(30)
    while log.position() < end:
        found += log.read(0.05)
    log.close()
    return found


def test_a_topic_that_is_made_again_ends_the_gate(kafka_broker: Broker, topic: str) -> None:
    """It would know of none of the sessions."""
    with claims_of(kafka_broker.bootstrap, topic, "a") as a:
        for number in range(20):
            assert wins(a, f"s-{number}")
        admin = open_admin(kafka_broker.bootstrap, {})
        admin.delete_topics([topic])
        until(lambda: topic not in admin.list_topics())
        admin.close()
        init_topics(kafka_broker.bootstrap, 1, 1, topics={topic: POLICIES[CLAIMS]})
        until(lambda: not _is_won(a, "s-0") and a.trouble)
        assert "restart all gates" in a.trouble


def test_a_topic_that_forgets_claims_is_refused(kafka_broker: Broker, topic: str) -> None:
    """Compaction keeps every claim that is not released; retention would not."""
    check_claims(kafka_broker.bootstrap, topic, {})
    for policy in ("delete", "compact,delete"):
        other = one_topic(kafka_broker.bootstrap, cleanup_policy=policy)
        with pytest.raises(ConfigError, match="two gates could have one session"):
            check_claims(kafka_broker.bootstrap, other, {})


def test_a_topic_that_is_not_there_is_refused(kafka_broker: Broker) -> None:
    """With the command that creates it."""
    with pytest.raises(ConnectionError, match="interlock kafka init"):
        KafkaClaimLog(kafka_broker.bootstrap, "no-such-claims")
