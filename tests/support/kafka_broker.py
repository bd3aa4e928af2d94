"""A real Apache Kafka for tests and for trying things out: fetched by Maven, run on loopback.

Input: a directory to work in. Output: a running broker (KRaft, one node) on free loopback ports,
stopped by its process id, or with the process that started it. The jars come as Maven artifacts at
pinned versions and are kept in a cache (`.cache/kafka` in the checkout, or
`INTERLOCK_KAFKA_CACHE`), so that a second run needs no
network. Not for production: one node, no replication, no authentication.

As a command: `python -m tests.support.kafka_broker start|stop|status`. Exit code 3 where `java`
or `mvn` is missing.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KAFKA_VERSION = "4.1.0"
LOG4J_VERSION = "2.25.3"
FETCH_SECONDS_MAX = 600
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 20
START_ATTEMPTS = 3  # Chosen: a port found free can be taken by somebody else before the start.

CHECKOUT = Path(__file__).resolve().parents[2]

POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>interlock</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
<dependencies>
 <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
  <version>{KAFKA_VERSION}</version></dependency>
 <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
  <version>{LOG4J_VERSION}</version></dependency>
 <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId>
  <version>{LOG4J_VERSION}</version></dependency>
</dependencies></project>
"""

LOGGING = """<Configuration status="WARN"><Appenders>
<Console name="out" target="SYSTEM_OUT"><PatternLayout pattern="%d %p %c %m%n"/></Console>
</Appenders><Loggers>
<Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
<Root level="WARN"><AppenderRef ref="out"/></Root>
</Loggers></Configuration>
"""

TIED = """
import ctypes, os, signal, sys
parent, *command = sys.argv[1:]
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() == int(parent):  # Else the parent ended before the kernel knew of our wish.
    os.execvp(command[0], command)
"""
"""Becomes the command given to it, which the kernel kills when its parent ends."""

STARTED = "Kafka Server started"


class BrokerError(RuntimeError):
    """The broker could not be fetched, formatted or started; the message says which and why."""


@dataclass(frozen=True)
class Broker:
    """A running broker: where to reach it, and the process that is it."""

    bootstrap: str
    pid: int
    directory: Path

    def stop(self) -> None:
        """End the process (first politely) and wait until it is gone. Safe to call twice."""
        for sign, seconds in ((signal.SIGTERM, STOP_SECONDS_MAX), (signal.SIGKILL, 5)):
            if not is_running(self.pid, self.directory):
                return
            os.kill(self.pid, sign)
            _wait_gone(self.pid, self.directory, seconds)

    def kill(self) -> None:
        """End the process without warning, as a power cut would."""
        if is_running(self.pid, self.directory):
            os.kill(self.pid, signal.SIGKILL)
            _wait_gone(self.pid, self.directory, 5)


def why_not_available() -> str | None:
    """One sentence on why no broker can be run here; None where one can."""
    if shutil.which("java") is None:
        return "`java` is not installed; Apache Kafka needs Java 17 or later"
    if shutil.which("mvn") is None and not _is_complete(_libraries_directory()):
        return "`mvn` is not installed; it fetches Apache Kafka when the cache has none"
    return None


def start_broker(directory: Path, *, outlives_us: bool = False) -> Broker:
    """Fetch if needed, format a data directory below `directory`, start, wait until it serves.

    Unless `outlives_us`, the kernel ends the broker when the thread that called this ends, also by
    SIGKILL: tests that were killed leave none behind. On Linux alone; elsewhere `stop` does it.

    A directory used before keeps its data and its ports: the broker comes back with its topics,
    where its clients expect it.
    """
    reason = why_not_available()
    if reason is not None:
        raise BrokerError(reason)
    libraries = fetch()
    directory.mkdir(parents=True, exist_ok=True)
    failure = ""
    for _ in range(START_ATTEMPTS):
        bootstrap = _settle(directory, libraries)
        pid, failure = _launch(directory, libraries, outlives_us=outlives_us)
        if not failure:
            return Broker(bootstrap, pid, directory)
        if "Address already in use" in failure:
            # Other ports mean another quorum address, hence a fresh format.
            shutil.rmtree(directory / "data", ignore_errors=True)
    raise BrokerError(f"the broker did not start: {failure}")


def start_with(directory: Path, settings: dict[str, str], cluster: str) -> Broker:
    """A broker with the caller's own settings, whose first advertised listener is on loopback."""
    libraries = fetch()
    directory.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    (directory / "server.properties").write_text(text)
    (directory / "log4j2.xml").write_text(LOGGING)
    command = ["java", "-Xmx256M", "-cp", f"{libraries}/*", "kafka.tools.StorageTool", "format"]
    command += ["-t", cluster, "-c", str(directory / "server.properties")]
    _run(command, directory, START_SECONDS_MAX, "formatting the data directory")
    pid, failure = _launch(directory, libraries, outlives_us=False)
    if failure:
        raise BrokerError(f"the broker did not start: {failure}")
    first = settings["advertised.listeners"].split(",")[0]
    return Broker(first.partition("://")[2], pid, directory)


