"""The gate's decision by the definition, of random invariants at a real gate.

Cases are drawn by seed (`tests/support/asked.py`). A failure shows the case, with the acts that are
needed for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from monitor.gate.decider import REASONS_MAX
from monitor.gate.wire import Answer, Reason
from tests.laws.conftest import CASES, FIRST_SEED
from tests.support.asked import Act, Case, Meant, Played, draw_case, meant_answer

CASES_HERE: Final = max(60, CASES // 6)

Law = Callable[[Case, Path, Counter[str]], str]
"""What is wrong with one case, or nothing; counts what it met."""


def check(law: Law, folder: Path) -> Counter[str]:
    """Every case keeps the law; the acts of one that does not are made few."""
    told: Counter[str] = Counter()
    for seed in range(FIRST_SEED, FIRST_SEED + CASES_HERE):
        case = draw_case(seed)
        wrong = law(case, folder / f"{seed}", told)
        if wrong:
            tries = iter(range(10_000))
            while (less := _smaller(law, case, folder, tries)) is not None:
                case, wrong = less
            pytest.fail(f"{wrong}\n{case.shown()}")
    print(dict(told))
    return told


def _smaller(law: Law, case: Case, folder: Path, tries: Iterator[int]) -> tuple[Case, str] | None:
    for number in range(len(case.acts)):
        less = replace(case, acts=(*case.acts[:number], *case.acts[number + 1 :]))
        wrong = law(less, folder / f"less-{next(tries)}", Counter())
        if wrong:
            return less, wrong
    return None


def decided_by_the_definition(case: Case, folder: Path, told: Counter[str]) -> str:
    """Each answer is the meant one, also that of a call that was approved."""
    played = Played(folder, case)
    played.begin()
    for act in case.acts:
        before = played.here.records()
        answer = played.act(act)
        if answer is None:
            continue
        meant = _meant(act, case, played, len(before))
        if meant is None:
            continue
        told[f"{act.what}: {answer.decision}"] += 1
        told["excepted"] += bool(answer.excepted)
        if not _is_meant(answer, meant):
            return f"{act}\n{answer}\nmeant {meant}"
    played.close()
    return ""


def _meant(act: Act, case: Case, played: Played, count: int) -> Meant | None:
    """The meant answer to what was asked, or asked again behind a grant; None if nothing was."""
    records, now_ns = played.here.records(), played.here.clock.time_ns
    if act.what == "ask":
        return meant_answer(case, records[:count], act.session, act.said, now_ns)
    *behind, last = records
    if behind[-1]["kind"] != "approval.granted":
        return None
    meant = meant_answer(case, behind, last["session"], last["args"], now_ns)
    return meant._replace(decision="deny" if meant.enforced else "allow")


def _is_meant(answer: Answer, meant: Meant) -> bool:
    return (
        answer.decision == meant.decision
        and _are_listed(answer.invariants, meant.enforced)
        and _are_listed(answer.would_deny, meant.observed)
    )


def _are_listed(reasons: list[Reason], meant: Counter[str]) -> bool:
    """One reason for each violation, up to a bound."""
    listed = Counter(reason.id for reason in reasons)
    return listed <= meant and listed.total() == min(meant.total(), REASONS_MAX)


def test_a_call_is_decided_by_the_definition(tmp_path: Path) -> None:
    """`answer != allow` iff `V(log + request) - V(log)` meets the enforced invariants, and `hold`
    iff behind an approval by an unknown operator nothing of it is certain, or was a doubt before.

    `V` are the violated anchors and bindings by the reference at the request's time, and `log` is
    what the gate has taken in so far: so calls that were refused change nothing for later ones,
    but for what invariants say of the refusal. Behind a grant, `hold` is `deny`. An invariant that
    an operator has excepted counts as one that is not enforced.
    """
    told = check(decided_by_the_definition, tmp_path)
    assert min(told[one] for one in ("ask: allow", "ask: deny")) > CASES_HERE // 2
    assert min(told["ask: hold"], told["rule: allow"]) > CASES_HERE // 10
    assert told["rule: deny"] and told["excepted"]
