"""Sends a gate's own log to Kafka, in order, at least once.

    log directory -> records -> rounds -> publisher -> acknowledged -> position file

Input: `DIR/interlock.gate/WRITER-N.jsonl`, as the gate appends to it. Output: the same records on
the topic `interlock.gate`, each under the key of its session, so that one session's are in one
partition, in their order. A position is stored only after everything before it was acknowledged. So
a crash repeats at most one chunk, and loses nothing. Files that were acknowledged to their ends,
and that a restart of the gate does not read, are removed: the log would grow for ever. It runs on a
thread of its own: the gate's answers never wait for Kafka.

It deliberately gives up nothing: a record that Kafka refuses is sent again until it is taken, and
`status` says why it is not. Monitors would otherwise judge a session without it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from ...log import say
from ...topics import GATE
from ..base import Poll, Publisher
from ..logdir.layout import parse_file_name
from ..logdir.reader import LogDirSource
from .position_file import Place, PositionFile
from .rounds import ToSend, hand_over, rounds, to_send

CHUNK_RECORDS: Final = 500
"""Chosen: the records that are read ahead, and that a crash may repeat."""
LOOK_S: Final = 0.02
"""How often an idle log is looked at."""
ACKNOWLEDGED_S: Final = 5.0
"""How long one wait for acknowledgements lasts; the next one waits for the same records."""
DRAIN_S: Final = 5.0
"""How long `close` goes on sending what is left; the rest is sent after the next start."""
PAUSES_S: Final = (0.2, 1.0, 5.0)
"""Pauses before a failed round is repeated; the last one for all further attempts."""


class ForwardStatus(NamedTuple):
    """How far a forwarder is. `behind_since_ns` is the gate's time of the oldest record that is
    read and not acknowledged; `trouble` says why it does not get on, and is empty while it does.
    """

    sent_count: int = 0
    lag_records: int = 0
    behind_since_ns: int | None = None
    trouble: str = "it has not started"


class Forwarder:
    """Follows the log in `directory`, on a thread of its own.

    Parameters
    ----------
    open_publisher
        Opens a publisher to Kafka that loses nothing silently; called again after it fails.
    now_ns
        The clock of the source.
    needed_file
        The name of the first file that a restart of the gate reads.

    Raises
    ------
    ConfigError
        The directory does not exist, or the position file is damaged.
    """

    def __init__(
        self,
        directory: Path,
        position_path: Path,
        open_publisher: Callable[[], Publisher],
        *,
        now_ns: Callable[[], int],
        needed_file: Callable[[], str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = LogDirSource(directory, (GATE,), now_ns=now_ns)
        self._folder, self._needed_file = directory / GATE, needed_file
        self._file = PositionFile(position_path)
        self._places = self._file.load()
        self._open = open_publisher
        self._publisher: Publisher | None = None
        self._status = ForwardStatus()
        self._monotonic = monotonic
        self._until_s = 0.0
        """When to give up after a stop was asked for."""
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gate-forwarder")

    def start(self) -> None:
        """Begin to forward."""
        self._source.recognise({s: p.identity for s, p in self._places.items() if p.identity})
        self._status = ForwardStatus(trouble="")
        self._thread.start()

    @property
    def status(self) -> ForwardStatus:
        """How far it is, now."""
        return self._status

    def waiting_bytes(self) -> int:
        """The size of all that Kafka has not acknowledged, as it is now; any thread may ask. It
        grows during an outage, while `lag_records` is of the last look.
        """
        offsets = {stream.partition: place.offset for stream, place in self._places.items()}
        own = parse_file_name(self._needed_file())
        size = 0
        with contextlib.suppress(OSError):  # A file was removed meanwhile: it was acknowledged.
            for path in self._folder.iterdir():
                named = parse_file_name(path.name)
                if own is not None and named is not None and named[0] == own[0]:
                    size += max(0, path.stat().st_size - offsets.get(path.name, 0))
        return size

    def close(self) -> None:
        """Send what is left, if Kafka takes it soon, and stop. Safe to call twice."""
        self._until_s = self._monotonic() + DRAIN_S
        self._is_stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._source.close()

    def _run(self) -> None:
        try:
            while True:
                is_stopping = self._is_stopping.is_set()
                is_moving = self._forward_chunk()
                if is_moving is None or (is_stopping and (not is_moving or self._gives_up())):
                    return
                if not is_moving:
                    self._is_stopping.wait(LOOK_S)
        finally:
            with contextlib.suppress(OSError):
                self._let_go()
            if not self._is_stopping.is_set():
                self._tell("it has failed, see the log of this process; restart the gate")

    def _forward_chunk(self) -> bool | None:
        """Send what one look finds; true if there may be more at once, None if a part of it was
        given up: nothing behind it may be sent.
        """
        poll = self._source.poll(0, CHUNK_RECORDS)
        for notice in poll.notices:
            say("error", "gate_log_notice", kind=notice.kind, text=str(notice))
        if poll.gained:
            self._source.resume({stream: place.offset for stream, place in self._places.items()})
        records = [to_send(record) for record in poll.records]
        left_count = sum(frontier.lag_records for frontier in poll.frontiers.values())
        self._note(records, left_count)
        for of_round in rounds(records):
            if not self._send(of_round):
                return None
            sent_count = self._status.sent_count + len(of_round)
            self._status = self._status._replace(sent_count=sent_count)
        self._store(poll)
        self._remove(poll)
        self._note([], left_count)
        return bool(records or poll.gained)

    def _note(self, records: list[ToSend], left_count: int) -> None:
        since_ns = min((record.ts_ns for record in records), default=None)
        lag = left_count + len(records)
        self._status = self._status._replace(lag_records=lag, behind_since_ns=since_ns)

    def _send(self, records: list[ToSend]) -> bool:
        """Return when all were acknowledged; false if it gives up, since it is to stop."""
        attempt = 0
        while True:
            try:
                self._publish(records)
            except OSError as error:
                self._tell(f"Kafka does not take the gate's records: {error}")
                # A producer that failed is replaced: its late deliveries are copies.
                with contextlib.suppress(OSError):
                    self._let_go()
                if self._is_stopping.wait(PAUSES_S[min(attempt, len(PAUSES_S) - 1)]):
                    return False
                attempt += 1
            else:
                self._tell("")
                return True

    def _publish(self, records: list[ToSend]) -> None:
        if self._publisher is None:
            self._publisher = self._open()
        hand_over(self._publisher, records)
        while True:
            try:
                self._publisher.flush(ACKNOWLEDGED_S)
            except TimeoutError as error:
                # Not refused yet: the same producer goes on until it gives them up.
                self._tell(f"Kafka does not acknowledge the gate's records: {error}")
                if self._gives_up():
                    raise
            else:
                return

    def _gives_up(self) -> bool:
        return self._is_stopping.is_set() and self._monotonic() >= self._until_s

    def _store(self, poll: Poll) -> None:
        """The places behind everything that was acknowledged."""
        places = {s: p for s, p in self._places.items() if s not in poll.gone}
        for stream, frontier in poll.frontiers.items():
            if frontier.next_offset is not None and stream not in poll.gained:
                places[stream] = Place(frontier.next_offset, frontier.identity)
        if places == self._places:
            return
        try:
            self._file.store(places)
        except OSError as error:
            # Tried again after the next look. Until then a crash would repeat more.
            self._tell(f"the forwarder's position cannot be stored: {error}")
        else:
            self._places = places

    def _remove(self, poll: Poll) -> None:
        """Files of which everything is on Kafka, for certain, and which the gate needs no more."""
        needed = parse_file_name(self._needed_file())
        for stream, place in self._places.items():
            frontier, own = poll.frontiers.get(stream), parse_file_name(stream.partition)
            if needed is None or own is None or frontier is None or own[0] != needed[0]:
                continue
            if own[1] < needed[1] and frontier.is_at_end and frontier.next_offset == place.offset:
                with contextlib.suppress(OSError):  # Tried again after the next look.
                    (self._folder / stream.partition).unlink()

    def _tell(self, trouble: str) -> None:
        if trouble != self._status.trouble:
            say("error" if trouble else "info", "gate_forward", text=trouble or "it gets on")
            self._status = self._status._replace(trouble=trouble)

    def _let_go(self) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            publisher.close()
