"""Which invariants are watched: the fixtures', some of our own that kill, and drawn ones.

Some sets also have invariants of scopes wider than a session: their monitor reads all alone.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Final

from invariants.check.horizon import check_scope
from invariants.check.specs import read_specs
from invariants.formula.format import format_formula
from invariants.image.compile import compile_program
from invariants.runtime.program import Program
from invariants.spec.model import Per
from tests.support.formulas import choose_invariant

FIXTURES: Final = Path(__file__).resolve().parents[2] / "fixtures" / "invariants"
SETS_COUNT: Final = 20
WIDER_FROM: Final = 16
"""The first set that has wider scopes; all after it have them too."""
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
  - id: logins-in-a-run
    severity: warning
    report: edge
    always: count(login_failed(url=u))[5s] <= 1
  - {id: nothing-shown-is-asked, severity: info, never: asked_as_shown}
  - {id: nothing-asked-twice, severity: info, never: only_asked}
  - {id: steps-go-on, severity: info, always: "begun implies eventually[3s] gone_on"}
  - id: stopped-is-stopped
    severity: info
    never: anything_asked and once[30s] stopped
"""

WIDER: Final = """\
  - id: few-steps-of-an-agent
    per: agent
    severity: warning
    mode: enforce
    always: count(begun)[5s] <= 3
    respond: [quarantine]
  - id: payments-of-a-user-are-done
    per: user
    severity: critical
    on_unknown: report
    mode: enforce
    always: asked(to=x) implies eventually[20s] done(to=x)
    respond: [kill, alert]
  - id: logins-of-a-tenant
    per: tenant
    severity: warning
    always: count(login_failed(url=u))[8s] <= 2
  - id: stopped-agents-ask-nothing
    per: agent
    severity: info
    never: anything_asked and once[30s] stopped
  - id: wiped-at-last
    per: tenant
    severity: info
    never: anything_asked and once disk_wiped
  - id: first-step-of-a-user
    per: user
    severity: info
    report: first
    never: begun
  - id: steps-of-a-user-in-a-run
    per: user
    severity: warning
    report: edge
    always: count(begun)[5s] <= 1
  - id: nothing-shown-is-asked-twice
    per: agent
    severity: info
    never: count(asked_as_shown)[4s] >= 2
  - id: steps-of-an-agent-go-on
    per: agent
    severity: info
    always: begun implies eventually[3s] gone_on
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
    is_wider = number >= WIDER_FROM
    texts.append(("stopping.yaml", STOPPING + WIDER if is_wider else STOPPING))
    texts.append(("drawn.yaml", _drawn(Random(number), is_wider=is_wider)))
    specs, _ = read_specs(texts)
    return compile_program(specs, digest_key=b"simulation")


def _drawn(random: Random, *, is_wider: bool) -> str:
    text = DRAWN
    for number in range(DRAWN_COUNT):
        invariant = choose_invariant(random.choice, has_exists=False)
        respond = random.choice(("[alert]", "[alert]", "[quarantine, alert]", "[kill]"))
        # Of agents only our own, which all have windows: else no agent was ever let go of.
        per: Per = random.choice(("user", "tenant")) if is_wider else "session"
        if any(check_scope(replace(invariant, per=per), "drawn.yaml")):
            per = "session"
        text += (
            f"  - id: drawn-{number}\n"
            f"    per: {per}\n"
            f"    severity: {random.choice(('info', 'warning', 'critical'))}\n"
            f"    mode: {random.choice(('enforce', 'enforce', 'observe'))}\n"
            f"    on_unknown: {invariant.on_unknown}\n"
            f"    respond: {respond}\n"
            f"    {invariant.form}: '{format_formula(invariant.formula)}'\n"
        )
    return text
