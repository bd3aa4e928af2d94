"""The door that a client's events leave by: Kafka, or append-only files in a log directory.

A transport is used by one thread of one process. After a fork the child leaves its parent's
transport alone (`abandon`) and opens one of its own.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from .errors import SettingError
from .watermarks import Shard

EVENTS_TOPIC: Final = "agent.events"
CONTROL_TOPIC: Final = "interlock.control"

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Chosen: a file that an editor still opens, and a day of a busy agent."""

_TOPIC: Final = re.compile(r"agent\.events(\.[A-Za-z0-9_-][A-Za-z0-9._-]{0,199})?\Z")
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}\Z")


class Message(NamedTuple):
    """The session (the partition key) and one event as JSON."""

    key: str
    value: bytes


class Undelivered(OSError):  # noqa: N818 - a partial result, not only an error
    """Some of a batch was not sent: `retry` are to be sent again, `refused` never will be taken.

    Both are positions in the batch; all others were delivered.
    """

    def __init__(self, reason: str, retry: Sequence[int], refused: Sequence[int] = ()) -> None:
        super().__init__(reason)
        self.retry = tuple(retry)
        self.refused = tuple(refused)


class Transport(Protocol):
    """The destination of events."""

    def send(self, batch: Sequence[Message]) -> None:
        """Return when all are delivered; else raise `Undelivered`. May block for seconds."""

    def close(self) -> None:
        """Let go of files and sockets. Safe to call twice."""

    def abandon(self) -> None:
        """In a forked child: forget the parent's files and sockets without disturbing them."""


@dataclass(frozen=True, slots=True)
class KafkaTarget:
    """Brokers as `host:port,host:port`, and the topic of events."""

    bootstrap: str
    topic: str


@dataclass(frozen=True, slots=True)
class LogTarget:
    """A log directory, and the topic of events in it."""

    directory: Path
    topic: str = EVENTS_TOPIC


Target = KafkaTarget | LogTarget


def parse_target(text: str) -> Target:
    """Parse `Client(target)`: `kafka://HOST:PORT[,...][/TOPIC]` or `log:DIRECTORY`.

    Raises
    ------
    SettingError
        It is neither, or the package for Kafka is missing. An address with a password in it is not
        repeated.

    Examples
    --------
    >>> parse_target("kafka://b1:9092,b2:9092/agent.events.billing").topic
    'agent.events.billing'
    """
    if text.startswith("log:"):
        directory = text.removeprefix("log:")
        if not directory or "\0" in directory:
            raise SettingError("`log:` needs a directory, as in `log:/var/lib/interlock`")
        return LogTarget(Path(directory).absolute())
    if not text.startswith("kafka://"):
        raise SettingError("`target`: expected `kafka://HOST:PORT/agent.events` or `log:DIRECTORY`")
    hosts, _, topic = text.removeprefix("kafka://").partition("/")
    if "@" in hosts:
        raise SettingError(
            "`target` must not contain a user or password; give them in `kafka_options`"
        )
    if not all(_HOST.match(host) for host in hosts.split(",")):
        raise SettingError("`target`: expected brokers as `HOST:PORT[,HOST:PORT]` in `kafka://`")
    topic = topic or EVENTS_TOPIC
    if not _TOPIC.match(topic):
        raise SettingError("`target`: the topic is `agent.events` or `agent.events.NAME`")
    # Found now, and imported by the thread that needs it: there it could only be counted.
    if find_spec("kafka") is None:
        raise SettingError(
            "`kafka://` needs one more package: pip install 'interlock-client[kafka]'"
        )
    return KafkaTarget(hosts, topic)


def principal_of(target: Target) -> str:
    """The sender's principal by the topic alone: NAME of `agent.events.NAME`, else `""`."""
    return target.topic.removeprefix(EVENTS_TOPIC).removeprefix(".")


@dataclass(slots=True)
class Whereabouts:
    """The place of events, recorded by the sending thread for the threads that call the guard.

    `partitions_count` is that of the topic on Kafka. `owner` is the owner of the files in a log
    directory, if the monitor is known to see the same number.
    """

    partitions_count: int | None = None
    owner: int | None = None

    @property
    def known(self) -> tuple[int | None, int | None]:
        """All of it, to be compared."""
        return self.partitions_count, self.owner


def shard_of(target: Target, whereabouts: Whereabouts, session_id: str) -> Shard | None:
    """The shard of a session's events; None until it is known.

    `NAME/ID` is a session of another principal, which has its own topic. An ancestor that is named
    only by its ID is assumed to publish to this topic too.
    """
    if isinstance(target, LogTarget):
        owner = whereabouts.owner
        return None if owner is None else Shard(target.topic, owner, is_partition=False)
    count = whereabouts.partitions_count
    if count is None:
        return None
    from .transport_kafka import partition_of

    principal, _, own_id = session_id.rpartition("/")
    topic = f"{EVENTS_TOPIC}.{principal}" if principal else target.topic
    return Shard(topic, partition_of(own_id, count), is_partition=True)


