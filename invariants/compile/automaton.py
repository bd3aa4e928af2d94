"""One checked invariant -> its automaton."""

from __future__ import annotations

import hashlib

from ..check.horizon import reach_ns
from ..check.normal_form import violating_formula
from ..formula.format import format_formula
from ..model.limits import DEFAULT_LIMITS, Limits
from ..runtime.declared import Declared
from ..runtime.stepper import Stepper, automaton_of
from ..spec.model import InvariantSpec
from .lower import build_tables


def compile_invariant(
    spec: InvariantSpec,
    limits: Limits = DEFAULT_LIMITS,
    digest: str | None = None,
) -> Stepper:
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
        states_allowed=bool(spec.predicates),
    )
