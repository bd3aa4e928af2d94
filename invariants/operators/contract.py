"""The interface of every operator that keeps something: past operators and aggregates.

A *memory* is the frozen description of one such operator in one invariant. Its *cell* is what it
keeps of a scope: an immutable value, from `initial`, changed by `step` alone. All that the machine,
witnesses, stored states, births and replay need of a cell, they ask the memory; nobody else knows
what a cell looks like. A new operator is a class with these methods in a file of this folder, and
two lines in `table.py`: its name in images, and the formula that it keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from ..formula.ast import Atom, Constant, Formula, Variable, Window
from ..formula.format import format_formula
from ..model.fact import Value
from ..model.limits import Limits
from ..model.trace_point import TracePoint
from ..model.verdict import Absence, EventRef

if TYPE_CHECKING:
    # Nodes read memories, and memories evaluate nodes: the one circle is between types alone.
    from .codec import Reader, Writer
    from .nodes import AtomNode, Cells, Env, Node
    from .specialise import Known

Key = tuple[Value | None, ...]
"""The values of a memory's own variables, in the order of its slots."""

UNKNOWN_PAST: Final = 1
"""How a span of time reads of which nothing is known: unknown."""

SHOWN_MAX: Final = 120  # Chosen: a line; it is stored with each entry that rests on others.

EARLIEST_NS: Final = -(2**62)
"""Before every time that an event can have, and far enough from the least int64 to subtract."""


class Entry(NamedTuple):
    """An event at which a formula held, and the earlier events that made it hold."""

    time_ns: int
    position: int
    id: str
    because: tuple[EventRef, ...] = ()

    def refs(self) -> tuple[EventRef, ...]:
        """The event and what it rests on, latest first."""
        return (EventRef(self.position, self.time_ns, self.id), *self.because)


class Reading(NamedTuple):
    """The truth of a memory for one binding, and the entry that decides it."""

    truth: int
    entry: Entry | None = None


FALSE_READING: Final = Reading(0)
READINGS: Final = (FALSE_READING, Reading(1), Reading(2))
"""By truth, where no one entry decides."""


@dataclass(frozen=True, slots=True)
class Birth:
    """The last event that an invariant has not seen: its position in the trace, and its time.

    Without `is_time_known`, its time and those of earlier events are unknown, except that none was
    later than `time_ns`.
    """

    position: int
    time_ns: int
    is_time_known: bool = True


class Times(NamedTuple):
    """The content of a memory for one binding, for people: when it held for certain, or perhaps."""

    key: Key
    certain: tuple[EventRef, ...]
    possible: tuple[EventRef, ...]
    has_lost: bool


class Count(NamedTuple):
    """The content of an aggregate for one binding, for people; its range may have no end."""

    key: Key
    certain_count: int
    possible_count: int
    range: tuple[Any, Any] | None
    newest: EventRef | None
    has_lost: bool


class Content(NamedTuple):
    """The content of a cell at an event, for people: for each binding its times, or its count."""

    times: tuple[Times, ...] = ()
    counts: tuple[Count, ...] = ()
    lost_count: int = 0


class Capacity(NamedTuple):
    """The greatest content of a cell: bindings, entries in all, and the settings that say so."""

    keeps: str
    bindings_max: int
    entries_max: int
    setting: str


Because = Callable[["Node", TracePoint, "Cells", "Env"], tuple[EventRef, ...]]
"""Earlier events that a formula's value rests on, at the event at hand (`witness.because`)."""

CellOf = Callable[["Memory", Birth], Any]
"""The cell of another memory at an unseen event."""


class Grounds(Protocol):
    """Takes the events and absences that justify a value (`witness.py`)."""

    def add(self, truth: int, *refs: EventRef) -> None:
        """Record events, as unknown ones if `truth` is unknown."""

    def miss(self, absence: Absence) -> None:
        """Record an absence."""

    def collect(self, node: Node, now: TracePoint, cells: Cells, env: Env) -> None:
        """Record the grounds of the value of another formula."""


