"""Sessions: what is published of their life, messages and calls, and in what order."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from interlock import Client, ClientOptions, Killed, SettingError, guarded
from interlock.limits import NAME_CHARACTERS_MAX
from invariants.model.event import EventRecord
from tests.support.control_writer import ControlWriter, published

Event = dict[str, Any]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Client(
        f"log:{tmp_path}", ClientOptions(control=False), agent="bot", user="u", tenant="t"
    ) as client:
        yield client


def events_of(client: Client, directory: Path) -> list[Event]:
    assert client.flush(10)
    return published(directory)


def kinds(events: list[Event]) -> list[str]:
    return [event["kind"] for event in events]


def test_a_session_is_told_from_its_start_to_its_end(client: Client, tmp_path: Path) -> None:
    """Numbers run from 0 without a gap, and the end carries the last one."""
    with client.session("s1", parent="p") as session:
        session.user_message("hello")
        session.assistant_message("hi")
        session.emit("file.read", attributes={"path": "/x"})
    events = events_of(client, tmp_path)
    assert kinds(events) == [
        "session.started", "message.user", "message.assistant", "file.read", "session.ended",
    ]  # fmt: skip
    assert [e["seq"] for e in events] == [0, 1, 2, 3, 4]
    for event in events:
        record = msgspec.json.decode(msgspec.json.encode(event), type=EventRecord)
        assert (record.session, record.parent) == ("s1", "p")
        assert (record.agent, record.user, record.tenant) == ("bot", "u", "t")
        assert isinstance(record.ts, int)


def test_a_call_is_told_before_and_after_with_the_same_arguments(
    client: Client, tmp_path: Path
) -> None:
    """One call id ties request and outcome, and what the tool does to its arguments is not told."""

    def take(items: list[int]) -> int:
        items.clear()
        return 3

    with client.session() as session:
        assert session.call("take", take, items=[1, 2]) == 3
    _, requested, completed, _ = events_of(client, tmp_path)
    assert (requested["kind"], completed["kind"]) == ("tool.requested", "tool.completed")
    assert requested["call"] == completed["call"] != ""
    assert requested["args"] == completed["args"] == {"items": [1, 2]}
    assert completed["result"] == 3


@pytest.mark.parametrize("error", [ValueError("no such host"), KeyboardInterrupt()])
def test_a_call_that_fails_is_told_and_fails(
    client: Client, tmp_path: Path, error: BaseException
) -> None:
    """The error passes through unchanged, whatever sort it is."""

    def fail(url: str) -> None:
        raise error

    with client.session() as session, pytest.raises(type(error)) as raised:
        session.call("get", fail, url="u")
    assert raised.value is error
    failed = events_of(client, tmp_path)[2]
    assert failed["kind"] == "tool.failed"
    assert failed["args"] == {"url": "u"}
    assert failed["error"].startswith(type(error).__name__)


def test_an_exception_that_cannot_be_shown_is_told_by_its_type(
    client: Client, tmp_path: Path
) -> None:
    """A broken `__str__` crashes nobody."""

    class Unshowable(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def fail() -> None:
        raise Unshowable

    with client.session() as session, pytest.raises(Unshowable):
        session.call("get", fail)
    assert "Unshowable" in events_of(client, tmp_path)[2]["error"]


def test_a_session_that_ends_with_an_error_says_its_type(client: Client, tmp_path: Path) -> None:
    """The message is not told: it may hold what the session was about."""
    with pytest.raises(ValueError, match="secret"), client.session():
        raise ValueError("secret")
    assert events_of(client, tmp_path)[-1]["error"] == "ValueError"


def test_a_block_tells_the_result_that_it_was_given(client: Client, tmp_path: Path) -> None:
    """For calls that are no function."""
    with client.session() as session, session.tool("http.get", url="u") as call:
        call.result = {"status": 200}
    completed = events_of(client, tmp_path)[2]
    assert completed["result"] == {"status": 200}


def test_a_decorated_tool_is_told_by_its_arguments_names(client: Client, tmp_path: Path) -> None:
    """Positions, defaults, `*` and `**` become names; `self` is left out."""

    class Tools:
        @guarded(lambda: session, "post")
        def post(self, url: str, *parts: int, method: str = "POST", **headers: str) -> str:
            return f"{method} {url} {parts} {headers}"

    session = client.session()
    told = Tools().post("u", 1, 2, accept="x")
    assert told == "POST u (1, 2) {'accept': 'x'}"
    requested = events_of(client, tmp_path)[1]
    assert requested["tool"] == "post"
    assert requested["args"] == {"url": "u", "parts": [1, 2], "method": "POST", "accept": "x"}


def test_a_keyword_cannot_hide_an_argument_of_its_name(client: Client, tmp_path: Path) -> None:
    """A positional-only argument and a keyword of one name are both told."""
    session = client.session()

    @session.tool_call("f")
    def function(path: str, /, **more: str) -> None: ...

    function("/etc/passwd", path="/tmp/harmless")
    assert events_of(client, tmp_path)[1]["args"] == {
        "path": "/etc/passwd", "more.path": "/tmp/harmless",
    }  # fmt: skip


def test_async_tools_are_told_when_they_are_done(client: Client, tmp_path: Path) -> None:
    """By decorator, by `call_async`, by a block, and by `call` of something to await."""
    session = client.session()

    @session.tool_call("decorated")
    async def decorated(x: int) -> int:
        await asyncio.sleep(0)
        return x + 1

    async def fail() -> None:
        raise ValueError("no")

    async def main() -> None:
        assert await decorated(1) == 2
        assert await session.call_async("called", decorated, x=2) == 3
        async with session.tool("block") as call:
            call.result = 4
        pending = session.call("awaited", lambda: decorated(4))
        assert client.flush(10)
        assert kinds(published(tmp_path))[-1] == "tool.requested"
        assert await pending == 5
        with pytest.raises(ValueError, match="no"):
            await session.call("failing", fail)

    asyncio.run(main())
    outcomes = [
        (e["tool"], e["kind"], e.get("result"))
        for e in events_of(client, tmp_path)
        if e["kind"] in ("tool.completed", "tool.failed")
    ]
    assert outcomes == [
        ("decorated", "tool.completed", 2),
        ("decorated", "tool.completed", 3),
        ("called", "tool.completed", 3),
        ("block", "tool.completed", 4),
        ("decorated", "tool.completed", 5),
        ("awaited", "tool.completed", 5),
        ("failing", "tool.failed", None),
    ]


def test_an_async_tool_of_a_killed_session_does_not_run(tmp_path: Path) -> None:
    """The guard stands before the function's first line."""
    control = ControlWriter(tmp_path)
    control.put("session:s1", "killed")
    control.beat()
    ran: list[int] = []
    with Client(f"log:{tmp_path}") as client:

        @client.session("s1").tool_call("t")
        async def tool() -> None:
            ran.append(1)

        with pytest.raises(Killed):
            asyncio.run(tool())
    assert ran == []


