"""Flags of the command line: one that is given twice is refused, and a fault is told in a line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from invariants.model.errors import ConfigError
from monitor.cli.__main__ import build_parser, main
from monitor.cli.arguments import whole_number

ROOT = Path(__file__).resolve().parents[2]
MAY_REPEAT = {"--benign", "--only"}
VALUE = "1"
VALUES = {"--false-alarms": "0.1"}

Flag = tuple[tuple[str, ...], argparse.Action]


def _flags(parser: argparse.ArgumentParser, verb: tuple[str, ...] = ()) -> Iterator[Flag]:
    """Every flag that takes a value or has an opposite, with the verbs that lead to it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from _flags(inner, (*verb, name))
        elif action.option_strings and (
            action.nargs != 0 or isinstance(action, argparse.BooleanOptionalAction)
        ):
            yield verb, action


PARSER = build_parser()
FLAGS = list(_flags(PARSER))


def _given(action: argparse.Action, flag: str) -> list[str]:
    if action.nargs == 0:
        return [flag]
    if action.choices:
        return [flag, str(next(iter(action.choices)))]
    return [flag, VALUES.get(flag, VALUE)]


@pytest.mark.parametrize(
    ("verb", "action"), FLAGS, ids=[f"{'-'.join(v)}{a.option_strings[-1]}" for v, a in FLAGS]
)
def test_a_flag_given_twice_is_refused(verb: tuple[str, ...], action: argparse.Action) -> None:
    """Of two, argparse would drop the first: `--invariants a --invariants b` would watch b alone.

    Under any of its names, and a flag with its opposite too.
    """
    first, last = action.option_strings[0], action.option_strings[-1]
    arguments = [*verb, *_given(action, first), *_given(action, last)]
    if last in MAY_REPEAT:
        return
    with pytest.raises(ConfigError, match=f"`{last}` is given twice"):
        PARSER.parse_args(arguments)


def test_flags_were_found() -> None:
    """The test above goes through the settings of `run` and the flags of every verb."""
    names = {(verb[0], action.option_strings[-1]) for verb, action in FLAGS}
    assert {("run", "--invariants"), ("findings", "--limit"), ("run", "--no-trust-ts")} <= names


def test_a_second_call_starts_anew() -> None:
    """What one line gave says nothing of the next one that the same parser reads."""
    parser = build_parser()
    for _ in range(2):
        assert parser.parse_args(["findings", "list", "--limit", "3"]).limit == 3


@pytest.mark.parametrize("arguments", [[], ["chek"], ["run", "--no-such-flag"], ["graph"]])
def test_a_faulty_line_is_told_in_a_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The usage of `run` fills a screen; behind it nobody would find what is wrong."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "--help`" in told


@pytest.mark.parametrize("text", ["", "-1", "0", "1.5", "x", "٣", "1" * 19])
def test_what_is_not_a_whole_number_is_refused(text: str) -> None:
    """A limit of 0, below 0, or beyond what SQLite holds, was taken for another one."""
    with pytest.raises(argparse.ArgumentTypeError, match="of at least 1"):
        whole_number(1)(text)


def test_a_cut_list_of_findings_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`50 finding(s)` would read as if there were no more."""
    file = ROOT / "fixtures" / "sessions" / "coding-1.jsonl.gz"
    rules = ROOT / "fixtures" / "invariants"
    state = ["--state-dir", str(tmp_path)]
    main(["run", "--invariants", str(rules), "--source", str(file), *state])
    capsys.readouterr()
    assert main(["findings", "list", *state]) == 0
    whole = capsys.readouterr()
    count = whole.out.count("\n") - 1
    assert count > 2 and whole.out.endswith(f"\n{count} finding(s)\n") and not whole.err
    for output in ("text", "json"):
        assert main(["findings", "list", "--limit", "2", "--output", output, *state]) == 0
        cut = capsys.readouterr()
        assert f"`--limit {count}` all" in cut.err
        assert output == "json" or cut.out.endswith(f"\n2 of {count} finding(s)\n")


def test_what_the_system_refuses_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that cannot be used is told by its name, without a number of the system."""
    topic = tmp_path / "interlock.control"
    topic.touch()
    assert main(["control", "kill", "global", "--source", f"log:{tmp_path}"]) == 3
    told = capsys.readouterr().err
    assert told.startswith(f"interlock: `{topic}` cannot be used: ")
    assert "Errno" not in told
