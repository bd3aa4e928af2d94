"""One checked invariant -> its automaton."""

from __future__ import annotations

import hashlib

from .binding import violating_formula
from .check_scope import reach_ns
from .compile import build_tables
from .declared import Declared
from .formula.format import format_formula
from .limits import DEFAULT_LIMITS, Limits
from .machine import Automaton, automaton_of
from .spec import InvariantSpec


def compile_invariant(
    spec: InvariantSpec,
    limits: Limits = DEFAULT_LIMITS,
    digest: str | None = None,
) -> Automaton:
    """The automaton of one checked invariant.

    `digest` identifies the invariant with everything on which its verdicts depend (predicates,
    lists); by default it covers only its own formula.
    """
    if digest is None:
        text = f"{spec.form}: {format_formula(spec.formula)} on_unknown={spec.on_unknown}"
        digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
    declared = declared_of(spec, digest)
    return automaton_of(declared, build_tables(spec, limits), limits)


def declared_of(spec: InvariantSpec, digest: str) -> Declared:
    """The declaration of a checked invariant."""
    violating = violating_formula(spec)
    return Declared(
        id=spec.id,
        digest=digest,
        severity=spec.severity,
        per=spec.per,
        on_unknown=spec.on_unknown,
        report=spec.report,
        mode=spec.mode,
        fail=spec.fail,
        respond=spec.respond,
        formula=f"{spec.form}: {format_formula(spec.formula)}",
        violating=format_formula(violating),
        reach_ns=reach_ns(violating),
        summary=spec.summary,
        description=spec.about.description,
        tags=spec.about.tags,
        owner=spec.about.owner,
        references=spec.about.references,
    )
