"""Messages of MCP that two readers could understand differently, and those that pass."""

from __future__ import annotations

import json

import pytest

from interlock.mcp_proxy.lines import Lines
from interlock.mcp_proxy.message import MESSAGE_BYTES_MAX, Unreadable, error, read

CALL = '"method":"tools/call","params":{"name":"pay","arguments":{"amount":1}}'


def fault(text: str | bytes) -> tuple[int, object, str]:
    """The code, the id for the answer, and the reason."""
    with pytest.raises(Unreadable) as met:
        read(text.encode() if isinstance(text, str) else text)
    return met.value.code, met.value.id, str(met.value)


@pytest.mark.parametrize(
    "text",
    [
        '{"jsonrpc":"2.0","id":1,"method":"ping"}',
        '{"jsonrpc":"2.0","id":"a-1","method":"unknown/method","params":{"x":{"y":[1,2.5e3,null]}}}',
        '{"jsonrpc":"2.0","method":"notifications/initialized","params":null}',
        '{"id":0,"result":{"a":{"K":1,"k":2}},"jsonrpc":"2.0"}',
        '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"é \\u00e9 \\ud83d\\ude00"}}',
        '{"jsonrpc":"2.0","id":1,"method":"x","extra":{"vendor":1}}',
    ],
)
def test_a_message_keeps_its_bytes(text: str) -> None:
    assert read(text.encode()).data == text.encode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f'{{"jsonrpc":"2.0","id":1,{CALL},"method":"ping"}}', "`method` is there twice"),
        (f'{{"jsonrpc":"2.0","id":1,"METHOD":"tools/call",{CALL}}}', "`METHOD` is nearly one"),
        ('{"jsonrpc":"2.0","id":1,"method":"x","param\u017f":{}}', "is nearly one"),
        ('{"jsonrpc":"2.0","id":1,"method":"x"," result":{}}', "is nearly one"),
        ('{"jsonrpc":"2.0","id":1,"method":"x","method\\u0000":"tools/call"}', "is nearly one"),
        ('{"jsonrpc":"2.0","id":1,"method":"x","result":{}}', "neither result nor error"),
        ('{"jsonrpc":"2.0","id":1,"method":5}', "has text there"),
        ('{"jsonrpc":"2.0","id":1,"method":"x","params":[1]}', "`params` is not an object"),
        ('{"jsonrpc":"1.0","id":1,"method":"x"}', "`jsonrpc`"),
        ('{"id":1,"method":"x"}', "`jsonrpc`"),
        ('{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', "neither a method"),
        ('{"jsonrpc":"2.0","id":1}', "neither a method"),
    ],
)
def test_an_ambiguous_message_is_refused_under_its_id(text: str, reason: str) -> None:
    """The client learns which request it was."""
    _, id_, said = fault(text)
    assert id_ == 1 and reason in said


@pytest.mark.parametrize("id_", ["1.0", "1e0", "true", "[1]", "{}", "null", '"a\\nb"', "1" * 30])
def test_an_id_is_a_text_or_a_whole_number(id_: str) -> None:
    """Another one is not repeated in the answer."""
    _, known, said = fault(f'{{"jsonrpc":"2.0","id":{id_},"method":"x"}}')
    assert known is None and "`id`" in said


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[{"jsonrpc":"2.0","id":1,"method":"ping"}]', "batch"),
        ("3", "object"),
        ('{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}', "`id` is there twice"),
        ('[["id",1],{"a":1,"a":2}]', "twice"),
        ('{"jsonrpc":"2.0","id":1,"method":"x","params":{"n":NaN}}', "JSON"),
        ('{"jsonrpc":"2.0","id":1,"method":"x","params":{"n":1e999}}', "JSON"),
        ('{"jsonrpc":"2.0","id":1,"method":"x","params":{"n":' + "9" * 5000 + "}}", "JSON"),
        ('{"jsonrpc":"2.0","id":1,"method":"x","params":{"n":"\\udc00"}}', "surrogate"),
        ('{"jsonrpc":"2.0","id":1,"method":"x","params":{"\\ud800":1}}', "surrogate"),
        ('\ufeff{"jsonrpc":"2.0","id":1,"method":"x"}', "JSON"),
        ('{"jsonrpc":"2.0","id":1,"method":"x"} {}', "JSON"),
        ('{"jsonrpc":"2.0","id":1,"method":"x",}', "JSON"),
        ('{"jsonrpc":"2.0","id":1,"method":"a\nb"}', "JSON"),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', "UTF-8"),
        ('{"jsonrpc":"2.0","id":1,"method":"x"}'.encode("utf-16"), "UTF-8"),
        ("[" * 100_000, "nests deeper"),
        (b" " * (MESSAGE_BYTES_MAX + 1), "longer"),
        ("", "JSON"),
    ],
)
def test_a_message_without_a_certain_id_is_refused_without_one(
    text: str | bytes, reason: str
) -> None:
    _, id_, said = fault(text)
    assert id_ is None and reason in said


def test_an_answer_shows_no_control_characters() -> None:
    """A key is the client's text, and the answer may be shown on a terminal."""
    key = "\\u001b[2Jsecret" + "x" * 100
    _, _, said = fault(f'{{"jsonrpc":"2.0","id":1,"{key}":1,"{key}":2,"method":"x"}}')
    assert "\x1b" not in said and len(said) < 100
    assert json.loads(error(1, -32600, said))["error"]["message"] == said


def test_a_carriage_return_begins_no_message() -> None:
    """Many servers end a line there, and would read the rest as a message of its own."""
    hidden = b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":\r{"a":1}\r}}'
    (line,) = Lines().feed(hidden + b"\r\n")
    assert line is not None and b"\r" not in line
    assert json.loads(line) == json.loads(hidden)
    with pytest.raises(Unreadable):
        read(b'{"jsonrpc":"2.0","id":1,"method":"a\rb"}')


def test_lines_are_bounded() -> None:
    """What is too long is skipped, in the size of its parts, and the next line is read."""
    lines = Lines()
    part = b"x" * (MESSAGE_BYTES_MAX // 2 + 1)
    assert list(lines.feed(part)) == list(lines.feed(part)) == list(lines.feed(part)) == []
    assert list(lines.feed(b'y\n{"a":1}\n\n \n')) == [None, b'{"a":1}']
    assert list(lines.feed(b'{"b"')) == [] and list(lines.feed(b":2}\n")) == [b'{"b":2}']
