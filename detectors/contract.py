"""What every detector obeys: a frozen state and an event in, a state and perhaps a score out.

A detector reads no clock, file or random source, keeps nothing between calls, and acts on
nothing: it scores. Its state is bounded, and as bytes it carries a version, so that it can stand
in the same checkpoint as the states of invariants. Who calls it decides what a score leads to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from invariants.errors import InterlockError
from invariants.event import Event

State = TypeVar("State")


class ModelError(InterlockError):
    """A model that cannot be used: damaged, foreign, of another version, or made of too little."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One feature behind a score.

    `share` is what it added to the score; `usual` the bounds between which the middle 90 % of the
    scored moments in training lay.
    """

    feature: str
    meaning: str
    unit: str
    value: float
    usual: tuple[float, float]
    share: float


@dataclass(frozen=True, slots=True)
class Score:
    """What a detector says of a session at one event.

    `value` has no unit: 0 is the mean of the moments in training, larger is stranger. `threshold`
    is None where too few sessions calibrated. `is_alarm` is True once a session at most: where the
    threshold is first passed. With it come `p_value`, the share of ordinary sessions that ever
    reach such a value (from above), and `reasons`, the features that added most.
    """

    value: float
    threshold: float | None
    p_value: float | None
    is_alarm: bool
    reasons: tuple[Reason, ...] = ()


class Detector(Protocol, Generic[State]):
    """The few verbs of a detector."""

    @property
    def digest(self) -> str:
        """Names the model: its states and findings are its own."""

    def initial(self, *, is_whole: bool) -> State:
        """The state before a session's first event; `is_whole` False where some went by unseen,
        and then the session is not scored: it would be held against whole ones.
        """

    def step(self, state: State, event: Event) -> tuple[State, Score | None]:
        """Take in one event. A score comes with each action; the cost does not depend on what came
        before.
        """

    def encode(self, state: State) -> bytes:
        """The state as bytes, with the version of their form."""

    def decode(self, data: bytes) -> State:
        """The state again. Raises `StateError` where the bytes are no state of this one."""
