"""The declaration of an invariant besides its formula, as the engine and findings need it."""

from __future__ import annotations

from typing import Literal

import msgspec

from ..model.report import Report
from ..spec.model import ActionKind, Per, Severity


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """One invariant without its formula. `digest` names all that its verdicts depend on.

    `formula` and `violating` are texts for people: the formula as it was written, and the one that
    is watched for. `reach_ns` is the longest window, None without a limit.
    """

    id: str
    digest: str
    severity: Severity
    per: Per
    on_unknown: Literal["violate", "report"]
    report: Report
    mode: Literal["observe", "enforce"]
    fail: Literal["open", "closed"]
    respond: tuple[ActionKind, ...]
    formula: str
    violating: str
    reach_ns: int | None
    summary: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    owner: str = ""
    references: tuple[str, ...] = ()
    states_allowed: bool = False
    """True if `allowed` in the bindings of its findings is a text of the file: a pattern's."""
