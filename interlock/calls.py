"""One tool call: guarded, announced, run, and its outcome published; as a `with` block or a
decorator, for plain and for `async` functions and for generators of both sorts.

A lazy object (a coroutine, a generator) does nothing when it is created: the guard is called when
it begins, and its outcome is published when it ends.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import traceback
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from .errors import Refused, SessionOver, SettingError
from .event_json import Arguments, arguments
from .names import checked_name
from .path_args import resolved
from .ports import Caller

P = ParamSpec("P")
T = TypeVar("T")


class ToolCall:
    """`with session.tool("http.get", url=url) as call: call.result = fetch(url)`.

    Entering guards and publishes `tool.requested`, or `tool.denied` and raises `Refused`.
    Leaving publishes `tool.completed` with `result`, or `tool.failed` and lets the error pass.
    """

    def __init__(self, session: Caller, tool: str, args: Mapping[str, object]) -> None:
        if not checked_name(tool, "tool"):
            raise SettingError("`tool` is empty")
        self._session = session
        self.tool = tool
        self.id = uuid.uuid4().hex
        self.result: object = None
        self.is_generator = False
        self._args = args
        self._told: Arguments | None = None

    def __enter__(self) -> ToolCall:
        refused: Refused | None = None
        try:
            self._session.guard(self.tool)
        except Refused as error:
            refused = error
        self._begin(refused)
        return self

    async def __aenter__(self) -> ToolCall:
        refused: Refused | None = None
        try:
            await self._session.guard_async(self.tool)
        except Refused as error:
            refused = error
        self._begin(refused)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A generator that is not advanced any further has completed its work.
        if error is None or (self.is_generator and isinstance(error, GeneratorExit)):
            self._emit("tool.completed", result=self.result)
        else:
            self._emit("tool.failed", error=_told_error(error))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)

    def ask_again(self) -> None:
        """For lazy objects: announced when created, and perhaps stopped since then.

        A caller that awaits a hundred calls one after the other must not bypass a stop in between.
        """
        try:
            self._session.guard(self.tool)
        except Refused as refused:
            self._deny(refused)
            raise

    async def ask_again_async(self) -> None:
        """As `ask_again`."""
        try:
            await self._session.guard_async(self.tool)
        except Refused as refused:
            self._deny(refused)
            raise

    def _deny(self, refused: Refused) -> None:
        self._emit("tool.denied", error=f"{type(refused).__name__}: {refused}")

    def _begin(self, refused: Refused | None) -> None:
        # Converted once: the arguments of the request and of the outcome cannot differ.
        self._told = arguments(resolved(self.tool, self._args, self._session.path_args))
        if refused is None:
            if not self._emit("tool.requested"):
                raise SessionOver(f"`{self.tool}` refused: the client was closed in the meantime")
            return
        self._deny(refused)
        raise refused

    def _emit(self, kind: str, *, result: object = None, error: str = "") -> bool:
        if not self._session.is_running:
            # A child that was forked during the call continues in its own session.
            self._session.start()
        return self._session.publish(
            kind, tool=self.tool, call=self.id, args=self._told, result=result, error=error
        )


def run(call: ToolCall, function: Callable[..., T], args: Mapping[str, Any]) -> T:
    """Make the call. If the function returns a lazy object, its outcome is published at its end."""
    with contextlib.ExitStack() as outcome:
        outcome.enter_context(call)
        result = function(**args)
        later: object = None
        if inspect.isgenerator(result):
            later = _generated(call, lambda: result, is_announced=True)
        elif inspect.isasyncgen(result):
            later = _generated_async(call, lambda: result, is_announced=True)
        elif inspect.isawaitable(result):
            later = _awaited(call, result)
        if later is not None:
            outcome.pop_all()
            return cast(T, later)
        call.result = result
    return result


def recorded(
    session: Caller | Callable[[], Caller], tool: str, function: Callable[P, T]
) -> Callable[P, T]:
    """`function` as a tool: every call of it is a `ToolCall` with its arguments by name."""
    signature = inspect.signature(function)

    def begin(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ToolCall:
        current = session() if callable(session) else session
        return ToolCall(current, tool, named(signature, args, kwargs))

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def run_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            async with begin(args, kwargs) as call:
                call.result = await function(*args, **kwargs)
            return call.result

        return cast(Callable[P, T], run_async)

    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        generated = _generated if inspect.isgeneratorfunction(function) else _generated_async

        @functools.wraps(function)
        def run_generator(*args: P.args, **kwargs: P.kwargs) -> Any:
            # Nothing of it runs before the first value is requested.
            call = begin(args, kwargs)
            return generated(call, lambda: function(*args, **kwargs), is_announced=False)

        return cast(Callable[P, T], run_generator)

    @functools.wraps(function)
    def run_plain(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(begin(args, kwargs), lambda: function(*args, **kwargs), {})

    return run_plain


def named(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, object]:
    """Arguments by name, defaults included, without `self`; `**more` are merged with the others.

    Raises
    ------
    TypeError
        The function could not be called with these either.
    """
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    told: dict[str, object] = {}
    for position, (name, parameter) in enumerate(signature.parameters.items()):
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            # A positional-only `x` and a keyword `x` may both be there: neither is lost.
            for extra, value in bound.arguments[name].items():
                told[f"{name}.{extra}" if extra in told else extra] = value
        elif position or name not in ("self", "cls"):
            told[name] = bound.arguments[name]
    return told


async def _awaited(call: ToolCall, awaitable: Awaitable[object]) -> object:
    if inspect.iscoroutine(awaitable):
        try:
            await call.ask_again_async()
        except BaseException:
            awaitable.close()
            raise
    with contextlib.ExitStack() as outcome:
        outcome.push(call)
        call.result = await awaitable
    return call.result


def _generated(
    call: ToolCall, begin: Callable[[], Any], *, is_announced: bool
) -> Generator[object, object, object]:
    call.is_generator = True
    with contextlib.ExitStack() as outcome:
        if is_announced:
            call.ask_again()
            outcome.push(call)
        else:
            outcome.enter_context(call)
        call.result = yield from begin()
    return call.result


async def _generated_async(
    call: ToolCall, begin: Callable[[], Any], *, is_announced: bool
) -> AsyncGenerator[object, object]:
    call.is_generator = True
    async with contextlib.AsyncExitStack() as outcome:
        if is_announced:
            await call.ask_again_async()
            outcome.push(call)
        else:
            await outcome.enter_async_context(call)
        items = await outcome.enter_async_context(contextlib.aclosing(begin()))
        sent: object = None
        while True:
            try:
                item = await items.asend(sent)
            except StopAsyncIteration:
                return
            sent = yield item


def _told_error(error: BaseException) -> str:
    """`Type: message`; only the type for an exception that cannot be converted to text."""
    name = type(error).__qualname__
    # Asks for the text safely, and for neither notes nor the exceptions behind this one's.
    text = str(traceback.TracebackException(type(error), error, None, lookup_lines=False))
    return f"{name}: {text}" if text else name
