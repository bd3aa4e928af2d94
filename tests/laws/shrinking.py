"""A failing run made small: steps and facts are dropped as long as it still fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from invariants.model.trace_point import TracePoint
from tests.support.engines import Letter, Step, make_moment

Run = tuple[Step, ...]


def shrink_run(run: Run, is_wrong: Callable[[Run], bool]) -> Run:
    """A run that is wrong too, from which nothing more can be dropped."""
    smaller = next(filter(is_wrong, _smaller_runs(run)), None)
    while smaller is not None:
        run = smaller
        smaller = next(filter(is_wrong, _smaller_runs(run)), None)
    return run


def _smaller_runs(run: Run) -> Iterator[Run]:
    for index in range(len(run)):
        yield _renumbered((*run[:index], *run[index + 1 :]))
    for index, step in enumerate(run):
        if not isinstance(step, TracePoint):
            continue
        assert isinstance(step.letter, Letter)
        for predicate in step.letter:
            rest = {name: fact for name, fact in step.letter.items() if name != predicate}
            lesser = make_moment(
                step.position, step.time_ns, rest, is_session_end=step.is_session_end
            )
            yield (*run[:index], lesser, *run[index + 1 :])


def _renumbered(run: Run) -> Run:
    steps: list[Step] = []
    position = 0
    for step in run:
        if isinstance(step, TracePoint):
            assert isinstance(step.letter, Letter)
            is_end = step.is_session_end
            steps.append(make_moment(position, step.time_ns, step.letter, is_session_end=is_end))
            position += 1
        else:
            steps.append(step)
    return tuple(steps)
