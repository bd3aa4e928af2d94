"""What is suggested for a misplaced operator of the future forbids the same traces.

A formula that is refused (E405) has a meaning all the same: the reference interprets any. On all
small traces that are over, the formula as it was written is violated somewhere exactly where the
suggested one is. Where, may differ: at what must not come, or at what it must not come after.
"""

from __future__ import annotations

import re
from itertools import product

import pytest

from invariants.check.safety import check_formula
from invariants.formula.parser import parse_formula
from invariants.model.fact import Fact, Truth
from invariants.model.trace_point import TracePoint
from invariants.reference import judge
from invariants.spec.model import InvariantSpec
from tests.laws.conftest import IS_LONG
from tests.support.engines import make_invariant, make_moment

SECOND_NS = 1_000_000_000
GAPS_NS = (0, SECOND_NS, 3 * SECOND_NS)
TRUE = Fact(Truth.TRUE, {})
LATE_NS = 1_000 * SECOND_NS

REFUSED = (
    "never: p and eventually q",
    "never: p and eventually[2s] q",
    "never: p and eventually[1s, 3s] q",
    "never: eventually[2s] q and p",
    "never: p and r and eventually[2s] (q and not r)",
    "never: p and next q",
    "never: p and next[1s, 3s] q",
    "never: p and always q",
    "never: p and always[2s] q",
    "never: p and r and always[1s, 3s] not q",
    "never: eventually q",
    "never: eventually[2s] (p and q)",
    "always: always p",
    "always: always[2s] (p or q)",
    "always: p implies not eventually[2s] q",
    "always: p implies not eventually[1s, 3s] not q",
    "always: p implies not always[2s] q",
    "always: p implies not next q",
)
ONE_IN = 1 if IS_LONG else 7


def _stated(text: str) -> InvariantSpec:
    form, formula = text.split(": ", 1)
    assert form in ("never", "always")
    return make_invariant("never" if form == "never" else "always", parse_formula(formula))


def _traces() -> list[list[TracePoint]]:
    letters = [
        {name: TRUE for name, holds in zip("pqr", truths, strict=True) if holds}
        for truths in product((False, True), repeat=3)
    ]
    traces = []
    for count in (1, 2, 3):
        for facts in product(letters, repeat=count):
            for gaps in product(GAPS_NS, repeat=count - 1):
                times = [sum(gaps[:i]) for i in range(count)]
                traces.append(
                    [
                        make_moment(i, times[i], facts[i], is_session_end=i == count - 1)
                        for i in range(count)
                    ]
                )
    return traces


TRACES = _traces()[::ONE_IN]


def _is_violated(invariant: InvariantSpec, trace: list[TracePoint]) -> bool:
    verdicts = judge(invariant, trace, ticked_to_ns=LATE_NS).values()
    assert set(verdicts) <= {"holds", "violated"}
    return "violated" in verdicts


@pytest.mark.parametrize("refused", REFUSED)
def test_the_suggested_form_forbids_the_same(refused: str) -> None:
    """`never: p and eventually[5m] q` is not mended to what demands that q comes."""
    written = _stated(refused)
    (fault,) = check_formula(written, "")
    assert fault.code == "E405"
    suggested = re.fullmatch(r"write `((?:never|always): [^`]+)`", fault.mend)
    assert suggested is not None, fault.mend
    mended = _stated(suggested[1])
    assert check_formula(mended, "") == []
    for trace in TRACES:
        assert _is_violated(written, trace) == _is_violated(mended, trace), (suggested[1], trace)
