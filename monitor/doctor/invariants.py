"""Checked invariant files, and the results of their examples -> diagnoses. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from invariants.check.checked import CheckedSpec
from invariants.image.make import image_of
from invariants.model.errors import Fault
from monitor.authoring.examples import ExampleResult
from monitor.doctor.diagnosis import (
    TEXT_CHARS_MAX,
    Diagnosis,
    Learnt,
    NotLearnt,
    command,
    ok,
    trouble,
    unknown,
)
from monitor.findings.count_text import count_of
from monitor.findings.model import Mode
from monitor.presentation import visible

CHECK, EXAMPLES, MODE = "invariants.check", "invariants.examples", "invariants.mode"
LISTED_MAX = 20
"""Chosen: faults of one report; `interlock check` lists all."""


class InvariantFacts(msgspec.Struct, frozen=True):
    """The files as they were checked: no specification if there is an error. `examples` are the
    results of those of the user's own files; packs are tested before they ship. `refusal` says why
    there are no files to check, and is empty if there are.
    """

    specs: Sequence[CheckedSpec] = ()
    faults: Sequence[Fault] = ()
    examples: Sequence[ExampleResult] = ()
    refusal: str = ""


def judge_invariants(
    locations: Sequence[str], learnt: Learnt[InvariantFacts], cap: Mode | None, *, is_gated: bool
) -> list[Diagnosis]:
    """All checks of the files at these locations.

    `cap` is the mode that the setting gives every invariant. `is_gated`: a gate is to use them.
    """
    place = f"invariants: {visible(', '.join(locations))}"
    if isinstance(learnt, NotLearnt):
        return [unknown(CHECK, place, learnt.reason), unknown(EXAMPLES, place, learnt.reason)]
    if learnt.refusal:
        text = visible(learnt.refusal, TEXT_CHARS_MAX)
        return [trouble(CHECK, place, text), unknown(EXAMPLES, place, text)]
    errors = [fault for fault in learnt.faults if fault.severity == "error"]
    if errors:
        found = [trouble(CHECK, place, visible(str(one), 600)) for one in errors[:LISTED_MAX]]
        mend = command("interlock", "check", *locations)
        last = unknown(EXAMPLES, place, f"{count_of(len(errors), 'error')} in the files", mend)
        return [*found, last]
    count = sum(len(spec.invariants) for spec in learnt.specs)
    warnings_count = len(learnt.faults)
    text = f"{count_of(count, 'invariant')} in {count_of(len(learnt.specs), 'file')}, "
    text += count_of(warnings_count, "warning")
    checked = ok(CHECK, place, f"{text}: program {program_digest(learnt.specs)}")
    if not count:
        checked = trouble(CHECK, place, "the files contain no invariant: nothing is checked")
    return [checked, _examples(place, locations, learnt), *_mode(place, learnt, cap, is_gated)]


def program_digest(specs: Sequence[CheckedSpec]) -> str:
    """The digest of their program, as the log and the store have it."""
    return image_of(specs).digest


def _examples(place: str, locations: Sequence[str], facts: InvariantFacts) -> Diagnosis:
    failed = [one for one in facts.examples if not one.is_passed]
    if not failed:
        return ok(EXAMPLES, place, f"{count_of(len(facts.examples), 'example')} pass")
    first = failed[0]
    text = f"{len(failed)} of {count_of(len(facts.examples), 'example')} fail; the first, of "
    text += f"`{visible(first.invariant)}`: {visible(first.problem)}"
    return trouble(EXAMPLES, place, text, command("interlock", "test", *locations))


def _mode(place: str, facts: InvariantFacts, cap: Mode | None, is_gated: bool) -> list[Diagnosis]:
    """A gate refuses nothing if no invariant is enforced, and a newcomer may expect it to."""
    modes = [cap or one.mode for spec in facts.specs for one in spec.invariants if one.is_enabled]
    enforced_count = modes.count("enforce")
    if is_gated and not enforced_count:
        text = "none of them is enforced, so that a gate allows every call"
        mend = "write `mode: enforce` into an invariant, or set `mode: enforce`"
        return [trouble(MODE, place, text, mend, is_required=False)]
    return [ok(MODE, place, f"{enforced_count} of {count_of(len(modes), 'invariant')} enforced")]
