"""The image of a program -> the program, with the keys of its digests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..cel.checked import known_expression
from ..cel.common import CommonParts
from ..check.checked import CheckedPredicate, CheckedSource
from ..model.errors import Place
from ..runtime.data_source import Showing, compile_source
from ..runtime.predicate import Predicate, compile_predicate
from ..runtime.program import Program
from ..runtime.scope_program import Compiled, Progress, ScopeProgram
from ..runtime.stepper import Stepper, automaton_of
from ..runtime.tables import Tables
from ..taint.memory import NOTHING_SHOWN, Fingerprints, Shown, fingerprints_of, memory_of
from .alphabets import EXPRESSIONS, FORMULAS, LIMITS
from .flat import Reader
from .model import InvariantImage, PredicateImage, ProgramImage, ScopeImage, SourceImage

Lists = Mapping[str, list[Any]]


def load_program(
    image: ProgramImage, *, digest_key: bytes = b"", fingerprint_keys: Sequence[bytes] = ()
) -> Program:
    """The program of an image.

    `fingerprint_keys` are those of data memories, the newest first; without one, `digest_key`.
    """
    return _Loader(image, digest_key, fingerprint_keys).program()


class _Loader:
    """One image, and what its scopes have in common."""

    def __init__(
        self, image: ProgramImage, digest_key: bytes, fingerprint_keys: Sequence[bytes]
    ) -> None:
        self._image, self._digest_key = image, digest_key
        self._nodes = Reader(EXPRESSIONS, image.expressions, {})
        self._lists: list[Lists] = [
            {name: list(self._nodes.value(elements)) for name, elements in file.lists.items()}
            for file in image.files
        ]
        self._common = CommonParts()
        for predicate in image.predicates:
            for number in (predicate.when, *(number for _, number in predicate.values)):
                self._common.take(self._nodes.part(number), self._lists[predicate.file])
        self._predicates = self._tables()
        self._sources = tuple(map(self._source, image.sources))
        self._keys: tuple[Fingerprints, ...] = tuple(
            map(fingerprints_of, fingerprint_keys or (digest_key,))
        )

    def program(self) -> Program:
        """All of it."""
        session, *wider = map(self._scope, self._image.scopes)
        known = {
            compiled.digest: compiled for one in (session, *wider) for compiled in one.invariants
        }
        return Program(
            tuple(known[digest] for digest in self._image.order),
            session,
            tuple(wider),
            tuple(self._image.warnings),
            self._image.digest,
        )

    def _tables(self) -> tuple[Mapping[str, Predicate], ...]:
        """The predicates of each file, by name."""
        tables: list[dict[str, Predicate]] = [{} for _ in self._image.files]
        for predicate in self._image.predicates:
            tables[predicate.file][predicate.name] = self._predicate(predicate)
        return tuple(tables)

    def _predicate(self, predicate: PredicateImage) -> Predicate:
        places = self._image.files[predicate.file].sources
        when, *values = (
            known_expression(self._nodes.part(number), places)
            for number in (predicate.when, *(number for _, number in predicate.values))
        )
        names = (name for name, _ in predicate.values)
        return compile_predicate(
            CheckedPredicate(predicate.name, when, tuple(zip(names, values, strict=True)), Place()),
            lists=self._lists[predicate.file],
            digest_key=self._digest_key,
            sources=places,
            common=self._common,
        )

    def _source(self, source: SourceImage) -> Showing:
        file = self._image.files[source.file]
        own = {name: place for place, name in enumerate(file.sources)}
        when, values = (
            known_expression(self._nodes.part(number), own)
            for number in (source.when, source.values)
        )
        return compile_source(
            CheckedSource(source.name, when, values, Place()),
            source.digest,
            file=file.name,
            lists=self._lists[source.file],
            digest_key=self._digest_key,
            sources=own,
        )

    def _scope(self, image: ScopeImage) -> ScopeProgram:
        """Values shown to a session belong to the session: wider scopes do not remember them."""
        invariants = tuple(map(self._invariant, image.invariants))
        states = tuple(compiled.automaton.initial() for compiled in invariants)
        is_session = image.per == "session"
        shown = Shown(tuple(memory_of(self._keys[0]) for _ in self._sources))
        return ScopeProgram(
            image.per,
            invariants,
            self._predicates,
            Progress(0, states, None, shown if is_session else NOTHING_SHOWN),
            self._sources if is_session else (),
            self._keys,
            self._image.limits.pairs_max,
        )

    def _invariant(self, image: InvariantImage) -> Compiled:
        return Compiled(self._automaton(image), image.file, self._image.files[image.file].name)

    def _automaton(self, image: InvariantImage) -> Stepper:
        limits = self._image.limits
        reader = Reader(FORMULAS, image.parts, {LIMITS: limits})
        tables = Tables(**{name: reader.value(of) for name, of in image.tables.items()})
        return automaton_of(image.declared, tables, limits)
