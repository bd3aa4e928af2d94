"""A gate in this process, with its own state and log, whose clock the test moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from monitor.config.gate import GateSettings
from monitor.config.table import Settings
from monitor.findings.model import Finding
from monitor.gate.assemble import GateOptions, open_gate
from monitor.gate.gate import Gate
from monitor.gate.wire import Answer, Ask, Telling, Told
from monitor.principals.model import Principals
from monitor.transport.logdir.control_reader import LogDirControlReader

START_NS = 1_800_000_000_000_000_000
MS_NS = 1_000_000

INVARIANTS = """
version: 1
predicates:
  reads_secret: kind == "tool.completed" && tool == "read_file" && args.path.startsWith("/secrets")
  posts: kind == "tool.requested" && tool == "http.post"
  pays: kind == "tool.requested" && tool == "pay"
  pays_much: kind == "tool.requested" && tool == "pay" && args.amount > 1000
  granted: kind == "approval.granted" && tool == "pay"
invariants:
  - id: no-leak
    summary: no post after a secret was read
    severity: critical
    mode: enforce
    on_unknown: violate
    report: first
    never: posts and once(reads_secret)
    respond: [kill]
  - id: pay-approved
    summary: a payment needs an approval
    severity: critical
    mode: enforce
    on_unknown: report
    never: pays and not previous(granted)
  - id: pay-little
    summary: payments are small
    severity: warning
    mode: observe
    never: pays_much
"""


class HandClock:
    """A clock that a test moves; each look at it takes `step_ns`."""

    def __init__(self, step_ns: int = MS_NS) -> None:
        self.time_ns, self._step_ns = START_NS, step_ns

    def now_ns(self) -> int:
        self.time_ns += self._step_ns
        return self.time_ns

    def monotonic_ns(self) -> int:
        return self.time_ns


class KilledError(BaseException):
    """The process of a gate ends here, whatever it is doing."""


class GateHere:
    """A gate over one folder, which can be stopped, killed and opened again."""

    def __init__(
        self,
        folder: Path,
        text: str = INVARIANTS,
        principals: Principals | None = None,
        view_age_ns: int | None = None,
        step_ns: int = MS_NS,
        mode: Literal["as-written", "observe", "enforce"] = "as-written",
        settings: GateSettings = GateSettings(),  # noqa: B008  (frozen)
        overrides: Mapping[str, Any] = {},
    ) -> None:
        self._settings, self._overrides = settings, overrides
        self.folder, self.clock, self.principals = folder, HandClock(step_ns), principals
        self.view_age_ns, self.mode = view_age_ns, mode
        self.told: list[Finding] = []
        """All that the kernels of its gates have found."""
        (folder / "invariants.yaml").write_text(text)
        self._stack = ExitStack()
        self.gate = self._open()

    def _open(self) -> Gate:
        settings = replace(
            Settings(),
            invariants=(str(self.folder / "invariants.yaml"),),
            state_dir=str(self.folder / "state"),
            mode=self.mode,
            store_synchronous="normal",
            gate=self._settings,
            **self._overrides,
        )
        log_dir = self.folder / "log"
        log_dir.mkdir(exist_ok=True)
        options = GateOptions(
            log_dir,
            is_synced=self._settings.sync,
            operators=frozenset({"ana", "ben"}),
            view_age_ns=self.view_age_ns,
        )
        control = LogDirControlReader(log_dir, now_ns=self.clock.now_ns)
        self._stack.callback(control.close)
        gate = open_gate(
            settings,
            options,
            self.clock,
            self._stack,
            principals=self.principals,
            control=control,
        )
        recorder: Any = gate._recorder
        recorder._take_in = self._kept(recorder._take_in)
        recorder.kernel.tick = self._kept(recorder.kernel.tick)
        return gate

    def _kept(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, whose findings are kept."""

        def keeping(*arguments: Any, **more: Any) -> Any:
            result = call(*arguments, **more)
            findings = result if isinstance(result, list) else result.findings
            self.told += findings
            return result

        return keeping

    @property
    def found(self) -> dict[str, Finding]:
        """All that the kernels of its gates have found, by id."""
        return {finding.id: finding for finding in self.told}

    def restart(self, *, is_killed: bool = False) -> None:
        """Close it, or let it go as it is, and open it again."""
        if is_killed:
            self.kill()
        self._stack.close()
        self.reopen()

    def kill(self) -> None:
        """Close its files without a checkpoint, which is what a kill leaves."""
        self._stack.__exit__(KilledError, KilledError(), None)

    def reopen(self) -> None:
        """Open it after `kill`, or after an end of its own."""
        self._stack = ExitStack()
        self.gate = self._open()

    def close(self) -> None:
        self._stack.close()

    def ask(self, tool: str, *, session: str = "s-1", who: str = "bot", **fields: Any) -> Answer:
        """One request; `args` as a plain object."""
        return self.gate.ask(who, Ask(session, tool, **_raw(fields)))

    def tell(self, kind: str, *, session: str = "s-1", who: str = "bot", **fields: Any) -> None:
        """One event."""
        self.gate.tell(who, Telling(session, [Told(kind, **_raw(fields))]))

    def read_secret(self, **fields: Any) -> None:
        self.tell("tool.completed", tool="read_file", args={"path": "/secrets/key"}, **fields)

    def records(self) -> list[dict[str, Any]]:
        """All records of the log, in their order."""
        files = sorted(
            (self.folder / "log" / "interlock.gate").glob("*.jsonl"),
            key=lambda path: int(path.stem.rpartition("-")[2]),
        )
        return [
            msgspec.json.decode(line) for path in files for line in path.read_bytes().splitlines()
        ]

    def recorded_bytes(self, who: str = "") -> int:
        """The size of all records of the log, or of those about a principal."""
        paths = (self.folder / "log" / "interlock.gate").glob("*.jsonl")
        lines = [line for path in paths for line in path.read_bytes().splitlines()]
        named = f'"principal":"{who}'.encode()
        return sum(len(line) for line in lines if named in line)


def _raw(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: msgspec.Raw(msgspec.json.encode(value)) if isinstance(value, dict) else value
        for name, value in fields.items()
    }
