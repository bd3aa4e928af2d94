"""The inputs and outputs of the store, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, Protocol

import msgspec

from ..findings.model import Finding, Severity
from ..response.plan import Action, ActionState
from ..transport.base import Stream


class Position(msgspec.Struct, frozen=True):
    """The position in a stream, and the stream's identity, if it is known (`identity`)."""

    next_offset: int
    file_identity: str | None = None

    def differs(self, stored: Position | None) -> bool:
        """True if it must replace `stored`: an unknown identity changes nothing."""
        if stored is None or stored.next_offset != self.next_offset:
            return True
        return self.file_identity not in (None, stored.file_identity)


class ScopeWrite(Protocol):
    """One scope after a batch: its whole header, and only the changes of the rest.

    `wake_ns` is when time alone next changes something about it; `seen` contains the ids of new
    events, in order, as (hash, digest of the content).
    """

    @property
    def scope(self) -> str: ...
    @property
    def header(self) -> bytes: ...
    @property
    def wake_ns(self) -> int | None: ...
    @property
    def states(self) -> Mapping[str, bytes]: ...
    @property
    def seen(self) -> Sequence[tuple[bytes, bytes]]: ...


class OutboxLetter(msgspec.Struct, frozen=True):
    """A dead letter that waits to be published: its JSON as it goes out, keyed by its origin."""

    origin: str
    json: bytes


class Change(msgspec.Struct, frozen=True):
    """The changes of one batch."""

    positions: Mapping[Stream, Position] = {}
    positions_dropped: Sequence[Stream] = ()
    scopes: Sequence[ScopeWrite] = ()
    dropped: Sequence[str] = ()
    findings: Sequence[Finding] = ()
    actions: Sequence[Action] = ()
    letters: Sequence[OutboxLetter] = ()


class Committed(msgspec.Struct, frozen=True):
    """The part of a change that was new to the store, each finding as it is stored now.

    `before` holds the earlier records of those that have grown: of a group, or of a run.
    """

    findings: tuple[Finding, ...]
    actions: tuple[Action, ...]
    letters_count: int = 0
    before: Mapping[str, Finding] = {}


class StoredScope(msgspec.Struct, frozen=True):
    """The stored content of a scope: its header, and a state per digest of an invariant."""

    header: bytes | None
    states: Mapping[str, bytes]


NOTHING_STORED: Final = StoredScope(None, {})


class OutboxFinding(msgspec.Struct, frozen=True):
    """A finding that waits to be published: its JSON as it goes out, keyed by its session."""

    seq: int
    id: str
    session: str
    json: bytes
    attempts: int


class StoredFinding(msgspec.Struct, frozen=True):
    """A finding as people ask for it."""

    seq: int
    stored_ns: int
    is_published: bool
    attempts: int
    finding: Finding


class LongestWaits(NamedTuple):
    """How long an attempt is put off at most: of a stop, and of any other action."""

    stop_ns: int
    other_ns: int


class StoredAction(msgspec.Struct, frozen=True):
    """An action and its current outcome; `state` here supersedes `action.state`."""

    action: Action
    state: ActionState
    attempts: int
    not_before_ns: int
    outcome: str
    stored_ns: int


class ActionMark(msgspec.Struct, frozen=True):
    """The outcome of an attempt. `planned`: retry at `not_before_ns`.

    `is_attempt` False delays it without counting.
    """

    id: str
    state: Literal["planned", "done", "failed"]
    outcome: str = ""
    not_before_ns: int = 0
    is_attempt: bool = True


IN_GROUP: Final = (
    "(invariant = ?{0} OR EXISTS (SELECT 1 FROM "
    "json_each(CAST(findings.json AS TEXT), '$.undecided') "
    "WHERE json_extract(value, '$.invariant') = ?{0}))"
)
"""The invariant of a finding, or one of its group's."""


class FindingFilter(msgspec.Struct, frozen=True):
    """Which findings; empty means any. `id_prefix` as people copy the beginning of an id."""

    id_prefix: str = ""
    session: str = ""
    invariant: str = ""
    severity: Severity | None = None
    since_ns: int = 0
    """Stored at this time or later."""
    limit: int = 100
    skipped: int = 0
    """How many of the newest are left out: earlier pages."""

    def condition(self) -> tuple[str, tuple[object, ...]]:
        """The WHERE clause, of fixed texts only, and its values."""
        asked: list[tuple[str, object]] = []
        if self.id_prefix:
            # Not LIKE: `%` and `_` in a prefix are ordinary characters.
            asked.append(("substr(id, 1, length(?1)) = ?1", self.id_prefix))
        for column, value in (
            ("session", self.session),
            ("invariant", self.invariant),
            ("severity", self.severity),
        ):
            if value:
                number = len(asked) + 1
                text = f"{column} = ?{number}"
                asked.append((IN_GROUP.format(number) if column == "invariant" else text, value))
        if self.since_ns:
            asked.append((f"stored_ns >= ?{len(asked) + 1}", self.since_ns))
        clause = " AND ".join(text for text, _ in asked) or "1"
        return clause, tuple(value for _, value in asked)


class Backlog(msgspec.Struct, frozen=True):
    """How much is held, and how much waits."""

    scopes_count: int
    findings_pending_count: int
    actions_pending_count: int
