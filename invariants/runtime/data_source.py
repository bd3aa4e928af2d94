"""A source, compiled: which events show a session something, and what they show.

`when` false shows nothing; true shows every string in `values`; unknown shows them with a doubt.
`values` that fails shows nothing. If the event's client left out a part of it, more was shown than
the event tells, and the source does not know all of it. Neither may ask what was shown before. What
an event shows is taken in behind it: at the event itself it has not been seen.
Source: docs/language.md, Data memories.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from ..cel.compile import Expression, compile_expression
from ..cel.data_functions import SourcePlaces
from ..cel.fold import KindAndTool
from ..cel.references import describe
from ..check.checked import CheckedSource, CheckedSpec
from ..model.limits import STEPS_MAX
from ..taint.event_view import EventView
from ..taint.memory import SourceMemory
from ..values.value import CelError

TOKENS_VERSION: Final = 4
"""Raised whenever the same text could leave other fingerprints behind than before."""


class Showing(msgspec.Struct, frozen=True):
    """One source of a program. `digest` is of all that its memory depends on, but its key."""

    name: str
    file: str
    digest: str
    _when: Expression
    _values: Expression

    @property
    def fields(self) -> frozenset[str]:
        """The names of the event that it reads."""
        return self._when.checked.fields | self._values.checked.fields

    def is_concerned(self, kind: str, tool: str) -> bool:
        """True if an event of that kind and tool may show something."""
        return self._when.fold(KindAndTool(kind, tool)) is not False

    def taking(self, memory: SourceMemory, view: EventView, pairs_max: int) -> SourceMemory:
        """The memory behind an event; never raises. It has a budget of `STEPS_MAX` of its own."""
        view.allot(STEPS_MAX)
        holds = self._when.evaluate(view)
        if holds is False:
            return memory
        value = self._values.evaluate(view)
        if view.steps_left < 0:
            return memory._replace(is_whole=False)
        if not isinstance(value, CelError):
            memory = memory.taking(value, is_certain=holds is True, pairs_max=pairs_max)
        is_partial = not view.left_out.is_nothing
        return memory._replace(is_whole=False) if is_partial and memory.is_whole else memory


def compile_source(
    source: CheckedSource,
    digest: str,
    *,
    file: str,
    lists: Mapping[str, list[Any]],
    digest_key: bytes,
    sources: SourcePlaces,
) -> Showing:
    """The source; `sources` are those of its file."""
    when, values = (
        compile_expression(part, lists=lists, digest_key=digest_key, sources=sources)
        for part in source.expressions
    )
    return Showing(source.name, file, digest, when, values)


def source_digest(source: CheckedSource, lists: Mapping[str, Sequence[Any]]) -> str:
    """The digest of all that the source's memory depends on, but its key."""
    described = msgspec.json.encode(describe_source(source, lists), order="deterministic")
    return hashlib.blake2b(described, digest_size=8).hexdigest()


def describe_source(source: CheckedSource, lists: Mapping[str, Sequence[Any]]) -> list[object]:
    """All that a source's memory depends on, as plain JSON."""
    return [TOKENS_VERSION, *(describe(part.node, lists) for part in source.expressions)]


def describe_sources(spec: CheckedSpec, asked: frozenset[str]) -> list[tuple[str, list[object]]]:
    """The sources of a file that a predicate asks, by name, as plain JSON."""
    return sorted(
        (source.name, describe_source(source, spec.lists))
        for source in spec.sources
        if source.name in asked
    )
