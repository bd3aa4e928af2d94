"""librdkafka's mock cluster as a second, quick broker: same protocol over TCP, other code.

It comes with the wheel of `confluent-kafka`. Two things are measured: `kafka-python` 3 must be told
an old protocol version (`api_version=(2, 3)`), since the mock answers a newer question in a form
that cannot be read; and a partition keeps about 5 MB. Its admin calls do not work: topics are made
here, and nothing is checked about them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import confluent_kafka

from monitor.topics import GATE
from monitor.transport.kafka.topic_config import CheckedTopics

API_VERSION = (2, 3)


def why_no_mock() -> str | None:
    """One sentence on why there is no mock cluster here; None where there is."""
    return None if _library() else "this build of confluent-kafka does not bring librdkafka along"


def unchecked(bootstrap: str, topics: Sequence[str], *_: object, **__: object) -> CheckedTopics:
    """In place of `check_topics`, since the mock answers no admin request: no gate, no doubt."""
    return CheckedTopics(tuple(topic for topic in topics if topic != GATE), ())


@contextmanager
def mock_cluster(topics: dict[str, int]) -> Iterator[str]:
    """A running cluster with these topics and partition counts; gives its bootstrap address."""
    found = _library()
    assert found is not None
    library = _declared(ctypes.CDLL(str(found)))
    reason = ctypes.create_string_buffer(512)
    handle = library.rd_kafka_new(0, library.rd_kafka_conf_new(), reason, 512)
    assert handle, reason.value
    cluster = library.rd_kafka_mock_cluster_new(handle, 1)
    for topic, count in topics.items():
        library.rd_kafka_mock_topic_create(cluster, topic.encode(), count, 1)
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)
    try:
        yield library.rd_kafka_mock_cluster_bootstraps(cluster).decode()
    finally:
        library.rd_kafka_mock_cluster_destroy(cluster)
        library.rd_kafka_destroy(handle)


def _library() -> Path | None:
    folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    return next(iter(sorted(folder.glob("librdkafka*.so*"))), None)


def _declared(library: Any) -> Any:
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "rd_kafka_conf_new": (pointer, []),
        "rd_kafka_new": (pointer, [ctypes.c_int, pointer, text, ctypes.c_size_t]),
        "rd_kafka_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_new": (pointer, [pointer, ctypes.c_int]),
        "rd_kafka_mock_cluster_destroy": (None, [pointer]),
        "rd_kafka_mock_cluster_bootstraps": (text, [pointer]),
        "rd_kafka_mock_topic_create": (ctypes.c_int, [pointer, text, ctypes.c_int, ctypes.c_int]),
        "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [pointer, ctypes.c_int32]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
