"""Steps of a trace as events of our own: sessions, order, numbers, requests of outcomes.

    assemble(items, whole) -> Assembled, with the events as lines of JSON

- An id that a session cannot have is replaced by its digest. Steps without one are of one session,
  whose id may be told once in the file.
- A session's events are in the order of their times; a step without a time has that of the step
  before it. Numbers (`seq`) are given anew: a file is taken as all that there is of its sessions.
- Values are cut to the limits of an event, and attributes say so, as a client does it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, Final

from interlock.event_json import arguments, draft
from interlock.limits import NAME_CHARACTERS_MAX
from interlock.names import session_id_of
from monitor.traces.doubles import OUTCOMES, once
from monitor.traces.model import ABSENT, Item, Named, Passed, Step, Unread
from monitor.traces.tree import Tree

UNREAD_SHOWN_MAX: Final = 20
"""Chosen: places that are listed one by one; all are counted."""
_DIGEST_BYTES: Final = 8


@dataclass(slots=True)
class Lacks:
    """Counts of events without a part; predicates on what is absent are unknown.

    `conversations`: events of which only the connection or the trace is known, not the session.
    """

    times: int = 0
    sessions: int = 0
    conversations: int = 0
    args: int = 0
    calls: int = 0
    requests: int = 0
    outcomes: int = 0
    texts: int = 0


@dataclass(slots=True)
class Assembled:
    """`lines`: the events. `unread`: the first places; `unread_count` counts all of them."""

    lines: list[bytes] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    unread_count: int = 0
    passed: Counter[str] = field(default_factory=Counter)
    doubles_count: int = 0
    cut_count: int = 0
    lacks: Lacks = field(default_factory=Lacks)


def whole_session(content: bytes) -> str:
    """The session of a trace that names none: the same for the same file."""
    return f"trace-{blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()}"


def assemble(items: Iterable[Item], whole: str) -> Assembled:
    """All events of a trace. `whole`: the session of steps that name none."""
    made = Assembled()
    steps: list[Step] = []
    named: Named | None = None
    all_items = list(items)
    tree = Tree(all_items)
    for item in all_items:
        match item:
            case Unread():
                _unread(item, made)
            case Passed():
                made.passed[item.what] += 1
            case Named():
                named = _named(item, named, made)
            case Step():
                steps.append(_placed(item, tree, made.lacks))
    for session, own in _sessions(steps, named, whole, made).items():
        id_ = session_id_of(session)
        made.sessions.append(id_)
        kept, doubles_count = once(_ordered(own, made.lacks), tree)
        made.doubles_count += doubles_count
        for seq, (time_ns, step) in enumerate(_whole(kept, made.lacks)):
            made.lines.append(_line(id_, seq, time_ns, step, made))
    return made


def _placed(step: Step, tree: Tree, lacks: Lacks) -> Step:
    """With its session, of which a connection or a trace is an uncertain name."""
    step = tree.settled(step)
    if step.session or step.span is None:
        return step
    lacks.conversations += bool(step.span.connection)
    return replace(step, session=step.span.connection)


def _unread(item: Unread, made: Assembled) -> None:
    made.unread_count += 1
    if len(made.unread) < UNREAD_SHOWN_MAX:
        made.unread.append(item)


def _named(item: Named, first: Named | None, made: Assembled) -> Named:
    """The first name. A second one is of the same run, of the run that it continues, or of another
    file's.
    """
    if first is None:
        return item
    if item.session in (first.session, first.continues):
        made.passed["the head of the session, again"] += 1
    else:
        reason = "another session begins, and is taken for the first; split the file here"
        _unread(Unread(item.place, reason), made)
    return first


def _sessions(
    steps: list[Step], named: Named | None, whole: str, made: Assembled
) -> dict[str, list[Step]]:
    """The steps by their sessions, in the order of the file."""
    found: dict[str, list[Step]] = {}
    for step in steps:
        made.lacks.sessions += not step.session and named is None
        if named is not None and not step.session:
            step = _of(named, step)  # noqa: PLW2901
        found.setdefault(step.session or whole, []).append(step)
    return found


def _of(named: Named, step: Step) -> Step:
    is_prompt = named.has_parent and step.kind == "message.user"
    kind = "message.runtime" if is_prompt else step.kind
    parent = step.parent or named.parent
    return replace(step, session=named.session, parent=parent, kind=kind)


def _ordered(steps: list[Step], lacks: Lacks) -> list[tuple[int, Step]]:
    """With their times, the earliest first; at the same time in the order of the file."""
    last_ns = next((step.time_ns for step in steps if step.time_ns is not None), None)
    timed: list[tuple[int, Step]] = []
    for number, step in enumerate(steps):
        lacks.times += step.time_ns is None
        if step.time_ns is not None:
            last_ns = step.time_ns
        timed.append((number if last_ns is None else last_ns, step))
    timed.sort(key=lambda one: one[0])
    return timed


def _whole(steps: Iterable[tuple[int, Step]], lacks: Lacks) -> Iterator[tuple[int, Step]]:
    """Outcomes with the tool and the arguments of their requests. A run that another started has
    its prompt from that one, not from the user.
    """
    open_: dict[str, Step] = {}
    for time_ns, step in steps:
        if step.kind == "message.user" and step.parent:
            step = replace(step, kind="message.runtime")  # noqa: PLW2901
        if step.kind == "tool.requested":
            lacks.args += step.args is None
            lacks.calls += not step.call
            if step.call:
                open_[step.call] = step
        elif step.kind in OUTCOMES:
            asked = open_.pop(step.call, None)
            lacks.requests += asked is None
            if asked is not None:
                args = asked.args if step.args is None else step.args
                step = replace(step, tool=step.tool or asked.tool, args=args)  # noqa: PLW2901
        elif step.kind.startswith("message."):
            lacks.texts += not step.text
        yield time_ns, step
    lacks.outcomes += len(open_)


def _line(session: str, seq: int, time_ns: int, step: Step, made: Assembled) -> bytes:
    identity = {
        "agent": _name(step.agent),
        "user": _name(step.user),
        "parent": session_id_of(step.parent) if step.parent else "",
    }
    made_draft = draft(
        step.kind,
        identity=identity,
        tool=_name(step.tool),
        call=_name(step.call),
        args=None if step.args is None else arguments(step.args),
        result=None if step.result is ABSENT else step.result,
        error=step.error,
        text=step.text,
        attributes=step.attributes,
    )
    made.cut_count += made_draft.is_cut or made_draft.is_oversize
    return made_draft.numbered(session, seq, time_ns)


def _name(text: Any) -> str:
    """A name within the limits of an event. One that is not printable was made by an attacker, who
    chooses what it looks like in any case.
    """
    shown = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return shown[:NAME_CHARACTERS_MAX]
