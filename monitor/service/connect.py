"""Opens an address: the source, the publisher and the reader of the control topic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from invariants.model.errors import ConfigError
from monitor.clock import Clock
from monitor.config.table import Settings
from monitor.ingest.file_sort import open_file
from monitor.topics import POLICIES
from monitor.transport.address import FileAddress, KafkaAddress, LogDirAddress, SourceAddress
from monitor.transport.base import ControlReader, Publisher, Source, Stream


class Surroundings(msgspec.Struct, frozen=True):
    """The monitor's connections. A finished file has nowhere to publish.

    `group_of` gives the streams that are assigned and revoked together: their sessions leave with
    them. `merged_by` gives those that are merged into one order: those of a group, or all.
    """

    source: Source
    publisher: Publisher | None
    control: ControlReader | None
    group_of: Callable[[Stream], str]
    merged_by: Callable[[Stream], str]
    trusts_ts: bool
    is_finished_file: bool
    warnings: tuple[str, ...] = ()
    shared_group: str = ""
    """The Kafka group that this monitor is a member of, if it is."""

    @property
    def is_live(self) -> bool:
        """True if the source may never end."""
        return not self.is_finished_file


def open_surroundings(
    address: SourceAddress,
    settings: Settings,
    clock: Clock,
    writer: str,
    *,
    reads_all: bool = False,
    is_sorted: bool = False,
) -> Surroundings:
    """Connect to an address.

    `is_sorted`: a finished file is ordered by its events (`--sort`). `reads_all`: every partition
    is read, and all are merged into one order, as scopes wider than a session require; the monitor
    does not join a Kafka group, which would share the partitions.

    Raises
    ------
    ConfigError
        The address is not usable as given.
    OSError
        A broker does not answer.
    """
    if is_sorted and not isinstance(address, FileAddress):
        raise ConfigError(
            "`--sort` is for a finished file; a live source is judged in order of arrival"
        )
    match address:
        case KafkaAddress():
            return _open_kafka(address, settings, reads_all=reads_all)
        case LogDirAddress(directory):
            # Imported here, like Kafka's: a finished file needs neither.
            from monitor.transport.logdir.control_reader import LogDirControlReader
            from monitor.transport.logdir.reader import LogDirSource
            from monitor.transport.logdir.writer import FOLDER_MODE, LogDirPublisher

            strange = _strange(Path(directory))
            Path(directory).mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            source = LogDirSource(directory, now_ns=clock.now_ns)
            return Surroundings(
                source,
                LogDirPublisher(directory, writer),
                LogDirControlReader(directory, now_ns=clock.now_ns),
                _together,
                _together,
                settings.trust_ts,
                address.is_finished,
                warnings=(*strange, *source.warnings),
            )
        case FileAddress(path):
            file = open_file(
                path, is_sorted=is_sorted, latest_ns=lambda: clock.now_ns() + settings.skew_ns
            )
            return Surroundings(file, None, None, _together, _together, True, address.is_finished)


def open_control(
    address: SourceAddress, settings: Settings, writer: str
) -> tuple[ControlReader, Publisher]:
    """Only the control topic, for reading and writing: for operators.

    Raises
    ------
    ConfigError
        The address is a file, which has no control topic.
    """
    match address:
        case KafkaAddress(bootstrap):
            # Kafka's client takes long to import, and most commands need none.
            from monitor.transport.kafka.control_reader import KafkaControlReader
            from monitor.transport.kafka.producer import KafkaPublisher

            kafka = settings.kafka.client_settings()
            return (
                KafkaControlReader(bootstrap, settings=kafka),
                KafkaPublisher(bootstrap, settings=kafka),
            )
        case LogDirAddress(directory):
            from monitor.transport.logdir.control_reader import LogDirControlReader
            from monitor.transport.logdir.writer import LogDirPublisher

            return LogDirControlReader(directory), LogDirPublisher(directory, writer)
        case FileAddress():
            raise ConfigError(
                "a finished file has no control topic; name `kafka://...` or `log:DIR`"
            )


def _strange(directory: Path) -> tuple[str, ...]:
    """Warnings that a log directory may be mistyped: nothing would ever arrive in it."""
    mend = "if agents write elsewhere, correct the `log:` address"
    try:
        names = {path.name for path in directory.iterdir()}
    except FileNotFoundError:
        return (f"`{directory}` did not exist and was created; {mend}",)
    except OSError:
        return ()  # `checked_directory` reports the error.
    if names and names.isdisjoint(POLICIES):
        return (f"`{directory}` contains other files but no topic of Interlock; {mend}",)
    return ()


def _together(stream: Stream) -> str:
    return ""


def _by_partition(stream: Stream) -> str:
    return stream.partition


def _open_kafka(address: KafkaAddress, settings: Settings, *, reads_all: bool) -> Surroundings:
    from monitor.transport.kafka.consumer import KafkaSource
    from monitor.transport.kafka.rights import check_rights

    trusts_ts = address.trust_ts or settings.trust_ts
    kafka = settings.kafka.client_settings()
    group = None if reads_all else address.group
    doubts = check_rights(address.bootstrap, address.topics, group, kafka)
    source = KafkaSource(
        address.bootstrap,
        address.topics,
        group,
        instance=None if reads_all else address.instance,
        settings=kafka,
        trust_ts=trusts_ts,
    )
    reader, publisher = open_control(address, settings, "")
    return Surroundings(
        source,
        publisher,
        reader,
        _by_partition,
        _together if reads_all else _by_partition,
        trusts_ts,
        address.is_finished,
        warnings=(*doubts, *source.warnings),
        shared_group=group or "",
    )
