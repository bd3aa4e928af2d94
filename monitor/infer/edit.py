"""A pack's text with more items in its lists, each below a comment with the reasons.

    with_entries(text, lists, entries) -> text

Only `lists:` changes. A list on one line becomes one item a line, since a comment needs a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from monitor.infer.propose import Entry

_KEY: Final = re.compile(r"  ([A-Za-z_]\w*):(.*)")


def with_entries(text: str, lists: Mapping[str, Sequence[object]], entries: Iterable[Entry]) -> str:
    """The text of a pack, whose lists are `lists` by name, with the entries of that pack."""
    wanted: dict[str, list[Entry]] = {}
    for entry in entries:
        wanted.setdefault(entry.list_name[1], []).append(entry)
    made: list[str] = []
    name = ""
    lines = text.splitlines()
    start = lines.index("lists:")
    end = next(n for n in range(start + 1, len(lines)) if re.match(r"\S", lines[n]))
    for line in lines[start + 1 : end]:
        found = _KEY.fullmatch(line)
        if found is not None:
            made += _items(wanted.pop(name, []))
            name = found[1]
            if name in wanted and found[2].strip():
                made.append(f"  {name}:")
                made += [f"    - {json.dumps(one, ensure_ascii=False)}" for one in lists[name]]
                continue
        made.append(line)
    made += _items(wanted.pop(name, []))
    assert not wanted, "every entry is for a list of this text"
    return "\n".join([*lines[: start + 1], *made, *lines[end:], ""])


def _items(entries: Iterable[Entry]) -> list[str]:
    return [line for entry in entries for line in _item(entry)]


def _item(entry: Entry) -> list[str]:
    reasons = "; ".join(entry.reasons)
    return [f"    # {reasons}", f"    - {json.dumps(entry.pattern, ensure_ascii=False)}"]
