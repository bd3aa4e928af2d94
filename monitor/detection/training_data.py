"""Builds the sessions for training a model from recorded events.

Input: events in their recorded order, labels by session, and the names for grouping. Output:
grouped sessions for `detectors.training`. A duplicate event counts once, as in the stream.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from detectors.bloom import Words
from detectors.observation import Heard, Observation, read
from detectors.training import GroupedSession
from invariants.model.errors import ConfigError
from invariants.model.event import Event
from invariants.model.missing import read_json

Labels = Mapping[str, Mapping[str, Any]]
"""External labels of each session, by its id."""

LABELS_BYTES_MAX: Final = 256 * 1024 * 1024
IDENTITIES: Final = ("agent", "user", "tenant", "parent")
NAMED_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class SessionChoice:
    """The selection of sessions, and their grouping.

    `by`: names whose values together are the group. `only`: per name, the values that a session's
    label may have; a session without that label is excluded.
    """

    by: tuple[str, ...] = ("task",)
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Session:
    heard: Heard = field(default_factory=Heard)
    observations: list[Observation] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    ids: set[bytes] = field(default_factory=set)


class SessionGatherer:
    """Takes events one by one, and keeps the parts that training needs."""

    def __init__(self, words: Words, labels: Labels, wanted: SessionChoice) -> None:
        self._words = words
        self._labels = labels
        self._wanted = wanted
        self._sessions: dict[str, _Session] = {}
        self.events_count = 0

    def take(self, event: Event) -> None:
        """The next event of its session."""
        if not self._is_wanted(event.session):
            return
        session = self._sessions.setdefault(event.session, _Session())
        id_digest = hashlib.blake2b(event.id.encode(), digest_size=16).digest()
        if id_digest in session.ids:
            return
        session.ids.add(id_digest)
        self.events_count += 1
        _learn_facts(session.facts, event)
        session.heard, observation = read(self._words, session.heard, event)
        if observation is not None:
            session.observations.append(observation)

    def sessions(self) -> list[GroupedSession]:
        """All wanted sessions with their groups, in the order of their ids.

        Raises
        ------
        ConfigError
            A session has none of the values to group by.
        """
        missing = []
        grouped = []
        for id_, session in sorted(self._sessions.items()):
            values = [self._value(id_, session, name) for name in self._wanted.by]
            if None in values:
                missing.append(id_)
            group = msgspec.json.encode(values).decode()
            grouped.append(GroupedSession(group, session.observations))
        if missing:
            shown = ", ".join(ascii(id_[:80]) for id_ in missing[:NAMED_MAX])
            raise ConfigError(
                f"`--by {','.join(self._wanted.by)}`: {len(missing)} sessions have no such value "
                f"({shown}); give one with `--labels`, or group by something else"
            )
        return grouped

    def _is_wanted(self, session: str) -> bool:
        return has_labels(self._labels.get(session, {}), self._wanted.only)

    def _value(self, id_: str, session: _Session, name: str) -> str | None:
        """From the labels, else from the session's own events; every session has its id."""
        label = self._labels.get(id_, {})
        if name in label:
            return _text(label[name])
        if name == "session":
            return id_
        if name == "task" and "task" not in session.facts:
            return session.facts.get("first message", "")
        return session.facts.get(name, "" if name in IDENTITIES else None)


def read_labels(path: str) -> Labels:
    """Labels of sessions: a JSON object by session, or a line of JSON for each, with `session`.

    Raises
    ------
    ConfigError
        The file cannot be read, or holds something else.
    """
    try:
        with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
            data = file.read(LABELS_BYTES_MAX + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"`--labels`: `{path}` cannot be read: {reason}") from None
    if len(data) > LABELS_BYTES_MAX:
        raise ConfigError(f"`--labels`: `{path}` has more than {LABELS_BYTES_MAX} bytes")
    try:
        return _parse_labels(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            f"`--labels`: `{path}`: {error}; expected a JSON object by session, or a line of JSON "
            "with `session` for each"
        ) from None


def has_labels(label: Mapping[str, Any], wanted: Mapping[str, frozenset[str]]) -> bool:
    """True if a session has, for each name, a label with one of these values."""
    return all(name in label and _text(label[name]) in wanted[name] for name in wanted)


def parse_only(pairs: Sequence[str], flag: str = "--only") -> Mapping[str, frozenset[str]]:
    """`["label=honest", ...]` as names with the values that are allowed. Raises ConfigError."""
    only: dict[str, set[str]] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not (name and sign):
            raise ConfigError(f"`{flag} {pair!a}`: expected NAME=VALUE, as `label=honest`")
        only.setdefault(name, set()).add(value)
    return {name: frozenset(values) for name, values in only.items()}


def recordings_of(paths: Iterable[str]) -> list[str]:
    """Files as they are, and of directories their `.jsonl` and `.jsonl.gz` files, by name.

    Raises
    ------
    ConfigError
        A directory holds none.
    """
    found: list[str] = []
    for path in map(Path, paths):
        if not path.is_dir():
            found.append(str(path))
            continue
        inside = sorted(p for p in path.iterdir() if p.name.endswith((".jsonl", ".jsonl.gz")))
        if not inside:
            raise ConfigError(f"`{path}` contains no `.jsonl` or `.jsonl.gz` file")
        found += map(str, inside)
    return found


def _parse_labels(data: bytes) -> Labels:
    rows = [msgspec.json.decode(line) for line in data.splitlines()] if _is_lines(data) else None
    if rows is None:
        return msgspec.json.decode(data, type=dict[str, dict[str, Any]])
    labels = {}
    for row in msgspec.convert(rows, type=list[dict[str, Any]]):
        labels[msgspec.convert(row.get("session"), type=str)] = row
    return labels


def _is_lines(data: bytes) -> bool:
    """True if the first line is a complete JSON value with a `session`."""
    try:
        first = msgspec.json.decode(data.split(b"\n", 1)[0])
    except msgspec.DecodeError:
        return False
    return isinstance(first, dict) and isinstance(first.get("session"), str)


def _learn_facts(facts: dict[str, str], event: Event) -> None:
    """The facts of a session, from the first event that contains each."""
    record = event.record
    for name in IDENTITIES:
        value = getattr(record, name)
        if value:
            facts.setdefault(name, value)
    if record.kind == "message.user" and "first message" not in facts:
        facts["first message"] = hashlib.blake2b(record.text.encode(), digest_size=16).hexdigest()
    if bytes(record.attributes):
        for name, value in read_json(record.attributes).items():
            if isinstance(value, str | int | bool):
                facts.setdefault(name, _text(value)[:512])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
