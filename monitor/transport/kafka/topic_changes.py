"""Changes of topics while they are read, or between two readings: recreated, or extended.

A topic that was deleted and recreated has other records under the same offsets. One that got more
partitions keeps its records, but sends running sessions to other partitions from then on: away from
the records of their operators, and perhaps to another monitor, which has no state for them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..base import Notice, Stream
from .streams import Held, truncated

ALL_PARTITIONS: Final = "*"


def topic_identity(consumer: Any, topic: str) -> str | None:
    """The id that the broker gave to this topic at its creation; None if it reports none.

    This relies on the client's view of the cluster (`_cluster`), as `FetchTap` relies on its
    fetcher.
    """
    found = consumer._cluster.topic_id(topic)
    return str(found) if found is not None and found != uuid.UUID(int=0) else None


def place(
    held: Held,
    wanted: int | None,
    start: int,
    end: int,
    *,
    identities: tuple[str | None, str | None],
) -> Notice | None:
    """Sets the position for reading; returns a notice if it is not the stored position.

    `identities`: of the topic of `wanted`, and of the current one.
    """
    known, identity = identities
    held.known_end, held.is_placed, held.identity = end, True, identity
    held.position = start if wanted is None else wanted
    if wanted is None:
        return None if start == 0 else _late_start(held.stream, start)
    if known is not None and identity is not None and known != identity:
        held.position = start
        detail = f"the topic was deleted and recreated; it is read from {start}, not from {wanted}"
        return Notice("replaced", held.stream, wanted, start, detail, has_lost=True)
    if not start <= wanted <= end:
        held.position = start
        return truncated(held.stream, wanted, start, end)
    return None


def _late_start(stream: Stream, start: int) -> Notice:
    detail = (
        "it is read for the first time, and the broker no longer has anything before offset "
        f"{start}: sessions that began there are judged from here on"
    )
    return Notice("late_start", stream, 0, start, detail)


def replaced(consumer: Any, held: Mapping[Any, Held]) -> list[Any]:
    """Partitions of topics that were made anew since they were placed."""
    identities = {topic: topic_identity(consumer, topic) for topic in {tp.topic for tp in held}}
    return [
        tp
        for tp, one in held.items()
        if one.is_placed and one.identity and identities[tp.topic] not in (None, one.identity)
    ]


class PartitionCounts:
    """Remembers how many partitions each topic had when it was first seen."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def grown(self, consumer: Any, topics: Sequence[str]) -> list[Notice]:
        """A notice for each topic that has more of them now, once."""
        notices = []
        for topic in topics:
            count = len(consumer._cluster.partitions_for_topic(topic) or ())
            before = self._counts.get(topic, count)
            self._counts[topic] = max(count, before)
            if 0 < before < count:
                detail = (
                    f"it has {count} partitions, and had {before}: sessions move between them and "
                    "lose their state; make the counts of all topics equal, and end "
                    "running sessions"
                )
                notices.append(
                    Notice("grown", Stream(topic, ALL_PARTITIONS), before, count, detail)
                )
        return notices
