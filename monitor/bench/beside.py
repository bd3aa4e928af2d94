"""Turns of a bench, in this checkout and in another one beside it.

A bench is a class whose `turn` measures one short stretch of its work. With `--beside PATH` the
same bench runs in a child process on the code of another checkout, turn by turn with ours, so that
a machine that slows down slows both. Only the bench itself is of this checkout there: this file,
run as a script, puts the other checkout first on the path and this folder in the place of its
`monitor.bench`.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, Self, TypeVar

import msgspec

Turn = dict[str, float]
"""Times in ns by name, and counts, of one turn."""

S = TypeVar("S", bound="Side")
HERE: Final = Path(__file__).resolve().parent


class Side(Protocol):
    """One bench on one checkout."""

    def turn(self, number: int) -> Turn | None:
        """Measure the next turn; None after the last."""


class Beside:
    """A bench in a child process, on the code of another checkout."""

    def __init__(self, checkout: Path, make: type[Side], arguments: Mapping[str, Any]) -> None:
        self._checkout = checkout
        request = {"module": make.__module__, "name": make.__name__, "arguments": arguments}
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and file)
            [sys.executable, "-P", str(HERE / "beside.py"), str(checkout.resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(checkout.resolve())},
        )
        self._ask(request)

    def turn(self, number: int) -> Turn | None:
        """The same turn there."""
        turn: Turn | None = self._ask(number)
        return turn

    def _ask(self, content: Any) -> Any:
        process = self._process
        assert process.stdin is not None and process.stdout is not None, "both are pipes"
        try:
            process.stdin.write(msgspec.json.encode(content) + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # The answer is missing too.
        if not (line := process.stdout.readline()):
            raise _refused(f"the bench does not run on the code in `{self._checkout}`")
        return msgspec.json.decode(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None, "pipes"
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def take_turns(
    make: type[S],
    arguments: Mapping[str, Any],
    beside: Path | None = None,
    arguments_beside: Mapping[str, Any] | None = None,
) -> tuple[S, list[Turn], list[Turn]]:
    """All turns of a bench here, and those of the other checkout, alternating.

    Raises
    ------
    ConfigError
        The bench does not run on the other checkout.
    """
    given = arguments if arguments_beside is None else arguments_beside
    if beside is not None and not (beside / "monitor" / "bench" / "beside.py").is_file():
        raise _refused(f"`{beside}` is not a checkout of Interlock")
    turns: list[Turn] = []
    others: list[Turn] = []
    with ExitStack() as stack:
        other = stack.enter_context(Beside(beside, make, given)) if beside else None
        own = make(**arguments)
        gc.collect()
        gc.disable()
        stack.callback(gc.enable)
        while (turn := own.turn(len(turns))) is not None:
            turns.append(turn)
            if other is not None and (that := other.turn(len(others))) is not None:
                others.append(that)
    return own, turns, others


def _refused(text: str) -> Exception:
    # Not imported in the child, where modules of ours may have other names.
    from invariants.model.errors import ConfigError

    return ConfigError(text)


def _serve() -> None:
    """The child: one bench, whose turns are requested line by line."""
    sys.path.insert(0, sys.argv[1])
    package = import_module("monitor.bench")
    package.__path__[:] = [str(HERE)]
    names = import_module("monitor.bench.older_names")
    names.stand_in(names.OLDER)
    request = msgspec.json.decode(sys.stdin.buffer.readline())
    side: Side = getattr(import_module(request["module"]), request["name"])(**request["arguments"])
    gc.collect()
    gc.disable()
    _answer(None)
    for line in sys.stdin.buffer:
        _answer(side.turn(int(line)))


def _answer(content: Any) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(content) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    _serve()
