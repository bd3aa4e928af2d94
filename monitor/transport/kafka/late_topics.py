"""Topics that need not exist when a monitor starts: they are read once they do.

Input: the client's view of the cluster. Output: the topics to read from now on, and a notice about
one that must not be read. The client itself cannot wait for a topic: if it is told to read one that
does not exist, it asks for it ten times a second, and logs an error each time. So it is told to
refresh its view of all topics instead, as a consumer of a pattern does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..base import Notice, Stream
from .topic_changes import ALL_PARTITIONS


class LateTopics:
    """Those of `wanted` that are not `there` yet."""

    def __init__(self, wanted: Sequence[str], there: Sequence[str]) -> None:
        self._awaited = [topic for topic in wanted if topic not in there]
        self._told: set[str] = set()

    def watch(self, consumer: Any) -> None:
        """Let a new client see topics that it does not read.

        This relies on a private name of the library (kafka-python 3.0.12), pinned below 4. Test:
        test_kafka_gate_topic.py.
        """
        if self._awaited:
            consumer._cluster.need_all_topic_metadata = True

    def take(self, consumer: Any, read: Sequence[str]) -> tuple[tuple[str, ...], list[Notice]]:
        """The topics that exist by now, and notices; `read` are those that are read already.

        One with another number of partitions is not read: its sessions would be in other groups
        than the records of their operators. The next start refuses it.
        """
        found: list[str] = []
        notices: list[Notice] = []
        for topic in list(self._awaited):
            count = _count(consumer, topic)
            others = {_count(consumer, other) for other in read} - {0}
            if count and others <= {count}:
                found.append(topic)
                self._awaited.remove(topic)
            elif count and topic not in self._told:
                self._told.add(topic)
                detail = (
                    f"it was created with {count} partitions, and the other topics have "
                    f"{max(others)}: no monitor reads it; create it again with as many"
                )
                notices.append(Notice("unassigned", Stream(topic, ALL_PARTITIONS), 0, 0, detail))
        return tuple(found), notices


def _count(consumer: Any, topic: str) -> int:
    return len(consumer._cluster.partitions_for_topic(topic) or ())
