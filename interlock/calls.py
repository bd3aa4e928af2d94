"""One tool call: requested, run, and its outcome published; as a `with` block or a decorator, for
plain and for `async` functions and for generators of both sorts.

A lazy object (a coroutine, a generator) does nothing when it is created: the call is requested when
it begins, and its outcome is published when it ends. If only the function's result shows that it is
lazy, the call is requested before the function runs, and the judge is consulted again when the
object begins.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import traceback
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from types import TracebackType
from typing import Any, Final, ParamSpec, TypeVar, cast

from .errors import Denied, SettingError
from .event_json import Arguments, arguments
from .names import checked_name
from .path_args import resolved
from .ports import Caller

P = ParamSpec("P")
T = TypeVar("T")

_ID_KEPT_CHARS: Final = 100
"""Chosen: ids of models are shorter."""
Edited = Mapping[str, object] | None
"""The arguments with which an operator approved a call, if not with its own."""


class ToolCall:
    """`with session.tool("http.get", url=url) as call: call.result = fetch(url)`.

    Entering requests the call, or raises `Refused`. Leaving publishes `tool.completed` with
    `result`, or `tool.failed` and lets the error pass. A tool that reports its failure in another
    way than by an exception has `error` set to the text of it, perhaps beside a `result`. The
    request and the outcome have `attributes`; set them before entering.

    A call that a gate holds does not wait if it `is_deferred`: `Held` is raised at once, and the
    call stays with the operators. The same call, with the same id and arguments and made again in
    this or another process, gets their decision.
    """

    def __init__(self, session: Caller, tool: str, args: Mapping[str, object]) -> None:
        if not checked_name(tool, "tool"):
            raise SettingError("`tool` is empty")
        self._session = session
        self.tool = tool
        self.id = uuid.uuid4().hex
        self.result: object = None
        self.error = ""
        self.attributes: Mapping[str, object] = {}
        self.is_generator = self.is_deferred = self.is_id_repeated = False
        self.args = args
        self._told: Arguments | None = None

    def with_id(self, call_id: str) -> ToolCall:
        """Use the model's own id of the call, which no other call of the session has."""
        self.id = checked_name(call_id, "call") or self.id
        return self

    def renew_id(self) -> bool:
        """Another process has used the id: take `ID~` and random digits, if a framework repeats ids
        (`is_id_repeated`). False if the id is the caller's own, and must be another for each call.
        """
        if self.is_id_repeated:
            self.id = f"{self.id[:_ID_KEPT_CHARS]}~{uuid.uuid4().hex[:8]}"
        return self.is_id_repeated

    def run(self, function: Callable[..., T]) -> T:
        """`function` with the call's arguments, or with those that an operator approved instead."""
        return run(self, function)

    async def run_async(self, function: Callable[..., Awaitable[T]]) -> T:
        """As `run`, for an `async` function."""
        return await awaited(self, self.invoking(function))

    def invoking(self, function: Callable[..., T]) -> Callable[[Edited], T]:
        """`function` as it is run once it is known if the arguments were edited."""
        return lambda edited: function(**(self.args if edited is None else edited))

    def told(self) -> Arguments:
        """Converted once: the arguments of the request and of the outcome cannot differ."""
        if self._told is None:
            self._told = arguments(resolved(self.tool, self.args, self._session.path_args))
        return self._told

    def begin(self) -> Edited:
        """Request the call; `Refused` if it may not be made."""
        edited = self._session.request(self)
        self._take_over(edited)
        return edited

    async def begin_async(self) -> Edited:
        """Like `begin`; waiting blocks no other task."""
        edited = await self._session.request_async(self)
        self._take_over(edited)
        return edited

    def resume(self) -> None:
        """For lazy objects that begin after the call was requested."""
        self._session.resume(self)

    async def resume_async(self) -> None:
        """As `resume`."""
        await self._session.resume_async(self)

    def __enter__(self) -> ToolCall:
        self._refuse_edited(self.begin())
        return self

    async def __aenter__(self) -> ToolCall:
        self._refuse_edited(await self.begin_async())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A generator that is not advanced any further has completed its work.
        if error is None and self.error:
            self._emit("tool.failed", result=self.result, error=self.error)
        elif error is None or (self.is_generator and isinstance(error, GeneratorExit)):
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

    def _take_over(self, edited: Edited) -> None:
        if edited is not None:
            self.args = edited
            self._told = arguments(edited)

    def _refuse_edited(self, edited: Edited) -> None:
        """The code of a block has its own arguments: nobody approved a call with them."""
        if edited is not None:
            refused = Denied(
                self.tool,
                f"`{self.tool}` refused: it was approved with other arguments, and a `with` block "
                "cannot receive them; use `session.tool(...).run(function)`",
            )
            self._emit("tool.failed", error="Denied: not run, because its arguments were edited")
            raise refused

    def _emit(self, kind: str, *, result: object = None, error: str = "") -> None:
        if not self._session.is_running:
            # A child that was forked during the call continues in its own session.
            self._session.start()
        self._session.publish(
            kind,
            tool=self.tool,
            call=self.id,
            args=self.told(),
            result=result,
            error=error,
            attributes=self.attributes,
        )


