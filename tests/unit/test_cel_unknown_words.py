"""Questions about the words of a shell text that the text alone does not decide."""

from __future__ import annotations

import pytest

from tests.support.cel import evaluate, fails

ASKED = (
    'shell_commands(tool).exists(c, c[0] == "rm")',
    'shell_commands(tool).exists(c, c[0].matches("^r"))',
    'shell_commands(tool).exists(c, c[0].startsWith("r"))',
    'shell_commands(tool).exists(c, c[0].contains("m"))',
    'shell_commands(tool).exists(c, glob_any(["r*"], c[0]))',
)


@pytest.mark.parametrize("asked", ASKED)
def test_what_depends_on_an_unknown_word_has_no_value(asked: str) -> None:
    """It is an error, and so unknown: never a no that nobody can give."""
    assert fails(asked, tool="$x -rf /")


@pytest.mark.parametrize("asked", ASKED)
def test_what_does_not_depend_on_it_has_one(asked: str) -> None:
    """Another command of the text answers the question."""
    assert evaluate(asked, tool="$x -rf /; rm -rf /") is True


def test_a_word_that_is_known_in_part_answers_what_its_parts_decide() -> None:
    """`a$x` begins with `a`, whatever the variable holds."""
    asked = 'shell_commands(tool).exists(c, c[1].startsWith("{}"))'
    assert evaluate(asked.format("a"), tool="ls a$x") is True
    assert evaluate(asked.format("b"), tool="ls a$x") is False
    assert fails(asked.format("ab"), tool="ls a$x")
