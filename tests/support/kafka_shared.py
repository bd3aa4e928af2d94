"""One Kafka broker for all processes of a test run: the first to ask starts it, the last ends it.

Starting one takes ten seconds of a processor, so workers that run tests side by side share it. It
belongs to a keeper, a process of its own, and not to the worker that asked first, which may end
long before the others. Every user holds a shared lock on `users` while it lives, and the keeper
waits for an exclusive one: the kernel lets go of a user's lock however that user ends, so that
tests that were killed leave no broker behind.

As a command (the keeper): `python -m tests.support.kafka_shared FOLDER`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.kafka_broker import CHECKOUT, Broker, BrokerError, start_broker

STARTING, USERS, KNOWN = "starting", "users", "broker.json"


@contextlib.contextmanager
def shared_broker(folder: Path) -> Iterator[Broker]:
    """The broker of `folder`, which the run's processes have in common; started if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / USERS).open("w") as users:
        with (folder / STARTING).open("w") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            # Waits while a keeper, whose last user is gone, ends the broker that it had.
            fcntl.flock(users, fcntl.LOCK_SH)
            if not (folder / KNOWN).exists():
                _start_keeper(folder)
        said = json.loads((folder / KNOWN).read_text())
        yield Broker(said["bootstrap"], said["pid"], Path(said["directory"]))


def _start_keeper(folder: Path) -> None:
    """Returns when the broker serves."""
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.support.kafka_shared", str(folder)],
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    assert keeper.stdout is not None
    with keeper.stdout as told:
        line = told.readline().strip()
    if line != "ready":
        raise BrokerError(line or "the keeper of the broker ended")
    keeper.returncode = 0  # It lives on without us, and nobody waits for it.


def keep(folder: Path) -> None:
    """Start a broker, say so, and end it when no user is left."""
    try:
        broker = start_broker(folder / "broker")
    except BrokerError as error:
        print(error, flush=True)
        return
    said = {"bootstrap": broker.bootstrap, "pid": broker.pid, "directory": str(broker.directory)}
    (folder / KNOWN).write_text(json.dumps(said))
    print("ready", flush=True)
    with (folder / USERS).open("r") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        (folder / KNOWN).unlink()
        broker.stop()


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
