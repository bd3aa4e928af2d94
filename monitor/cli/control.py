"""`interlock control`: shows the stopped targets, and lets an operator change them.

The record contains the reason that an operator gives. Agents can read it too, so it must not
contain a secret.
"""

from __future__ import annotations

import argparse
import getpass
import time
from contextlib import closing
from typing import Final, get_args

import msgspec

from interlock.control_record import (
    CLOCKS_APART_NS_MAX,
    TARGET_KINDS,
    ControlRecord,
    ControlState,
    ControlView,
    heartbeat_key,
)
from invariants.model.errors import ConfigError
from monitor.cli.arguments import HELP, Verbs, duration_ns, with_output
from monitor.cli.output import EXIT_FINE, complain, say, say_json, table
from monitor.config.load import load_settings
from monitor.presentation import time_text, visible
from monitor.service.connect import open_control
from monitor.topics import CONTROL
from monitor.transport.address import LogDirAddress, parse_source_url

READ_S: Final = 30.0
FLUSH_S: Final = 30.0
LOOK_S: Final = 0.2
WAIT_MAX: Final = "2m"
"""Chosen: a monitor starts within seconds, and within a minute on a busy machine."""
REASON_CHARACTERS_MAX: Final = 500  # Chosen: a sentence or two; the record is read by every guard.
VERB_STATES: Final[dict[str, ControlState]] = {
    "quarantine": "quarantined",
    "release": "active",
    "kill": "killed",
}


def add(verbs: Verbs) -> None:
    """Declare the verb and its parts."""
    parser = verbs.add_parser(
        "control",
        help=HELP["control"],
        description="Reads and writes the control topic, which guards and gates obey. "
        "Example: interlock control release session:coding-1-76f7c4 --source log:DIR",
    )
    parts = parser.add_subparsers(title="parts", required=True, metavar="PART")
    lister = parts.add_parser("list", help="show every current record")
    lister.set_defaults(run=run_list)
    waiter = parts.add_parser(
        "wait",
        help="wait until the monitor has judged everything that was published until now",
        description="Exits with 0 as soon as a heartbeat covers the time of this call: a monitor "
        "has started, and has judged everything published before. Exits with 3 if none does in "
        "time.",
    )
    waiter.add_argument(
        "--timeout", default=WAIT_MAX, help=f"the longest wait, such as 30s ({WAIT_MAX})"
    )
    waiter.set_defaults(run=run_wait)
    retirer = parts.add_parser(
        "retire",
        help="declare a monitor gone for good: guards no longer wait for it",
        description="Guards refuse while a monitor that can stop sessions, or a group of them, is "
        "silent, whatever other monitors confirm. This command ends that. If the monitor still "
        "runs, its next heartbeat counts again. `control list` shows the names.",
    )
    retirer.add_argument("voucher", help="group:NAME or issuer:NAME, as shown by `control list`")
    retirer.set_defaults(run=run_retire)
    commands = [lister, waiter, retirer]
    for name in VERB_STATES:
        command = parts.add_parser(name, help=f"{name} a target")
        command.add_argument(
            "target",
            help="session:ID, session-of:NAME/ID, principal:NAME, agent:ID, tool:NAME, global; "
            "or the incident (i-...) for which it was stopped",
        )
        command.add_argument(
            "--reason", default="", help="stored in the record; agents can read it"
        )
        if name == "quarantine":
            command.add_argument("--ttl", help="the duration, such as 30m (until released)")
        command.set_defaults(run=run_write, part=name)
        commands.append(command)
    for command in commands:
        command.add_argument("--source", required=True, help="kafka://HOST:PORT or log:DIR")
        command.add_argument("--config", help="a YAML file with settings")
        with_output(command)


def run_list(arguments: argparse.Namespace) -> int:
    """Print the current records."""
    settings = load_settings(arguments.config)
    reader, publisher = open_control(parse_source_url(arguments.source), settings, "operator")
    with closing(publisher), closing(reader):
        view = _read(reader.read_to_end(READ_S))
    _print(view, arguments.output)
    return EXIT_FINE