def test_paths_are_told_as_the_system_would_open_them(tmp_path: Path) -> None:
    """Links, `..` and relative paths are resolved in the event; the tool gets what it was given."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to("/etc")
    odd_path = f"{tmp_path}/data/../data/link/passwd"
    given: list[str] = []
    with (
        Client(
            f"log:{tmp_path}", ClientOptions(control=False, path_args=["path", "copy.to"])
        ) as client,
        client.session() as session,
    ):
        session.call("read", lambda path: given.append(path), path=odd_path)
        session.call("copy", lambda **args: None, to="x", url="x", path=[Path(), 5])
    requested = [e for e in published(tmp_path) if e["kind"] == "tool.requested"]
    here = os.path.realpath(".")
    assert requested[0]["args"] == {"path": "/etc/passwd"}
    assert given == [odd_path]
    assert requested[1]["args"] == {"to": f"{here}/x", "url": "x", "path": [here, 5]}


def test_threads_share_a_session_without_gaps(client: Client, tmp_path: Path) -> None:
    """Every number once, `session.started` first, in the order of the file."""
    session = client.session("s1")

    def work() -> None:
        for n in range(50):
            session.call("t", lambda n: n, n=n)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = events_of(client, tmp_path)
    assert [e["seq"] for e in events] == list(range(1 + 6 * 50 * 2))
    assert kinds(events).count("session.started") == 1
    assert events[0]["kind"] == "session.started"


def test_closing_ends_what_runs_and_says_what_became_of_it(tmp_path: Path) -> None:
    """A session left open is ended, and a second close changes nothing."""
    client = Client(f"log:{tmp_path}", ClientOptions(control=False))
    session = client.session()
    session.user_message("x")
    first = client.close()
    assert (first.published, first.waiting_events, first.dropped) == (3, 0, {})
    assert client.close() == first
    session.emit("heartbeat")
    assert client.stats().dropped == {"heartbeat": 1}
    assert kinds(published(tmp_path)) == ["session.started", "message.user", "session.ended"]


def test_a_silent_session_sends_heartbeats_and_a_finished_one_does_not(tmp_path: Path) -> None:
    """The sign of life is numbered like every event."""
    with Client(f"log:{tmp_path}", ClientOptions(control=False, heartbeat_s=0.02)) as client:
        with client.session("over"):
            pass
        with client.session("s1"):
            while "heartbeat" not in kinds(published(tmp_path)):
                client.flush(1)
    beats = [e for e in published(tmp_path) if e["kind"] == "heartbeat"]
    assert {e["session"] for e in beats} == {"s1"}


def test_a_known_kind_in_another_spelling_is_published_as_the_one_that_is_meant(
    tmp_path: Path,
) -> None:
    """The monitor would not read it; a kind of the user's own stays as it is."""
    with (
        Client(f"log:{tmp_path}", ClientOptions(control=False)) as client,
        client.session() as session,
    ):
        session.emit("File_Read", attributes={"path": "/x"})
        session.emit("my.own_Kind")
    assert kinds(published(tmp_path))[1:-1] == ["file.read", "my.own_Kind"]


