"""The tables of docs/detection.md: recorded sessions in, Markdown out.

The recordings are those that `../shared/data/README.md` describes, with labels next to them. All
random choices use seeds counted from 0, so that a second run gives the same tables (except for the
cost of an event).
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np

from detectors.bloom import KEY_BYTES, Words
from detectors.detector import ModelDetector
from detectors.model_file import encode_model
from detectors.training import (
    TrainingOptions,
    folds,
    largest_score,
    observe,
    train,
)
from invariants.model.errors import ConfigError
from invariants.model.event import Event, Origin
from monitor.bench.detector import (
    FOLDS_COUNT,
    LabelledSession,
    Scores,
    grouped,
    score_split,
    score_with,
)
from monitor.bench.detector_figures import figures, share_above
from monitor.detection.training_data import read_labels
from monitor.ingest.decode import decode_event

KEY: Final = bytes(KEY_BYTES)
LABELS_FILE: Final = "labels.jsonl.gz"
FALSE_ALARMS: Final = 0.05
TIMED_SESSIONS: Final = 500


@dataclass(frozen=True, slots=True)
class Recorded:
    """Everything that is measured on, and the events of some sessions for the clock."""

    sessions: Sequence[LabelledSession]
    timed: Sequence[Sequence[Event]]

    def of(self, *suites: str) -> list[LabelledSession]:
        return [s for s in self.sessions if s.label["suite"] in suites]

    def suites(self, source: str) -> list[str]:
        return sorted({s.label["suite"] for s in self.sessions if s.label["source"] == source})


def load(folder: str) -> Recorded:
    """All labelled sessions of a folder. Raises ConfigError."""
    labels = read_labels(str(Path(folder) / LABELS_FILE))
    words, sessions = Words(KEY), []
    timed: list[list[Event]] = []
    for events in _sessions(folder):
        label = labels.get(events[0].session)
        if label is not None:
            sessions.append(LabelledSession(events[0].session, label, observe(words, events)))
            if len(timed) < TIMED_SESSIONS:
                timed.append(events)
    if not sessions:
        raise ConfigError(f"`{folder}` holds no session that its `{LABELS_FILE}` names")
    return Recorded(sessions, timed)


def _sessions(folder: str) -> Iterator[list[Event]]:
    """Sessions one by one; in these files a session's lines are consecutive."""
    for path in sorted(Path(folder).glob("*.jsonl.gz")):
        if path.name == LABELS_FILE:
            continue
        with gzip.open(path) as lines:
            decoded = (
                decode_event(line.rstrip(b"\n"), Origin(path.name, "0", number))
                for number, line in enumerate(lines)
            )
            events = (event for event in decoded if isinstance(event, Event))
            for _, session in groupby(events, key=lambda event: event.session):
                yield list(session)


def report(recorded: Recorded, seeds_count: int, say: Callable[[str], None]) -> None:
    """All tables, section by section."""
    parts = [[suite] for source in ("agentdojo", "agentdyn") for suite in recorded.suites(source)]
    wholes = [(source, recorded.suites(source)) for source in ("agentdojo", "agentdyn")]
    rows = [(suites[0], suites) for suites in parts]
    rows += [(f"all of {name}", suites) for name, suites in wholes if suites]
    scored = [(name, recorded.of(*suites)) for name, suites in rows]
    splits = {
        name: [score_split(sessions, seed) for seed in range(seeds_count)]
        for name, sessions in scored
    }
    _say_found(scored, splits, say)
    _say_parts(scored, splits, say)
    _say_others(scored, splits, say)
    _say_strangers(recorded, seeds_count, say)
    _say_calibrated(recorded, seeds_count, say)
    _say_cost(recorded, say)


def _head(*names: str) -> str:
    """The first two lines of a table."""
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}"


Scored = Sequence[tuple[str, list[LabelledSession]]]
Splits = dict[str, list[Scores]]


def _say_found(scored: Scored, splits: Splits, say: Callable[[str], None]) -> None:
    say(_head("suite", "ordinary", "attacks", "AUC", "found at 1 %", "found at 5 %"))
    for name, sessions in scored:
        of = figures(sessions, splits[name], "whole")
        counts = f"{sum(s.is_ordinary for s in sessions)} | {sum(s.is_attack for s in sessions)}"
        say(f"| {name} | {counts} | {of.auc} | {of.found_at[0]} | {of.found_at[1]} |")


def _say_parts(scored: Scored, splits: Splits, say: Callable[[str], None]) -> None:
    say("")
    say(_head("suite", "whole", "forest", "rarity", "rarity without results", "plain forest"))
    for name, sessions in scored:
        cells = []
        for scorer in ("whole", "forest", "rarity", "actions", "plain"):
            of = figures(sessions, splits[name], scorer)
            cells.append(f"{of.auc.mean:.3f}, {of.found_at[0].mean:.2f}, {of.found_at[1].mean:.2f}")
        say(f"| {name} | {' | '.join(cells)} |")


