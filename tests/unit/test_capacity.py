"""Losses at a bound: told at growing counts, whatever the bound."""

from __future__ import annotations

import msgspec
import pytest

from invariants.check.specs import read_specs
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from invariants.model.limits import Limits
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings

TEXT = """\
version: 1
predicates:
  p:
    when: kind == "p"
    with:
      v: args.v
      w: args.w
  q: kind == "q"
invariants:
  - {id: held, severity: info, never: "p(v=x) and once[1h] p(v=x, w=2)"}
  - {id: plain, severity: info, never: "p(v=x, w=y) and q"}
  - {id: both, severity: info, never: "p(v=x, w=y) and x == 999"}
"""


def told(args: list[object], limits: Limits) -> list[str]:
    """The texts of capacity findings of a session with those events."""
    specs, _ = read_specs([("capacity.yaml", TEXT)])
    engine = Kernel(compile_program(specs, limits=limits), KernelSettings(trust_ts=True))
    texts = []
    for seq, one in enumerate(args):
        content = {"session": "s", "seq": seq, "ts": seq, "kind": "p", "args": one}
        event = decode_event(msgspec.json.encode(content), Origin("t", "0", 0))
        assert isinstance(event, Event)
        texts += [f.detail for f in engine.step(event) if f.type == "capacity"]
    return texts


@pytest.mark.parametrize(
    ("args", "invariants"),
    [
        ([{"v": i, "w": 2} for i in range(125)], ["held"]),
        ([{"v": list(range(65)), "w": 1}] * 125, ["held", "both"]),
        ([{"v": list(range(64)), "w": list(range(60))}] * 125, ["both"]),
    ],
    ids=["slices", "a list", "bindings"],
)
def test_losses_are_told_at_growing_counts(args: list[object], invariants: list[str]) -> None:
    """A hundred losses make three findings an invariant, and each says how many there were."""
    texts = told(args, Limits(slices_max=5, bindings_max=3_000))
    for name in invariants:
        own = [text for text in texts if f"`{name}`" in text]
        assert [text.rsplit(", ", 1)[1] for text in own] == [
            "1 times so far",
            "10 times so far",
            "100 times so far",
        ]