def fetch() -> Path:
    """The directory of jars; fills it by Maven the first time (12 s on a fast line)."""
    libraries = _libraries_directory()
    with _lock(libraries.parent):
        if _is_complete(libraries):
            return libraries
        unfinished = libraries.with_name(libraries.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        (unfinished / "pom.xml").write_text(POM)
        command = ["mvn", "-q", "-B", "dependency:copy-dependencies"]
        command += ["-DincludeScope=runtime", f"-DoutputDirectory={unfinished}"]
        _run(command, unfinished, FETCH_SECONDS_MAX, "fetching Apache Kafka by Maven")
        shutil.rmtree(libraries, ignore_errors=True)
        unfinished.rename(libraries)
    return libraries


def is_running(pid: int, directory: Path) -> bool:
    """Whether this process is the broker of this directory (process ids are used again)."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    shown = subprocess.run(
        ["ps", "-o", "stat=,args=", "-ww", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return str(directory) in shown and not shown.lstrip().startswith("Z")


def _libraries_directory() -> Path:
    cache = os.environ.get("INTERLOCK_KAFKA_CACHE") or str(CHECKOUT / ".cache" / "kafka")
    return Path(cache).absolute() / f"libraries-{KAFKA_VERSION}"


def _is_complete(libraries: Path) -> bool:
    return (libraries / f"kafka_2.13-{KAFKA_VERSION}.jar").is_file()


@contextlib.contextmanager
def _lock(directory: Path) -> Iterator[None]:
    """One fetch at a time: parallel test workers wait for the first."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _write_settings(directory: Path, port: int, controller_port: int) -> str:
    bootstrap, controller = f"127.0.0.1:{port}", f"127.0.0.1:{controller_port}"
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.bootstrap.servers": controller,
        "listeners": f"PLAINTEXT://{bootstrap},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{bootstrap}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": str(directory / "data"),
        "num.partitions": "4",
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": "2",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "log.retention.check.interval.ms": "500",
        "log.initial.task.delay.ms": "500",
    }
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    (directory / "server.properties").write_text(text)
    (directory / "log4j2.xml").write_text(LOGGING)
    return bootstrap


def _settle(directory: Path, libraries: Path) -> str:
    """Settings and a formatted data directory; those of an earlier run are taken as they are."""
    if (directory / "data" / "meta.properties").exists():
        lines = (directory / "server.properties").read_text().splitlines()
        prefix = "advertised.listeners=PLAINTEXT://"
        return next(line.removeprefix(prefix) for line in lines if line.startswith(prefix))
    bootstrap = _write_settings(directory, free_port(), free_port())
    # As Kafka writes it, but for a first sign `-`, which its own tool would take for an option.
    cluster = "I" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:].rstrip("=")
    command = ["java", "-Xmx256M", "-cp", f"{libraries}/*", "kafka.tools.StorageTool", "format"]
    command += ["--standalone", "-t", cluster, "-c", str(directory / "server.properties")]
    _run(command, directory, START_SECONDS_MAX, "formatting the data directory")
    return bootstrap


def _launch(directory: Path, libraries: Path, *, outlives_us: bool) -> tuple[int, str]:
    """Start the broker and wait for its word; returns the process id and what went wrong."""
    log = directory / "broker.log"
    command = ["java", "-Xmx512M", "-Xms128M", "-XX:TieredStopAtLevel=1"]
    command += [f"-Dlog4j2.configurationFile={directory / 'log4j2.xml'}"]
    command += ["-cp", f"{libraries}/*", "kafka.Kafka", str(directory / "server.properties")]
    if sys.platform == "linux" and not outlives_us:
        command = [sys.executable, "-c", TIED, str(os.getpid()), *command]
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        if STARTED in log.read_text(errors="replace"):
            # From here on the process is known by its id alone.
            child.returncode = 0
            return child.pid, ""
        if child.poll() is not None:
            return child.pid, _tail(log)
        time.sleep(0.05)
    child.kill()
    child.wait()
    return child.pid, f"not ready after {START_SECONDS_MAX} s: {_tail(log)}"


def _tail(log: Path) -> str:
    return " / ".join(log.read_text(errors="replace").splitlines()[-5:])


def _run(command: list[str], directory: Path, seconds: int, what: str) -> None:
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise BrokerError(f"{what} took longer than {seconds} s") from None
    if done.returncode != 0:
        last = (done.stdout + done.stderr).strip().splitlines()[-5:]
        raise BrokerError(f"{what} failed: " + " / ".join(last))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_gone(pid: int, directory: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and is_running(pid, directory):
        time.sleep(0.05)


def _run_directory() -> Path:
    return _libraries_directory().parent / "run"


def _known_broker() -> Broker | None:
    """The broker that an earlier `start` left running."""
    try:
        said = json.loads((_run_directory() / "broker.json").read_text())
        broker = Broker(said["bootstrap"], said["pid"], Path(said["directory"]))
    except (OSError, ValueError, KeyError):
        return None
    return broker if is_running(broker.pid, broker.directory) else None


def main(arguments: list[str]) -> int:
    """The command: prints the bootstrap address on start and status."""
    verb = arguments[0] if len(arguments) == 1 else ""
    broker = _known_broker()
    if verb == "start":
        return _start(broker)
    if verb == "stop":
        if broker is not None:
            broker.stop()
        print("stopped" if broker is not None else "not running")
        return 0
    if verb == "status":
        print(broker.bootstrap if broker is not None else "not running")
        return 0 if broker is not None else 1
    print("usage: kafka_broker start|stop|status", file=sys.stderr)
    return 2


def _start(broker: Broker | None) -> int:
    if broker is None:
        reason = why_not_available()
        if reason is not None:
            print(reason, file=sys.stderr)
            return 3
        directory = _run_directory()
        shutil.rmtree(directory, ignore_errors=True)
        try:
            broker = start_broker(directory, outlives_us=True)
        except BrokerError as error:
            print(error, file=sys.stderr)
            return 1
        said = {"bootstrap": broker.bootstrap, "pid": broker.pid, "directory": str(directory)}
        (directory / "broker.json").write_text(json.dumps(said))
    print(broker.bootstrap)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