def _say_others(scored: Scored, splits: Splits, say: Callable[[str], None]) -> None:
    say("")
    say(_head("suite", "attacks that failed", "denial of service", "the user asks for the same"))
    for name, sessions in scored:
        failed = [
            s
            for s in sessions
            if s.label["attack_kind"] == "injection" and s.label["attack_succeeded"] is False
        ]
        denial = [s for s in sessions if s.label["attack_kind"] == "dos"]
        hard = [s for s in sessions if s.label["benign_kind"] not in (None, "user_task")]
        cells = [
            f"{share_above(sessions, chosen, splits[name]):.3f} of {len(chosen)}" if chosen else "-"
            for chosen in (failed, denial, hard)
        ]
        say(f"| {name} | {' | '.join(cells)} |")


def _say_strangers(recorded: Recorded, seeds_count: int, say: Callable[[str], None]) -> None:
    say("")
    say(_head("trained on the rest, tested on", "AUC", "found at 1 %", "found at 5 %"))
    suites = recorded.suites("agentdojo")
    sessions = recorded.of(*suites)
    for model in sorted({s.label["model"] for s in sessions}):
        splits = [_other_models(sessions, model, seed) for seed in range(seeds_count)]
        tested = [s for s in sessions if s.label["model"] == model]
        of = figures(tested, splits, "whole")
        say(f"| model {model} | {of.auc} | {of.found_at[0]} | {of.found_at[1]} |")
    for suite in suites:
        tested = recorded.of(suite)
        others = grouped(s for s in sessions if s.is_ordinary and s.label["suite"] != suite)
        splits = [score_with(others, tested, seed) for seed in range(seeds_count)]
        of = figures(tested, splits, "whole")
        say(f"| suite {suite} | {of.auc} | {of.found_at[0]} | {of.found_at[1]} |")


def _other_models(sessions: Sequence[LabelledSession], model: str, seed: int) -> Scores:
    """Sessions of one model, scored by heads of other models' sessions of other tasks."""
    ordinary = grouped(s for s in sessions if s.is_ordinary and s.label["model"] != model)
    scores: Scores = {}
    for fitted, held_back in folds(ordinary, FOLDS_COUNT, seed):
        tasks = {session.group for session in held_back}
        tested = [s for s in sessions if s.label["model"] == model and s.task in tasks]
        scores |= score_with(fitted, tested, seed)
    return scores


def _say_calibrated(recorded: Recorded, seeds_count: int, say: Callable[[str], None]) -> None:
    say("")
    say(_head("calibrated at 5 %", "method", "groups", "false alarms", "attacks alarmed"))
    for source in ("agentdojo", "agentdyn", "taubench"):
        suites = recorded.suites(source)
        for method in ("split", "cross"):
            options = TrainingOptions(FALSE_ALARMS, method, "task")
            groups, false, true = _alarms(recorded.of(*suites), options, seeds_count)
            alarmed = "-" if true is None else f"{true:.3f}"
            told = "uncalibrated" if false is None else f"{false:.3f}"
            say(f"| {source} | {method} | {groups} | {told} | {alarmed} |")


def _alarms(
    sessions: Sequence[LabelledSession], options: TrainingOptions, seeds_count: int
) -> tuple[int, float | None, float | None]:
    """Groups that calibrated, and the shares of ordinary sessions and of attacks that alarmed."""
    ordinary = grouped(session for session in sessions if session.is_ordinary)
    by_kind: tuple[list[bool], list[bool]] = ([], [])
    groups_count = 0
    for seed in range(seeds_count):
        for fitted, held_back in folds(ordinary, FOLDS_COUNT, seed):
            model = train(fitted, options, KEY, KEY)
            groups_count = model.calibration.groups_count
            threshold = model.calibration.threshold
            if threshold is None:
                return groups_count, None, None
            tasks = {session.group for session in held_back}
            for session in sessions:
                if session.task in tasks and (session.is_ordinary or session.is_attack):
                    score = largest_score(model.heads, model.baseline, session.observations)
                    by_kind[session.is_attack].append(score > threshold)
    true = float(np.mean(by_kind[1])) if by_kind[1] else None
    return groups_count, float(np.mean(by_kind[0])), true


def _say_cost(recorded: Recorded, say: Callable[[str], None]) -> None:
    ordinary = grouped(session for session in recorded.sessions if session.is_ordinary)
    model = train(ordinary, TrainingOptions(), KEY, KEY)
    detector = ModelDetector(model, KEY, "bench")
    taken_ns: list[int] = []
    scored_ns: list[int] = []
    state_bytes = 0
    for events in recorded.timed:
        state = detector.initial(is_whole=True)
        for event in events:
            begin_ns = time.perf_counter_ns()
            state, score = detector.step(state, event)
            (taken_ns if score is None else scored_ns).append(time.perf_counter_ns() - begin_ns)
        state_bytes = max(state_bytes, len(detector.encode(state)))
    say("")
    say(_head("", "p50", "p99"))
    for name, spans in (("an action, scored", scored_ns), ("any other event", taken_ns)):
        p50, p99 = np.quantile(spans, (0.5, 0.99)) / 1_000
        say(f"| {name} | {p50:.0f} us | {p99:.0f} us |")
    say(f"\nThe model has {len(encode_model(model))} bytes, the largest state {state_bytes}.")
