"""The detector of this version: applies a model, and implements `contract.py`.

Input: a frozen state and an event. Output: the state after it and, at each action, a score. The
first score of a session above the threshold is its alarm, and there is at most one: the rate of
false alarms is calibrated for sessions, and repeated alarms add no information.
"""

from __future__ import annotations

from typing import Final

import msgspec

from detectors.bloom import Words
from detectors.calibrate import NOTHING_SCORED
from detectors.contract import Score
from detectors.explain import explain
from detectors.features import FeatureCounts, advance, row
from detectors.model import Model
from detectors.observation import (
    RESULT_BITMAP_BYTES,
    USER_BITMAP_BYTES,
    Heard,
    Observation,
    ObservedAction,
    read,
)
from invariants.codec.state import StateError
from invariants.model.event import Event

STATE_VERSION: Final = 1


class DetectorState(msgspec.Struct, frozen=True, array_like=True):
    """The state of one session; 6 KB, whatever its length."""

    heard: Heard = Heard()
    tally: FeatureCounts = FeatureCounts()
    largest: float = NOTHING_SCORED
    """The largest score so far."""
    has_alarmed: bool = False
    is_whole: bool = True
    """True if it was seen from its first event."""


_START: Final = DetectorState()
_UNSEEN: Final = DetectorState(is_whole=False)
_decoder: Final = msgspec.msgpack.Decoder(DetectorState)


class ModelDetector:
    """See `contract.Detector`. Holds a model, and a cache of words."""

    def __init__(self, model: Model, key: bytes, digest: str) -> None:
        self._model = model
        self._words = Words(key)
        self._threshold = model.calibration.threshold
        self._digest = digest

    @property
    def digest(self) -> str:
        return self._digest

    @property
    def model(self) -> Model:
        """The inputs of its training."""
        return self._model

    def initial(self, *, is_whole: bool) -> DetectorState:
        return _START if is_whole else _UNSEEN

    def step(self, state: DetectorState, event: Event) -> tuple[DetectorState, Score | None]:
        if not state.is_whole:
            return state, None
        heard, observation = read(self._words, state.heard, event)
        if observation is None:
            return state, None
        return self._take(state, heard, observation)

    def encode(self, state: DetectorState) -> bytes:
        return bytes([STATE_VERSION]) + msgspec.msgpack.encode(state)

    def decode(self, data: bytes) -> DetectorState:
        if data[:1] != bytes([STATE_VERSION]):
            raise StateError(f"a detector's state has version {data[:1]!r}, not {STATE_VERSION}")
        try:
            state = _decoder.decode(data[1:])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StateError(f"a detector's state is damaged: {error}") from None
        sizes = len(state.heard.user_words), len(state.heard.result_words)
        if sizes != (USER_BITMAP_BYTES, RESULT_BITMAP_BYTES):
            raise StateError(f"a detector's state has bitmaps of {sizes} bytes")
        return state

    def _take(
        self, state: DetectorState, heard: Heard, observation: Observation
    ) -> tuple[DetectorState, Score | None]:
        tally = advance(state.tally, observation, self._model.baseline)
        if not isinstance(observation, ObservedAction):
            return DetectorState(heard, tally, state.largest, state.has_alarmed), None
        values = row(tally)
        value = self._model.heads.value(values)
        is_above = self._threshold is not None and value > self._threshold
        is_alarm = is_above and not state.has_alarmed
        after = DetectorState(
            heard, tally, max(state.largest, value), state.has_alarmed or is_above
        )
        score = Score(
            value=value,
            threshold=self._threshold,
            p_value=self._model.calibration.p_value(value) if is_alarm else None,
            is_alarm=is_alarm,
            reasons=explain(self._model.heads, values) if is_alarm else (),
        )
        return after, score
