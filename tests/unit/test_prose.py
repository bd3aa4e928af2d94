"""The prose of pages, help, messages and docstrings: idioms that readers took for a translation."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from monitor.cli.__main__ import build_parser

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("invariants", "detectors", "monitor", "replay", "interlock")
GENERATED: Final = {"packs.md", "benchmarks.md"}
"""Pages that programs write; their texts are in those programs."""
PAGES: Final = sorted(
    {ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").glob("*.md")}
    - {ROOT / "docs" / name for name in GENERATED}
)
FENCE: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE: Final = re.compile(r"`[^`]+`")

NOT_VALID: Final = re.compile(r"(?<!there )(?<!There )\b(?:is|are) no (?!longer\b)[a-z]+")
"""`is no X` for `is not a valid X`; `there is no X` and `is no longer X` are idiomatic."""
OPENING: Final = re.compile(
    r"(?:^|(?<=[.;:] )|(?<=\n\n)|(?<=\| )|(?<=^- ))"
    r"(?:What|Whether|Who|Whoever|Whose) (?:[a-z`][^.?|]*)?[.|:;]"
)
"""A clause as the subject of a sentence, where a noun would do; a question is one."""
PEOPLE: Final = re.compile(r"\b(?:whoever|somebody|told|heard of|held against)\b", re.IGNORECASE)
"""Words for people and their speech, of programs."""
IDIOMS: Final = (NOT_VALID, OPENING, PEOPLE)


def _found(text: str, patterns: tuple[re.Pattern[str], ...] = IDIOMS) -> list[str]:
    return [match[0] for pattern in patterns for match in pattern.finditer(text)]


@pytest.mark.parametrize(
    ("text", "is_odd"),
    [
        ("`x` is no setting", True),
        ("there is no setting `x`", False),
        ("Whether it holds is unknown.", True),
        ("It is open. What is missing was not judged.", True),
        ("What happened?", False),
        ("The finding is told once.", True),
        ("The finding is reported once.", False),
    ],
)
def test_idioms_are_found(text: str, is_odd: bool) -> None:
    """The patterns find what they are for, and leave plain sentences alone."""
    assert bool(_found(text)) is is_odd


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages_are_plain(page: Path) -> None:
    """Pages state things by nouns and verbs; code in them is not prose."""
    text = CODE.sub("`x`", FENCE.sub("", page.read_text("utf-8")))
    assert not _found(text)


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from _parsers(sub)


def test_help_is_plain() -> None:
    """`--help` of every verb."""
    texts = [
        text
        for parser in _parsers(build_parser())
        for text in (
            parser.description,
            parser.epilog,
            *(action.help for action in parser._actions),
        )
        if text
    ]
    assert len(texts) > 100
    assert not [found for text in texts for found in _found(text)]


def _docstrings(tree: ast.Module) -> dict[int, str]:
    """Docstrings of modules, classes, functions and attributes, by the id of their node."""
    bodies = [
        node.body
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return {
        id(part.value): part.value.value
        for body in bodies
        for part in body
        if isinstance(part, ast.Expr)
        and isinstance(part.value, ast.Constant)
        and isinstance(part.value.value, str)
    }


def _texts(path: Path, *, of_docstrings: bool) -> list[tuple[int, str]]:
    tree = ast.parse(path.read_text("utf-8"))
    docstrings = _docstrings(tree)
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and (id(node) in docstrings) is of_docstrings
    ]


def _modules() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_messages_are_plain() -> None:
    """Every text in the code that a user may read: messages, reasons, corrections."""
    odd = [
        f"{path.relative_to(ROOT)}:{line}: {found}"
        for path in _modules()
        for line, text in _texts(path, of_docstrings=False)
        for found in _found(text)
    ]
    assert not odd, "write these for a person who meets them:\n" + "\n".join(odd)


def test_docstrings_are_plain() -> None:
    """Docstrings begin with a noun or a verb, and say `is not a`."""
    odd = [
        f"{path.relative_to(ROOT)}:{line}: {found}"
        for path in _modules()
        for line, text in _texts(path, of_docstrings=True)
        for found in _found(text, (NOT_VALID, OPENING))
    ]
    mend = "begin with a noun or a verb, not `What` or `Whether`, and write `is not a`:\n"
    assert not odd, mend + "\n".join(odd)