class Memory(Protocol):
    """One operator in one invariant, and all that anybody needs of what it keeps."""

    @property
    def index(self) -> int:
        """The index of its cell."""

    @property
    def text(self) -> str:
        """The formula, as written."""

    @property
    def window(self) -> Window:
        """The ages that it looks at."""

    @property
    def beside(self) -> tuple[Memory, ...]:
        """Other memories whose cells it reads, but for those of its operands."""

    @property
    def initial(self) -> Any:
        """The cell before the first event."""

    @property
    def slots(self) -> tuple[int, ...]:
        """The variables whose values are the keys of its cell."""

    @property
    def operands(self) -> tuple[Node, ...]:
        """The formulas that it remembers."""

    @property
    def is_monotone(self) -> bool:
        """A greater truth of an operand never makes its own truth less."""

    @property
    def bound_slot(self) -> int | None:
        """A variable that is read where its value is compared, and is in no operand."""

    def read(self, now: TracePoint, cells: Cells, env: Env) -> Reading:
        """Its value after the event of `now`, for one binding."""

    def step(self, cell: Any, now: TracePoint, cells: Cells, because: Because) -> Any:
        """The cell after an event; the same object if nothing changed."""

    def touched_by(self, known: Known, is_end: bool) -> Memory | None:
        """Itself, simplified for events with these known facts; None if they change nothing."""

    def lost_count(self, cell: Any) -> int:
        """How often something found no room in the cell."""

    def collect(
        self, grounds: Grounds, truth: int, now: TracePoint, cells: Cells, env: Env
    ) -> None:
        """Record the grounds of its value, which is `truth`, for one binding."""

    def encode(self, cell: Any, now_ns: int, out: Writer) -> Any:
        """The cell as plain data: `decode` makes one that means the same from `now_ns` on."""

    def decode(self, data: Any, source: Reader) -> Any:
        """The cell; ValueError, TypeError, KeyError or IndexError for anything else."""

    def describe(self, now: TracePoint, cells: Cells) -> Content:
        """The content of the cell after an event, for people."""

    def capacity(self, limits: Limits) -> Capacity:
        """How much the cell can hold."""

    def unseen(self, birth: Birth, past: int, cell_of: CellOf) -> Any:
        """The cell after events that it has not seen; `past` is how that span reads."""

    def unsure(self, cell: Any, unknown: Sequence[Any]) -> Any:
        """The cell if the distance in time of its events from later ones is not known.

        `unknown` holds the cells of all memories after events that were not seen.
        """


class Builder(Protocol):
    """Makes the parts of a memory while an invariant is compiled (`compile/lower.py`)."""

    memories: list[Memory]
    """Those that were made: the next one's index is their number."""
    width: int
    """How many slots a binding has."""
    limits: Limits

    def node(self, formula: Formula) -> Node:
        """An operand, with memories of its own."""

    def atom(self, atom: Atom) -> AtomNode:
        """An atom."""

    def side(self, term: Variable | Constant) -> tuple[int | None, Value | None]:
        """The slot of a variable, or the value of a literal."""

    def slots_of(self, variables: Iterable[str]) -> tuple[int, ...]:
        """The slots of variables, in order."""


def shown(formula: Formula) -> str:
    """A formula as explanations name it: at most a line."""
    text = format_formula(formula)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 3] + "..."


def is_bounded(window: Window) -> bool:
    """True if the window measures time."""
    return window.low_ns > 0 or window.high_ns is not None


def key_of(env: Env, slots: tuple[int, ...]) -> Key:
    """The part of a binding that is the key of a memory's slices."""
    if len(slots) == 1:  # By far the most.
        return (env[slots[0]],)
    return tuple([env[slot] for slot in slots])


def env_of(key: Key, slots: tuple[int, ...], width: int) -> Env:
    """The binding that gives a memory's variables these values, and the others none."""
    env: list[Value | None] = [None] * width
    for slot, chosen in zip(slots, key, strict=True):
        env[slot] = chosen
    return tuple(env)


def ref_of(now: TracePoint) -> EventRef:
    """The event at hand."""
    return EventRef(now.position, now.time_ns, now.id)


def absence_at(text: str, now: TracePoint) -> Absence:
    """A formula that is false at one event."""
    here = ref_of(now)
    return Absence(text, now.time_ns, now.time_ns, first=here, last=here)


def absence_in(text: str, window: Window, now: TracePoint) -> Absence:
    """A formula that is false at every event of a window that ends at the current event."""
    from_ns = None if window.high_ns is None else now.time_ns - window.high_ns
    return Absence(text, from_ns, now.time_ns - window.low_ns, last=ref_of(now))
