"""Who reads which partitions of a Kafka group, also while its members name different topics."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from monitor.transport.base import Stream
from monitor.transport.kafka.assignor import TogetherAssignor
from monitor.transport.kafka.client import ConsumerProtocolSubscription

ALICE, BOB, APPROVALS = "agent.events.alice", "agent.events.bob", "interlock.approvals"


class Cluster:
    """Topics that all have as many partitions."""

    def partitions_for_topic(self, topic: str) -> set[int]:
        return set(range(4))


def member(name: str, *topics: str, owned: list[int] | None = None) -> Any:
    of_topic = ConsumerProtocolSubscription.TopicPartition
    owns = [of_topic(topic=topic, partitions=owned) for topic in topics if owned]
    said = ConsumerProtocolSubscription(
        version=2, topics=list(topics), user_data=b"", owned_partitions=owns
    )
    return SimpleNamespace(member_id=name, metadata=said)


def dealt(assignor: TogetherAssignor, *members: Any) -> dict[str, dict[str, list[int]]]:
    assigned = assignor.assign(Cluster(), list(members))
    found: dict[str, dict[str, list[int]]] = {}
    for name, given in assigned.items():
        of = found[name] = {}
        for partition in given.partitions():
            of.setdefault(partition.topic, []).append(partition.partition)
    return found


def test_a_number_of_every_topic_goes_to_one_member() -> None:
    assignor = TogetherAssignor()
    given = dealt(assignor, member("a", ALICE, APPROVALS), member("b", ALICE, APPROVALS))
    assert all(topics[ALICE] == topics[APPROVALS] for topics in given.values())
    assert sorted(n for topics in given.values() for n in topics[ALICE]) == [0, 1, 2, 3]
    assert assignor.take_unassigned() == ()


def test_a_number_that_moves_is_nobodys_for_a_round_and_nothing_is_told() -> None:
    """Its owner gives it up first; with the same topics for all nothing is wrong with that."""
    assignor = TogetherAssignor()
    given = dealt(assignor, member("a", ALICE, owned=[0, 1, 2, 3]), member("b", ALICE))
    assert len(given["a"][ALICE]) == 2 and given["b"] == {}
    assert assignor.take_unassigned() == ()


def test_a_member_is_given_no_topic_that_it_has_not_named() -> None:
    """It would take nothing and ask again for ever: so begins a restart that adds a principal."""
    assignor = TogetherAssignor()
    given = dealt(assignor, member("old", ALICE, APPROVALS), member("new", ALICE, BOB, APPROVALS))
    assert set(given["old"]) == {ALICE, APPROVALS}
    assert given["new"][BOB] == given["new"][ALICE] == given["new"][APPROVALS]
    assert sorted(given["old"][ALICE] + given["new"][ALICE]) == [0, 1, 2, 3]
    (told,) = assignor.take_unassigned()
    assert (told.kind, told.stream) == ("unassigned", Stream(BOB, "*"))
    assert f"partitions {', '.join(map(str, given['old'][ALICE]))}:" in told.detail
    assert assignor.take_unassigned() == (), "once"


def test_it_is_over_when_all_name_the_same_topics() -> None:
    assignor = TogetherAssignor()
    dealt(assignor, member("old", ALICE), member("new", ALICE, BOB))
    given = dealt(assignor, member("old", ALICE, BOB), member("new", ALICE, BOB))
    assert sorted(n for topics in given.values() for n in topics[BOB]) == [0, 1, 2, 3]
    assert assignor.take_unassigned() == ()
