"""Sources for readers only: they join no group, commit nothing and write nothing.

Input: an address. Output: the streams of events, and readers of the related topics, as the live
monitor sees them, without its knowledge. For recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from invariants.model.errors import ConfigError

from ...topics import READ_TOGETHER
from ..address import FileAddress, KafkaAddress, LogDirAddress, SourceAddress
from ..base import ControlEntry, Source, Stream
from ..logdir.layout import from_line, parse_file_name
from ..logdir.reader import LogDirSource
from ..logdir.tail import LogTail

LINES_MAX: Final = 1_000
READ_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class TopicRecords:
    """All records of a topic, unchanged: key, and value or None, in their order.

    `is_whole` means that retention removed none.
    """

    entries: Iterator[ControlEntry]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Bystander:
    """The readable parts of an address.

    `beside` reads another topic in its current state, or is None if there is none. `positions`
    contains the starting offsets of streams that do not begin at the start.
    """

    source: Source
    beside: Callable[[str], TopicRecords | None]
    topics: tuple[str, ...]
    has_broker_times: bool
    is_assigned_late: bool
    """True if existing streams may still be unknown after the first look."""
    positions: Mapping[Stream, int]
    warnings: tuple[str, ...] = ()


def open_bystander(
    address: SourceAddress,
    kafka_settings: Mapping[str, object],
    now_ns: Callable[[], int],
    *,
    trust_ts: bool = False,
    from_time_ns: int | None = None,
) -> Bystander:
    """Open an address to read it.

    Raises
    ------
    ConfigError
        The address cannot be used, or is a finished file, which is a recording already.
    OSError
        A broker does not answer.
    """
    match address:
        case KafkaAddress():
            return _open_kafka(address, kafka_settings, trust_ts, from_time_ns)
        case LogDirAddress(directory):
            return _open_log(Path(directory), now_ns)
        case FileAddress():
            raise ConfigError("a finished file is already a recording; replay it directly")


def _open_log(directory: Path, now_ns: Callable[[], int]) -> Bystander:
    source = LogDirSource(directory, now_ns=now_ns)

    def beside(topic: str) -> TopicRecords | None:
        folder = directory / topic
        if not folder.is_dir():
            return None
        return TopicRecords(_entries_of_log(directory, topic), _has_first_files(folder))

    return Bystander(
        source,
        beside,
        READ_TOGETHER,
        has_broker_times=False,
        is_assigned_late=False,
        positions={},
        warnings=source.warnings,
    )


def _entries_of_log(directory: Path, topic: str) -> Iterator[ControlEntry]:
    """Every whole line of a topic, each writer's in its order."""
    tail = LogTail(directory, (topic,))
    tail.find()
    tail.place({})
    while True:
        lines, notices = tail.read(LINES_MAX)
        for _, line in lines:
            key, value, _ = from_line(topic, line.value)
            yield (key or b"").decode("utf-8", "replace"), value or None
        if not lines and not notices and not tail.is_moving:
            return


def _has_first_files(directory: Path) -> bool:
    """True if the files of every writer exist from number 1 on."""
    numbers: dict[str, set[int]] = {}
    for path in directory.iterdir():
        parsed = parse_file_name(path.name)
        if parsed is not None:
            numbers.setdefault(parsed[0], set()).add(parsed[1])
    return all(min(found) == 1 and max(found) == len(found) for found in numbers.values())


def _open_kafka(
    address: KafkaAddress,
    settings: Mapping[str, object],
    trust_ts: bool,
    from_time_ns: int | None,
) -> Bystander:
    # Kafka's client takes long to import, and most commands need none.
    from ..kafka.consumer import KafkaSource
    from ..kafka.control_reader import KafkaControlReader
    from ..kafka.positions import look_up

    trusts_ts = address.trust_ts or trust_ts
    found = look_up(address.bootstrap, address.topics, settings, from_time_ns)
    source = KafkaSource(
        address.bootstrap, address.topics, None, settings=settings, trust_ts=trusts_ts
    )

    def beside(topic: str) -> TopicRecords | None:
        starts = look_up(address.bootstrap, (topic,), settings).starts
        if not starts:
            return None
        return TopicRecords(read(topic), all(offset == 0 for offset in starts.values()))

    def read(topic: str) -> Iterator[ControlEntry]:
        with closing(KafkaControlReader(address.bootstrap, topic, settings=settings)) as reader:
            yield from reader.read_to_end(READ_S)

    return Bystander(
        source,
        beside,
        address.topics,
        has_broker_times=not trusts_ts,
        is_assigned_late=True,
        positions=found.since,
        warnings=tuple(source.warnings),
    )
