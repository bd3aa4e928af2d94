"""Which invariants are watched: the fixtures', some of our own that kill, and drawn ones."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Final

from invariants.check import read_specs
from invariants.formula.format import format_formula
from invariants.program import Program, compile_program
from tests.support.formulas import choose_invariant

FIXTURES: Final = Path(__file__).resolve().parents[2] / "fixtures" / "invariants"
SETS_COUNT: Final = 16
DRAWN_COUNT: Final = 8

STOPPING: Final = """\
version: 1
sources:
  results:
    when: kind == "tool.completed" || kind == "sim.step" && has(args.q)
    values: '[tool, string(args.p)]'
  asked_before:
    when: kind == "tool.requested"
    values: args
predicates:
  asked_as_shown: kind == "sim.step" && has(args.p) && seen(string(args.p), "results")
  only_asked: kind == "tool.requested" && only_from(args.url, "asked_before")
  disk_wiped: kind == "tool.requested" && tool == "wipe"
  login_failed:
    when: kind == "tool.failed" && tool == "http.post"
    with:
      url: args.url
  asked:
    when: kind == "tool.requested" && tool == "send_money"
    with:
      to: args.recipient
  done:
    when: kind in ["tool.completed", "tool.failed"] && tool == "send_money"
    with:
      to: args.recipient
  stopped: kind == "control.applied"
  anything_asked: kind == "tool.requested"
  begun: kind == "sim.step" && has(args.p)
  gone_on: kind == "sim.step" && has(args.q)
invariants:
  - id: no-wiping
    severity: critical
    on_unknown: violate
    mode: enforce
    never: disk_wiped
    respond: [kill]
  - id: every-payment-is-done
    severity: critical
    on_unknown: report
    mode: enforce
    always: asked(to=x) implies eventually[20s] done(to=x)
    respond: [quarantine, kill, alert]
  - id: few-logins
    severity: warning
    mode: enforce
    always: count(login_failed(url=u))[5s] <= 2
    respond: [quarantine]
  - {id: nothing-shown-is-asked, severity: info, never: asked_as_shown}
  - {id: nothing-asked-twice, severity: info, never: only_asked}
  - {id: steps-go-on, severity: info, always: "begun implies eventually[3s] gone_on"}
  - id: stopped-is-stopped
    severity: info
    never: anything_asked and once[30s] stopped
"""

DRAWN: Final = """\
version: 1
predicates:
  a: kind == "sim.step" && args.a
  b: kind == "sim.step" && args.b
  p:
    when: kind == "sim.step" && has(args.p)
    with:
      v: args.p
  q:
    when: kind == "sim.step" && has(args.q)
    with:
      v: args.q
  r:
    when: kind == "sim.step" && has(args.r)
    with:
      v: args.r
      w: args.s
invariants:
"""


@lru_cache(SETS_COUNT)
def program(number: int) -> Program:
    """The program of one set; sets differ in their drawn invariants."""
    texts = [(path.name, path.read_text()) for path in sorted(FIXTURES.glob("*.yaml"))]
    texts += [("stopping.yaml", STOPPING), ("drawn.yaml", _drawn(Random(number)))]
    specs, _ = read_specs(texts)
    return compile_program(specs, digest_key=b"simulation")


def _drawn(random: Random) -> str:
    text = DRAWN
    for number in range(DRAWN_COUNT):
        invariant = choose_invariant(random.choice, has_exists=False)
        respond = random.choice(("[alert]", "[alert]", "[quarantine, alert]", "[kill]"))
        text += (
            f"  - id: drawn-{number}\n"
            f"    severity: {random.choice(('info', 'warning', 'critical'))}\n"
            f"    mode: {random.choice(('enforce', 'enforce', 'observe'))}\n"
            f"    on_unknown: {invariant.on_unknown}\n"
            f"    respond: {respond}\n"
            f"    {invariant.form}: '{format_formula(invariant.formula)}'\n"
        )
    return text
