"""Sources for those who only read: no group is joined, nothing is committed, nothing is written.

Input: an address. Output: the streams of events, and readers of the topics beside them, as the
live monitor sees them, without its noticing. For recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from invariants.errors import ConfigError

from ..topics import CONTROL, FINDINGS, READ_TOGETHER
from .address import FileAddress, KafkaAddress, LogDirAddress, SourceAddress
from .base import ControlEntry, Source, Stream
from .log_layout import from_line, parse_file_name
from .log_tail import LogTail
from .logdir import LogDirSource

LINES_MAX: Final = 1_000
READ_S: Final = 60.0

Entries = Callable[[], Iterator[ControlEntry]]
"""All records of a topic that stand there when it is called: key, and value or None."""


@dataclass(frozen=True, slots=True)
class Bystander:
    """What can be read of an address.

    `findings` and `control` are None where there is no such topic; `has_all_findings` says that
    no finding was taken away by retention. `positions` is where to begin, where not everywhere at
    the start.
    """

    source: Source
    findings: Entries | None
    control: Entries | None
    group_of: Callable[[Stream], str]
    topics: tuple[str, ...]
    has_broker_times: bool
    is_assigned_late: bool
    """Whether streams that are there may still be unknown after the first look."""
    has_all_findings: bool
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
            raise ConfigError("a finished file is a recording already; replay it as it is")


def _open_log(directory: Path, now_ns: Callable[[], int]) -> Bystander:
    source = LogDirSource(directory, now_ns=now_ns)
    findings = directory / FINDINGS
    control = directory / CONTROL
    return Bystander(
        source,
        (lambda: _entries_of_log(directory, FINDINGS)) if findings.is_dir() else None,
        (lambda: _entries_of_log(directory, CONTROL)) if control.is_dir() else None,
        lambda stream: "",
        READ_TOGETHER,
        has_broker_times=False,
        is_assigned_late=False,
        has_all_findings=_has_first_files(findings),
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
    """Whether of every writer the files are there from number 1 on."""
    if not directory.is_dir():
        return True
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
    from .kafka import KafkaSource
    from .kafka_control import KafkaControlReader
    from .kafka_positions import look_up

    trusts_ts = address.trust_ts or trust_ts
    found = look_up(address.bootstrap, (*address.topics, FINDINGS, CONTROL), settings, from_time_ns)
    there = {stream.topic for stream in found.starts}
    source = KafkaSource(
        address.bootstrap, address.topics, None, settings=settings, trust_ts=trusts_ts
    )

    def entries_of(topic: str) -> Entries | None:
        def read() -> Iterator[ControlEntry]:
            with closing(KafkaControlReader(address.bootstrap, topic, settings=settings)) as reader:
                yield from reader.read_to_end(READ_S)

        return read if topic in there else None

    return Bystander(
        source,
        entries_of(FINDINGS),
        entries_of(CONTROL),
        lambda stream: stream.partition,
        address.topics,
        has_broker_times=not trusts_ts,
        is_assigned_late=True,
        has_all_findings=all(o == 0 for s, o in found.starts.items() if s.topic == FINDINGS),
        positions={s: o for s, o in found.since.items() if s.topic in address.topics},
        warnings=tuple(source.warnings),
    )
