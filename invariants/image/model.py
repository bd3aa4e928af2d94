"""The image of a program: its expressions, formulas, lists and declarations, as data.

`flat.py` defines the form of `expressions` and of an invariant's `parts`; `alphabets.py` lists
their kinds. Secrets are not part of it: a loader is given the keys of digests.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..model.errors import Fault
from ..model.limits import Limits
from ..runtime.declared import Declared
from ..spec.model import Per

Parts = list[list[Any]]


class FileImage(msgspec.Struct, frozen=True):
    """A file of invariants: its lists, each with its elements as a field of a part is written; and
    the places of its sources in the program, by name.
    """

    name: str
    lists: dict[str, Any]
    sources: dict[str, int]


class PredicateImage(msgspec.Struct, frozen=True):
    """A predicate of file number `file`; expressions are numbers of parts."""

    file: int
    name: str
    when: int
    values: list[tuple[str, int]]


class SourceImage(msgspec.Struct, frozen=True):
    """A data memory, declared in file number `file`. Others may declare it too."""

    file: int
    name: str
    digest: str
    when: int
    values: int


class InvariantImage(msgspec.Struct, frozen=True):
    """One invariant of file number `file`. `tables` are its fields by name; they refer to `parts`,
    which are the nodes and operators of its formula.
    """

    file: int
    declared: Declared
    parts: Parts
    tables: dict[str, Any]


class ScopeImage(msgspec.Struct, frozen=True):
    """The invariants about one kind of scope."""

    per: Per
    invariants: list[InvariantImage]


class ProgramImage(msgspec.Struct, frozen=True):
    """All of a program. Equal digests mean equal verdicts.

    `order` contains the digests of all invariants in the order of the files, which may mix kinds of
    scope. `warnings` are for the files' authors.
    """

    digest: str
    limits: Limits
    files: list[FileImage]
    expressions: Parts
    predicates: list[PredicateImage]
    sources: list[SourceImage]
    scopes: list[ScopeImage]
    order: list[str]
    warnings: list[Fault]
