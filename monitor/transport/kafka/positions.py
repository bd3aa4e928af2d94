"""The beginnings of the streams of some topics, and their offsets at some time; in no group."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ..base import Stream
from .client import KafkaError, TopicPartition, open_consumer
from .streams import MILLISECOND_NS, told

ASK_MS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Places:
    """Per stream: the earliest offset, and the first one at or after the given time."""

    starts: Mapping[Stream, int]
    since: Mapping[Stream, int] = field(default_factory=dict)


def look_up(
    bootstrap: str,
    topics: Sequence[str],
    settings: Mapping[str, object],
    from_time_ns: int | None = None,
) -> Places:
    """Look the topics up; those that are not there have no streams.

    Raises
    ------
    ConnectionError, OSError
        No broker answered, or it refused.
    """
    consumer = open_consumer(bootstrap, settings)
    try:
        partitions = [
            TopicPartition(topic, number)
            for topic in topics
            for number in sorted(consumer.partitions_for_topic(topic) or ())
        ]
        starts = consumer.beginning_offsets(partitions, timeout_ms=ASK_MS)
        since: dict[Stream, int] = {}
        if from_time_ns is not None:
            ends = consumer.end_offsets(partitions, timeout_ms=ASK_MS)
            asked = dict.fromkeys(partitions, from_time_ns // MILLISECOND_NS)
            found = consumer.offsets_for_times(asked, timeout_ms=ASK_MS)
            for tp in partitions:
                since[_stream(tp)] = found[tp].offset if found.get(tp) else ends[tp]
        return Places({_stream(tp): offset for tp, offset in starts.items()}, since)
    except KafkaError as error:
        raise told(error) from error
    finally:
        with contextlib.suppress(KafkaError):
            consumer.close(autocommit=False)


def _stream(partition: TopicPartition) -> Stream:
    return Stream(partition.topic, str(partition.partition))
