"""Finds fields of events that predicates read and that no recorded event has.

Input: files, and events. Output: for each predicate the number of events to which it applies, and
the fields that none of them has, with a similar field that they have. It checks optional fields
(`agent`, `call`, ...), and the first key of `args`, `attributes` and `result` if it is a literal.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from ..cel.ast import QUALIFIED, Call, Constant, Has, Index, Name, Node, Select, free_names, walk
from ..cel.fields import present
from ..check.checked import CheckedPredicate, CheckedSpec
from ..model.event import CARRIED_BY, UNSTATED, Event, Identity
from ..taint.event_view import EventView
from .event_domain import Asked, asked_by

ROOTS: Final = ("args", "attributes", "result")
KEYS_MAX: Final = 10_000  # Chosen: agents choose the keys of events; more are not remembered.
SESSIONS_MAX: Final = 10_000  # Chosen: of more, nobody remembers what they stated first.
Field = tuple[str, str]
"""Such as `("args", "recipient")`, or `("agent", "")` of a field that has no keys."""

_VOUCHED: Final = ("principal", *sorted(QUALIFIED))
"""Fields that the source gives, and not the producer."""
_PLAIN: Final = {name: present(name) for name in (*CARRIED_BY, *_VOUCHED) if name not in ROOTS}


@dataclass(frozen=True, slots=True)
class Unread:
    """A predicate that reads fields which no event has."""

    file: str
    predicate: CheckedPredicate
    events_count: int
    """The number of events with the kinds and tools that it requires."""
    field: str = ""
    """`args.recipent`; empty where no event is of its kinds and tools."""
    near: str = ""


@dataclass(slots=True)
class _Reader:
    """One predicate, and the fields of its events so far."""

    file: str
    predicate: CheckedPredicate
    asked: Asked
    fields: tuple[Field, ...]
    events_count: int = 0
    carried: Counter[Field] = field(default_factory=Counter)


class Coverage:
    """Collects the fields of events, and reports the missing ones."""

    def __init__(self, specs: Sequence[CheckedSpec]) -> None:
        self._readers = [
            _Reader(spec.file, predicate, asked_by(predicate), tuple(fields_of(predicate)))
            for spec in specs
            for predicate in spec.predicates
        ]
        self._firsts: dict[str, Identity] = {}

    def take(self, event: Event) -> None:
        """One event of the recording."""
        first = self._firsts.get(event.session, UNSTATED).after(event.record)
        if event.session in self._firsts or len(self._firsts) < SESSIONS_MAX:
            self._firsts[event.session] = first
        view = EventView(msgspec.structs.replace(event, first=first))
        carried: list[Field] | None = None
        for reader in self._readers:
            if not _is_asked(reader.asked, event):
                continue
            reader.events_count += 1
            if reader.fields:
                carried = [*_carried(view)] if carried is None else carried
                if len(reader.carried) < KEYS_MAX:
                    reader.carried.update(carried)

    def unread(self) -> list[Unread]:
        """Predicates without an event, and fields that no event has."""
        found = []
        for reader in self._readers:
            if not reader.events_count:
                found.append(Unread(reader.file, reader.predicate, 0))
                continue
            for root, key in reader.fields:
                if (root, key) not in reader.carried:
                    known = [name for base, name in reader.carried if base == root]
                    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6) if key else []
                    shown = f"{root}.{near[0]}" if near else ""
                    count = reader.events_count
                    missing = f"{root}.{key}" if key else root
                    found.append(Unread(reader.file, reader.predicate, count, missing, shown))
        return found


def fields_of(predicate: CheckedPredicate) -> Iterator[Field]:
    """Each field that is read, once."""
    written: dict[Field, None] = {}
    for expression in predicate.expressions:
        written.update(dict.fromkeys(_fields(expression.node)))
    yield from written


def _fields(node: Node) -> Iterator[Field]:
    parts = [*walk(node)]
    # What is tested for before it is read need not be there.
    tested = {
        (part.operand.name, part.key)
        for part in parts
        if isinstance(part, Has) and isinstance(part.operand, Name)
    }
    asked = {
        part.arguments[0].name
        for part in parts
        if isinstance(part, Call)
        and part.function == "present"
        and part.arguments
        and isinstance(part.arguments[0], Name)
    }
    for name in free_names(node):
        if name.name in _PLAIN and name.name not in asked:
            yield name.name, ""
    for part in parts:
        match part:
            case Select(Name(root), key) if root in ROOTS and (root, key) not in tested:
                yield root, key
            case Index(Name(root), Constant(str() as key)) if root in ROOTS:
                yield root, key
            case _:
                pass


def _is_asked(asked: Asked, event: Event) -> bool:
    is_kind = asked.kinds is None or event.kind in asked.kinds
    return is_kind and (asked.tools is None or event.record.tool in asked.tools)


def _carried(view: EventView) -> Iterator[Field]:
    yield from ((name, "") for name, is_present in _PLAIN.items() if is_present(view))
    for root in ROOTS:
        value: Any = getattr(view, root)
        if isinstance(value, dict):
            yield from ((root, key) for key in value)
