"""Kafka as a source: a member of a consumer group that keeps no position of its own.

Input: topics keyed by session, with the same number of partitions. Output: `Poll` values. The
store's positions are authoritative: offsets on the broker are advisory, a stream returns nothing
before `resume` has placed it, and a position that the broker no longer has is a `truncated` notice,
never a silent jump. The content of a topic never stops the source: batches that must not be read
are skipped with an `unreadable` notice.

Frontiers are causal, not timed: after a poll with records, the ends of all streams are queried once
more, so `is_at_end` means that nothing that was appended before those records is still unread.
While this query has no answer, no stream is at its end.

It deliberately does not decode, order or store. If the broker is unreachable, polls are empty and
the client keeps trying; a failure that only a person can fix is raised as `OSError`.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from ...clock import SystemClock
from ...topics import OPTIONAL, READ_TOGETHER
from ..address import GROUP
from ..base import Notice, Poll, Record, Stream
from .assignor import Listener, TogetherAssignor, go_on_joining
from .client import (
    CorruptRecordError,
    KafkaError,
    LogTruncationError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
    open_consumer,
)
from .ends import Ends
from .fetch_screen import CONTENT_ERRORS, FetchTap
from .guarded import is_of_the_library
from .late_topics import LateTopics
from .stall import StallWatch, failed
from .streams import Held, assign_all, frontier, offsets_of, reread, skipped, taken, told
from .topic_changes import PartitionCounts, place, replaced, topic_identity
from .topic_config import check_topics

CLOCK: Final = SystemClock()
UNPLACED_POLL_S: Final = 0.1  # Chosen: how soon a rebalance is reported while nothing else is read.
OFFSETS_MS: Final = 5_000
COMMIT_AT_CLOSE_MS: Final = 2_000
STALL_S: Final = 30.0  # Chosen: far above a leader election, far below the session's patience.
PAUSE_ON_ERROR_S: Final = 0.2


class KafkaSource:
    """Reads `topics` as one member of `group`; the module's docstring contains its guarantees.

    Parameters
    ----------
    bootstrap
        Brokers, as `host:port,host:port`.
    group
        None reads every partition and joins no group: a bystander, which commits nothing.
    instance
        Static membership: a restart under the same name gets its partitions back without a move.
    settings
        `security_protocol`, `sasl_*`, `ssl_*` and the like; passwords by file.
    trust_ts
        Backfills: records have no arrival, whatever the topic's settings.
    optional
        Of `topics`, those that are read once they exist.
    stall_s
        A client that fetches nothing for this long, although there is something, is recreated.

    Raises
    ------
    ConfigError
        Topics are missing, differ in partitions, or do not carry the broker's append time.
    ConnectionError
        No broker answered.
    """

    def __init__(
        self,
        bootstrap: str,
        topics: Sequence[str] = READ_TOGETHER,
        group: str | None = GROUP,
        *,
        instance: str | None = None,
        settings: Mapping[str, object] | None = None,
        trust_ts: bool = False,
        optional: Collection[str] = OPTIONAL,
        stall_s: float = STALL_S,
        monotonic: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = CLOCK.now_ns,
        **more: object,
    ) -> None:
        self._group = group
        self._trust_ts = trust_ts
        self._stall_s = stall_s
        self._monotonic = monotonic
        self._now_ns = now_ns
        self._open: Callable[[], Any] = lambda: open_consumer(
            bootstrap,
            settings or {},
            group_id=group,
            group_instance_id=instance,
            partition_assignment_strategy=[self._assignor],
            **more,
        )
        checked = check_topics(bootstrap, topics, settings, trust_ts=trust_ts, optional=optional)
        self._topics = checked.topics
        self._late = LateTopics(topics, checked.topics)
        self.warnings = checked.warnings
        """Permitted but doubtful properties of the topics, to be logged at start."""
        self._consumer: Any = None
        self._tap: FetchTap | None = None
        self._changes: deque[tuple[bool, tuple[Any, ...]]] = deque()
        self._held: dict[Any, Held] = {}
        self._positions: dict[Stream, int] = {}
        self._identities: dict[Stream, str] = {}
        self._counts = PartitionCounts()
        self._committed: dict[Any, Any] = {}
        self._refetched: dict[Any, int] = {}
        self._fault = ""
        """An error of the client that concerns no batch: the client is recreated."""
        self._has_new_topics = False
        self._ends = Ends(monotonic, now_ns)
        self._connect()

    def recognise(self, identities: Mapping[Stream, str]) -> None:
        self._identities.update(identities)

    def resume(self, positions: Mapping[Stream, int]) -> None:
        self._positions.update(positions)
        for held in self._held.values():
            held.is_resumed = True

    def poll(self, timeout_s: float, records_max: int) -> Poll:
        notices: list[Notice] = []
        if self._consumer is None and not self._reconnect(timeout_s):
            return Poll(trouble=self._ends.trouble())
        stalled = self._stalled(notices) or self._faulty(notices)
        if stalled:
            return Poll(lost=stalled, notices=tuple(notices))
        self._place_again(replaced(self._consumer, self._held))
        self._place(notices)
        answers = self._fetch(timeout_s, records_max, notices)
        gained, lost = self._take_changes()
        notices += self._assignor.take_unassigned()
        records = self._records(answers, notices)
        self._update_positions()
        if records or self._ends.are_due(self._held):
            self._ends.ask(self._consumer, self._held)
            notices += self._look_for_more()
        return Poll(
            records=records,
            frontiers={held.stream: frontier(held) for held in self._held.values()},
            gained=gained,
            lost=lost,
            notices=tuple(notices),
            trouble=self._ends.trouble(),
        )

    def commit(self, positions: Mapping[Stream, int]) -> None:
        """Advisory and asynchronous: an error here loses nothing, so none is raised."""
        offsets = offsets_of(self._held, positions)
        if not offsets or self._consumer is None or self._group is None:
            return
        self._committed.update(offsets)
        with contextlib.suppress(KafkaError):
            self._consumer.commit_async(offsets)

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is None:
            return
        mine = {tp: offset for tp, offset in self._committed.items() if tp in self._held}
        # Not in the listener: on the client's own thread it raises "Cannot block on net.run()".
        with contextlib.suppress(KafkaError):
            if mine:
                consumer.commit(mine, timeout_ms=COMMIT_AT_CLOSE_MS)
        with contextlib.suppress(KafkaError):
            consumer.close(autocommit=False, timeout_ms=COMMIT_AT_CLOSE_MS)

    def _connect(self) -> None:
        self._assignor = TogetherAssignor()  # One for each consumer.
        self._consumer = self._open()
        self._tap = FetchTap(self._consumer)
        if self._group is None:
            self._on_assigned(assign_all(self._consumer, self._topics))
        else:
            self._consumer.subscribe(
                list(self._topics), listener=Listener(self._on_assigned, self._on_gone)
            )
        self._late.watch(self._consumer)
        self._stall = StallWatch(self._stall_s, self._monotonic)

    def _reconnect(self, timeout_s: float) -> bool:
        try:
            self._connect()
        except ConnectionError:
            time.sleep(min(timeout_s, PAUSE_ON_ERROR_S))
            return False
        return True

    def _look_for_more(self) -> list[Notice]:
        """Topics that got more partitions (a group is given them), or were created since."""
        grown = self._counts.grown(self._consumer, self._topics)
        if grown and self._group is None:
            held = set(self._held)
            everything = assign_all(self._consumer, self._topics)
            self._on_assigned([tp for tp in everything if tp not in held])
        found, refused = self._late.take(self._consumer, self._topics)
        if found:
            self._topics, self._has_new_topics = (*self._topics, *found), True
        return [*grown, *refused]

    def _on_assigned(self, partitions: Iterable[Any]) -> None:
        """On the client's thread; nothing is fetched until `resume`."""
        for tp in partitions:
            self._consumer.pause(tp)
            # Any offset will do: without one the client would go by the committed offset.
            self._consumer.seek(tp, 0)
        self._changes.append((True, tuple(partitions)))

    def _on_gone(self, partitions: Iterable[Any]) -> None:
        self._changes.append((False, tuple(partitions)))

    def _take_changes(self) -> tuple[tuple[Stream, ...], tuple[Stream, ...]]:
        """The rebalances since the last poll, as the caller must see them."""
        before = dict(self._held)
        while self._changes:
            is_gain, partitions = self._changes.popleft()
            for tp in partitions:
                self._held.pop(tp, None)
                if is_gain:
                    self._held[tp] = Held(Stream(tp.topic, str(tp.partition)))
        lost = [held.stream for tp, held in before.items() if self._held.get(tp) is not held]
        gained = [held.stream for tp, held in self._held.items() if before.get(tp) is not held]
        return tuple(sorted(gained)), tuple(sorted(lost))

    def _place(self, notices: list[Notice]) -> None:
        """Place every resumed stream at its stored position (again at the next poll if needed)."""
        assigned = self._consumer.assignment()
        new = [
            tp
            for tp, held in self._held.items()
            if held.is_resumed and not held.is_placed and tp in assigned
        ]
        if not new:
            return
        try:
            starts = self._consumer.beginning_offsets(new, timeout_ms=OFFSETS_MS)
            ends = self._consumer.end_offsets(new, timeout_ms=OFFSETS_MS)
        except KafkaError as error:
            if not error.retriable:
                raise told(error) from error
            return
        for tp in new:
            if tp not in starts or tp not in ends:
                continue  # Its topic may be deleted; queried again at the next poll.
            held = self._held[tp]
            wanted, known = self._positions.get(held.stream), self._identities.get(held.stream)
            now = topic_identity(self._consumer, tp.topic)
            notice = place(held, wanted, starts[tp], ends[tp], identities=(known, now))
            notices += [notice] if notice is not None else []
            if now is not None:
                self._identities[held.stream] = now
            is_known = self._group is None or held.stream in self._positions
            if not is_known and ends[tp] > starts[tp]:
                told_before = reread(self._consumer, tp, held.stream, starts[tp])
                notices += [told_before] if told_before is not None else []
            self._consumer.seek(tp, held.position)
            self._consumer.resume(tp)

    def _fetch(
        self, timeout_s: float, records_max: int, notices: list[Notice]
    ) -> dict[Any, list[Any]]:
        is_reading = any(held.is_placed for held in self._held.values())
        wait_s = timeout_s if is_reading else min(timeout_s, UNPLACED_POLL_S)
        answers: dict[Any, list[Any]] = {}
        try:
            go_on_joining(self._consumer)
            answers = self._consumer.poll(int(wait_s * 1000), max_records=records_max)
        except OffsetOutOfRangeError as error:
            self._place_again(error.args[0])
        except LogTruncationError as error:
            self._place_again(error.divergent_offsets)
        except (UnsupportedCodecError, CorruptRecordError, *CONTENT_ERRORS) as error:
            self._pass_over(error, notices)
        except KafkaError as error:
            if not error.retriable:
                raise told(error) from error
            time.sleep(min(wait_s, PAUSE_ON_ERROR_S))
        self._pass_screened(notices)
        return answers

    def _place_again(self, partitions: Iterable[Any]) -> None:
        """Let `_place` seek these streams, with a notice if the broker lost our position."""
        for tp in partitions:
            if self._position(tp) is not None:
                held = self._held[tp]
                self._positions[held.stream] = held.position
                held.is_placed = False
                self._consumer.pause(tp)
                # To another position, so that the client drops its buffer; `_place` corrects it.
                self._consumer.seek(tp, 0 if held.position else 1)

    def _pass_over(self, error: BaseException, notices: list[Notice]) -> None:
        """Step over the batch whose content made the client raise (it would raise for ever)."""
        assert self._tap is not None
        suspect = self._tap.suspect()
        if suspect is None or suspect[0] not in self._held:
            if not isinstance(error, KafkaError) and not is_of_the_library(error.__traceback__):
                raise error
            self._fault = type(error).__name__
            return
        tp, position, following = suspect
        if isinstance(error, CorruptRecordError) and self._refetched.get(tp) != position:
            # The damage may have happened on the way: ask once more before giving it up.
            self._refetched[tp] = position
            self._place_again([tp])
            return
        self._step_over(tp, position, following, f"{type(error).__name__} over it", notices)

    def _pass_screened(self, notices: list[Notice]) -> None:
        """Skip batches that were cut off, once everything before them was returned."""
        assert self._tap is not None
        for tp, batch in self._tap.take_unreadable():
            position = self._position(tp)
            if position is not None and batch.first_offset <= position < batch.next_offset:
                self._step_over(tp, position, batch.next_offset, batch.reason, notices)

    def _step_over(
        self, tp: Any, first: int, following: int, reason: str, notices: list[Notice]
    ) -> None:
        following = max(following, first + 1)
        self._consumer.seek(tp, following)
        notices.append(skipped(self._held[tp].stream, first, following, reason))

    def _position(self, tp: Any) -> int | None:
        """The client's position, None if it does not hold the stream (any more)."""
        if tp not in self._held or tp not in self._consumer.assignment():
            return None
        position: int | None = self._consumer.position(tp, timeout_ms=0)
        return position

    def _records(
        self, answers: Mapping[Any, list[Any]], notices: list[Notice]
    ) -> tuple[Record, ...]:
        records: list[Record] = []
        found_ns = self._now_ns()
        for tp, found in answers.items():
            held = self._held.get(tp)
            if held is None or not held.is_placed:
                continue
            records += taken(held, found, notices, trust_ts=self._trust_ts, found_ns=found_ns)
        return tuple(records)

    def _update_positions(self) -> None:
        """Positions also move over offsets without a record (markers, holes of compaction)."""
        for tp, held in self._held.items():
            position = self._position(tp) if held.is_placed else None
            if position is not None:
                held.position = max(held.position, position)
                highwater = self._consumer.highwater(tp)
                if highwater is not None and held.known_end is not None:
                    held.known_end = max(held.known_end, highwater)

    def _stalled(self, notices: list[Notice]) -> tuple[Stream, ...]:
        """Close a client that makes no progress before unread records; returns its streams."""
        if not self._stall.is_due():
            return ()
        self._ends.ask(self._consumer, self._held)
        found = self._stall.stalled(self._held)
        if not found:
            return ()
        notices += found
        return self._let_go()

    def _faulty(self, notices: list[Notice]) -> tuple[Stream, ...]:
        """Let go of a client that failed in a way of its own, or reads too few topics; returns the
        streams it held.
        """
        fault, self._fault = self._fault, ""
        if fault:
            notices += failed(fault, self._held)
            time.sleep(PAUSE_ON_ERROR_S)
        elif not self._has_new_topics:
            return ()
        self._has_new_topics = False
        return self._let_go()

    def _let_go(self) -> tuple[Stream, ...]:
        lost = tuple(sorted(held.stream for held in self._held.values()))
        self.close()
        self._held.clear()
        self._changes.clear()
        return lost
