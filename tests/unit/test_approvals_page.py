"""A held call as an operator reads it in a terminal."""

from __future__ import annotations

import msgspec
import pytest

from monitor.cli.approvals import page_lines
from monitor.gate.wire import HeldCall
from monitor.gate_server.routes import HeldPage


def page(attributes: bytes, tool: str = "pay") -> str:
    held = HeldCall(
        id="a-1",
        principal="bot",
        session="s-1",
        request="r-1",
        call="c-1",
        tool=tool,
        args=msgspec.Raw(b'{"amount":5}'),
        attributes=msgspec.Raw(attributes),
        args_digest="",
        asked_ns=0,
        expires_ns=1,
        message="",
        invariants=[],
    )
    return "\n".join(page_lines(HeldPage(held, [])))


def test_attributes_are_shown_as_harmless_as_arguments() -> None:
    """Invariants may read them, so a grant is for them, too."""
    shown = page(msgspec.json.encode({"env": "prod\x1b[2J\u202e"}))
    before, _, after = shown.partition("\n  attributes\n")
    assert '"amount": 5' in before and '"env": "prod' in after
    assert "\x1b" not in shown and "\u202e" not in shown


def test_a_call_without_attributes_says_so() -> None:
    assert "\n  attributes\n    none\n" in page(b"")


@pytest.mark.parametrize(
    "letter", ["\u3164", "\u115f", "\uffa0", "\u2800", "\ufe0f", "\u034f", "\U000e0100", "\u200b"]
)
def test_letters_that_nobody_sees_are_shown(letter: str) -> None:
    """The tool `pay` with one of them is another tool."""
    shown = page(b"", f"pay{letter}")
    assert letter not in shown
    assert f"pay\\{'U' if ord(letter) > 0xFFFF else 'u'}" in shown
    assert "caf\u00e9 \u0928\u093f" in page(b"", "caf\u00e9 \u0928\u093f"), (
        "others stay as they are"
    )