def run_wait(arguments: argparse.Namespace) -> int:
    """Wait for a heartbeat that covers the time at which this began.

    Raises
    ------
    TimeoutError
        There was none within `--timeout`.
    """
    address = parse_source_url(arguments.source)
    # One machine has one clock; the clock of another machine may be ahead of ours.
    apart_ns = 0 if isinstance(address, LogDirAddress) else CLOCKS_APART_NS_MAX
    since_ns = time.time_ns() + apart_ns
    deadline = time.monotonic() + duration_ns("--timeout", arguments.timeout) / 1e9
    reader, publisher = open_control(address, load_settings(arguments.config), "operator")
    view = ControlView()
    with closing(publisher), closing(reader):
        while (judged_ns := view.watermarks.of(None).judged_ns) is None or judged_ns < since_ns:
            if time.monotonic() > deadline:
                raise TimeoutError(_unheard(view, arguments))
            for key, value in reader.poll(LOOK_S):
                view.apply(key, value)
    if arguments.output == "json":
        say_json({"judged_to": judged_ns})
    else:
        say(f"the monitor has judged everything up to {time_text(judged_ns)}")
    return EXIT_FINE


def run_write(arguments: argparse.Namespace) -> int:
    """Write one record, verify it, and print the record that is now in force.

    A quarantine after a kill is refused: readers that saw both records keep the kill, but a
    compacted topic retains only the later record.
    """
    now_ns = time.time_ns()
    ttl = getattr(arguments, "ttl", None)
    ttl_ns = None if ttl is None else duration_ns("--ttl", ttl)
    record = ControlRecord(
        state=VERB_STATES[arguments.part],
        issued_at=now_ns,
        expires_at=None if ttl_ns is None else now_ns + ttl_ns,
        issuer=f"operator-{getpass.getuser()}",
        epoch=now_ns // 1_000_000,
        reason=arguments.reason[:REASON_CHARACTERS_MAX],
    )
    settings = load_settings(arguments.config)
    reader, publisher = open_control(parse_source_url(arguments.source), settings, "operator")
    with closing(publisher), closing(reader):
        view = _read(reader.read_to_end(READ_S))
        target = _target(arguments.target, view)
        before = view.records().get(target)
        if before is None and record.state == "active":
            raise ConfigError(
                f"`{visible(target, 80)}` was never stopped; `control list` shows the stopped "
                "targets"
            )
        was_stopped = (
            before is not None and before.state != "active" and not _is_over(before, now_ns)
        )
        if before is not None and (before.state, record.state) == ("killed", "quarantined"):
            raise ConfigError(f"`{visible(target)}` is killed; release it before you quarantine it")
        publisher.publish(CONTROL, target, msgspec.json.encode(record))
        publisher.flush(FLUSH_S)
        for key, value in reader.read_to_end(READ_S):
            view.apply(key, value)
    standing = view.records().get(target)
    if standing != record:
        raise OSError(f"`{target}` was written, but another record is in force: see `control list`")
    if arguments.output == "json":
        say_json({"target": target, **msgspec.to_builtins(record), "reason": record.reason})
    else:
        reason = f" ({visible(arguments.reason)})" if arguments.reason else ""
        say(f"{visible(target)} is now {record.state}{reason}")
        if record.state == "active" and not was_stopped:
            complain(f"note: `{visible(target, 80)}` was not stopped; see `control list`")
        for key in _still_stopped(view, target) if record.state == "active" else ():
            complain(f"note: `{visible(key, 80)}` is still stopped; release it as well")
    return EXIT_FINE


def run_retire(arguments: argparse.Namespace) -> int:
    """Declare a voucher gone for good, and verify that readers see it.

    Raises
    ------
    ConfigError
        There is no such voucher on the control topic.
    OSError
        It could not be written, or the voucher has published a heartbeat since.
    """
    name = arguments.voucher
    settings = load_settings(arguments.config)
    reader, publisher = open_control(parse_source_url(arguments.source), settings, "operator")
    with closing(publisher), closing(reader):
        view = _read(reader.read_to_end(READ_S))
        known = view.watermarks.vouchers()
        if name not in known:
            names = ", ".join(f"`{visible(one, 80)}`" for one in known) or "none"
            raise ConfigError(f"`{visible(name, 80)}` is not a known voucher; known: {names}")
        # In a log directory the record with the later time is in force.
        now_ns = max(time.time_ns(), known[name].time_ns + 1)
        record = ControlRecord(
            state="active",
            issued_at=now_ns,
            issuer=f"operator-{getpass.getuser()}",
            epoch=time.time_ns() // 1_000_000,
            retired=True,
        )
        publisher.publish(CONTROL, heartbeat_key(name), msgspec.json.encode(record))
        publisher.flush(FLUSH_S)
        for key, value in reader.read_to_end(READ_S):
            view.apply(key, value)
    if name in view.watermarks.vouchers():
        raise OSError(
            f"`{visible(name, 80)}` was retired, but published a heartbeat since: stop it"
        )
    if arguments.output == "json":
        say_json({"retired": name})
    else:
        say(f"{visible(name, 80)} is retired: guards no longer wait for it")
    return EXIT_FINE


