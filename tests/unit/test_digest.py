"""An invariant's digest names what it refers to, read from parsed expressions and not from text."""

from __future__ import annotations

import pytest

from invariants.check.specs import read_specs
from invariants.image.compile import compile_program

TEXT = """\
version: 1
lists:
  host: [a.example]
  other: [x]
predicates:
  sends:
    when: {when}
    with:
      to: {to}
      unread: {unread}
invariants:
  - {{id: i, severity: info, never: 'sends(to=x) and once sends(to=x)'}}
"""
PLAIN = {"when": 'tool == "post"', "to": "args.to", "unread": "args.a"}


def digest(text: str) -> str:
    specs, _ = read_specs([("a.yaml", text)])
    return compile_program(specs).invariants[0].digest


def made(**parts: str) -> str:
    return TEXT.format(**{**PLAIN, **parts})


@pytest.mark.parametrize(
    ("when", "is_referred_to"),
    [
        ('args.hostname != ""', False),
        ('args.host != ""', False),
        ('text == "lists.host"', False),
        ("'tool == \"post\" // lists.host'", False),
        ("tool in lists.host", True),
        ("'tool in lists[\"host\"]'", True),
        ("has(lists.host)", True),
        ("tool in lists[text]", True),
        ("lists.exists(k, k == text)", True),
        ("tool in lists.other", False),
        ("'lists.other.exists(host, host == tool)'", False),
    ],
)
def test_a_list_is_in_the_digest_if_an_expression_names_it(when: str, is_referred_to: bool) -> None:
    """Or if which list is read is decided only at the event."""
    one = made(when=when)
    assert (digest(one) != digest(one.replace("a.example", "b.example"))) is is_referred_to


@pytest.mark.parametrize(
    ("when", "is_same"),
    [
        ("'tool  ==  \"post\"'", True),
        ("\"tool == 'post'\"", True),
        ('|\n      tool == // the tool\n      "post"', True),
        ("'(tool == \"post\")'", True),
        ("'\"post\" == tool'", False),
        ("'tool == \"post \"'", False),
        ("'tool != \"post\"'", False),
    ],
)
def test_the_layout_of_an_expression_is_not_in_the_digest(when: str, is_same: bool) -> None:
    """White space, comments, quotes and needless brackets are layout; strings are content."""
    assert (digest(made()) == digest(made(when=when))) is is_same


def test_literals_of_different_types_are_different() -> None:
    """1, 1.0, true and "1" are four values in CEL."""
    forms = [f"args.a == {literal}" for literal in ("1", "1.0", "true", "'1'")]
    assert len({digest(made(when=form)) for form in forms}) == 4


def test_a_value_that_the_formula_does_not_read_is_not_in_the_digest() -> None:
    """`with` may grow for another invariant's sake."""
    assert digest(made()) == digest(made(unread="args.b"))
    assert digest(made()) != digest(made(to="args.b"))
    aggregate = made().replace("sends(to=x) and once sends(to=x)", "sum(sends.unread)[1h] > 5")
    assert digest(aggregate) != digest(aggregate.replace("args.a", "args.b"))
    assert digest(aggregate) == digest(aggregate.replace("args.to", "args.b"))
