"""The time of each part of a pipeline, from an instrumented second pass.

Functions are replaced where the pipeline looks them up (a name of a module, a method of a class).
Each replacement reads the clock before and after the call; the time of an inner part is taken off
the outer one. A replacement costs time itself: inside its own reading, and around it, which falls
to the outer part. Both are measured once with a function that does nothing, and subtracted for each
call (`without_cost`). The totals of a bench come from another pass without any replacement.

A function that an older revision does not have, or that a compiled module calls directly, is not
measured: its time stays in the part around it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

CALIBRATION_CALLS: Final = 2_000
CALIBRATION_ROUNDS: Final = 5
COST: Final = "cost of "
"""Before the name of a part: the cost of measuring in it."""
COST_FACTOR_MAX: Final = 3.0
Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Hook:
    """A function to measure: `name` in a module, or in a class of it."""

    part: str
    module: str
    name: str
    holder: str = ""


@dataclass(slots=True)
class PartClock:
    """Collects the time of each part, in ns, without what it contains of other parts."""

    clock: Clock = time.thread_time_ns
    own_ns: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    calls_within: Counter[str] = field(default_factory=Counter)
    _stack: list[tuple[str, list[int]]] = field(default_factory=list)

    def wrapped(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that is counted as a part whenever it is called."""
        clock, stack, own_ns = self.clock, self._stack, self.own_ns
        calls, calls_within = self.calls, self.calls_within

        def measured(*given: Any, **named: Any) -> Any:
            inner = [0]
            stack.append((part, inner))
            begin_ns = clock()
            try:
                return function(*given, **named)
            finally:
                took_ns = clock() - begin_ns
                stack.pop()
                own_ns[part] += took_ns - inner[0]
                calls[part] += 1
                if stack:
                    outer, sum_ns = stack[-1]
                    sum_ns[0] += took_ns
                    calls_within[outer] += 1

        return measured

    @contextmanager
    def attached(self, hooks: Sequence[Hook]) -> Iterator[None]:
        """All of these functions measured, until the end of the block."""
        replaced: list[tuple[Any, str, Any]] = []
        try:
            for hook in hooks:
                holder: Any = import_module(hook.module)
                holder = getattr(holder, hook.holder, None) if hook.holder else holder
                if (function := getattr(holder, hook.name, None)) is None:
                    continue
                setattr(holder, hook.name, self.wrapped(hook.part, function))
                replaced.append((holder, hook.name, function))
            yield
        finally:
            for holder, name, function in replaced:
                setattr(holder, name, function)

    def take(self, cost: Cost) -> dict[str, float]:
        """For each part its time since the last call, and the cost of measuring in it, apart."""
        taken: dict[str, float] = {}
        for part, own_ns in self.own_ns.items():
            taken[part] = own_ns
            taken[f"{COST}{part}"] = (
                cost.inside_ns * self.calls[part] + cost.around_ns * self.calls_within[part]
            )
        self.own_ns.clear()
        self.calls.clear()
        self.calls_within.clear()
        return taken


def without_cost(
    turns: Sequence[Mapping[str, float]], parts: Sequence[str], whole: str
) -> list[dict[str, float]]:
    """The parts of each turn without the cost of measuring; `whole` is that of the plain pass.

    A call in its place costs more than in the loop that measured the cost. So the cost is raised,
    up to `COST_FACTOR_MAX` times, until the parts of all turns together do not exceed the whole.
    """
    measured = sum(turn.get(part, 0.0) for turn in turns for part in parts)
    cost = sum(turn.get(COST + part, 0.0) for turn in turns for part in parts)
    excess = measured - sum(turn[whole] for turn in turns)
    factor = min(max(excess / cost, 1.0), COST_FACTOR_MAX) if cost else 1.0
    return [
        {
            part: max(0.0, turn.get(part, 0.0) - factor * turn.get(COST + part, 0.0))
            for part in parts
        }
        for turn in turns
    ]


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of measuring one call: the part of it that is read as its own, and the rest."""

    inside_ns: float
    around_ns: float


def measured_cost(clock: Clock = time.thread_time_ns) -> Cost:
    """The cost of one replacement on this machine: the least of several rounds."""

    def nothing() -> None:
        return None

    inside: list[float] = []
    around: list[float] = []
    for _ in range(CALIBRATION_ROUNDS):
        parts = PartClock(clock)
        counted = parts.wrapped("nothing", nothing)
        begin_ns = clock()
        for _ in range(CALIBRATION_CALLS):
            nothing()
        between_ns = clock()
        for _ in range(CALIBRATION_CALLS):
            counted()
        end_ns = clock()
        plain_ns = (between_ns - begin_ns) / CALIBRATION_CALLS
        inside_ns = max(0.0, parts.own_ns["nothing"] / CALIBRATION_CALLS - plain_ns)
        inside.append(inside_ns)
        around.append((end_ns - between_ns) / CALIBRATION_CALLS - plain_ns - inside_ns)
    return Cost(min(inside), max(0.0, min(around)))
