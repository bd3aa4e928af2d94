"""An example as text that can be pasted under `examples:` of an invariant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..yaml.nodes import resolve_plain

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def example_lines(
    name: str,
    events: Sequence[Mapping[str, Any]],
    violated_at: Iterable[int],
    inconclusive_at: Iterable[int],
) -> list[str]:
    """The lines of one item, its first dash at column 0."""
    lines = [f"- name: {_flow(name)}", "  events:"]
    lines += [f"    - {_flow(event)}" for event in events]
    lines.append(f"  violated_at: {sorted(violated_at)}")
    if positions := sorted(inconclusive_at):
        lines.append(f"  inconclusive_at: {positions}")
    return lines


def _flow(value: Any) -> str:
    """A JSON value in YAML's flow style, with quotes only where they are needed."""
    match value:
        case str():
            is_plain = _PLAIN.fullmatch(value) and isinstance(resolve_plain(value), str)
            return value if is_plain else _quoted(value)
        case Mapping():
            inside = ", ".join(f"{_flow(str(key))}: {_flow(item)}" for key, item in value.items())
            return f"{{{inside}}}"
        case list() | tuple():
            return f"[{', '.join(map(_flow, value))}]"
    return json.dumps(value)


def _quoted(text: str) -> str:
    shown = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else _escape(c) for c in shown)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
