"""The interface of every detector: a frozen state and an event in, a state and perhaps a score out.

A detector reads no clock, file or random source, keeps nothing between calls, and takes no action:
it only scores. Its state is bounded, and its bytes contain a version, so that it can be stored in
the same checkpoint as the states of invariants. The caller decides the consequences of a score.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

import msgspec

from invariants.model.errors import InterlockError
from invariants.model.event import Event

State = TypeVar("State")


class ModelError(InterlockError):
    """A model that is not usable: damaged, foreign, of another version, or trained on too
    little.
    """


class Reason(msgspec.Struct, frozen=True):
    """One feature that contributed to a score.

    `share` is its contribution to the score; `usual` contains the bounds of the middle 90 % of the
    scored moments in training.
    """

    feature: str
    meaning: str
    unit: str
    value: float
    usual: tuple[float, float]
    share: float


class Score(msgspec.Struct, frozen=True):
    """A detector's result for a session at one event.

    `value` has no unit: 0 is the mean of the moments in training, and larger values are less usual.
    `threshold` is None if too few sessions were available for calibration. `is_alarm` is True at
    most once per session: where the threshold is first exceeded. It comes with `p_value`, an upper
    bound of the share of ordinary sessions that ever reach such a value, and `reasons`, the
    features with the largest contributions.
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
        """The state before a session's first event; `is_whole` is False if some events were missed.
        Then the session is not scored, since the threshold is for whole sessions.
        """

    def step(self, state: State, event: Event) -> tuple[State, Score | None]:
        """Process one event. A score comes with each action; the cost does not depend on earlier
        events.
        """

    def encode(self, state: State) -> bytes:
        """The state as bytes, with the version of their form."""

    def decode(self, data: bytes) -> State:
        """Decode a state. Raises `StateError` if the bytes are not a state of this detector."""
