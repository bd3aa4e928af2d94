"""Fields that the events which are asked for do not carry: loaded specifications -> faults W508.

`kind == "message.user" && tool == "pay"` is true of no event: a message names no tool. Told only
where every kind that the predicate can be true of is one of docs/events.md, and none of them
carries the field; what is tested by `present` or `has` need not be there. A producer may put any
field into any event, so that it is a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from interlock.kinds import KNOWN_KINDS
from invariants.analysis.event_domain import asked_by
from invariants.cel.ast import Call, Has, Name, free_names, walk
from invariants.check.checked import CheckedPredicate, CheckedSource, CheckedSpec
from invariants.model.errors import Fault

_OF_CALLS: Final = ("tool.*", "approval.*")
CARRIERS: Final[dict[str, tuple[str, ...]]] = {
    "tool": _OF_CALLS,
    "call": _OF_CALLS,
    "args": _OF_CALLS,
    "text": ("message.*",),
    "result": ("tool.completed", "tool.failed"),
    "error": ("tool.failed", "tool.denied"),
}
"""Which kinds carry a field; of those that stand in no row here nothing is said."""
_SETTLED: Final = ("tool.", "approval.", "message.", "session.", "heartbeat")


def field_faults(specs: Iterable[CheckedSpec]) -> Iterator[Fault]:
    """One warning for each field of a predicate or a source, where it is read first."""
    for spec in specs:
        for declared in spec.declared:
            yield from _faults(spec.file, declared)


def _faults(file: str, declared: CheckedPredicate | CheckedSource) -> Iterator[Fault]:
    kinds = asked_by(declared).kinds or frozenset()
    if not kinds or not all(kind in KNOWN_KINDS and kind.startswith(_SETTLED) for kind in kinds):
        return
    told: set[str] = set()
    for name in _fields_read(declared):
        carriers = CARRIERS.get(name.name)
        if carriers is None or name.name in told or any(_is_of(k, carriers) for k in kinds):
            continue
        told.add(name.name)
        asked = ", ".join(f"`{kind}`" for kind in sorted(kinds))
        message = f"`{declared.name}` reads `{name.name}`, which events of {asked} do not have"
        mend = f"use a kind that has it: {', '.join(f'`{kind}`' for kind in carriers)}"
        yield Fault(file, name.place, "W508", message, mend, "warning")


def _fields_read(declared: CheckedPredicate | CheckedSource) -> Iterator[Name]:
    for node in (expression.node for expression in declared.expressions):
        tested = {
            name.name
            for part in walk(node)
            if isinstance(part, Has) or (isinstance(part, Call) and part.function == "present")
            for name in free_names(part)
        }
        yield from (name for name in free_names(node) if name.name not in tested)


def _is_of(kind: str, carriers: Iterable[str]) -> bool:
    return any(
        kind.startswith(carrier[:-1]) if carrier.endswith("*") else kind == carrier
        for carrier in carriers
    )
