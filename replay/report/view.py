"""The contents of the page as frozen values.

An attacker may have written any text here, so the templates escape all of them. Anchors and group
numbers are generated; they never contain a text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["critical", "warning", "info", "good", "plain"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A label. Its text also names its tone. `anchor` is the target of its link, or empty."""

    tone: Tone
    text: str
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Detail:
    """A labelled text."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownTime:
    """A time, and its offset from the session's first event (empty if unknown)."""

    time: str
    offset: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a call, shown at its request; or a link to the request, at the outcome."""

    label: str
    text: str = ""
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event of a session. `skipped_count` is the number of events left out before it.

    `controls` are the control records issued between the previous event and this one.
    """

    anchor: str
    position: str
    at: ShownTime
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
    """A sub-formula, its value at the anchor, and the event since which it has this value."""

    depth: int
    formula: str
    value: str
    since: str


@dataclass(frozen=True, slots=True)
class WitnessLine:
    """One event or absence of a proof. `event` links to `anchor` if the event is shown."""

    event: str
    text: str
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """An invariant that a finding leaves undecided, with the event at which it is undecided."""

    tone: Tone
    name: str
    text: str
    event: str
    anchor: str


@dataclass(frozen=True, slots=True)
class FindingPart:
    """One finding and its proof. `event` is the text of its event, if the event is shown.

    `groups` are the numbers of the groups that it concerns, separated by spaces.
    """

    anchor: str
    number: int
    tone: Tone
    groups: str
    verdict: str
    position: str
    event_anchor: str
    event: str
    at: ShownTime
    facts: tuple[Detail, ...]
    formula: str
    why: tuple[WhyLine, ...]
    witness: tuple[WitnessLine, ...]
    members: tuple[Member, ...]
    done: tuple[str, ...]
    id: str


@dataclass(frozen=True, slots=True)
class Card:
    """The findings of one group in one session.

    `group_anchor` is empty if the group is not shown.
    """

    anchor: str
    group_anchor: str
    tone: Tone
    name: str
    summary: str
    count: str
    findings: tuple[FindingPart, ...]


@dataclass(frozen=True, slots=True)
class ChartMark:
    """A highlighted point of the curve."""

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
    """One session with findings. `number` is its rank; the worst session has number 1."""

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
    """A session in a table. `groups` are the numbers of its groups, separated by spaces."""

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
    """The findings of one invariant, or of one type that concerns no invariant."""

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
    """The number of findings of a type, by severity."""

    words: str
    name: str
    counts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """The whole page except its sessions, which are rendered one at a time."""

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
