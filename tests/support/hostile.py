"""An incident that an attacker wrote: hostile text in every field that a page could show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

TITLE: Final = "owned"
PAYLOADS: Final = (
    f"<script>document.title='{TITLE}'</script>",
    f"<img src=x onerror=\"document.title='{TITLE}'\">",
    f"'\"><svg onload=document.title='{TITLE}'>",
    f"</style></pre></table><iframe srcdoc=\"<script>parent.document.title='{TITLE}'</script>\">",
    f"{{{{ 7*7 }}}}{{% raw %}}<a href=\"javascript:document.title='{TITLE}'\">x</a>",
    "\x1b]0;owned\x07\x00\u202emoc.elpmaxe\u2066",
    '<meta http-equiv="refresh" content="0;url=https://outside.example/">',
    "<link rel=stylesheet href=https://outside.example/x.css><base href=https://outside.example/>",
)
EVERYTHING: Final = " ".join(PAYLOADS)

INVARIANTS: Final = f"""version: 1
predicates:
  call:
    when: kind == "tool.requested"
    with:
      tool: tool
invariants:
  - id: hostile
    summary: {json.dumps(EVERYTHING[:150])}
    severity: critical
    on_unknown: violate
    never: call(tool=x) and not once[10m] call(tool="never")
"""


def write_incident(folder: Path) -> tuple[Path, Path]:
    """A recording and the invariants that it breaks."""
    events = []
    for seq, payload in enumerate((*PAYLOADS, EVERYTHING)):
        events.append(
            {
                "session": f"s {PAYLOADS[0]}",
                "seq": seq,
                "id": f"{seq} {payload}"[:200],
                "ts": 1_767_225_600_000_000_000 + seq * 1_000_000_000,
                "kind": "tool.requested",
                "agent": payload[:100],
                "tool": payload[:100],
                "call": payload[:100],
                "args": {payload: [payload]},
                "result": payload,
                "text": payload,
                "error": payload,
                "attributes": {"note": payload},
            }
        )
    recording = folder / "incident.jsonl"
    recording.write_text("".join(json.dumps(event) + "\n" for event in events))
    invariants = folder / "hostile.yaml"
    invariants.write_text(INVARIANTS)
    return recording, invariants
