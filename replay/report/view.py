"""What the page shows: frozen texts, in the order in which they are read.

Every text here may be an attacker's. The template escapes all of it, and has no script, no link
to elsewhere and no style that a text could reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["critical", "warning", "info", "good", "plain"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A small label beside an event: that it breaks something, or is part of a proof."""

    tone: Tone
    text: str


@dataclass(frozen=True, slots=True)
class Detail:
    """One part of an event that is shown when it is opened."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event of a session."""

    anchor: str
    position: str
    time: str
    offset: str
    kind: str
    tool: str
    gist: str
    details: tuple[Detail, ...]
    marks: tuple[Mark, ...]
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class WhyLine:
    """A sub-formula, its value at the anchor, and since when."""

    depth: int
    formula: str
    value: str
    since: str


@dataclass(frozen=True, slots=True)
class WitnessLine:
    """One event or absence of a proof; `anchor` is the event's place in the page, if shown."""

    text: str
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class FindingCard:
    """One finding, and why it is one."""

    anchor: str
    number: int
    tone: Tone
    heading: str
    verdict: str
    facts: tuple[Detail, ...]
    formula: str
    why: tuple[WhyLine, ...]
    witness: tuple[WitnessLine, ...]
    done: tuple[str, ...]
    id: str


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
    """One session in which something was found."""

    anchor: str
    name: str
    tone: Tone
    outcome: str
    facts: tuple[Detail, ...]
    cards: tuple[FindingCard, ...]
    rows: tuple[EventRow, ...]
    rows_left_out: int
    done: tuple[str, ...]
    chart: Chart | None


@dataclass(frozen=True, slots=True)
class SessionLine:
    """A session in the overview."""

    name: str
    agent: str
    tone: Tone
    findings: str
    outcome: str
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """The whole page."""

    title: str
    lead: tuple[str, ...]
    figures: tuple[Detail, ...]
    trust: tuple[Mark, ...]
    overview: tuple[SessionLine, ...]
    sessions: tuple[SessionPart, ...]
    sessions_left_out: int
    facts: tuple[Detail, ...]
