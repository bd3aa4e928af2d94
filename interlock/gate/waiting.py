"""Waits for blocking work from `asyncio`, in threads of its own.

Not in the loop's: a few held calls would occupy all of those, and their threads would hold up the
end of the program.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from ..errors import ClientError

T = TypeVar("T")

THREADS_MAX: Final = 64
"""Calls that wait for an answer at once; further ones wait for a thread."""


class Wait:
    """A call that may be held, and whose task may be cancelled: from two threads, in any order.

    `give_up` is called once, when the gate holds the call and nobody waits for it. Not before: the
    gate would read that the call failed, and then be asked for it.
    """

    def __init__(self, give_up: Callable[[], None]) -> None:
        # A signal's handler may make a call while this thread holds the lock.
        self._lock = threading.RLock()
        self._give_up = give_up
        self._is_held = self._is_cancelled = self._is_given_up = False

    def begin(self) -> None:
        """The gate holds the call."""
        self._note(is_held=True)

    def cancel(self) -> None:
        """The task has ended."""
        self._note(is_cancelled=True)

    def undo(self) -> None:
        """There is an answer, and nobody who would use it."""
        self._note(is_held=True, is_cancelled=True)

    def _note(self, *, is_held: bool = False, is_cancelled: bool = False) -> None:
        with self._lock:
            self._is_held |= is_held
            self._is_cancelled |= is_cancelled
            is_due = self._is_held and self._is_cancelled and not self._is_given_up
            self._is_given_up |= is_due
        if is_due:
            self._give_up()


class _Job(Generic[T]):
    def __init__(
        self,
        work: Callable[[], T],
        undo: Callable[[T], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._work = work
        self._undo = undo
        self._loop = loop
        self.future: asyncio.Future[T] = loop.create_future()

    def run(self) -> None:
        """In a thread of the pool."""
        if self.future.cancelled():
            return
        try:
            result = self._work()
        except ClientError as error:
            self._call(self._fail, error)
        except BaseException:
            # A bug of Interlock: nobody may wait for ever.
            self._call(self._fail, RuntimeError("an ask ended unexpectedly"))
            raise
        else:
            if not self._call(self._settle, result):
                self._undo(result)

    def _call(self, function: Callable[[Any], None], value: object) -> bool:
        """False if the loop was closed, so that nobody waits."""
        try:
            self._loop.call_soon_threadsafe(function, value)
        except RuntimeError:
            return False
        return True

    def _settle(self, result: T) -> None:
        if self.future.done():
            self._undo(result)
        else:
            self.future.set_result(result)

    def _fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class WaitingThreads:
    """At most `THREADS_MAX` threads, which are started when they are needed."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Also in a forked child, which has none of the threads."""
        self._lock = threading.RLock()
        self._jobs: queue.SimpleQueue[_Job[Any]] = queue.SimpleQueue()
        self._jobs_count = 0
        self._threads_count = 0

    async def run(self, work: Callable[[], T], undo: Callable[[T], None]) -> T:
        """The result of `work`; `undo` receives it if the task is cancelled meanwhile."""
        job = _Job(work, undo, asyncio.get_running_loop())
        self._give(job)
        try:
            return await job.future
        except asyncio.CancelledError:
            # The result may have come in the same turn of the loop as the cancellation.
            has_result = job.future.done() and not job.future.cancelled()
            if has_result and job.future.exception() is None:
                undo(job.future.result())
            raise

    def _give(self, job: _Job[Any]) -> None:
        with self._lock:
            self._jobs.put(job)
            self._jobs_count += 1
            if self._threads_count < min(self._jobs_count, THREADS_MAX):
                self._threads_count += 1
                threading.Thread(target=self._serve, name="interlock-ask", daemon=True).start()

    def _serve(self) -> None:
        try:
            while True:
                job = self._jobs.get()
                try:
                    job.run()
                finally:
                    with self._lock:
                        self._jobs_count -= 1
        finally:
            with self._lock:
                self._threads_count -= 1
