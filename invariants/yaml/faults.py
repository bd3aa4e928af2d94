"""Explains text that is not valid YAML, or is YAML with an unexpected meaning.

Expressions contain many signs that YAML reserves (`:`, ` #`, `*`, `&`, `!`, `{`), so that most
faults here are CEL that needs quotes. Each message names the cause.
"""

from __future__ import annotations

import re
from typing import Final

import yaml

from ..model.errors import Fault, Place

E_FORM: Final = "E201"
E_BOUND: Final = "E202"
E_KEY_REPEATED: Final = "E203"
E_KEY_UNKNOWN: Final = "E204"
E_KEY_MISSING: Final = "E205"
E_EMPTY: Final = "E206"
E_SHAPE: Final = "E207"
E_CHOICE: Final = "E208"
E_FLOW_MAP: Final = "E209"
E_TAG: Final = "E210"
E_ANCHOR: Final = "E211"
E_CHARACTER: Final = "E212"
E_NAME: Final = "E213"
E_CUT: Final = "E214"
E_EXAMPLE: Final = "E215"
E_VERSION: Final = "E216"
E_LIST_FILE: Final = "E217"
E_ABOUT: Final = "E218"

BLOCK_MEND: Final = "put the whole value in quotes, or in a `>-` block on the next lines"


def fault_of_yaml(error: yaml.YAMLError, text: str, file: str) -> Fault:
    """PyYAML's error as a fault at its place, with the trap that it was."""
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position]
        place = Place(before.count("\n") + 1, error.position - (before.rfind("\n") + 1) + 1)
        code = error.character if isinstance(error.character, int) else ord(error.character)
        message = f"the character U+{code:04X} is not allowed in YAML"
        return Fault(file, place, E_CHARACTER, message, "write it as an escape in double quotes")
    assert isinstance(error, yaml.MarkedYAMLError)
    mark = error.problem_mark or error.context_mark
    assert mark is not None
    line = text.split("\n")[mark.line] if text else ""
    problem, context = error.problem or "", error.context or ""
    message, mend = _explain(problem, context, line, mark.column)
    place = Place(mark.line + 1, mark.column + 1)
    if _is_about_start(problem) and error.context_mark is not None:
        place = Place(error.context_mark.line + 1, error.context_mark.column + 1)
    return Fault(file, place, E_FORM, message, mend)


def fault_of_property(event: yaml.NodeEvent, text: str, file: str) -> Fault | None:
    """A fault if a value has a tag, an anchor, or is an alias."""
    mark = event.start_mark
    assert mark is not None
    place = Place(mark.line + 1, mark.column + 1)
    word = re.match(r"\S*", text[mark.index : mark.index + 40])
    shown = word.group() if word else ""
    if isinstance(event, yaml.AliasEvent):
        message = f"`{shown}` starts with `*` and is an alias in YAML, which is not allowed here"
        return Fault(file, place, E_ANCHOR, message, 'for text put it in quotes: `"*..."`')
    if event.anchor is not None:
        message = f"`{shown}` starts with `&` and is an anchor in YAML, which is not allowed here"
        return Fault(file, place, E_ANCHOR, message, BLOCK_MEND)
    if getattr(event, "tag", None) is not None:
        message = f"`{shown}` starts with `!` and is a tag in YAML, which is not allowed here"
        return Fault(file, place, E_TAG, message, f"for a negation {BLOCK_MEND}")
    return None


def _is_about_start(problem: str) -> bool:
    """True if the faulty text is the one at the start of PyYAML's context."""
    return "unexpected end of stream" in problem or "expected alphabetic" in problem


def _explain(problem: str, context: str, line: str, column: int) -> tuple[str, str]:
    if problem == "mapping values are not allowed here":
        if re.search(r" \? .* : ", line):
            return "in a value without quotes, the ` : ` of a choice begins a map", BLOCK_MEND
        if re.match(r"\s*(?:- )?[^\s:]+: ", line):
            return "in a value without quotes, `: ` begins a map", BLOCK_MEND
        return "a key is not expected here", "indent it like its neighbours"
    if "'\\t' that cannot start" in problem:
        return "there is a tab where YAML allows only spaces", "indent with spaces"
    if match := re.search(r"found character '(.)' that cannot start any token", problem):
        shown = "a backtick" if match[1] == "`" else f"`{match[1]}`"
        return f"a value without quotes cannot start with {shown}", BLOCK_MEND
    if context == "while scanning an alias":
        return "a value that starts with `*` is an alias in YAML", 'put it in quotes: `"*..."`'
    if context == "while scanning an anchor":
        return "`&` here begins an anchor in YAML", BLOCK_MEND
    if "unexpected end of stream" in problem and "quoted" in context:
        return "these quotes are not closed", "close them"
    if "unknown escape character" in problem:
        return (
            "in double quotes YAML reads `\\` as an escape, and this one is unknown",
            "write `\\\\`, or put the value in single quotes or a `>-` block",
        )
    return _explain_structure(problem, context, line, column)


def _explain_structure(problem: str, context: str, line: str, column: int) -> tuple[str, str]:
    before = line[:column].rstrip()
    if "expected <block end>" in problem:
        if before.endswith(('"', "'")):
            return "a value that starts with a quote ends at the closing quote", BLOCK_MEND
        if before.endswith(("]", "}")):
            return "a value that starts with `[` or `{` ends where that closes", BLOCK_MEND
        return "this is indented differently from its neighbours", "indent it like them"
    if "could not find expected ':'" in problem:
        return "this line is not `key: value`", "add the `:`, or indent the continuation of a value"
    if context == "while scanning a block scalar":
        return "`>` and `|` begin a block, whose text begins on the next line", BLOCK_MEND
    if "flow mapping" in context:
        return (
            "a value that starts with `{` is a map in YAML, and this one is not closed, or holds a "
            "value without quotes in which there is a bracket or `: `",
            "close it, and put such a value in quotes, or write a line `key: value` for each",
        )
    if "flow sequence" in context:
        return (
            "a value that starts with `[` is a list in YAML, and this one is not closed",
            BLOCK_MEND,
        )
    if match := re.search(r"expected the node content, but found '(.)'", problem):
        return f"a value cannot start with `{match[1]}`", BLOCK_MEND
    plain = " ".join(f"{context}: {problem}".strip(": ").split())
    return (
        f"this is not valid YAML ({plain[:200]})",
        "if the value contains special characters of YAML, put it in quotes",
    )
