"""A monitor behind a stream of events: sessions are published, and control records refuse calls.

Before a call the guard reads the view of the control topic, and the call is announced. A call that
violates an invariant is detected afterwards, and the next one is refused.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping

from .admission import refusal, wait_left_s
from .control_feed import ControlFeed, LogControlFeed
from .control_record import CLOCKS_APART_NS_MAX, session_targets
from .control_view import ControlFollower
from .errors import NoView, Refused, SessionOver, SettingError
from .event_json import Draft, draft
from .options import ClientOptions
from .ports import Queue, Requested
from .publisher import Stats
from .transport.base import Message, Transport, Whereabouts
from .transport.open import open_transport, shard_of
from .transport.target import CONTROL_TOPIC, LogTarget, Target, parse_target, principal_of
from .watermarks import Shard


class StreamJudge:
    """Publishes to `target`, and follows its control topic.

    `identity` contains the names that every event states. `follower` is None without a control
    topic.

    Raises
    ------
    SettingError
        For a target that cannot be used.
    """

    is_gate = False

    def __init__(self, target: str, identity: Mapping[str, str], options: ClientOptions) -> None:
        self._target: Target = parse_target(target)
        self._options = options
        self._whereabouts = Whereabouts()
        self.identity = identity
        self.policy = options.policy()
        self.principal = options.principal or principal_of(self._target)
        self.control_keys = _control_keys(identity["agent"], self.principal)
        self.follower: ControlFollower | None = None
        if options.control:
            age_ns_max = int(options.view_age_s_max * 1e9)
            self.follower = ControlFollower(self._open_feed, options.clock, age_ns_max=age_ns_max)

    def link(self, queue: Queue, session_id: str, ancestors: tuple[str, ...]) -> StreamLink:
        """Connect a session."""
        return StreamLink(self, queue, session_id, ancestors)

    def open_transport(self) -> Transport:
        """The transport of the target; OSError if it cannot be opened now."""
        return open_transport(self._target, self._options.kafka_options, self._whereabouts)

    def begin(self) -> None:
        """Follow the control topic from now on."""
        if self.follower is not None:
            self.follower.start()

    def lost(self, kind: str, message: Message, reason: str) -> None:
        """Nothing: the monitor sees the gap in the session's numbers."""

    def checked_recording(self) -> None:
        """Nothing: recorded events are published like others."""

    def wait_until_judged(self, queue: Queue, timeout_s: float) -> bool:
        """Wait for a heartbeat that covers everything published so far."""
        if self.follower is None:
            raise SettingError("`control` is False: the client does not read the control topic")
        clock = self._options.clock
        deadline_ns = clock.monotonic_ns() + int(timeout_s * 1e9)
        if not queue.flush(timeout_s):
            return False
        left_s = max(0, deadline_ns - clock.monotonic_ns()) / 1e9
        since_ns, shard = clock.wall_ns() + CLOCKS_APART_NS_MAX, None
        if isinstance(self._target, LogTarget):
            # One machine has one clock. On Kafka, published events may be in any partition.
            since_ns, shard = clock.wall_ns(), self.shard("")
        return self.follower.wait_until_judged(since_ns, left_s, (shard,))

    def relay_hook(self, query: str, content: bytes, timeout_s: float) -> bytes:
        """Only a gate answers hooks."""
        raise SettingError("hooks of Claude Code need a client with a `gate`")

    def stats(self, stats: Stats) -> Stats:
        """With the age and the errors of the view."""
        if self.follower is None:
            return stats
        age_ns = self.follower.last_age_ns
        return dataclasses.replace(
            stats,
            control_errors=self.follower.errors_count,
            control_unreadable=self.follower.unreadable_count,
            view_age_s=None if age_ns is None else age_ns / 1e9,
        )

    def stop(self, timeout_s: float) -> None:
        """Stop to follow the control topic."""
        if self.follower is not None:
            self.follower.stop(timeout_s)

    def after_fork_in_child(self) -> None:
        """Follow the control topic with a thread of this process."""
        if self.follower is not None:
            self.follower.after_fork_in_child()

    @property
    def places(self) -> tuple[int | None, int | None]:
        """Changes when `shard` may answer differently."""
        return self._whereabouts.known

    def shard(self, session_id: str) -> Shard | None:
        """The shard of a session's events; None until it is known."""
        return shard_of(self._target, self._whereabouts, session_id)

    def _open_feed(self) -> ControlFeed:
        match self._target:
            case LogTarget(directory=directory):
                return LogControlFeed(
                    directory / CONTROL_TOPIC,
                    poll_s=self._options.control_poll_ms / 1e3,
                    wall_ns=self._options.clock.wall_ns,
                )
        from .transport.kafka import KafkaControlFeed

        return KafkaControlFeed(self._target.bootstrap, self._options.kafka_options)


