"""One tool call: guarded, announced, run, and its outcome published; as a `with` block or a
decorator, for plain and for `async` functions.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

from .errors import Refused, SessionOver
from .event_json import Arguments, arguments

if TYPE_CHECKING:
    from .session import Session

P = ParamSpec("P")
T = TypeVar("T")

NOT_GIVEN: Final = object()


class ToolCall:
    """`with session.tool("http.get", url=url) as call: call.result = fetch(url)`.

    Entering guards and publishes `tool.requested`, or `tool.denied` and raises `Refused`.
    Leaving publishes `tool.completed` with `result`, or `tool.failed` and lets the error pass.
    """

    def __init__(self, session: Session, tool: str, args: Mapping[str, object]) -> None:
        self._session = session
        self.tool = tool
        self.id = uuid.uuid4().hex
        self.result: object = None
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
        if error is None:
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

    def _begin(self, refused: Refused | None) -> None:
        # Converted once: what was asked for and what is told afterwards cannot differ.
        self._told = arguments(resolved(self.tool, self._args, self._session.path_args))
        if refused is None:
            if not self._emit("tool.requested"):
                raise SessionOver(f"`{self.tool}` refused: the client was closed meanwhile")
            return
        self._emit("tool.denied", error=f"{type(refused).__name__}: {refused}")
        raise refused

    def _emit(self, kind: str, *, result: object = None, error: str = "") -> bool:
        return self._session.publish(
            kind, tool=self.tool, call=self.id, args=self._told, result=result, error=error
        )


def run(call: ToolCall, function: Callable[..., T], args: Mapping[str, Any]) -> T:
    """Make the call. Where the function gives something to await, its outcome is told then."""
    with contextlib.ExitStack() as outcome:
        outcome.enter_context(call)
        result = function(**args)
        if inspect.isawaitable(result):
            outcome.pop_all()
            return cast(T, _awaited(call, result))
        call.result = result
    return result


def recorded(
    session: Session | Callable[[], Session], tool: str, function: Callable[P, T]
) -> Callable[P, T]:
    """`function` as a tool: every call of it is a `ToolCall` with its arguments by name."""
    signature = inspect.signature(function)

    def begin(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ToolCall:
        current = session() if callable(session) else session
        return current.tool(tool, **named(signature, args, kwargs))

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def run_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            async with begin(args, kwargs) as call:
                call.result = await function(*args, **kwargs)
            return call.result

        return cast(Callable[P, T], run_async)

    @functools.wraps(function)
    def run_plain(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(begin(args, kwargs), lambda: function(*args, **kwargs), {})

    return run_plain


def named(
    signature: inspect.Signature, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> dict[str, object]:
    """Arguments by name, defaults included, without `self`; `**more` stand beside the others.

    Raises
    ------
    TypeError
        Where the function could not be called so either.
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


def resolved(
    tool: str, args: Mapping[str, object], path_args: frozenset[str]
) -> Mapping[str, object]:
    """`args` with the paths among them made absolute and free of links.

    `path_args` names arguments, of every tool (`path`) or of one (`read_file.path`).
    """
    if not path_args:
        return args
    return {
        name: resolved_path(value) if name in path_args or f"{tool}.{name}" in path_args else value
        for name, value in args.items()
    }


def resolved_path(value: object) -> object:
    """A path, or a list of paths, as the system would resolve it now; other values as they are.

    A path that cannot be resolved (a NUL in it) stays: opening it fails as well.
    """
    if isinstance(value, list | tuple):
        return [resolved_path(item) for item in value]
    if not isinstance(value, str | bytes | os.PathLike):
        return value
    try:
        return os.path.realpath(os.fsdecode(value))
    except (OSError, ValueError):
        return value


async def _awaited(call: ToolCall, awaitable: Awaitable[object]) -> object:
    async with _Begun(call):
        call.result = await awaitable
    return call.result


class _Begun:
    """The second half of a call that was begun already."""

    def __init__(self, call: ToolCall) -> None:
        self._call = call

    async def __aenter__(self) -> None:
        """Nothing: it was announced when it was made."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call.__exit__(kind, error, trace)


def _told_error(error: BaseException) -> str:
    """`Type: message`; an exception that cannot say what it is gives its type alone."""
    return traceback.format_exception_only(type(error), error)[-1].strip()
