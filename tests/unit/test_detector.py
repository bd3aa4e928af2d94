"""The detector as the contract asks: frozen states, scores, one alarm, and what is behind it."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from detectors.bloom import Words
from detectors.contract import ModelError, Score
from detectors.detector import DetectorState, ModelDetector
from detectors.explain import explain
from detectors.features import FEATURES
from detectors.model_file import encode_model
from detectors.training import (
    GroupedSession,
    TrainingOptions,
    fit_heads,
    folds,
    largest_score,
    observe,
    rows,
    train,
)
from invariants.codec.state import StateError
from invariants.model.event import Event
from tests.support.detection import (
    KEY,
    KEY_DIGEST,
    SessionBuilder,
    hijacked,
    ordinary,
    small_detector,
    small_model,
    training_sessions,
)


def run(
    detector: ModelDetector, events: list[Event], state: DetectorState | None = None
) -> list[Score]:
    state = state or detector.initial(is_whole=True)
    scores = []
    for event in events:
        state, score = detector.step(state, event)
        if score is not None:
            scores.append(score)
    return scores


def test_a_hijacked_session_alarms_once_and_ordinary_ones_rarely() -> None:
    """At most one alarm a session, at the first score above the threshold."""
    detector = small_detector()
    scores = run(detector, hijacked("h"))
    assert [score.is_alarm for score in scores].count(True) == 1
    first = next(score for score in scores if score.threshold and score.value > score.threshold)
    assert first.is_alarm
    random = Random(99)
    alarmed = sum(
        any(score.is_alarm for score in run(detector, ordinary(f"o{n}", random)))
        for n in range(200)
    )
    assert alarmed <= 20


def test_an_alarm_names_what_is_behind_it() -> None:
    """Features with values and what is usual, the largest share first, all of them upwards."""
    alarm = next(score for score in run(small_detector(), hijacked("h")) if score.is_alarm)
    names = {reason.feature for reason in alarm.reasons}
    assert names & {"tool_surprise_max", "tools_unknown_count", "result_size_max"}
    shares = [reason.share for reason in alarm.reasons]
    assert shares == sorted(shares, reverse=True)
    assert min(shares) > 0
    assert all(reason.usual[0] <= reason.usual[1] for reason in alarm.reasons)
    assert alarm.p_value is not None and 0 < alarm.p_value <= 0.05


@pytest.mark.parametrize("seed", range(5))
def test_shares_add_up_to_the_score(seed: int) -> None:
    """Over all features; one row, many rows and the shares say the same."""
    model = small_model()
    observations = observe(Words(KEY), ordinary("s", Random(seed)))
    made = list(rows(observations, model.baseline))
    for row, value in zip(made, model.heads.values(made), strict=True):
        assert model.heads.value(row) == pytest.approx(value, abs=1e-9)
        assert model.heads.shares(row).sum() == pytest.approx(value, abs=1e-9)
        told = explain(model.heads, row, len(FEATURES))
        upwards = [share for share in model.heads.shares(row) if share > 0]
        assert sum(reason.share for reason in told) == pytest.approx(sum(upwards))


@pytest.mark.parametrize("cut", range(9))
def test_a_state_goes_through_bytes(cut: int) -> None:
    """Written and read at any event, it scores as if nothing had been."""
    detector, events = small_detector(), hijacked("h")
    state = detector.initial(is_whole=True)
    scores = []
    for number, event in enumerate(events):
        if number == cut:
            state = small_detector().decode(detector.encode(state))
        state, score = detector.step(state, event)
        scores += [score] if score is not None else []
    assert scores == run(detector, events)


def test_a_step_changes_no_state() -> None:
    """The state before stays good: replay goes back to it."""
    detector, events = small_detector(), hijacked("h")
    state = detector.initial(is_whole=True)
    before = detector.encode(state)
    for event in events:
        detector.step(state, event)
    assert detector.encode(state) == before


def test_a_session_whose_beginning_went_by_is_not_scored() -> None:
    """The threshold speaks of whole sessions, so nothing is said of half ones."""
    detector = small_detector()
    assert run(detector, hijacked("h"), detector.initial(is_whole=False)) == []


def test_sessions_do_not_touch_each_other() -> None:
    """Events of others in between change no score."""
    detector, random = small_detector(), Random(1)
    ours, others = hijacked("h"), ordinary("o", random)
    states = {"h": detector.initial(is_whole=True), "o": detector.initial(is_whole=True)}
    scores = []
    for pair in zip(ours, others, strict=False):
        for event in pair:
            states[event.session], score = detector.step(states[event.session], event)
            if score is not None and event.session == "h":
                scores.append(score)
    assert scores == run(detector, ours)[: len(scores)]
    assert scores


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x01", b"\x02" + b"\x90", b"\x01\xc1", b"\x01\x91\x91\xc4\x00"]
)
def test_what_is_no_state_is_refused(data: bytes) -> None:
    """Another version, torn bytes, bitmaps of another size: never taken for a clean slate."""
    with pytest.raises(StateError):
        small_detector().decode(data)


def test_without_enough_sessions_nothing_is_an_alarm() -> None:
    """Uncalibrated: scores, and no threshold; the model says how many groups are missing."""
    model = train(training_sessions(20), TrainingOptions(), KEY, KEY_DIGEST)
    assert model.calibration.missing_groups == 9
    scores = run(ModelDetector(model, KEY, "m"), hijacked("h"))
    assert scores and not any(score.is_alarm for score in scores)
    assert {score.threshold for score in scores} == {None}


def test_training_is_repeatable() -> None:
    """The same sessions, options and key give the same file; another seed another one."""
    sessions = training_sessions(40)
    made = [
        encode_model(train(sessions, TrainingOptions(seed=seed), KEY, KEY_DIGEST))
        for seed in (1, 1, 2)
    ]
    assert made[0] == made[1] != made[2]


def test_cross_calibration_uses_every_group() -> None:
    """Half as many groups suffice, where all of them calibrate."""
    options = TrainingOptions(calibration="cross")
    model = train(training_sessions(24), options, KEY, KEY_DIGEST)
    assert model.calibration.groups_count == 24
    assert model.calibration.threshold is not None


def test_folds_keep_groups_together() -> None:
    """No group stands on both sides of a cut, and every session is held back once."""
    sessions = [GroupedSession(f"g{n % 7}", [n]) for n in range(40)]  # type: ignore[list-item]
    held: list[GroupedSession] = []
    for fitted, held_back in folds(sessions, 3, seed=4):
        assert not {s.group for s in fitted} & {s.group for s in held_back}
        assert len(fitted) + len(held_back) == len(sessions)
        held += held_back
    assert sorted(s.observations[0] for s in held) == list(range(40))  # type: ignore[type-var]


def test_too_little_to_learn_from_is_told() -> None:
    """Too few groups, or no actions: an error that says so."""
    with pytest.raises(ModelError, match="3 groups"):
        train(training_sessions(3), TrainingOptions(), KEY, KEY_DIGEST)
    quiet = observe(Words(KEY), SessionBuilder().add("message.user", text="hi").events)
    with pytest.raises(ModelError, match="no actions"):
        fit_heads([GroupedSession(f"g{n}", quiet) for n in range(9)], seed=0)


def test_the_largest_score_is_that_of_the_stream() -> None:
    """Calibration sees what the stream will see."""
    detector, model = small_detector(), small_model()
    for events in (hijacked("h"), ordinary("o", Random(5))):
        largest = largest_score(model.heads, model.baseline, observe(Words(KEY), events))
        assert max(score.value for score in run(detector, events)) == pytest.approx(largest)


def test_a_model_keeps_its_meaning_without_its_key() -> None:
    """The key is given beside it: scores are the same."""
    bare = ModelDetector(replace(small_model(), key=None), KEY, "m")
    assert run(bare, hijacked("h")) == run(small_detector(), hijacked("h"))
