"""Corrections for keys of other formats in an invariant file: `title`, `rules`, `condition`.

Input: an unknown key, the known keys of its map, and those that are present. Output: a correction
as text, or an empty text.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from ..cel.functions import FIELD_TYPES

_MEANT: Final = {
    "name": "id",
    **dict.fromkeys(("title", "message", "msg"), "summary"),
    **dict.fromkeys(("level", "priority"), "severity"),
    **dict.fromkeys(("rules", "policies", "checks", "assertions", "properties"), "invariants"),
    **dict.fromkeys(("forbid", "forbidden", "deny", "prohibit", "prevent"), "never"),
    **dict.fromkeys(("must", "require", "ensure"), "always"),
    **dict.fromkeys(("action", "actions", "on_violation", "response"), "respond"),
    **dict.fromkeys(("scope", "group_by"), "per"),
    **dict.fromkeys(("tests", "cases"), "examples"),
    **dict.fromkeys(("if", "condition", "cond", "match", "expr", "expression", "where"), "when"),
    **dict.fromkeys(("values", "vars", "let", "bind", "fields", "variables"), "with"),
    "path": "file",
    **dict.fromkeys(("trace", "steps", "log"), "events"),
    **dict.fromkeys(("conditions", "atoms", "definitions", "macros"), "predicates"),
}
"""Chosen: keys of rule files of other programs."""
_OF_INVARIANT: Final = {
    **dict.fromkeys(
        ("formula", "rule", "assert", "expression", "expr", "condition"),
        "write the formula under `never:` or `always:`",
    ),
    **dict.fromkeys(
        ("if", "when", "unless"), "write it in the formula, as in `always: p implies q`"
    ),
    **dict.fromkeys(("within", "window"), "write it in the formula, as in `once[10m] p`"),
    "disabled": "`enabled: false` switches an invariant off",
}


def mend_of_unknown_key(key: str, known: Collection[str], present: Collection[str]) -> str:
    """The key or the form that was probably intended."""
    word = key.lower().replace("-", "_")
    meant = _MEANT.get(word, "")
    if meant in known and meant not in present:
        return f"did you mean `{meant}`?"
    if "never" in known:
        return _OF_INVARIANT.get(word, "")
    if "when" in known and key in FIELD_TYPES:
        return f'test a field in an expression: `when: {key} == "..."`'
    return ""