def run(
    call: ToolCall, function: Callable[..., T], invoke: Callable[[Edited], T] | None = None
) -> T:
    """Make the call, by `invoke` or with its own arguments.

    If the function is lazy, the call is requested when the object begins. If only its result is,
    the outcome is published when that ends.
    """
    invoke = call.invoking(function) if invoke is None else invoke
    later: object = None
    if inspect.iscoroutinefunction(function):
        return cast(T, awaited(call, cast(Any, invoke)))
    if inspect.isgeneratorfunction(function):
        return cast(T, _generated(call, invoke, is_announced=False))
    if inspect.isasyncgenfunction(function):
        return cast(T, _generated_async(call, invoke, is_announced=False))
    edited = call.begin()
    with contextlib.ExitStack() as outcome:
        outcome.push(call)
        result = invoke(edited)
        if inspect.isgenerator(result):
            later = _generated(call, lambda _: result, is_announced=True)
        elif inspect.isasyncgen(result):
            later = _generated_async(call, lambda _: result, is_announced=True)
        elif inspect.isawaitable(result):
            later = _awaited_later(call, result)
        if later is not None:
            outcome.pop_all()
            return cast(T, later)
        call.result = result
    return result


async def awaited(call: ToolCall, invoke: Callable[[Edited], Awaitable[T]]) -> T:
    """Make the call of an `async` function."""
    edited = await call.begin_async()
    with contextlib.ExitStack() as outcome:
        outcome.push(call)
        result = await invoke(edited)
        call.result = result
    return result


def recorded(
    session: Caller | Callable[[], Caller], tool: str, function: Callable[P, T]
) -> Callable[P, T]:
    """`function` as a tool: every call of it is a `ToolCall` with its arguments by name."""
    signature = inspect.signature(function)

    def begun(
        args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[ToolCall, Callable[[Edited], T]]:
        current = session() if callable(session) else session

        def invoke(edited: Edited) -> T:
            if edited is None:
                return function(*args, **kwargs)
            bound = rebound(signature, args, kwargs, edited)
            return function(*bound.args, **bound.kwargs)

        return ToolCall(current, tool, named(signature, args, kwargs)), invoke

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def run_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            call, invoke = begun(args, kwargs)
            return await awaited(call, cast(Any, invoke))

        return cast(Callable[P, T], run_async)

    @functools.wraps(function)
    def run_plain(*args: P.args, **kwargs: P.kwargs) -> T:
        call, invoke = begun(args, kwargs)
        return run(call, function, invoke)

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


def rebound(
    signature: inspect.Signature,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    edited: Mapping[str, object],
) -> inspect.BoundArguments:
    """The reverse of `named`: `edited` as arguments of the function, with the `self` of the call.

    Raises
    ------
    TypeError
        The function has no such argument.
    """
    own = signature.bind(*args, **kwargs).arguments
    bound = signature.bind_partial()
    left = dict(edited)
    more: str | None = None
    for position, (name, parameter) in enumerate(signature.parameters.items()):
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            more = name
        elif not position and name in ("self", "cls"):
            bound.arguments[name] = own[name]
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            items = left.pop(name, ())
            bound.arguments[name] = tuple(items) if isinstance(items, list) else (items,)
        elif name in left:
            bound.arguments[name] = left.pop(name)
    if more is not None:
        bound.arguments[more] = {name.removeprefix(f"{more}."): left[name] for name in left}
    elif left:
        raise TypeError(f"the approved arguments contain `{min(left)}`, which the tool lacks")
    return bound


async def _awaited_later(call: ToolCall, awaitable: Awaitable[object]) -> object:
    if inspect.iscoroutine(awaitable):
        try:
            await call.resume_async()
        except BaseException:
            awaitable.close()
            raise
    with contextlib.ExitStack() as outcome:
        outcome.push(call)
        call.result = await awaitable
    return call.result


def _generated(
    call: ToolCall, begin: Callable[[Edited], Any], *, is_announced: bool
) -> Generator[object, object, object]:
    call.is_generator = True
    edited: Edited = None
    if is_announced:
        call.resume()
    else:
        edited = call.begin()
    with contextlib.ExitStack() as outcome:
        outcome.push(call)
        call.result = yield from begin(edited)
    return call.result


async def _generated_async(
    call: ToolCall, begin: Callable[[Edited], Any], *, is_announced: bool
) -> AsyncGenerator[object, object]:
    call.is_generator = True
    edited: Edited = None
    if is_announced:
        await call.resume_async()
    else:
        edited = await call.begin_async()
    async with contextlib.AsyncExitStack() as outcome:
        outcome.push(call)
        items = await outcome.enter_async_context(contextlib.aclosing(begin(edited)))
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
