"""The agent's connection to Interlock, as its user sees it.

One client per process is enough, for any number of sessions and threads. It opens nothing before
the first event or call.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Final

from .connection import Connection
from .errors import SettingError
from .names import checked_ancestor, checked_name, checked_session_id
from .options import ClientOptions
from .ports import Judge
from .publisher import Stats
from .recorded_event import recorded_event
from .session import Session
from .stream import StreamJudge

ANCESTORS_MAX: Final = 32

_DEFAULTS: Final = ClientOptions()


class Client:
    """Asks a gate before each call, or publishes events and follows the control topic.

    Parameters
    ----------
    target : `kafka://HOST:PORT[,HOST:PORT]/agent.events` or `log:DIRECTORY`; without a gate only.
    options : how it publishes, and how calls are decided; see `ClientOptions`.
    gate : `unix:PATH` or `http://HOST:PORT`, which is asked before each call and told of all else.
    token : of the gate's principal: as text, or as the path of a file that contains it. By default
        that of the environment: `INTERLOCK_GATE_TOKEN`, `INTERLOCK_GATE_TOKEN_FILE`.
    agent, user, tenant : identities that every event states; with a gate, those of the sessions.

    Raises
    ------
    SettingError
        For a setting that cannot be used.
    """

    def __init__(
        self,
        target: str | None = None,
        options: ClientOptions = _DEFAULTS,
        *,
        gate: str | None = None,
        token: str | os.PathLike[str] | None = None,
        agent: str = "",
        user: str = "",
        tenant: str = "",
    ) -> None:
        identity = {"agent": agent, "user": user, "tenant": tenant}
        checked = {what: checked_name(name, what) for what, name in identity.items()}
        judge = _judge(target, gate, token, checked, options)
        self._connection = Connection(judge, options)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def session(
        self,
        session_id: str | None = None,
        *,
        parent: Session | str | Iterable[str] | None = None,
        is_resumable: bool = False,
    ) -> Session:
        """A session, to be used as a context manager; its id is random unless given.

        With a gate, an id that is known there resumes that session, also in another process. If
        `is_resumable`, only `end()` ends it: not the end of its block, of the client or process.

        `parent` is the session that starts this one, or its id, or its whole `lineage` if it runs
        in another process: an id alone does not identify its own parents. An id means a session of
        the same principal; `NAME/ID` is one of another principal.
        """
        own_id = uuid.uuid4().hex if session_id is None else checked_session_id(session_id)
        if is_resumable and not self._connection.judge.is_gate:
            raise SettingError("`is_resumable` needs a gate, which numbers the events of a session")
        session = Session(self._connection, own_id, _lineage(parent), is_resumable=is_resumable)
        self._connection.attach(session)
        return session

    @property
    def has_gate(self) -> bool:
        """True if calls are asked for at a gate, false if they are published and guarded."""
        return self._connection.judge.is_gate

    @property
    def healthy(self) -> bool:
        """False from the first trouble with the transport until events are delivered again."""
        return self.stats().is_healthy

    def relay_hook(self, query: str, content: bytes, timeout_s: float) -> bytes:
        """Hand the input of a hook of Claude Code to the gate, and give its output, both as JSON;
        for adapters. `query` is that of the page (docs/openapi.json).

        Raises
        ------
        SettingError
            The client has no gate.
        NoGate
            No gate answered within `timeout_s`, or it did not take the event.
        """
        return self._connection.judge.relay_hook(query, content, timeout_s)

    def stats(self) -> Stats:
        """Counts since the process began (or was forked)."""
        return self._connection.stats()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until published events are delivered; False if this takes longer."""
        return self._connection.flush(timeout_s)

    def wait_until_judged(self, timeout_s: float = 60.0) -> bool:
        """Wait until the monitor has judged everything published so far; False after `timeout_s`.

        A resulting stop is then known here, and `guard` refuses: wait before an irreversible
        action. The wait lasts as long as the monitor is behind, plus up to one of its heartbeats.
        A gate judges what it is told when it arrives, so this is `flush` then.
        Events that were shed (`stats().dropped`) are never judged. SettingError for
        `control=False`.
        """
        return self._connection.wait_until_judged(timeout_s)

    def close(self, timeout_s: float = 5.0) -> Stats:
        """End running sessions, deliver events for at most `timeout_s`, and stop the threads.

        It is safe to call this twice; later calls are refused (`SessionOver`). In the result,
        `waiting_events` were not delivered and `dropped` were shed.
        """
        return self._connection.close(timeout_s)

    def publish_recorded(self, event: bytes | Mapping[str, object]) -> None:
        """Publish an event that was recorded elsewhere, unchanged; for backfills and tests.

        It uses the same queue, batches, key and partition as every event. Events that do not fit
        into the queue are shed: publish a long recording with `block_ms_max=60_000`, and check
        `stats().dropped`. A monitor accepts its times only with `trust_ts`.

        Raises
        ------
        SettingError
            It is not an event within the limits of docs/events.md.
        """
        kind, message = recorded_event(event)
        self._connection.publish_recorded(kind, message)


def _judge(
    target: str | None,
    gate: str | None,
    token: str | os.PathLike[str] | None,
    identity: Mapping[str, str],
    options: ClientOptions,
) -> Judge:
    if (target is None) == (gate is None):
        raise SettingError("`Client` needs exactly one of `target` and `gate`")
    if gate is not None:
        from .gate.judge import GateJudge  # Loads a library for HTTP.

        return GateJudge(gate, token, identity, options)
    if token is not None:
        raise SettingError("`token` is for a `gate`; Kafka has `kafka_options`")
    assert target is not None, "one of the two"
    return StreamJudge(target, identity, options)


def _lineage(parent: Session | str | Iterable[str] | None) -> tuple[str, ...]:
    match parent:
        case None:
            return ()
        case Session():
            names: tuple[str, ...] = parent.lineage
        case str():
            names = (parent,)
        case _:
            names = tuple(parent)
    if len(names) > ANCESTORS_MAX:
        raise SettingError(f"`parent`: more than {ANCESTORS_MAX} ancestors")
    return tuple(checked_ancestor(name) for name in names)
