"""Assigns partitions: partition i of every topic goes to one and the same member.

All topics keyed by session have the same number of partitions, and a session's events, approvals
and enforcements must reach one engine. The library's sticky assignor assigns partitions one by one
and would separate them. This one assigns partition *numbers*, with the same algorithm (cooperative
and sticky: a number moves in two rounds and never has two owners), and gives a member all topics of
its numbers that it reads. No member reads the topics of a number that its owner does not subscribe
to: members must name the same topics, which is not so during a restart one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from ..base import Notice, Stream
from .client import (
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
    ConsumerRebalanceListener,
    CooperativeStickyAssignor,
)
from .topic_changes import ALL_PARTITIONS


class TogetherAssignor(CooperativeStickyAssignor):  # type: ignore[misc]
    """The cooperative-sticky assignor, over partition numbers. One instance per consumer."""

    name = "interlock-together"
    _unassigned: tuple[Notice, ...] = ()

    def take_unassigned(self) -> tuple[Notice, ...]:
        """Topics with partitions that no member reads, once after each assignment that we
        computed.
        """
        taken, self._unassigned = self._unassigned, ()
        return taken

    def assign(self, cluster: Any, members: Any) -> dict[str, Any]:
        topics = sorted({topic for member in members for topic in member.metadata.topics})
        numbers = {topic: set(cluster.partitions_for_topic(topic) or ()) for topic in topics}
        lead = topics[0] if topics else ""
        view = _LeadView(lead, set().union(*numbers.values()))
        dealt = super().assign(view, [_as_lead_only(member, lead) for member in members])
        # A member that is assigned a topic which it has not named accepts nothing at all, and
        # rejoins without end.
        named = {member.member_id: set(member.metadata.topics) for member in members}
        shares = {member: _shares(assignment, numbers) for member, assignment in dealt.items()}
        self._unassigned = _left_out(shares, named)
        return {
            member: ConsumerProtocolAssignment(
                self.version, [(topic, of[topic]) for topic in of if topic in named[member]], b""
            )
            for member, of in shares.items()
        }


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs on the client's own thread: it only passes on, since blocking there raises."""

    def __init__(
        self, on_assigned: Callable[[Iterable[Any]], None], on_gone: Callable[[Iterable[Any]], None]
    ) -> None:
        self._on_assigned = on_assigned
        self._on_gone = on_gone

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        self._on_gone(revoked)

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        self._on_assigned(assigned)

    def on_partitions_lost(self, lost: Iterable[Any]) -> None:
        self._on_gone(lost)


class _LeadView:
    """A cluster with one topic that has every partition number there is."""

    def __init__(self, lead: str, partitions: set[int]) -> None:
        self._lead = lead
        self._partitions = partitions

    def topics(self) -> set[str]:
        return {self._lead}

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return self._partitions if topic == self._lead else None


def _as_lead_only(member: Any, lead: str) -> Any:
    """The member as if it read one topic, and owned there each number that it owns anywhere.

    Anywhere: a number of which it still holds a single topic must not be assigned to another yet.
    """
    owned = member.metadata.owned_partitions or ()
    numbers = sorted({number for topic in owned for number in topic.partitions})
    of_topic = ConsumerProtocolSubscription.TopicPartition
    metadata = ConsumerProtocolSubscription(
        version=member.metadata.version,
        topics=[lead],
        user_data=b"",
        owned_partitions=[of_topic(topic=lead, partitions=numbers)] if numbers else [],
    )
    return SimpleNamespace(member_id=member.member_id, metadata=metadata)


def _shares(assignment: Any, numbers: dict[str, set[int]]) -> dict[str, list[int]]:
    dealt = {partition.partition for partition in assignment.partitions()}
    return {topic: sorted(dealt & there) for topic, there in numbers.items() if dealt & there}


def _left_out(
    shares: dict[str, dict[str, list[int]]], named: dict[str, set[str]]
) -> tuple[Notice, ...]:
    """A notice for each topic with partitions in the share of a member that has not named it.

    A partition that is in no share, as in the first round of a move, will be in the next one.
    """
    left: dict[str, list[int]] = {}
    for member, of in shares.items():
        for topic in of.keys() - named[member]:
            left.setdefault(topic, []).extend(of[topic])
    return tuple(
        Notice(
            "unassigned",
            Stream(topic, ALL_PARTITIONS),
            0,
            0,
            f"no monitor reads its partitions {', '.join(map(str, sorted(rest)))}: the members of "
            "the group were started with different topics; start all with the same",
        )
        for topic, rest in sorted(left.items())
    )


def go_on_joining(consumer: Any) -> None:
    """Make the next poll wait for a join that is in progress; call it before each poll.

    The client checks at each poll if it must join. If it joins because a topic has changed, the
    check becomes false as soon as it has assigned partitions, before the broker has confirmed them.
    A poll that ends in between abandons the join: the client sends no heartbeat, reads nothing, and
    reports nothing, for ever.

    It relies on two private names of the library (kafka-python 3.0.12), pinned below 4; a version
    without them fails when the source is opened. Test: test_kafka_rebalance.py.
    """
    coordinator = consumer._coordinator
    if coordinator.rejoining:
        coordinator.request_rejoin()
