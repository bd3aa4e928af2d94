"""Calls of every sort of function: when the guard is asked, and what is told of the outcome."""

from __future__ import annotations

import asyncio
import time
import xmlrpc.client
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from interlock import Client, ClientOptions, Killed, Session
from interlock.json_values import PlainJson
from interlock.limits import NESTING_MAX
from tests.support.control_writer import ControlWriter, published


class Run:
    """One client with a fresh view, one session, and what they published."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.control = ControlWriter(directory)
        self.control.beat()
        self.client = Client(f"log:{directory}", ClientOptions(path_args=["path"]))
        self.session: Session = self.client.session("s1")
        self.session.guard("t")

    def kill(self) -> None:
        """Come back when the client knows of it."""
        self.control.put("session:s1", "killed")
        deadline = time.monotonic() + 10
        follower = self.client._connection.judge.follower
        while follower is not None and time.monotonic() < deadline:
            if follower.standing(["session:s1"])[0] == "killed":
                return
        raise AssertionError("the kill was never seen")

    def told(self) -> list[tuple[str, Any]]:
        """Kind and result, or error, of what was published, but for the session's start."""
        assert self.client.flush(10)
        events = published(self.directory)
        return [(str(e["kind"]), e.get("result", e.get("error"))) for e in events][1:]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    yield run
    run.client.close()


def counting(fails_at: int = 9) -> Generator[int, object, str]:
    for n in range(3):
        if n == fails_at:
            raise ValueError("no more")
        yield n
    return "all"


async def counting_async(fails_at: int = 9) -> AsyncIterator[int]:
    for n in counting(fails_at):
        yield n


Drained = Callable[[Any], list[int]]


def drain(items: Iterator[int]) -> list[int]:
    return list(items)


def drain_async(items: AsyncIterator[int]) -> list[int]:
    async def all_of() -> list[int]:
        return [item async for item in items]

    return asyncio.run(all_of())


SORTS = pytest.mark.parametrize(
    ("function", "drained"), [(counting, drain), (counting_async, drain_async)]
)
WAYS = pytest.mark.parametrize("way", ["decorated", "called"])


def begun(run: Run, way: str, function: Callable[..., Any], **args: Any) -> Any:
    if way == "called":
        return run.session.call("t", function, **args)
    return run.session.tool_call("t")(function)(**args)


@SORTS
@WAYS
def test_a_generators_outcome_is_told_when_it_ends(
    run: Run, way: str, function: Callable[..., Any], drained: Drained
) -> None:
    """Not when it is made: until then it has done nothing."""
    items = begun(run, way, function)
    assert all(kind == "tool.requested" for kind, _ in run.told())
    assert drained(items) == [0, 1, 2]
    assert [kind for kind, _ in run.told()] == ["tool.requested", "tool.completed"]


@SORTS
@WAYS
def test_a_generator_that_fails_is_told_as_failed(
    run: Run, way: str, function: Callable[..., Any], drained: Drained
) -> None:
    """Also where it fails after its first value."""
    with pytest.raises(ValueError, match="no more"):
        drained(begun(run, way, function, fails_at=1))
    assert run.told()[-1] == ("tool.failed", "ValueError: no more")


@SORTS
@WAYS
def test_a_generator_made_before_a_kill_does_not_run_after_it(
    run: Run, way: str, function: Callable[..., Any], drained: Drained
) -> None:
    """Making many of them beforehand is no way round the guard."""
    items = begun(run, way, function)
    run.kill()
    with pytest.raises(Killed):
        drained(items)
    kinds = [kind for kind, _ in run.told()]
    assert kinds[-1] == "tool.denied"
    assert "tool.completed" not in kinds


def test_a_generator_that_is_left_early_has_done_its_part(run: Run) -> None:
    """Who breaks off the loop makes no failure of it; what it returns is told at its end."""
    decorated = run.session.tool_call("t")(counting)
    items = decorated()
    assert next(items) == 0
    items.close()
    assert list(decorated()) == [0, 1, 2]
    outcomes = [(kind, told) for kind, told in run.told() if kind != "tool.requested"]
    assert outcomes == [("tool.completed", None), ("tool.completed", "all")]


def test_values_are_sent_into_decorated_generators(run: Run) -> None:
    """The decorator is in nobody's way."""

    @run.session.tool_call("t")
    def echo() -> Generator[object, object, None]:
        got: object = None
        while True:
            got = yield got

    @run.session.tool_call("t")
    async def echo_async() -> Any:
        got: object = None
        while True:
            got = yield got

    async def main() -> list[object]:
        items = echo_async()
        told = [await items.asend(None), await items.asend(1), await items.asend(2)]
        await items.aclose()
        return told

    items = echo()
    assert [items.send(None), items.send(1), items.send(2)] == [None, 1, 2]
    assert asyncio.run(main()) == [None, 1, 2]


