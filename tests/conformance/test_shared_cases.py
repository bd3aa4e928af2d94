"""The command line over inputs that were once judged wrongly, read where they lie.

They lie beside the project, in `cases`; `fixtures/inputs` has siblings of them. The verdicts of the
packs on the others are in `test_pack_cases.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from fixtures.packs_measure import DATA
from monitor.cli.__main__ import main
from tests.conftest import require_or_skip

CASES = DATA.parents[1] / "cases"


class Case(NamedTuple):
    """A command on a file of `cases`, with its exit code and what its output contains."""

    arguments: tuple[str, ...]
    exit: int
    contains: tuple[str, ...]
    lacks: tuple[str, ...] = ()


RUN_PACKS = ("run", "--invariants", "pack:default", "--source")
EXPECTED = {
    "h08": Case(
        ("run", "--invariants", "h08*/invariants.yaml", "--source", "h08*/events.jsonl"),
        1,
        ("paid-in-10m violated in unpaid at unpaid/0",),
    ),
    "h09": Case((*RUN_PACKS, "h09*/events.jsonl"), 4, ("transcript", "not events")),
    "h10": Case(
        ("replay", "h10*/events.jsonl"), 2, ("there is nothing to replay",), ("Traceback",)
    ),
    "h11": Case(
        (*RUN_PACKS, "h11*/events.jsonl"),
        1,
        ("the same doubt concerns", "in noargs"),
        ("in ok-venv at", "in ok-bin at", "in ok-timeout at"),
    ),
    "h12": Case((*RUN_PACKS, "h12*/events.jsonl"), 1, ("60 events, 1 finding,",)),
    "h13": Case(
        ("run", "--invariants", "h13*/invariants.yaml", "--source", "h13*/events.jsonl"),
        1,
        ("within-its-budget violated in bad at bad/2", "6 events, 1 finding,"),
    ),
    "h16": Case((*RUN_PACKS, "h16*/events.jsonl"), 4, ("milliseconds",), ("violated",)),
    "h19": Case(
        ("run", "--invariants", "pack:approval", "--source", "h19*/events.jsonl"),
        1,
        ("times go back at line 9", "--sort orders them"),
        (" gap ", "in ordered at"),
    ),
    "h19, sorted": Case(
        ("run", "--sort", "--invariants", "pack:approval", "--source", "h19*/events.jsonl"),
        0,
        ("0 findings",),
    ),
    "records": Case(
        (*RUN_PACKS, "newcomer/bad_records.jsonl"),
        4,
        ("seq: missing", "ts: missing", "not a whole number", "no time zone", "is seconds"),
    ),
    "inline": Case(("check", "newcomer/inline.yaml"), 2, ("E418", 'p: tool == "pay"')),
    "typokind": Case(("check", "newcomer/typokind.yaml"), 0, ("W506", "write `tool.requested`")),
    "units": Case(("check", "newcomer/units.yaml"), 2, ("E304", "write `10m`")),
}


def _found(argument: str) -> str:
    """The path of a file of `cases`; another argument as it is."""
    if "/" not in argument:
        return argument
    paths = sorted(CASES.glob(argument))
    if not paths:
        require_or_skip("data", f"cases/{argument} is not beside the project")
    return str(paths[0])


@pytest.mark.data
@pytest.mark.parametrize("name", EXPECTED)
def test_what_was_once_wrong(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code and the words are those that each `expected.md` asks for."""
    case = EXPECTED[name]
    monkeypatch.chdir(tmp_path)
    code = main([_found(argument) for argument in case.arguments])
    out, err = capsys.readouterr()
    assert code == case.exit, out + err
    for text in case.contains:
        assert text in out + err
    for text in case.lacks:
        assert text not in out + err