def test_trouble_with_the_log_never_reaches_the_agent(tmp_path: Path) -> None:
    """The calls are made; the client says that it is not well, and what was not delivered."""
    (tmp_path / "agent.events").write_text("a file where a directory belongs")
    client = Client(f"log:{tmp_path}", ClientOptions(control=False))
    with client.session() as session:
        assert session.call("t", lambda: 1) == 1
    assert not client.flush(0.2)
    assert not client.healthy
    stats = client.close(0.1)
    assert stats.waiting_events == 4
    assert stats.errors >= 1


@pytest.mark.parametrize("session_id", ["", "a b", "a/b", '"', "é", "x" * 129, ".a", "a\n", 5])
def test_odd_session_ids_are_refused(client: Client, session_id: Any) -> None:
    """An id is a key, a label and part of an event's id, so it holds nothing odd."""
    with pytest.raises(SettingError):
        client.session(session_id)
    if session_id != "a/b":  # A parent may be another principal's: `NAME/ID`.
        with pytest.raises(SettingError):
            client.session(parent=[session_id])


@pytest.mark.parametrize("parent", ["/a", "a/", "a/b/c", "a\n/b", "a/b c"])
def test_odd_parents_are_refused(client: Client, parent: str) -> None:
    """An ancestor is a session's ID, or `NAME/ID` with one `/`: else a stop would not reach it."""
    with pytest.raises(SettingError):
        client.session(parent=parent)


@pytest.mark.parametrize("tool", ["", "x" * (NAME_CHARACTERS_MAX + 1), "a\nb", 7])
def test_odd_tool_names_run_nothing(client: Client, tool: Any) -> None:
    """A tool that could not be told of is not called."""
    ran: list[int] = []
    with pytest.raises(SettingError):
        client.session().call(tool, lambda: ran.append(1))
    assert ran == []


@pytest.mark.parametrize(
    "settings",
    [{"fail": "maybe"}, {"before_view": "x"}, {"block_ms_max": -1}, {"linger_ms": "2"},
     {"view_age_s_max": float("nan")}, {"buffer_events_max": 0}, {"irreversible_tools": "pay"},
     {"principal": "x" * (NAME_CHARACTERS_MAX + 1)}, {"kafka_options": {"bootstrap_servers": "x"}},
     {"path_args": [1]}, {"heartbeat_s": True}],
)  # fmt: skip
def test_odd_options_are_refused_at_once(settings: dict[str, Any]) -> None:
    """Before there is a client, with the name of the option."""
    with pytest.raises(SettingError, match=f"`{next(iter(settings))}`"):
        ClientOptions(**settings)


@pytest.mark.parametrize("name", ["agent", "user", "tenant"])
def test_odd_identities_are_refused_at_once(tmp_path: Path, name: str) -> None:
    """Before anything is opened."""
    with pytest.raises(SettingError, match=f"`{name}`"):
        Client(f"log:{tmp_path}", **{name: "x" * (NAME_CHARACTERS_MAX + 1)})
    assert list(tmp_path.iterdir()) == []


def test_options_do_not_change_with_what_they_were_made_of() -> None:
    """A list that is changed later changes no client."""
    paths, kafka = ["path"], {"client_id": "a"}
    options = ClientOptions(path_args=iter(paths), kafka_options=kafka)
    paths.append("other")
    kafka["client_id"] = "b"
    assert options.path_args == {"path"}
    assert options.kafka_options == {"client_id": "a"}
