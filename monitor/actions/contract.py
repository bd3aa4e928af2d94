"""The interface of action drivers: carry out one stored action, and return its outcome."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from invariants.spec.model import ActionKind

from ..findings.model import Finding
from ..response.plan import Action, ActionMode

OutcomeKind = Literal["done", "superseded", "started", "busy", "retry", "failed"]
OUTCOMES: tuple[OutcomeKind | Literal["would", "held"], ...] = (
    "done",
    "superseded",
    "started",
    "busy",
    "retry",
    "failed",
    "would",
    "held",
)


class Order(msgspec.Struct, frozen=True):
    """An action to carry out, with the finding that it is about; `attempts` were made before."""

    action: Action
    finding: Finding
    attempts: int = 0


class Outcome(msgspec.Struct, frozen=True):
    """The outcome of an attempt.

    `done`: it took effect. `superseded`: a stronger record is already in force, and nothing was
    done. `started`: it is in progress, and `finished` will return its outcome. `busy`: it was not
    attempted. `retry`: it failed; both mean to retry after `retry_after_ns`. `failed`: it failed
    and will not be retried.
    """

    kind: OutcomeKind
    detail: str = ""
    retry_after_ns: int = 0


class Done(msgspec.Struct, frozen=True):
    """One attempt, for metrics and for tests. `detail` holds no secret."""

    id: str
    kind: ActionKind
    mode: ActionMode
    outcome: OutcomeKind
    detail: str


class ActionDriver(Protocol):
    """Carries out the actions of one kind on one sort of target.

    An action may be handed over again after a crash: taking effect twice must do no harm.
    """

    def carry_out(self, order: Order) -> Outcome:
        """Try once. An external failure is an outcome, never an exception."""

    def finished(self) -> list[tuple[str, Outcome]]:
        """Ids and outcomes of actions that were `started` and have ended."""

    def close(self) -> None:
        """Let go of threads and sockets. Safe to call twice."""