class StreamLink:
    """One session: numbers its events, and calls the guard before each call."""

    def __init__(
        self, judge: StreamJudge, queue: Queue, session_id: str, ancestors: tuple[str, ...]
    ) -> None:
        self._judge = judge
        self._queue = queue
        self._id = session_id
        self._lineage = (session_id, *ancestors)
        parent = ancestors[0] if ancestors else ""
        self.identity: Mapping[str, str] = {**judge.identity, "parent": parent}
        # One step, so that a signal in between gives no number twice.
        self._numbers = itertools.count()
        self.last_event_ns = 0
        self._keys = (
            *session_targets(judge.principal, session_id),
            *(key for name in ancestors for key in _ancestor_keys(judge.principal, name)),
            *judge.control_keys,
        )
        self._placed: tuple[object, list[Shard | None]] = ((), [])

    def start(self) -> None:
        """Publish `session.started`."""
        self.publish(draft("session.started", identity=self.identity))

    def check_kind(self, kind: str) -> None:
        """Nothing: the monitor decides what a topic may state."""

    def publish(self, event: Draft) -> bool:
        """Number the event and queue it; False if the client is closed."""

        def numbered() -> Message:
            seq = next(self._numbers)
            now_ns = self._queue.clock.wall_ns()
            self.last_event_ns = self._queue.clock.monotonic_ns()
            return Message(self._id, event.numbered(self._id, seq, now_ns))

        return self._queue.publish(event, numbered) > 0

    def admit(self, tool: str) -> None:
        """The guard. Cost: a few microseconds if the view is fresh."""
        answer = self._answer(tool)
        if isinstance(answer, NoView) and (wait_s := self._wait_left_s()) > 0:
            assert self._judge.follower is not None, "a guard answered"
            self._judge.follower.wait_until_usable(wait_s, self._shards())
            answer = self._answer(tool, is_wait_over=True)
        if answer is not None:
            raise answer

    async def admit_async(self, tool: str) -> None:
        """Like `admit`; if it has to wait, it does so in a thread."""
        answer = self._answer(tool)
        if isinstance(answer, NoView) and self._wait_left_s() > 0:
            import asyncio  # A slow import, and already loaded if this runs.

            await asyncio.to_thread(self.admit, tool)
        elif answer is not None:
            raise answer

    def request(self, call: Requested) -> None:
        """The guard, then `tool.requested`; or `tool.denied`."""
        self.resume(call)
        self._announce(call)

    async def request_async(self, call: Requested) -> None:
        """Like `request`."""
        await self.resume_async(call)
        self._announce(call)

    def resume(self, call: Requested) -> None:
        """The guard again: a caller that awaits a hundred calls one after the other must not
        bypass a stop in between.
        """
        try:
            self.admit(call.tool)
        except Refused as refused:
            self._deny(call, refused)
            raise

    async def resume_async(self, call: Requested) -> None:
        """Like `resume`."""
        try:
            await self.admit_async(call.tool)
        except Refused as refused:
            self._deny(call, refused)
            raise

    def _announce(self, call: Requested) -> None:
        if not self._publish_call(call, "tool.requested"):
            raise SessionOver(f"`{call.tool}` refused: the client was closed in the meantime")

    def _deny(self, call: Requested, refused: Refused) -> None:
        self._publish_call(call, "tool.denied", f"{type(refused).__name__}: {refused}")

    def _publish_call(self, call: Requested, kind: str, error: str = "") -> bool:
        return self.publish(
            draft(
                kind,
                identity=self.identity,
                tool=call.tool,
                call=call.id,
                args=call.told(),
                error=error,
                attributes=call.attributes,
            )
        )

    def _answer(self, tool: str, *, is_wait_over: bool = False) -> Refused | None:
        follower = self._judge.follower
        if follower is None:
            return None
        return refusal(
            tool,
            (*self._keys, f"tool:{tool}"),
            follower,
            self._judge.policy,
            shards=self._shards(),
            unsent_ns=self._queue.unsent_ns(),
            is_wait_over=is_wait_over,
        )

    def _wait_left_s(self) -> float:
        follower = self._judge.follower
        if follower is None:
            return 0.0
        return wait_left_s(follower, self._judge.policy, self._shards())

    def _shards(self) -> list[Shard | None]:
        """The shards with events of this session and of its ancestors, whose stops apply to it."""
        known = self._judge.places
        if self._placed[0] != known:
            self._placed = known, [self._judge.shard(name) for name in self._lineage]
        return self._placed[1]


def _control_keys(agent: str, principal: str) -> tuple[str, ...]:
    named = (("principal", principal), ("agent", agent))
    return tuple(f"{kind}:{name}" for kind, name in named if name)


def _ancestor_keys(principal: str, name: str) -> tuple[str, ...]:
    """The control key that stops an ancestor: of the same principal, unless the name has
    another.
    """
    other, slash, session_id = name.rpartition("/")
    return session_targets(other if slash else principal, session_id)
