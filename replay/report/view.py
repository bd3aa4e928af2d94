"""The contents of the page: frozen texts, in the order in which they are read.

Every text here may be an attacker's. The templates escape all of it; anchors and group numbers are
made here, never of a text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["critical", "warning", "info", "good", "plain"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A small label: its tone is always said in words too. `anchor` is a place in the page."""

    tone: Tone
    text: str
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Detail:
    """A labelled text."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Moment:
    """A time: absolute, and how long after the session's first event (empty if not known)."""

    time: str
    offset: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a call beside its request, or the request beside its outcome."""

    label: str
    text: str = ""
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event of a session. `skipped_count` events before it are not shown.

    `controls` are the control records that were issued before it, and after the event before.
    """

    anchor: str
    position: str
    at: Moment
    kind: str
    tool: str
    gist: str
    answer: Answer | None
    details: tuple[Detail, ...]
    marks: tuple[Mark, ...]
    tone: Tone = "plain"
    skipped_count: int = 0
    controls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WhyLine:
    """A sub-formula, its value at the anchor, and since when."""

    depth: int
    formula: str
    value: str
    since: str


@dataclass(frozen=True, slots=True)
class WitnessLine:
    """One event or absence of a proof; `event` leads to `anchor`, if the event is shown."""

    event: str
    text: str
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """An invariant that a doubt leaves undecided, with the event that it judges."""

    tone: Tone
    name: str
    text: str
    event: str
    anchor: str


@dataclass(frozen=True, slots=True)
class FindingPart:
    """One finding, and why it is one. `event` says what its event was, if that is shown.

    `groups` are the numbers of all groups that it is about, divided by spaces.
    """

    anchor: str
    number: int
    tone: Tone
    groups: str
    verdict: str
    position: str
    event_anchor: str
    event: str
    at: Moment
    facts: tuple[Detail, ...]
    formula: str
    why: tuple[WhyLine, ...]
    witness: tuple[WitnessLine, ...]
    members: tuple[Member, ...]
    done: tuple[str, ...]
    id: str


@dataclass(frozen=True, slots=True)
class Card:
    """The findings of one group in one session; `group_anchor` is the group's place, if shown."""

    anchor: str
    group_anchor: str
    tone: Tone
    name: str
    summary: str
    count: str
    findings: tuple[FindingPart, ...]


@dataclass(frozen=True, slots=True)
class ChartMark:
    """A point of the curve that is pointed out."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A curve over a session's events, in units of the picture."""

    width: int
    height: int
    line: str
    threshold_y: float | None
    threshold_text: str
    labels: tuple[tuple[float, str], ...]
    marks: tuple[ChartMark, ...]
    summary: str


@dataclass(frozen=True, slots=True)
class SessionPart:
    """One session in which something was found; `number` is its place, the worst is 1."""

    anchor: str
    number: int
    name: str
    tone: Tone
    outcome: str
    facts: tuple[Detail, ...]
    cards: tuple[Card, ...]
    rows: tuple[EventRow, ...]
    rows_left_out: int
    controls_after: tuple[str, ...]
    done: tuple[str, ...]
    chart: Chart | None
    notes: tuple[str, ...]
    command: str


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session in a table; `groups` are the numbers of its groups, divided by spaces."""

    number: int
    name: str
    agent: str
    tone: Tone
    findings: str
    first: str
    outcome: str
    groups: str
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """The findings of one invariant, or of one type that is about no invariant."""

    number: int
    anchor: str
    tone: Tone
    name: str
    summary: str
    count: str
    sessions_count: int
    first: str
    last: str
    lines: tuple[SessionLine, ...]
    lines_left_out: int


@dataclass(frozen=True, slots=True)
class TypeLine:
    """How many findings there are of a type, by severity."""

    words: str
    name: str
    counts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """The whole page but its sessions, which are rendered one by one."""

    title: str
    lead: tuple[str, ...]
    figures: tuple[Detail, ...]
    doubts: tuple[Mark, ...]
    comparison: Mark
    severities: tuple[str, ...]
    types: tuple[TypeLine, ...]
    groups: tuple[Group, ...]
    groups_left_out: int
    also: tuple[Detail, ...]
    options: tuple[Detail, ...]
    overview: tuple[SessionLine, ...]
    sessions_count: int
    sessions_whole: int
    command: str
    facts: tuple[Detail, ...]
