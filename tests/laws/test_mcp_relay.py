"""Whatever a client and a server of MCP send, a server reads only calls that the gate allowed.

Messages of both sides are drawn as text, honest and forged, and given to the relay in any order,
with the gate's decisions between them. What the server would get is read by lenient readers
of their own (`tests/support/mcp_readers.py`).
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from interlock.mcp_proxy.lines import Lines
from interlock.mcp_proxy.relay import Answer, Ask, Drop, Forward, Relay, Withdraw
from interlock.mcp_proxy.tool_call import Call, Outcome
from interlock.mcp_proxy.tools import Tools
from tests.laws.amount import EXAMPLES
from tests.support.mcp_readers import as_call, calls_read

METHODS = [
    "tools/call",
    "tools/list",
    "ping",
    "notifications/cancelled",
    "Tools/Call",
    "resources/read",
]
TOOLS = ["read", "pay", "Pay", "read "]
scalars = st.sampled_from(
    ["1", '"1"', "2", "null", "1.0", "true", '"/secret"', '"\\ud800"', "1e999"]
)
blanks = st.sampled_from(["", " ", "\r", "\t"])


def spelled(*names: str) -> st.SearchStrategy[str]:
    """A key, mostly as it is written, else as a lenient reader takes it."""
    forms = [form for name in names for form in (name, name, name, name.upper(), name.title())]
    return st.sampled_from([json.dumps(form) for form in forms])


@st.composite
def objects(draw: st.DrawFn, keys: st.SearchStrategy[str], values: st.SearchStrategy[str]) -> str:
    pairs = draw(st.lists(st.tuples(keys, values), max_size=4))
    gap = draw(blanks)
    return "{" + ",".join(f"{key}:{gap}{value}{gap}" for key, value in pairs) + "}"


arguments = objects(spelled("path", "amount"), scalars)
call_params = objects(
    spelled("name", "arguments", "_meta", "task"),
    st.one_of(st.sampled_from(TOOLS).map(json.dumps), arguments, arguments, scalars),
)


@st.composite
def honest_calls(draw: st.DrawFn) -> str:
    id_, tool = draw(st.sampled_from(["1", "2", '"1"'])), draw(st.sampled_from(["read", "pay"]))
    args = draw(st.sampled_from(["{}", '{"amount":1}', '{"path":"/a\u2028b"}']))
    params = f'{{"name":"{tool}","arguments":{args}}}'
    return f'{{"jsonrpc":"2.0","id":{id_},"method":"tools/call","params":{params}}}'


@st.composite
def smuggled(draw: st.DrawFn) -> str:
    """A call within another message, where some readers begin a new one."""
    inner, gap = draw(honest_calls()), draw(st.sampled_from(["\r", "\r\r", " "]))
    return draw(
        st.sampled_from(
            [
                f'{{"jsonrpc":"2.0","id":9,"method":"ping","params":{{"x":{gap}{inner}{gap}}}}}',
                f"[{gap}{inner}{gap}]",
                json.dumps({"jsonrpc": "2.0", "id": 9, "method": "ping", "params": {"x": inner}}),
            ]
        )
    )


forged = objects(
    spelled("jsonrpc", "id", "method", "params", "result"),
    st.one_of(
        st.just('"2.0"'), scalars, st.sampled_from(METHODS).map(json.dumps), call_params, arguments
    ),
)
nearly = st.builds(
    lambda id_, method, params, more: (
        f'{{"jsonrpc":"2.0","id":{id_},"method":{json.dumps(method)},"params":{params}{more}}}'
    ),
    scalars,
    st.sampled_from(METHODS),
    call_params,
    st.sampled_from(["", ',"METHOD":"tools/call"', ',"id":2', ',"params":{"name":"pay"}']),
)
cancels = scalars.map(
    lambda id_: (
        f'{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id_}}}}}'
    )
)
from_client = st.one_of(honest_calls(), honest_calls(), smuggled(), forged, nearly, cancels)
responses = st.builds(
    lambda id_, rest: f'{{"jsonrpc":"2.0","id":{id_},{rest}}}',
    scalars,
    st.sampled_from(
        ['"result":{"content":[]}', '"error":{"code":1,"message":"m"}', '"result":{},"a":1,"a":2']
    ),
)
steps = st.one_of(
    st.tuples(st.just("client"), from_client.map(str.encode)),
    st.tuples(st.just("client"), st.binary(max_size=20)),
    st.tuples(st.just("server"), responses.map(str.encode)),
    st.tuples(st.sampled_from(["allow", "deny", "edit"]), st.integers(0, 3)),
)
EDITED = {"amount": 0}


class Played:
    """A relay between a client that sends anything, and a server that answers anything."""

    def __init__(self) -> None:
        self.relay = Relay(Tools(""))
        self.asked: list[Call] = []
        self.allowed: set[tuple[str, str]] = set()
        self.sent: list[Call] = []
        self.outcomes: list[Outcome] = []
        self.to_server = b""
        self.to_client: list[bytes] = []
        self.lines = Lines()

    def play(self, side: str, what: Any) -> None:
        if side == "client":
            for line in self.lines.feed(what + b"\n"):
                assert line is not None
                self._client(line)
        elif side == "server":
            self._keep(self.relay.from_server(what), "client")
        elif self.asked:
            self._decide(side, self.asked.pop(what % len(self.asked)))

    def _client(self, line: bytes) -> None:
        step = self.relay.from_client(line)
        match step:
            case Forward(data):
                assert data == line, "it passes unchanged"
                self._keep(step, "server")
            case Ask(call):
                self.asked.append(call)
            case Withdraw(call):
                self.asked.remove(call)
            case Answer(data):
                self.to_client.append(data)

    def _decide(self, decision: str, call: Call) -> None:
        assert self.relay.is_waiting(call)
        if decision == "deny":
            self.to_client.append(self.relay.refused(call, "no"))
            return
        edited = EDITED if decision == "edit" else None
        data = self.relay.allowed(call, edited)
        self.allowed.add(as_call(call.tool, call.args if edited is None else edited))
        self.sent.append(call)
        self.to_server += data + b"\n"

    def _keep(self, step: Forward | Drop, receiver: str) -> None:
        if isinstance(step, Drop):
            return
        self.outcomes += [step.outcome] if step.outcome else []
        if receiver == "server":
            self.to_server += step.data + b"\n"
        else:
            self.to_client.append(step.data)


@settings(max_examples=4 * EXAMPLES, deadline=None)
@given(st.lists(steps, max_size=12))
def test_a_server_reads_only_calls_that_were_allowed(played_steps: list[tuple[str, Any]]) -> None:
    """With exactly the arguments that the gate was asked about, or that an operator gave."""
    played = Played()
    for side, what in played_steps:
        played.play(side, what)
    assert calls_read(played.to_server) <= played.allowed


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(st.lists(steps, max_size=16))
def test_a_call_has_one_outcome_and_only_if_the_server_has_it(
    played_steps: list[tuple[str, Any]],
) -> None:
    """Whatever ids repeat, responses are forged, and calls are cancelled."""
    played = Played()
    for side, what in played_steps:
        played.play(side, what)
    played.outcomes += played.relay.ended("over")
    ended = Counter(id(outcome.call) for outcome in played.outcomes)
    assert ended == Counter(id(call) for call in played.sent)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(responses.map(str.encode), max_size=6), st.booleans())
def test_a_client_gets_one_result_of_a_call(answers: list[bytes], is_cancelled: bool) -> None:
    """The one that was reported; none that comes after a cancellation."""
    played = Played()
    played.play(
        "client", b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"}}'
    )
    played.play("allow", 0)
    if is_cancelled:
        cancel = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}'
        played.play("client", cancel)
    for answer in answers:
        played.play("server", answer)
    results = {data for data in played.to_client if json.loads(data).get("id") == 1}
    assert len(results) <= (0 if is_cancelled else 1)


@given(st.lists(honest_calls(), min_size=1, max_size=3))
@settings(max_examples=EXAMPLES, deadline=None)
def test_an_honest_call_is_asked_about_and_forwarded_as_it_is(calls: list[str]) -> None:
    """Nothing is changed: the server gets the client's own bytes."""
    for text in calls:
        played = Played()
        played.play("client", text.encode())
        (call,) = played.asked
        played.play("allow", 0)
        assert played.to_server == text.encode() + b"\n"
        params = json.loads(text)["params"]
        assert (call.tool, dict(call.args)) == (params["name"], params["arguments"])
