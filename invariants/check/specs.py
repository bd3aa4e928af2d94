"""Reports all faults of invariant files at once, in order of place.

Input: specs as `spec/load.py` reads them. Output: checked specs, and faults. It compiles nothing.

    E1xx  CEL expressions (see the docstring of `invariants/cel/check.py`)
    E201  not YAML, or several documents     E202  too large, too many values, too deep
    E203  key or form used twice             E204  unknown key
    E205  missing key                        E206  empty value
    E207  value of the wrong shape           E208  word that is not one of the choices
    E209  `{...}` with CEL in it             E210  tag
    E211  anchor or alias                    E212  invisible or invalid character
    E213  name or id that cannot be one      E214  expression cut off by ` #`
    E215  faulty example                     E216  version
    E217  file of a list                     E218  text, tag or address about an invariant
    E301  something else was expected        E302  sign of another language
    E303  argument without name or `=`       E304  window or duration
    E305  chain that needs brackets          E306  too long or too deep
    E307  shape of an aggregate              E308  number or text
    E309  word of the language as a name     E310  comparison
    E311  argument given twice               E312  empty formula
    E401  unknown predicate                  E402  value that the predicate lacks
    E403  two invariants with one id         E404  critical without `on_unknown`
    E405  future operator not at the top     E406  variable not bound by the current event
    E407  operand that does not bind         E408  left side of `since` or `until`
    E409  order inside a temporal operator   E410  order of truth values
    E411  too large when expanded            E412  types that can never match
    E413  `report: edge` of the future       E414  `session_end` in a wider scope
    E415  no window in a scope without end   E416  one list grouped by another
    E417  kind in another spelling           E418  expression, field or predicate as a variable
    W501  `never: a implies b`               W502  predicate that nothing uses
    W503  `previous` or `next`               W504  variable that occurs once
    W505  source that nothing uses           W506  kind that is close to a known one
    W507  invariant that does not run        W508  field that the matching events lack
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from ..cel.checked import CheckedExpression
from ..cel.functions import FIELD_TYPES
from ..formula.ast import Aggregate, AggregateComparison, Atom
from ..model.errors import Fault, SpecError
from ..spec.lists import OpenList, no_list_files
from ..spec.load import read_spec
from ..spec.model import InvariantSpec, PredicateSpec, Spec
from ..spec.typed_yaml import did_you_mean
from .checked import CheckedPredicate, CheckedSource, CheckedSpec
from .expressions import check_predicate, check_source, values_of_faulty
from .horizon import check_scope
from .lint import lint_formula
from .safety import atoms_of, check_formula, subformulas
from .types import Values, check_types
from .variables import check_variables


def read_specs(
    texts: Sequence[tuple[str, str]], open_list: OpenList = no_list_files
) -> tuple[tuple[CheckedSpec, ...], list[Fault]]:
    """Checked files and warnings of some texts, each given as its name and its text.

    Raises
    ------
    SpecError
        With every fault of every file, of its shape and of its meaning, and the warnings too.
    """
    faults: list[Fault] = []
    read: list[tuple[Spec, RefusedNames]] = []
    for file, text in texts:
        reading = read_spec(text, file, open_list)
        faults += reading.faults
        if reading.spec is not None:
            refused = RefusedNames(reading.predicates_refused, reading.sources_refused)
            read.append((reading.spec, refused))
    checked = check_specs(read, faults)
    if any(fault.severity == "error" for fault in checked.faults):
        raise SpecError(checked.faults)
    return checked.specs, checked.faults


class Checked(NamedTuple):
    """Files as far as they could be checked, whole if there is no error, and all faults."""

    specs: tuple[CheckedSpec, ...]
    faults: list[Fault]


ENDS: Final = frozenset({"end", "ended", "finish", "finished", "done", "terminated"})
"""Chosen: names that other languages give to `session_end`."""


class RefusedNames(NamedTuple):
    """Names of what a file declares and what could not be read."""

    predicates: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()


def check_specs(read: Sequence[tuple[Spec, RefusedNames]], before: Sequence[Fault] = ()) -> Checked:
    """Each file by itself, then all of them together; `before` are the faults of their shapes."""
    faults = [*before]
    specs: list[CheckedSpec] = []
    for spec, refused in read:
        checked, values, found = _check_expressions(spec, refused)
        found += _check_invariants(spec, values, refused.predicates)
        specs.append(checked)
        faults += found
    faults += _repeated_ids(specs)
    faults += _unused(specs, faults)
    faults = _in_order(faults)
    return Checked(tuple(_with_warnings(spec, faults) for spec in specs), faults)


def _with_warnings(spec: CheckedSpec, faults: Sequence[Fault]) -> CheckedSpec:
    own = (fault for fault in faults if fault.file == spec.file and fault.severity == "warning")
    return replace(spec, warnings=tuple(own))


def _in_order(faults: Sequence[Fault]) -> list[Fault]:
    """Sorted, and each once: `iff` doubles formulas, and would double their faults."""
    return sorted(dict.fromkeys(faults), key=lambda f: (f.file, f.place, f.code, f.message))


def _check_expressions(
    spec: Spec, refused: RefusedNames
) -> tuple[CheckedSpec, Values, list[Fault]]:
    """The predicates and sources of a file that have no error; nothing is said of refused ones.

    The values are those of all predicates: a fault beside one hides no fault of its type.
    """
    places = dict.fromkeys(sorted(refused.sources), -1) | spec.source_places
    file, lists, faults = spec.file, spec.lists, list[Fault]()
    sources: list[CheckedSource] = []
    for written in spec.sources:
        source, found = check_source(written, file=file, lists=lists, sources=places)
        faults += found
        sources += () if source is None else (source,)
    predicates: list[CheckedPredicate] = []
    values: dict[tuple[str, str], CheckedExpression] = {}
    for declared in spec.predicates:
        predicate, found = check_predicate(declared, file=file, lists=lists, sources=places)
        faults += found
        predicates += () if predicate is None else (predicate,)
        if predicate is None:
            own = values_of_faulty(declared, file=file, lists=lists, sources=places)
            values.update({(declared.name, name): value for name, value in own})
    checked = CheckedSpec(file, lists, tuple(sources), tuple(predicates), spec.invariants)
    return checked, values | checked.values, faults


def _check_invariants(spec: Spec, values: Values, refused: Collection[str]) -> Iterator[Fault]:
    """Faults of the formulas of one file."""
    known = {predicate.name: predicate for predicate in spec.predicates}
    for invariant in spec.invariants:
        yield from _check_names(invariant, known, refused, spec.file)
        mistaken = list(check_variables(invariant, known, spec.file))
        errors = [
            *mistaken,
            # If a name is mistaken, its binding would get a second, contradicting correction.
            *(check_formula(invariant, spec.file) if not mistaken else ()),
            *check_scope(invariant, spec.file),
            *check_types(invariant, values, spec.file),
        ]
        yield from errors
        if not errors:
            yield from lint_formula(invariant, spec.file)
        if invariant.severity == "critical" and not invariant.has_on_unknown:
            message = f"`{invariant.id}` is critical and has no `on_unknown`"
            mend = (
                "write `on_unknown: violate` (unknown counts as a violation) "
                "or `on_unknown: report`"
            )
            yield Fault(spec.file, invariant.place, "E404", message, mend)


def _check_names(
    invariant: InvariantSpec,
    known: dict[str, PredicateSpec],
    refused: Collection[str],
    file: str,
) -> Iterator[Fault]:
    for atom in atoms_of(invariant.formula):
        predicate = known.get(atom.predicate)
        if predicate is not None:
            names = [name for name, _ in atom.arguments]
            yield from _check_values(atom, names, predicate, file)
        elif atom.predicate not in refused:
            message = f"there is no predicate `{atom.predicate}` in this file"
            mend = _mend_of_predicate(atom, known)
            yield Fault(file, atom.place, "E401", message, mend)
    for aggregate in _aggregates_of(invariant):
        predicate = known.get(aggregate.atom.predicate)
        if predicate is not None and aggregate.value is not None:
            yield from _check_values(aggregate.atom, [aggregate.value], predicate, file)


def _mend_of_predicate(atom: Atom, known: Collection[str]) -> str:
    if atom.predicate in FIELD_TYPES and not atom.arguments:
        name = atom.predicate
        return (
            f"`{name}` is a field of events: test it in a predicate, and use the predicate's name"
        )
    mend = did_you_mean(atom.predicate, known) if known else "declare it in `predicates:`"
    if atom.predicate.lower() in ENDS and not mend.startswith("did"):
        return "the end of a session is `session_end`"
    return mend


def _check_values(
    atom: Atom, names: Sequence[str], predicate: PredicateSpec, file: str
) -> Iterator[Fault]:
    declared = [name for name, _ in predicate.values]
    for name in names:
        if name not in declared:
            message = f"`{atom.predicate}` has no value `{name}`"
            mend = did_you_mean(name, declared)
            if not declared:
                mend = f"declare it in the `with` of `{atom.predicate}`: `{name}: ...`"
            yield Fault(file, atom.place, "E402", message, mend)


def _aggregates_of(invariant: InvariantSpec) -> Iterator[Aggregate]:
    """Every aggregate, limits among them."""
    for node in subformulas(invariant.formula):
        if isinstance(node, AggregateComparison):
            yield from node.aggregates


def _repeated_ids(specs: Sequence[CheckedSpec]) -> Iterator[Fault]:
    first: dict[str, str] = {}
    for spec in specs:
        for invariant in spec.invariants:
            where = f"{spec.file}, line {invariant.place.line}"
            if invariant.id in first:
                message = f"the id `{invariant.id}` is used twice"
                mend = f"choose another id; the first use is in {first[invariant.id]}"
                yield Fault(spec.file, invariant.place, "E403", message, mend)
            first.setdefault(invariant.id, where)


def _unused(specs: Sequence[CheckedSpec], faults: Sequence[Fault]) -> Iterator[Fault]:
    """Warnings for files without an error; a misspelt name would make what it means unused."""
    faulty = {fault.file for fault in faults if fault.severity == "error"}
    for spec in specs:
        if spec.file not in faulty:
            yield from _unused_predicates(spec)
            yield from _unused_sources(spec)


def _unused_predicates(spec: CheckedSpec) -> Iterator[Fault]:
    used = {atom.predicate for i in spec.invariants for atom in atoms_of(i.formula)}
    for predicate in spec.predicates:
        if predicate.name not in used:
            message = f"no invariant uses the predicate `{predicate.name}`"
            mend = "use it, or delete it"
            yield Fault(spec.file, predicate.place, "W502", message, mend, "warning")


def _unused_sources(spec: CheckedSpec) -> Iterator[Fault]:
    """A use of `only_from` counts as a use of all sources, since its value depends on them."""
    asked = frozenset[str]().union(*(predicate.sources for predicate in spec.predicates))
    for source in spec.sources:
        if source.name not in asked:
            message = f"no predicate uses the source `{source.name}`"
            mend = "use it, or delete it"
            yield Fault(spec.file, source.place, "W505", message, mend, "warning")
