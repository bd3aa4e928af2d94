"""Random untimed formulas against LTLf and PPLTL automata: final verdicts, and when they are known.

An invariant without future is judged at each event: the automaton of its formula must accept the
trace up to there. One with a future operator at the top is judged where its trigger holds, on the
rest of the trace up to its end. Before the end, our verdict is pending as long as the automaton can
still come to both answers.

`INTERLOCK_LAWS_CASES` asks for more (a hundredth of it in formulas of each sort).
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from invariants.formula.ast import UNBOUNDED, Atom, Binary, Formula, Not, Temporal, Until
from invariants.model.fact import Fact, Truth
from tests.conformance.ltlf import WANTED, Dfa, automaton_of, is_installed
from tests.conformance.totals import Tally, begin
from tests.conftest import require_or_skip
from tests.support.cases import write_case
from tests.support.engines import Kernel, Step, final_verdicts, history, make_invariant, make_moment

FORMULAS_COUNT = int(os.environ.get("INTERLOCK_LAWS_CASES", "8000")) // 100
TRACES_COUNT = 12
SEED = 7
NAMES: Final = ("a", "b", "c")
HOLDS: Final = Fact(Truth.TRUE, {})
ENGINES: Final[tuple[Kernel, ...]] = ("machine", "reference")

Letters = list[frozenset[str]]
Choices = random.Random


def test_formulas_about_the_past(tmp_path: Path) -> None:
    """At every event, holds or violated as PPLTL says."""
    if not is_installed():
        require_or_skip("ltlf", WANTED)
    choices = Choices(SEED)
    tally = begin("PPLTL by ltlf2dfa and MONA", "generated formulas", is_recorded=False)
    for _ in range(FORMULAS_COUNT):
        formula = past(choices, choices.choice((2, 3, 4)))
        dfa = automaton_of(formula, "past", tmp_path)
        tally.note(str(formula), past_difference(formula, dfa, traces(choices)))
    finish(tally)


def past_difference(formula: Formula, dfa: Dfa, runs: Sequence[Letters]) -> str:
    invariant = make_invariant("always", formula)
    for letters in runs:
        meant = accepted_prefixes(dfa, letters)
        steps = steps_of(letters)
        for engine in ENGINES:
            verdicts = final_verdicts(engine, invariant, steps)
            # An event that the invariant does not ask about has no verdict, and violates nothing.
            ours = [verdicts.get((i, ()), "holds") == "holds" for i in range(len(letters))]
            if ours != meant:
                return f"{engine} {ours}, not {meant}: {write_case('', invariant, steps, verdicts)}"
    return ""


def test_formulas_with_a_future_operator_at_the_top(tmp_path: Path) -> None:
    """On the rest of each trace as LTLf says; and pending exactly while both answers can come."""
    if not is_installed():
        require_or_skip("ltlf", WANTED)
    choices = Choices(SEED + 1)
    tally = begin("LTLf by ltlf2dfa and MONA", "generated formulas", is_recorded=False)
    for number in range(FORMULAS_COUNT):
        is_plain = number % 2 == 0
        trigger, ahead = past(choices, choices.choice((0, 1, 2))), future(choices, is_plain)
        dfas = automaton_of(trigger, "past", tmp_path), automaton_of(ahead, "future", tmp_path)
        found = future_difference(trigger, ahead, dfas, traces(choices), is_plain)
        tally.note(f"{trigger} implies {ahead}", found)
    finish(tally)


def future_difference(
    trigger: Formula, ahead: Formula, dfas: tuple[Dfa, Dfa], runs: Sequence[Letters], is_plain: bool
) -> str:
    invariant = make_invariant("always", Binary("implies", trigger, ahead))
    asked_by, judged_by = dfas
    for letters in runs:
        is_asked = accepted_prefixes(asked_by, letters)
        steps = steps_of(letters, is_ended=True)
        for engine in ENGINES:
            for now, verdicts in enumerate(history(engine, invariant, steps)):
                for anchor in range(now + 1):
                    ours = verdicts.get((anchor, ()), "holds")
                    is_known = now == len(letters) - 1 or not is_asked[anchor]
                    fates = fates_of(judged_by, letters[anchor : now + 1], is_over=is_known)
                    fates = fates if is_asked[anchor] else frozenset({True})
                    meant = meanings(fates, is_exact=is_plain or is_known)
                    if ours not in meant:
                        case = write_case("", invariant, steps[: now + 1], verdicts)
                        return f"{engine}: {ours} at {anchor}, not {meant}: {case}"
    return ""


def fates_of(dfa: Dfa, letters: Letters, *, is_over: bool) -> frozenset[bool]:
    """What a trace that begins so can come to: this, if it is over, or what longer ones can."""
    state = dfa.initial
    for letter in letters:
        state = dfa.after(state, letter)
    return frozenset({state in dfa.accepting}) if is_over else dfa.fates[state]


def meanings(fates: frozenset[bool], *, is_exact: bool) -> set[str]:
    """What we may say: pending while both can come.

    Sub-formulas count as free at later events, so `eventually (a and not a)` is pending to the end;
    in plain formulas nothing below the operator is more than a name.
    """
    decided = {True: "holds", False: "violated"}
    if len(fates) == 2:
        return {"pending"}
    (fate,) = fates
    return {decided[fate]} if is_exact else {decided[fate], "pending"}


def finish(tally: Tally) -> None:
    assert not tally.failures, "\n".join(tally.failures[:5])
    assert tally.passed_count == FORMULAS_COUNT


def accepted_prefixes(dfa: Dfa, letters: Letters) -> list[bool]:
    """For each event, whether the automaton accepts the trace up to it."""
    state, accepted = dfa.initial, []
    for letter in letters:
        state = dfa.after(state, letter)
        accepted.append(state in dfa.accepting)
    return accepted


def steps_of(letters: Letters, *, is_ended: bool = False) -> list[Step]:
    last = len(letters) - 1 if is_ended else None
    return [
        make_moment(i, i, dict.fromkeys(letter, HOLDS), is_session_end=i == last)
        for i, letter in enumerate(letters)
    ]


def traces(choices: Choices) -> list[Letters]:
    lengths = [1, 2, *(choices.randint(3, 9) for _ in range(TRACES_COUNT - 2))]
    letter = [frozenset(n for i, n in enumerate(NAMES) if bits & 1 << i) for bits in range(8)]
    return [choices.choices(letter, k=length) for length in lengths]


def past(choices: Choices, depth: int) -> Formula:
    """Any formula about the past, of so many levels at most."""
    if depth == 0 or choices.random() < 0.1:
        return Atom(choices.choice(NAMES))
    sort = choices.choice(("not", "connective", "connective", "unary", "unary", "since", "since"))
    match sort:
        case "unary":
            return Temporal(
                choices.choice(("previous", "once", "historically")),
                UNBOUNDED,
                past(choices, depth - 1),
            )
        case "since":
            return Until("since", UNBOUNDED, past(choices, depth - 1), past(choices, depth - 1))
        case _:
            return connected(choices, depth, sort, past)


def future(choices: Choices, is_plain: bool) -> Formula:
    """A future operator over formulas of the event at hand; over two names, if plain."""

    def body(name: str) -> Formula:
        return Atom(name) if is_plain else boolean(choices, choices.choice((1, 2)))

    first, second = choices.sample(NAMES, 2)
    operator: Literal["next", "eventually", "always", "until"] = choices.choice(
        ("next", "eventually", "always", "until", "until")
    )
    if operator == "until":
        return Until("until", UNBOUNDED, body(first), body(second))
    return Temporal(operator, UNBOUNDED, body(first))


def boolean(choices: Choices, depth: int) -> Formula:
    if depth == 0:
        return Atom(choices.choice(NAMES))
    return connected(choices, depth, choices.choice(("not", "connective", "connective")), boolean)


def connected(choices: Choices, depth: int, sort: str, make: object) -> Formula:
    assert callable(make)
    if sort == "not":
        return Not(make(choices, depth - 1))
    operator: Literal["and", "or", "implies", "iff"] = choices.choice(
        ("and", "or", "implies", "iff")
    )
    return Binary(operator, make(choices, depth - 1), make(choices, depth - 1))