@pytest.mark.parametrize("is_known_to_be_lazy", [True, False])
def test_a_coroutine_made_before_a_kill_does_not_run_after_it(
    run: Run, is_known_to_be_lazy: bool
) -> None:
    """Calls that were collected first and awaited later pass the guard each at its own time.

    An `async` function is requested when it is awaited; a plain one that returns a coroutine runs
    at once, so it is requested before, and the guard is called again.
    """
    ran: list[int] = []

    async def tool(n: int) -> None:
        ran.append(n)

    def plain(n: int) -> Awaitable[None]:
        return tool(n)

    async def main() -> None:
        function = tool if is_known_to_be_lazy else plain
        pending: list[Awaitable[None]] = [run.session.call("t", function, n=n) for n in (1, 2)]
        await pending[0]
        run.kill()
        with pytest.raises(Killed):
            await pending[1]

    asyncio.run(main())
    assert ran == [1]
    requests = ["tool.requested"] * (1 if is_known_to_be_lazy else 2)
    assert [kind for kind, _ in run.told()] == [*requests, "tool.completed", "tool.denied"]


class Odd(Exception):
    """What no list of expected errors holds."""


class Proxy:
    def __getattr__(self, name: str) -> object:
        raise Odd


class Dumping:
    def model_dump(self) -> object:
        raise Odd


@pytest.mark.parametrize("kind", [Proxy, Dumping])
def test_a_result_that_cannot_be_read_costs_nobody_the_result(run: Run, kind: type[object]) -> None:
    """The tool ran: its caller gets what it gave, and the outcome is told."""
    value = kind()
    assert run.session.call("t", lambda: value) is value
    assert run.told()[-1][0] == "tool.completed"


def test_reading_a_result_calls_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy has a method of every name, and calling one could send it over the network."""
    called: list[str] = []
    proxy = xmlrpc.client.ServerProxy("http://127.0.0.1:9")
    monkeypatch.setattr(
        xmlrpc.client.ServerProxy,
        "_ServerProxy__request",
        lambda self, name, params: called.append(name),
    )
    convert = PlainJson(NESTING_MAX)
    convert(proxy)
    assert convert.lost_count == 1
    assert called == []


def test_an_errors_notes_do_not_stand_in_for_it(run: Run) -> None:
    """The type and the message are told, whatever was noted on it later."""

    def fail() -> None:
        error = ValueError("no such host")
        error.add_note("happened in step 3")
        raise error

    with pytest.raises(ValueError, match="no such host"):
        run.session.call("t", fail)
    assert run.told()[-1] == ("tool.failed", "ValueError: no such host")


def endless() -> list[object]:
    loop: list[object] = []
    loop.append(loop)
    return loop


class OddPath:
    def __fspath__(self) -> str:
        raise Odd


@pytest.mark.parametrize(
    "path", [endless(), "a/" * 3_000, ["a"] * 1_001, OddPath(), [["a"] * 600] * 2]
)
def test_a_path_that_cannot_be_resolved_is_named_and_not_told(run: Run, path: object) -> None:
    """It is neither told as it stands, nor does it hold up or break the call."""
    assert run.session.call("t", lambda path, mode: 1, path=path, mode="r") == 1
    run.client.flush(10)
    requested = published(run.directory)[1]
    assert requested["args"] == {"mode": "r"}
    assert requested["attributes"] == {"interlock_args_omitted": ["path"]}


@pytest.mark.parametrize("value", [b"x" * 5_000_000, "\ud800" * 5_000_000])
def test_what_would_be_dropped_is_not_read_first(value: Any) -> None:
    """Far more text than an event holds is cut before it is looked at, and marked."""
    convert = PlainJson(NESTING_MAX)
    convert(value)
    assert convert.is_cut


def test_waiting_for_a_view_holds_up_no_other_task(tmp_path: Path) -> None:
    """The event loop goes round while an async tool waits for the first view of the topic."""
    control = ControlWriter(tmp_path)
    client = Client(f"log:{tmp_path}", ClientOptions(wait_s_max=30))
    rounds: list[bool] = []

    async def tool() -> int:
        return 1

    async def main() -> None:
        waiting = asyncio.ensure_future(client.session().call_async("t", tool))
        for _ in range(20):
            await asyncio.sleep(0)
            rounds.append(waiting.done())
        control.beat()
        assert await waiting == 1

    asyncio.run(main())
    client.close()
    assert rounds == [False] * 20
