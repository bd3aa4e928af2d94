"""A gate whose process ends at any moment, and which its agents ask again.

with killed(moments):        the process ends at drawn places: around each write of the log, around
    survived(played, act)    each commit of the store, in a recovery, and before an answer arrives
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from typing import Any
from unittest.mock import patch

from monitor.gate.errors import ConflictError, UnknownError
from monitor.gate.log import GateLog
from monitor.gate.recorder import Recorder
from monitor.gate.wire import Answer
from monitor.store.store import Store
from tests.support.asked import Act, Played
from tests.support.gate import KilledError


class Moments:
    """When the process ends; `met` counts where."""

    def __init__(self, random: Random, rate: float) -> None:
        self._random, self._rate = random, rate
        self.met: Counter[str] = Counter()

    def pass_by(self, place: str) -> None:
        """End here, perhaps."""
        if self._random.random() < self._rate:
            self.met[place] += 1
            raise KilledError(place)


@contextmanager
def killed(moments: Moments) -> Iterator[None]:
    """Let the process of each gate end at these moments."""
    with ExitStack() as stack:
        for owner, name in ((GateLog, "append"), (Store, "commit"), (Recorder, "take_again")):
            around = _around(getattr(owner, name), f"{owner.__name__}.{name}", moments)
            stack.enter_context(patch.object(owner, name, around))
        yield


def _around(call: Callable[..., Any], place: str, moments: Moments) -> Callable[..., Any]:
    def calling(*arguments: Any, **more: Any) -> Any:
        moments.pass_by(f"before {place}")
        result = call(*arguments, **more)
        moments.pass_by(f"after {place}")
        return result

    return calling


def survived(played: Played, act: Act, moments: Moments) -> Answer | None:
    """The answer to an act that is done again until one arrives."""
    is_again = False
    while True:
        try:
            answer = played.act(act)
            moments.pass_by("before the answer")
            return answer
        except KilledError:
            reopened(played)
            is_again = True
        except (ConflictError, UnknownError):
            assert is_again and act.what == "rule", "an operator decides once"
            return None


def reopened(played: Played) -> None:
    """Start the gate again, until it stays."""
    played.here.kill()
    while True:
        try:
            played.here.reopen()
            return
        except KilledError:
            played.here.kill()
