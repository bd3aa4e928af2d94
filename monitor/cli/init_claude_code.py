"""`interlock init claude-code`: writes hooks into the settings of Claude Code."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from interlock.errors import SettingError
from interlock.names import checked_name
from invariants.model.errors import ConfigError
from monitor.cli.arguments import Verbs as Parts
from monitor.cli.arguments import whole_number
from monitor.cli.init_project import refuse_before_part
from monitor.cli.output import EXIT_FINE, EXIT_VIOLATIONS, say
from monitor.gate_server.address import UnixAddress, parse_addresses
from monitor.presentation import visible
from monitor.setup.claude_code import (
    TOKEN_VARIABLE,
    Entry,
    command,
    hooks,
    merged,
    request,
    settings_of,
    text_of,
)

BESIDE: Final = ("settings.json", "settings.local.json")
"""The files of settings of one folder."""
WAIT_S: Final = 120
WAIT_S_MAX: Final = 600
"""As long as a gate waits (`hook_wait_s_max` of its bounds)."""


def add_claude_code(parts: Parts) -> None:
    """Declare the part of the verb."""
    claude = parts.add_parser(
        "claude-code",
        help="hooks of Claude Code",
        description="Adds hooks to a file of settings, and keeps all else in it. A second run "
        "changes nothing. With a port, the variable INTERLOCK_GATE_TOKEN of the runtime has the "
        "token.",
    )
    claude.add_argument("--gate", required=True, help="unix:PATH or http://127.0.0.1:PORT")
    claude.add_argument(
        "--settings",
        default=".claude/settings.json",
        metavar="FILE",
        help="the file (.claude/settings.json)",
    )
    claude.add_argument(
        "--wait",
        type=whole_number(0),
        default=WAIT_S,
        metavar="SECONDS",
        help=f"how long a held call waits for an operator, at most {WAIT_S_MAX} ({WAIT_S})",
    )
    claude.add_argument(
        "--no-messages",
        action="store_true",
        help="do not report what the user and the model say",
    )
    for name in ("agent", "user", "tenant"):
        claude.add_argument(f"--{name}", metavar="NAME", help=f"the {name} of the sessions")
    claude.add_argument("--remove", action="store_true", help="take our hooks out again")
    dry = claude.add_mutually_exclusive_group()
    dry.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if the file would change"
    )
    dry.add_argument("--print", action="store_true", help="write nothing; print the file")
    claude.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write, print or compare."""
    refuse_before_part(arguments, "claude-code")
    path = Path(arguments.settings)
    place = visible(str(path))
    if arguments.wait > WAIT_S_MAX:
        raise ConfigError(f"`--wait` is {arguments.wait}, and a gate waits at most {WAIT_S_MAX} s")
    entry = _entry(arguments.gate)
    ours = hooks(
        entry,
        wait_s=arguments.wait,
        has_messages=not arguments.no_messages,
        names=_names(arguments),
    )
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
    except UnicodeDecodeError:
        raise ConfigError(f"`{place}` is not UTF-8; mend it first") from None
    settings = settings_of(before, place)
    after = merged(settings, {} if arguments.remove else ours, place)
    if not arguments.remove:
        _refuse_switched_off(path)
    if arguments.print:
        sys.stdout.write(text_of(after))
        return EXIT_FINE
    if after == settings:
        say(f"{place}: nothing to change")
        return EXIT_FINE
    events = "no hooks of ours" if arguments.remove else f"hooks for {', '.join(ours)}"
    if arguments.check:
        say(f"{place}: would be changed to {events}")
        return EXIT_VIOLATIONS
    _write(path, text_of(after))
    say(f"{place}: has {events}")
    if not arguments.remove:
        say(f"they ask {visible(arguments.gate)}, and block a call that it does not answer")
        if arguments.gate.startswith("unix:") and not Path(arguments.gate[5:]).exists():
            say("no gate is there yet; until one is, Claude Code takes no prompt and makes no call")
        if arguments.gate.startswith("http"):
            say(f"start Claude Code with the token of its principal in {TOKEN_VARIABLE}")
    return EXIT_FINE


def _names(arguments: argparse.Namespace) -> dict[str, str]:
    """The names that are given. ConfigError for one that a gate would refuse."""
    given = {name: getattr(arguments, name) for name in ("agent", "user", "tenant")}
    try:
        return {name: checked_name(text, f"--{name}") for name, text in given.items() if text}
    except SettingError as error:
        raise ConfigError(str(error)) from None


def _entry(gate: str) -> Entry:
    """How hooks ask a gate at an address that it listens on. Raises ConfigError."""
    path = gate.removeprefix("unix:")
    whole = f"unix:{Path(path).absolute()}" if path and path != gate else gate
    try:
        (address,) = parse_addresses(whole)
    except ConfigError as error:
        raise ConfigError(str(error).replace("`gate.listen`", "`--gate`")) from None
    except ValueError:
        raise ConfigError("`--gate` names several addresses; give the one to be asked") from None
    if not isinstance(address, UnixAddress):
        host = f"[{address.host}]" if ":" in address.host else address.host
        return request(f"http://{host}:{address.port}")
    relay = find_spec("interlock.claude_relay")
    assert relay is not None and relay.origin is not None, "it is a part of the client"
    return command(sys.executable, relay.origin, address.path)


def _refuse_switched_off(path: Path) -> None:
    """A file beside these settings can switch off all hooks; it may be one of a foreign repository.

    Raises
    ------
    ConfigError
        It does.
    """
    for other in (path.with_name(name) for name in BESIDE):
        try:
            beside = settings_of(other.read_text(encoding="utf-8"), "") if other.is_file() else {}
        except (OSError, UnicodeDecodeError, ConfigError):
            continue  # Claude Code does not read it either.
        if beside.get("disableAllHooks"):
            place = visible(str(other))
            raise ConfigError(
                f"`{place}` has `disableAllHooks`: no hook would run; remove it first"
            )


def _write(path: Path, text: str) -> None:
    """Replace a file as a whole, with its access; a link stays one."""
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = target.stat().st_mode if target.exists() else 0o644
    number, name = tempfile.mkstemp(dir=target.parent, prefix=".settings-")
    os.close(number)
    made = Path(name)
    try:
        made.write_text(text, encoding="utf-8")
        made.chmod(mode & 0o777)
        made.replace(target)
    except BaseException:
        made.unlink()
        raise