def _unheard(view: ControlView, arguments: argparse.Namespace) -> str:
    known = view.watermarks.vouchers()
    if not known:
        why = "there is no heartbeat of a monitor: is it running, on this source?"
    else:
        name, beat = min(known.items(), key=lambda item: (item[1].observes, item[1].time_ns))
        why = (
            f"the last heartbeat of `{visible(name or 'monitor', 80)}` covers "
            f"{time_text(beat.time_ns)}: is it "
            "running? If it is gone for good, use `interlock control retire`"
        )
    return f"nothing was judged within `--timeout {arguments.timeout}`; {why}"


def _read(entries: list[tuple[str, bytes | None]]) -> ControlView:
    view = ControlView()
    for key, value in entries:
        view.apply(key, value)
    return view


def _print(view: ControlView, output: str) -> None:
    now_ns = time.time_ns()
    records = sorted(view.records().items())
    if output == "json":
        say_json([{"target": key, **msgspec.to_builtins(record)} for key, record in records])
        return
    rows = [("target", "state", "since", "until", "issuer", "incident", "reason")]
    for key, record in records:
        until = "" if record.expires_at is None else time_text(record.expires_at)
        state = f"{record.state} (over)" if _is_over(record, now_ns) else record.state
        issued = time_text(record.issued_at)
        rows.append(
            (
                visible(key, 80),
                state,
                issued,
                until,
                visible(record.issuer),
                visible(record.incident),
                visible(record.reason, 80),
            )
        )
    for text in table(rows):
        say(text)
    for name, beat in view.watermarks.vouchers().items():
        about = f"last heartbeat of {visible(name or 'a monitor', 80)}"
        rest = "; it stops nobody" if beat.observes else ""
        say(f"{about}: {time_text(beat.time_ns)}{rest}")
    for shard, judged_ns in view.watermarks.behind():
        say(f"  behind: {visible(shard)}, judged up to {time_text(judged_ns)}")


def _is_over(record: ControlRecord, now_ns: int) -> bool:
    """True if it has expired; a kill never expires."""
    has_passed = record.expires_at is not None and record.expires_at <= now_ns
    return has_passed and record.state != "killed"


def _still_stopped(view: ControlView, released: str) -> list[str]:
    """Stops of sessions with a principal, which a release of `session:ID` does not lift."""
    kind, _, session = released.partition(":")
    if kind != "session":
        return []
    return sorted(
        key
        for key in view.records()
        if key.startswith("session-of:")
        and key.partition("/")[2] == session
        and view.standing([key], time.time_ns()) == (view.records()[key].state, key)
    )


def _target(text: str, view: ControlView) -> str:
    """The key of the target; an incident (`i-...`) selects the target that was stopped for it."""
    if text.startswith("i-"):
        found = [key for key, record in view.records().items() if record.incident == text]
        if len(found) != 1:
            keys = ", ".join(f"`{visible(key, 80)}`" for key in found) or "none"
            raise ConfigError(f"`{text[:60]}` is the incident of {keys}; name one target")
        return found[0]
    kind, colon, name = text.partition(":")
    if kind == "session-of" and not all(name.partition("/")[::2]):
        raise ConfigError(f"`{text[:80]}` is not a target; write `session-of:NAME/ID`")
    if text == "global" or (colon and name and kind in TARGET_KINDS):
        return text
    kinds = ", ".join(f"`{k}:...`" for k in TARGET_KINDS if k != "global")
    raise ConfigError(
        f"`{text[:80]}` is not a target; write {kinds}, `global`, or an incident, `i-...`"
    )


assert set(VERB_STATES.values()) == set(get_args(ControlState)), "every state has a verb"
