"""Each pattern stands for the formula that the language's definition gives it."""

import pytest

from invariants.check.specs import read_specs
from invariants.formula.ast import Formula
from invariants.formula.parser import parse_formula

HEAD = """version: 1
predicates:
  a: kind == "a"
  b: kind == "b"
  c: kind == "c"
  p:
    when: kind == "p"
    with:
      v: args.v
  q:
    when: kind == "q"
    with:
      v: args.v
invariants:
  - id: it
    severity: warning
    pattern:
      """

EXPANSIONS = {
    "requires_before: {action: p(v=x), precondition: q(v=x), within: 10m}": (
        "always: p(v=x) implies once[10m] q(v=x)"
    ),
    "requires_before: {action: a, precondition: b}": "always: a implies once b",
    "never_after: {action: a, trigger: b}": "never: a and once b",
    "never_after: {action: p(v=x), trigger: q(v=x), unless: p(v=x)}": (
        "never: p(v=x) and ((not p(v=x)) since q(v=x))"
    ),
    "at_most: {event: p(v=x), times: 3, within: 1m}": "always: count(p(v=x))[1m] <= 3",
    "at_most: {event: a, times: 0}": "always: count(a) <= 0",
    "responds: {trigger: p(v=x), response: q(v=x), within: 15m}": (
        "always: p(v=x) implies eventually[15m] q(v=x)"
    ),
    "exactly_once: {event: a}": (
        "always: (a implies count(a) <= 1) and (session_end implies count(a) == 1)"
    ),
    "mutually_exclusive: {a: a, b: b}": "never: (a and once b) or (b and once a)",
    "ordered: [a, b, c]": "never: (b and not once a) or (c and not once b)",
    "forbidden: {event: a}": "never: a",
}


def _stated(written: str) -> tuple[str, Formula]:
    specs, _ = read_specs([("pattern.yaml", HEAD + written)])
    return specs[0].invariants[0].form, specs[0].invariants[0].formula


@pytest.mark.parametrize(("written", "meant"), EXPANSIONS.items())
def test_a_pattern_is_its_formula(written: str, meant: str) -> None:
    """Form and formula are those of docs/language.md, Patterns."""
    form, _, text = meant.partition(": ")
    assert _stated(written) == (form, parse_formula(text))
