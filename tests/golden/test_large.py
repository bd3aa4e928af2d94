"""Invariant files too large to be kept: each is refused at once, with the fault that is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from invariants.check.specs import read_specs
from invariants.model.errors import SpecError

BEGIN: Final = "version: 1\npredicates:\n  p: kind == 'a'\n"
END: Final = "invariants:\n  - {id: a, severity: info, never: p}\n"


def _event(value: str) -> str:
    example = f"      - {{name: x, events: [{{kind: a, args: {value}}}]}}"
    invariant = f"  - id: a\n    severity: info\n    never: p\n    examples:\n{example}\n"
    return f"{BEGIN}invariants:\n{invariant}"


LARGE: Final[dict[str, tuple[Callable[[], str], str]]] = {
    "more than 1 MiB": (
        lambda: BEGIN + "#" * 2**20 + "\n" + END,
        "x.yaml:1:1: E202: this file has 1048667 bytes, and the maximum is 1048576",
    ),
    "1 MiB of four-byte characters": (
        lambda: BEGIN + "# " + "\U0001f600" * 2**18 + "\n" + END,
        "x.yaml:1:1: E202: this file has 1048669 bytes",
    ),
    "many values": (
        lambda: BEGIN.replace("predicates", "lists:\n  x: [" + "1," * 100_000 + "]\npredicates"),
        "x.yaml:3:199993: E202: this file has more than 100000 values",
    ),
    "many brackets": (
        lambda: BEGIN.replace("predicates", "lists:\n  x: " + "[" * 900_000 + "\npredicates"),
        "x.yaml:3:54: E202: more than 50 levels deep",
    ),
    "many levels of an event": (
        lambda: _event("[" * 400_000 + "]" * 400_000),
        "x.yaml:9:",
    ),
    "a long number": (
        lambda: _event("{n: " + "9" * 900_000 + "}"),
        "x.yaml:9:48: E202: this number has 900000 characters",
    ),
    "a long fraction": (
        lambda: _event("{n: 0." + "0" * 900_000 + "1}"),
        "x.yaml:9:48: E202: this number has 900003 characters",
    ),
    "a long exponent": (
        lambda: _event("{n: 1e" + "0" * 900_000 + "1}"),
        "x.yaml:9:48: E202: this number has 900003 characters",
    ),
    "a long number to the base of 16": (
        lambda: _event("{n: 0x" + "f" * 900_000 + "}"),
        "x.yaml:9:48: E202: this number has 900002 characters",
    ),
    "many aliases": (
        lambda: (
            BEGIN.replace("predicates", "lists:\n  x: [" + "*a," * 20_000 + "]\npredicates") + END
        ),
        "x.yaml:3:7: E211: ",
    ),
    "the same key many times": (
        lambda: BEGIN + "  p: true\n" * 10_000 + END,
        "x.yaml:4:3: E203: the key `p` is used twice",
    ),
    "events of an example": (
        lambda: (
            f"{BEGIN}invariants:\n  - id: a\n    severity: info\n    never: p\n    examples:\n"
            f"      - events: [{'{kind: a}, ' * 10_000}{{kind: a}}]\n"
        ),
        "x.yaml:9:17: E215: this example has 10001 events; the maximum is 10000",
    ),
    "spaces before a key": (
        lambda: BEGIN + " " * 900_000 + "q: true\n" + END,
        "x.yaml:4:",
    ),
    "a glob": (
        lambda: (
            f"version: 1\nlists:\n  long: ['{'?' * 900_000}']\n"
            f"predicates:\n  p: glob_any(lists.long, text)\n{END}"
        ),
        "x.yaml:5:20: E105: RE2 refuses this pattern",
    ),
    "a formula": (
        lambda: BEGIN + END.replace("never: p", f"never: '{'not ' * 20_000}p'"),
        "x.yaml:5:37: E306: this formula has 80001 characters",
    ),
    "brackets of a formula": (
        lambda: BEGIN + END.replace("never: p", f"never: '{'(' * 4_000}p{')' * 4_000}'"),
        "x.yaml:5:",
    ),
    "an expression": (
        lambda: BEGIN.replace("'a'", "'a'" + " || true" * 100_000) + END,
        "x.yaml:3:6: E107: an expression of",
    ),
    "a regular expression": (
        lambda: BEGIN.replace("kind == 'a'", f"text.matches('{'(' * 4_000}b{')*' * 2_000}')") + END,
        "x.yaml:3:",
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_file(name: str) -> None:
    """It is refused for its size or depth, without being worked through."""
    build, expected = LARGE[name]
    with pytest.raises(SpecError) as refused:
        read_specs([("x.yaml", build())])
    assert str(refused.value.faults[0]).startswith(expected)


def half_of_a_pair() -> str:
    """What no file can hold, and a program may hand over."""
    return BEGIN.replace("'a'", "'\ud800'") + END


def test_half_of_a_pair() -> None:
    """Text that is not Unicode is refused where it stands, and can be told."""
    with pytest.raises(SpecError) as refused:
        read_specs([("x.yaml", half_of_a_pair())])
    assert [fault.code for fault in refused.value.faults] == ["E212"]
    assert str(refused.value).encode()


LIST_FILES: Final = {
    "": "E206: the list `x`: its file is empty; write one item per line",
    "# nothing but this\n\n": "E206: the list `x`: its file is empty; write one item per line",
    "".join(f"{number}\n" for number in range(100_001)): (
        "E217: the list `x`: its file has 100001 items; the maximum is 100000; "
        "write patterns, or several lists"
    ),
}


@pytest.mark.parametrize("text", LIST_FILES, ids=["empty", "comments", "many items"])
def test_list_file(text: str) -> None:
    """A list out of a file has items, and not too many."""
    with pytest.raises(SpecError) as refused:
        read_specs([("x.yaml", list_file())], lambda file, name: text)
    assert [str(fault) for fault in refused.value.faults] == [f"x.yaml:3:13: {LIST_FILES[text]}"]


def list_file() -> str:
    """An invariant file whose list stands in another one."""
    return BEGIN.replace("predicates", "lists:\n  x: {file: x.txt}\npredicates") + END
