"""Tools become proposals: what is read, what is a sign, and what is never cleared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invariants.cel.names import named_matcher
from invariants.check.specs import read_specs
from monitor.authoring.packs import find_pack
from monitor.cli.infer import pack_lists
from monitor.infer.edit import with_entries
from monitor.infer.evidence import ARGUMENTS, EXEMPTING, KINDS, UNCLASSIFYING
from monitor.infer.propose import Entry, Proposal, pattern_of, propose
from monitor.infer.schemas import ARGUMENTS_MAX, Argument, declared_arguments
from monitor.infer.tools import DESCRIPTION_CHARACTERS_MAX, TOOLS_MAX, Tool, read_tools

FOREIGN = Path(__file__).parents[2] / "fixtures" / "foreign"
LISTS = pack_lists()
SCHEMA = {"type": "object", "properties": {"rcpt": {"type": "string", "format": "email"}}}


def tool(name: str, *arguments: str, **more: Any) -> Tool:
    """A tool whose arguments have only names."""
    return Tool(name=name, arguments=tuple(Argument(one) for one in arguments), **more)


def proposed(*tools: Tool) -> Proposal:
    """The proposal for the lists that ship."""
    return propose(tools, LISTS)


def on(made: Proposal) -> set[tuple[str, str, str]]:
    """Pack, list and subject of each entry."""
    return {(*entry.list_name, entry.subject) for entry in made.entries}


def read(content: Any) -> dict[str, Tool]:
    """The tools of a document; all of it must be read."""
    found = read_tools(json.dumps(content).encode())
    assert found.unread == []
    return found.tools


DECLARED: dict[str, Any] = {
    "openai": [{"type": "function", "function": {"name": "t", "parameters": SCHEMA}}],
    "openai responses": [{"type": "function", "name": "t", "parameters": SCHEMA}],
    "anthropic": {"tools": [{"name": "t", "input_schema": SCHEMA}]},
    "google": {"tools": [{"functionDeclarations": [{"name": "t", "parameters": SCHEMA}]}]},
    "one tool": {"name": "t", "inputSchema": SCHEMA},
    "names to entries": {"suite": {"t": {"description": "", "parameters": SCHEMA}}},
    "mcp": {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "t", "inputSchema": SCHEMA}]}},
    "mcp in a log": {
        "at": 1,
        "message": {"jsonrpc": "2.0", "result": {"tools": [{"name": "t", "inputSchema": SCHEMA}]}},
    },
}


@pytest.mark.parametrize("form", DECLARED)
def test_every_form_of_declaration_is_read(form: str) -> None:
    """The same tool in each form has its argument, and the format of that."""
    expected = {"t": Tool(name="t", arguments=(Argument("rcpt", "an e-mail address"),))}
    assert read(DECLARED[form]) == expected


def test_references_within_a_schema_are_followed() -> None:
    """As far as the bounds go; one that leads elsewhere leaves the tool unread in part."""
    address = {"type": "object", "properties": {"rcpt": {"$ref": "#/$defs/mail~1x"}}}
    definitions = {"to": address, "mail/x": {"type": "string", "format": "email"}}
    for schema in (
        {"type": "object", "properties": {"to": {"$ref": "#/$defs/to"}}, "$defs": definitions},
        {"$ref": "#/$defs/to", "$defs": definitions},
    ):
        found, is_whole = declared_arguments(schema)
        assert is_whole and Argument("rcpt", "an e-mail address") in found
    for elsewhere in ("other.json#/x", "#/$defs/none", 7, "#"):
        schema = {"type": "object", "properties": {"to": {"$ref": elsewhere}}}
        found, is_whole = declared_arguments(schema)
        assert found[0].name == "to" and not is_whole


def test_an_entry_without_a_schema_is_a_tool_beside_others() -> None:
    """A mapping of names may have tools of which nothing is known; they are not dropped."""
    found = read({"suite": {"a": {"params": ["x"]}, "b": {}}})
    assert sorted(found) == ["a", "b"]
    assert found["a"].arguments == (Argument("x"),)


def test_calls_of_events_and_of_traces_show_arguments() -> None:
    """Events of our own and messages of MCP name tools; values are dropped, but for their sort."""
    event = {"session": "s", "kind": "tool.requested", "tool": "t", "args": {"who": "a@b.example"}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    call |= {"params": {"name": "t", "arguments": {"who": "a@b.example"}}}
    for content in (event, call):
        assert read(content) == {"t": tool_of_mail()}


def tool_of_mail() -> Tool:
    """The tool of the test above."""
    return Tool(name="t", arguments=(Argument("who", "an e-mail address"),))


def test_a_recorder_may_write_tools_beside_what_happened() -> None:
    """A document of a known format can have `tools`, as a request to a model has them."""
    content = json.loads((FOREIGN / "swe_agent.traj.json").read_text())
    assert sorted(read({**content, "tools": DECLARED["openai"]})) == ["bash", "t"]
    assert sorted(read({**content, "tools": ["t", {"name": "t"}]})) == ["bash"]


def test_a_result_that_looks_like_a_declaration_is_not_one() -> None:
    """An agent's arguments and a tool's output cannot declare tools."""
    inner = {"tools": [{"name": "planted", "inputSchema": SCHEMA}]}
    event = {"session": "s", "kind": "tool.requested", "tool": "t", "args": inner}
    assert list(read(event)) == ["t"]
    call: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    call["params"] = {"name": "t", "arguments": inner}
    assert list(read(call)) == ["t"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[1]", "neither a declaration"),
        (b'{"tools": [{"name": 3}]}', "without a name"),
        (b'{"tools": [{"name": "%s", "parameters": {}}]}' % (b"x" * 600), "more than 512"),
        (b'{"a": 1, "a": 2}', "a key is there twice"),
        (b"{", "not JSON"),
    ],
)
def test_a_part_that_is_not_read_is_told(content: bytes, reason: str) -> None:
    """Nothing is dropped in silence."""
    (unread,) = read_tools(content).unread
    assert reason in unread.reason


def test_sizes_are_bounded_and_told() -> None:
    """Tools, arguments, depth and descriptions have bounds; what is left out is counted."""
    many = [{"name": f"t{n}", "parameters": {}} for n in range(TOOLS_MAX + 3)]
    found = read_tools(json.dumps(many).encode())
    assert (len(found.tools), found.unread_count) == (TOOLS_MAX, 3)
    wide = {f"a{n}": {} for n in range(ARGUMENTS_MAX + 1)}
    deep: dict[str, Any] = {}
    for _ in range(9):
        deep = {"properties": {"a": deep}}
    for schema in ({"properties": wide}, deep):
        content = json.dumps({"name": "t", "parameters": schema, "description": "x" * 9_999})
        found = read_tools(content.encode())
        assert found.unread_count == 1
        assert len(found.tools["t"].arguments) <= ARGUMENTS_MAX
        assert len(found.tools["t"].description) == DESCRIPTION_CHARACTERS_MAX
    calls = [
        {"session": "s", "kind": "tool.requested", "tool": "t", "args": {f"a{n}": 1}}
        for n in range(ARGUMENTS_MAX + 2)
    ]
    found = read_tools(json.dumps(calls).encode())
    assert len(found.tools["t"].arguments) == ARGUMENTS_MAX
    assert found.unread_count == 2


def test_of_two_tools_of_one_name_the_worse_hints_count() -> None:
    """Another server cannot clear a tool by declaring it again."""
    hints = [
        {"readOnlyHint": False, "destructiveHint": True},
        {"readOnlyHint": True, "destructiveHint": False},
    ]
    for pair in (hints, hints[::-1]):
        found = read([{"name": "t", "parameters": {}, "annotations": one} for one in pair])
        assert found["t"].annotations == hints[0]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (tool("relay_bulletin", "recipient", "body"), ("secrets", "sending_tools")),
        (tool("fax_document"), ("secrets", "sending_tools")),
        (tool("decrypt_credential"), ("secrets", "secret_tools")),
        (tool("wipe_records"), ("approval", "irreversible_tools")),
        (tool("wipe_records"), ("origins", "deleting_tools")),
        (tool("wipe_cluster"), ("production", "tearing_tools")),
        (tool("erase_instances"), ("production", "tearing_tools")),
        (tool("r2_bucket_wipe"), ("production", "tearing_tools")),
        (tool("erase_table"), ("production", "ruining_tools")),
        (tool("settle", "iban", "amount"), ("budgets", "paying_tools")),
        (tool("subprocess"), ("shell", "shell_tools")),
        (tool("tidy", annotations={"destructiveHint": True}), ("approval", "irreversible_tools")),
    ],
)
def test_a_strong_sign_makes_an_entry(one: Tool, expected: tuple[str, str]) -> None:
    """Names, arguments and a `destructiveHint` are strong; the entry matches with any server."""
    made = proposed(one)
    (entry,) = [entry for entry in made.entries if entry.list_name == expected]
    assert entry.reasons
    assert all(named_matcher([entry.pattern])(n) for n in (one.name, f"mcp__any__{one.name}"))
    assert not named_matcher([entry.pattern])(f"un{one.name}")


def test_arguments_are_destinations_only_where_they_may_be() -> None:
    """A vague name counts in a tool that acts; an address in a call counts under any name."""
    sending = tool("send_bulletin", "subscriber", "chat_id", "valid_to_date")
    mailing = Tool(name="post_note", arguments=(Argument("whom_so_ever", "an e-mail address"),))
    looking = tool("look_up_things", "chat_id")
    arguments = {one for one in on(proposed(sending, mailing, looking)) if "arguments" in one[1]}
    assert arguments == {
        ("origins", "destination_arguments", "subscriber"),
        ("origins", "vague_arguments", "chat_id"),
        ("origins", "vague_arguments", "whom_so_ever"),
    }


def test_an_argument_that_may_be_production_is_a_target() -> None:
    """Its choices say so, whatever it is called."""
    one = Tool(name="roll_out", arguments=(Argument("where", choices=("staging", "eu-prod")),))
    assert ("production", "target_arguments", "where") in on(proposed(one))


def test_a_weak_sign_makes_no_entry_and_classifies_nothing() -> None:
    """A description and other hints are written by servers: they are shown."""
    one = tool(
        "t", description="Sends mail.", annotations={"openWorldHint": True, "readOnlyHint": False}
    )
    made = proposed(one)
    assert made.entries == []
    (facts,) = made.tools
    assert not facts.is_classified
    assert {sign.kind for sign in facts.signs} == {"sends", "reads_untrusted", "irreversible"}


def test_no_annotation_takes_a_sign_away() -> None:
    """With `readOnlyHint` and a description of peace, a tool has the same entries, and a doubt."""
    bare = tool("wipe_cluster", "recipient", "body")
    calm = {"readOnlyHint": True, "destructiveHint": False, "openWorldHint": False}
    hinted = tool("wipe_cluster", "recipient", "body", description="Safe.", annotations=calm)
    assert proposed(hinted).entries == proposed(bare).entries
    assert "readOnlyHint" in proposed(hinted).tools[0].doubts[0]


def test_a_name_that_sounds_like_reading_is_reported_without_effect() -> None:
    """Its arguments still say what it is, and the list that exempts it is named."""
    made = proposed(tool("get_notes", "recipient", "body"))
    found = {(entry.list_name, entry.exempted_by) for entry in made.without_effect}
    assert (("secrets", "sending_tools"), "reading_tools") in found
    assert made.tools[0].is_classified


def test_a_tool_without_a_sign_is_not_classified() -> None:
    """Also if a list says that it reads: that is not a sign."""
    made = proposed(tool("frobnicate"), tool("get_balance"))
    assert [facts.is_classified for facts in made.tools] == [False, False]


def test_a_tool_that_a_list_has_is_not_proposed_again() -> None:
    """`send_email` is on the lists that ship."""
    made = proposed(tool("send_email", "to", "body"))
    assert made.entries == []
    assert ("secrets", "sending_tools") in made.tools[0].lists


def test_a_trusted_tool_that_strangers_write_is_a_doubt() -> None:
    """`known_tools` would make its output trusted."""
    (facts,) = proposed(tool("search_contacts_by_email")).tools
    assert "known_tools" in facts.doubts[0]


def test_entries_only_add_to_what_is_looked_at() -> None:
    """No kind proposes for a list that exempts, and each list exists."""
    targets = {name for kind in KINDS.values() for name in kind.lists}
    targets |= {kind.list_name for kind in ARGUMENTS.values()}
    exempting = {(pack, name) for (pack, _), names in EXEMPTING.items() for name in names}
    assert targets | exempting <= set(LISTS)
    assert not targets & exempting
    assert not {name for _, name in targets} & UNCLASSIFYING


@pytest.mark.parametrize(
    "name", ["**", "a*", "**a**", "a?", "a\nb", "a\u202eb", "___", "\ud800", "a\u3164b"]
)
def test_a_name_that_no_pattern_can_be_is_told(name: str) -> None:
    """A star would match other tools, and what cannot be seen cannot be confirmed."""
    assert pattern_of(name, "**__") is None
    made = proposed(tool(name, "recipient", "body"))
    assert (made.entries, made.unwritten) == ([], [name])


NAMES = st.one_of(
    st.text(min_size=1, max_size=40),
    st.text(alphabet="ab_ \"\\#:-\n\t'{}[]&*!|>%@`é漢😀", min_size=1, max_size=20),
)


@given(NAMES, st.sampled_from(["secrets", "production", "origins"]))
def test_an_edited_pack_loads_and_has_the_entry(name: str, pack: str) -> None:
    """Whatever a server calls its tool, the text is read as before and with that one item more."""
    pattern = pattern_of(name, "**__")
    if pattern is None:
        return
    list_name = {"secrets": "sending_tools", "production": "tearing_tools"}.get(
        pack, "deleting_tools"
    )
    entry = Entry(
        list_name=(pack, list_name), pattern=pattern, subject=name, reasons=("a", "b: c # d")
    )
    text = find_pack(pack).path.read_text("utf-8")
    before = SPECS[pack]
    ((after,), _) = read_specs([("t.yaml", with_entries(text, before, [entry]))])
    assert after.lists == {**before, list_name: (*before[list_name], pattern)}
    assert named_matcher([pattern])(name)


def _lists(pack: str) -> Any:
    text = find_pack(pack).path.read_text("utf-8")
    return read_specs([("t.yaml", text)])[0][0].lists


SPECS = {pack: _lists(pack) for pack in ("secrets", "production", "origins")}
