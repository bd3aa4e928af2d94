"""The input and the output of a reader of a foreign format.

    Document                a value of JSON with its place in the file
    Format.read(document)   -> Step | Passed | Unread, in the order of the document; pure

A step is one event as the format tells it. A field that the format does not have stays absent, so
that predicates on it are unknown, never false.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple


class Absent:
    """The type of `ABSENT`: no value, which is another thing than null."""


ABSENT: Final = Absent()


class Document(NamedTuple):
    """A parsed value; `place` is for people, such as `line 12`."""

    place: str
    value: Any


class Span(NamedTuple):
    """Where in a tree of spans something is told; ids are those of the whole file.

    `within`: the outer span. `session`: the session that this span names itself. `connection`: the
    id of a connection or of the trace, which stands for the session if none is named around it.
    `is_carrier`: a message of a protocol, which carries the call of an outer span. `is_agent`: the
    run of an agent.
    """

    id: str
    within: str = ""
    trace: str = ""
    session: str = ""
    connection: str = ""
    is_carrier: bool = False
    is_agent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One event of a trace.

    `session`: the id that the format gives to the run; `""` if it has none, and all of the file is
    one run. `parent`: the id of the run that started it. `time_ns` is None if the format tells no
    time. `args` is None if it does not tell the arguments. An outcome may leave out the tool: its
    request, which has the same `call`, names it. `has_lasting_call` is False if ids of calls begin
    anew within a trace. `message`: the id of a message, which is told once. `span`: the place in a
    tree of spans, if the format has one. `is_retold`: told by a message about the call, not by what
    made the call.
    """

    place: str
    kind: str
    session: str = ""
    time_ns: int | None = None
    agent: str = ""
    user: str = ""
    parent: str = ""
    tool: str = ""
    call: str = ""
    has_lasting_call: bool = True
    args: Mapping[str, Any] | None = None
    result: Any = ABSENT
    error: str = ""
    text: str = ""
    message: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    span: Span | None = None
    is_retold: bool = False


class Unread(NamedTuple):
    """A part of the trace that is not understood; never dropped in silence. `reason` contains no
    text of the trace.
    """

    place: str
    reason: str


class Passed(NamedTuple):
    """A part that is understood, and tells nothing that an event could: a summary, a snapshot."""

    place: str
    what: str
    span: Span | None = None


class Named(NamedTuple):
    """The id of the run that all steps without one belong to, told once in a file.

    `parent`: the run that started it; `has_parent` is True also if only that is known.
    `continues`: the run whose history the file repeats.
    """

    place: str
    session: str
    parent: str = ""
    continues: str = ""
    has_parent: bool = False


Item = Step | Unread | Passed | Named


@dataclass(frozen=True, slots=True)
class Format:
    """One foreign format. `version`: what the reader was written after, and how it was met.

    `is_it` decides by the names of a document's fields; `read` makes steps of one document.
    """

    name: str
    title: str
    version: str
    is_it: Callable[[Any], bool]
    read: Callable[[Document], Iterable[Item]]
