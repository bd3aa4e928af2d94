"""Every place of the program that tells a fault of a file has a golden file that comes by it.

A code can be given in several places, each with a text of its own; a list of codes would not notice
a text that nobody has seen. Here all golden files are read, and the lines of those places watched.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

from invariants.check.specs import read_specs
from invariants.model.errors import SpecError
from invariants.spec.lists import OpenList, no_list_files
from tests.golden import test_large
from tests.golden.test_diagnostics import BAD, GOOD, PROJECT, read_golden

ROOM: Final = PROJECT / "invariants"
TELLING: Final = {"Fault", "FormulaFault", "SyntaxFault"}
"""What a fault is made by; `shape.add(...)` and its like are found by their codes."""
ELSEWHERE: Final = (
    # Held by test_large.py, word for word; to watch how those files are read would take too long.
    "split it into several files",
    "this file has more than {NODES_MAX} values",
    "keep long traces as recordings",
    "'RE2 refuses this pattern', 'shorten it'",
    # Told of expressions that are no part of a file: YAML has refused it before.
    "half of a surrogate pair is not a character",
)
Trace = Callable[[FrameType, str, Any], Any]


def places() -> Iterator[tuple[str, range, range]]:
    """Where faults are told: file, the lines of the function, and those of the call."""
    for path in sorted(ROOM.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Call) and _tells(node):
                        yield str(path), _lines(function), _lines(node)


def _lines(node: ast.FunctionDef | ast.Call) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _tells(call: ast.Call) -> bool:
    if any(text in ast.unparse(call) for text in ELSEWHERE):
        return False
    function = call.func
    name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    if name in TELLING:
        # A fault that is made of another one is told where that one was made.
        return len(call.args) > 1 and not any(isinstance(part, ast.Starred) for part in call.args)
    return any(_is_code(argument) for argument in call.args)


def _is_code(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return len(node.value) == 4 and node.value[0] in "EW" and node.value[1:].isdigit()
    return isinstance(node, ast.Name) and node.id.startswith("E_")


@contextmanager
def watched(lines: set[tuple[str, int]], seen: set[tuple[str, int]]) -> Iterator[None]:
    """Notes which of these lines are run; a function among them is watched as a whole."""

    def in_function(frame: FrameType, event: str, argument: Any) -> Trace:
        seen.add((frame.f_code.co_filename, frame.f_lineno))
        return in_function

    def at_call(frame: FrameType, event: str, argument: Any) -> Trace | None:
        code = frame.f_code
        return in_function if (code.co_filename, code.co_firstlineno) in lines else None

    before = sys.gettrace()
    sys.settrace(at_call)
    try:
        yield
    finally:
        sys.settrace(before)


def _read(text: str, open_list: OpenList = no_list_files) -> None:
    try:
        read_specs([("x.yaml", text)], open_list)
    except SpecError:
        return


def test_every_fault_is_told_of_a_golden_file() -> None:
    """A place that tells a fault, and that no golden file reaches, fails here by its line."""
    seen: set[tuple[str, int]] = set()
    texts = [*map(read_golden, (*BAD, *GOOD)), test_large.half_of_a_pair()]
    told = list(places())
    assert len(told) > 120, "the places were not found"
    functions = {(file, line) for file, function, _ in told for line in function}
    with watched(functions, seen):
        for text in texts:
            _read(text)
        for list_file in test_large.LIST_FILES:
            _read(test_large.list_file(), lambda file, name, text=list_file: text)
    missing = {
        f"{Path(file).relative_to(PROJECT)}:{lines[0]}"
        for file, _, lines in told
        if not any((file, number) in seen for number in lines)
    }
    assert sorted(missing) == []
