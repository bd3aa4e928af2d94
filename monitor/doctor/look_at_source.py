"""The probes of a source: a survey of its brokers, and its latest records. Nothing is written.

Kafka's client takes long to import, so a log directory does without it.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import Final

from interlock.control_record import ControlView
from monitor.clock import Clock
from monitor.config.table import Settings
from monitor.doctor.events import Sample
from monitor.doctor.heartbeats import HeartbeatFacts
from monitor.doctor.needs import Needs
from monitor.topics import READ_TOGETHER
from monitor.transport.address import KafkaAddress, LogDirAddress
from monitor.transport.base import ControlReader, Record
from monitor.transport.kafka.broker_facts import BrokerFacts

POLL_S: Final = 0.5
RECORDS_MAX: Final = 10_000
"""Chosen: of all streams together; a topic may have thousands of partitions."""
BYTES_MAX: Final = 64 * 1024 * 1024
"""Chosen: of all records together; an agent may fill its partitions with the longest ones."""


_END_OF_TIME_NS: Final = (1 << 62) - 1


def look_at_broker(needs: Needs, settings: Settings) -> BrokerFacts:
    """The topics, settings and rights that a role needs. Raises ConfigError, OSError."""
    from monitor.transport.kafka.survey import survey

    kafka = settings.kafka.client_settings()
    return survey(needs.bootstrap, list(needs.operations), needs.group, kafka)


def latest_of_kafka(
    address: KafkaAddress, settings: Settings, clock: Clock, *, count: int, seconds: float
) -> Sample:
    """The latest `count` records of each partition, as the monitor reads them, in no group.

    Raises
    ------
    ConfigError, OSError
        The topics cannot be read.
    """
    from monitor.transport.kafka.consumer import KafkaSource
    from monitor.transport.kafka.positions import look_up

    deadline = time.monotonic() + seconds
    kafka = settings.kafka.client_settings()
    found = look_up(address.bootstrap, address.topics, kafka, _END_OF_TIME_NS)
    positions = {
        stream: max(start, found.since[stream] - count) for stream, start in found.starts.items()
    }
    trusts_ts = address.trust_ts or settings.trust_ts
    source = KafkaSource(
        address.bootstrap, address.topics, None, settings=kafka, trust_ts=trusts_ts
    )
    records: list[Record] = []
    size = 0
    notices_count, is_whole, is_stamped = 0, False, not trusts_ts
    with closing(source):
        source.resume(positions)
        while time.monotonic() < deadline and not is_whole:
            poll = source.poll(POLL_S, RECORDS_MAX)
            source.resume(positions)  # Streams that were assigned since wait for this.
            records += poll.records
            notices_count += sum(one.kind == "unreadable" for one in poll.notices)
            is_stamped &= all(one.kind != "unstamped" for one in poll.notices)
            states = poll.frontiers.values()
            is_whole = bool(states) and all(one.is_at_end for one in states)
            size += sum(len(record.value) for record in poll.records)
            if len(records) >= RECORDS_MAX or size >= BYTES_MAX:
                break
    return Sample(tuple(records), clock.now_ns(), notices_count, is_whole, is_stamped)


def look_at_heartbeats(
    address: KafkaAddress | LogDirAddress, settings: Settings, clock: Clock, seconds: float
) -> HeartbeatFacts:
    """The heartbeats on the control topic. Raises ConfigError, OSError."""
    with closing(_control(address, settings)) as reader:
        view = ControlView()
        for key, value in reader.read_to_end(seconds):
            view.apply(key, value)
    return HeartbeatFacts(view.watermarks.vouchers(), clock.now_ns())


def _control(address: KafkaAddress | LogDirAddress, settings: Settings) -> ControlReader:
    if isinstance(address, KafkaAddress):
        from monitor.transport.kafka.control_reader import KafkaControlReader

        return KafkaControlReader(address.bootstrap, settings=settings.kafka.client_settings())
    from monitor.transport.logdir.control_reader import LogDirControlReader

    return LogDirControlReader(address.directory)


def latest_of_log(address: LogDirAddress, clock: Clock, *, count: int) -> Sample:
    """The latest records of each file of a log directory."""
    from monitor.transport.logdir.latest import latest_records

    found = latest_records(
        address.directory, READ_TOGETHER, count, bytes_max=BYTES_MAX, found_ns=clock.now_ns()
    )
    return Sample(tuple(found.records), clock.now_ns(), found.refused_count, found.is_whole)
