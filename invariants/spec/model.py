"""An invariant file as data: the author's content, with the place of each part.

`load.py` creates these from YAML text; `check/specs.py` finds faults in them; `compile/lower.py`
turns them into a program. Nothing here has been evaluated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ..formula.ast import Formula
from ..model.errors import Place
from ..model.report import Report
from ..model.source_text import SourceText

Severity = Literal["info", "warning", "critical"]
ActionKind = Literal["alert", "quarantine", "kill"]
"""The words of `respond`; the monitor plans actions of these kinds."""

Per = Literal["session", "agent", "user", "tenant"]
"""The scope whose events form one trace."""

WIDER: Final[tuple[Per, ...]] = ("agent", "user", "tenant")
"""Scopes wider than a session; each is named by a field of the event."""


@dataclass(frozen=True, slots=True)
class PredicateSpec:
    """A named predicate on one event: `when`, and the values that it names."""

    name: str
    when: SourceText
    values: tuple[tuple[str, SourceText], ...]
    place: Place


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """A data memory: the events that show something to it (`when`), and the values (`values`)."""

    name: str
    when: SourceText
    values: SourceText
    place: Place


@dataclass(frozen=True, slots=True)
class Example:
    """A trace written into an invariant file, and the events at which it is found wanting.

    `events` are plain JSON objects with `session`, `ts` and `id` filled in; `violated_at` and
    `inconclusive_at` are positions from 0.
    """

    name: str
    events: tuple[Mapping[str, Any], ...]
    violated_at: frozenset[int]
    inconclusive_at: frozenset[int]
    place: Place


@dataclass(frozen=True, slots=True)
class About:
    """Information for people. No verdict depends on it, nor does the digest."""

    description: str = ""
    tags: tuple[str, ...] = ()
    owner: str = ""
    references: tuple[str, ...] = ()


NO_ABOUT: Final = About()


@dataclass(frozen=True, slots=True)
class InvariantSpec:
    """One invariant. `form` is `never` or `always`, the required value of `formula`."""

    id: str
    severity: Severity
    form: Literal["never", "always"]
    formula: Formula
    formula_source: SourceText
    place: Place
    summary: str = ""
    about: About = NO_ABOUT
    is_enabled: bool = True
    """If false, it is checked and its examples are run, but it is not part of a program."""
    per: Per = "session"
    on_unknown: Literal["violate", "report"] = "report"
    report: Report = "every"
    mode: Literal["observe", "enforce"] = "observe"
    fail: Literal["open", "closed"] = "closed"
    respond: tuple[ActionKind, ...] = ("alert",)
    examples: tuple[Example, ...] = ()
    has_on_unknown: bool = False
    """True if `on_unknown` was written; a critical invariant requires it."""
    predicates: tuple[PredicateSpec, ...] = ()
    """Those that its pattern made; they are among the predicates of the file too."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One invariant file. Names of predicates, lists and sources are the file's own."""

    file: str
    lists: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    sources: tuple[SourceSpec, ...] = ()
    predicates: tuple[PredicateSpec, ...] = ()
    invariants: tuple[InvariantSpec, ...] = ()

    @property
    def source_places(self) -> dict[str, int]:
        """Each source's place among the file's sources, by its name."""
        return {source.name: place for place, source in enumerate(self.sources)}