def open_transport(
    target: Target, kafka_options: Mapping[str, object], whereabouts: Whereabouts
) -> Transport:
    """A transport for `target`; OSError if it cannot be opened now."""
    match target:
        case LogTarget():
            return LogTransport(target.directory / target.topic, whereabouts=whereabouts)
        case KafkaTarget():
            from .transport_kafka import KafkaTransport

            return KafkaTransport(target, kafka_options, whereabouts)


def new_writer_name() -> str:
    """A name that no other process writes under: host, process id, 64 random bits.

    The process id alone comes again after a restart, and in every container.
    """
    host = re.sub(r"[^A-Za-z0-9]", "", socket.gethostname())[:32] or "host"
    return f"{host}-{os.getpid()}-{secrets.token_hex(8)}"


class LogTransport:
    """Appends to `DIRECTORY/WRITER-N.jsonl`: one record a line, a batch in one write.

    Delivered means handed to the operating system: it survives the agent, not a power cut.
    """

    def __init__(
        self,
        directory: Path,
        writer: str | None = None,
        *,
        file_bytes_max: int = FILE_BYTES_MAX,
        whereabouts: Whereabouts | None = None,
    ) -> None:
        self._whereabouts = whereabouts or Whereabouts()
        self._directory = directory
        self._writer = writer or new_writer_name()
        self._file_bytes_max = file_bytes_max
        self._file_number = 1
        self._file_size = 0
        self._descriptor: int | None = None
        # The rest of a line that was begun and not finished (full disk). It must come next in this
        # file, or two records would share one line.
        self._unfinished = b""

    def send(self, batch: Sequence[Message]) -> None:
        """Write the unfinished rest, then the batch; `Undelivered` lists the events that did not
        begin.
        """
        try:
            descriptor = self._open()
            self._unfinished = self._write(descriptor, self._unfinished)
        except OSError as error:
            raise Undelivered(_reason(error), range(len(batch))) from error
        lines = [message.value + b"\n" for message in batch]
        written = 0
        try:
            rest = b"".join(lines)
            total = len(rest)
            while rest:
                count = os.write(descriptor, rest)
                written += count
                rest = rest[count:]
        except OSError as error:
            raise self._cut_short(lines, written, error) from error
        finally:
            self._file_size += written
        assert written == total, "all of the batch was written"
        self._rotate_if_full()

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def abandon(self) -> None:
        """Close the child's copy of the descriptor: the parent's stays open."""
        self.close()

    def _open(self) -> int:
        if self._descriptor is not None and os.fstat(self._descriptor).st_nlink == 0:
            # Somebody deleted the file: what is written there now, nobody would read.
            self.close()
            self._file_number += 1
            self._unfinished = b""
        if self._descriptor is None:
            self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
            if self._directory.is_symlink():
                raise OSError("the topic's directory is a symbolic link")
            path = self._directory / f"{self._writer}-{self._file_number}.jsonl"
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            # Without O_NONBLOCK a planted FIFO would hold the writer for ever.
            descriptor = os.open(path, flags | os.O_NONBLOCK, 0o640)
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                os.close(descriptor)
                raise OSError("the log file is not a regular file")
            self._descriptor = descriptor
            self._file_size = about.st_size
            self._whereabouts.owner = _lasting_owner(about.st_uid)
        return self._descriptor

    def _write(self, descriptor: int, data: bytes) -> bytes:
        """Write `data`; keeps in `_unfinished` what is left if the disk refuses midway."""
        while data:
            count = os.write(descriptor, data)
            self._file_size += count
            data = self._unfinished = data[count:]
        return data

    def _cut_short(self, lines: Sequence[bytes], written: int, error: OSError) -> Undelivered:
        """Lines that were begun count as delivered: the next `send` finishes the torn one."""
        begun = 0
        while begun < len(lines) and written > 0:
            self._unfinished = lines[begun][written:]
            written -= len(lines[begun])
            begun += 1
        return Undelivered(_reason(error), range(begun, len(lines)))

    def _rotate_if_full(self) -> None:
        if self._file_size >= self._file_bytes_max:
            self.close()
            self._file_number += 1


def _lasting_owner(uid: int) -> int | None:
    """The owner of our files as the monitor sees it; None if it may see another.

    In a user namespace, and on a file system that maps users, numbers differ from the outside.
    """
    if uid != os.geteuid():
        return None
    try:
        mapped = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    except OSError:
        return uid  # A system without user namespaces.
    return uid if mapped == ["0", "0", "4294967295"] else None


def _reason(error: OSError) -> str:
    """The error without the path, which may contain the name of a person or a customer."""
    return error.strerror or type(error).__name__
