"""`interlock init`: the first files of a project, and the lines that connect its framework.

It asks nothing: it reads what the project requires and imports. It never changes a file.
"""

from __future__ import annotations

import argparse
import difflib
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from invariants.model.errors import ConfigError
from monitor.cli.arguments import with_output
from monitor.cli.output import EXIT_FINE, EXIT_VIOLATIONS, safe, say, say_json
from monitor.presentation import visible
from monitor.project.frameworks import connecting_lines, found_frameworks
from monitor.project.look import ProjectFacts, look_at_project
from monitor.project.write import Outcome, look, write

TEMPLATES: Final = Path(__file__).parents[1] / "project"
FILES: Final = {
    "interlock.yaml": "settings.yaml",
    "invariants/first.yaml": "first.yaml",
}
WORKFLOW: Final = ".github/workflows/interlock.yml"
IGNORED: Final = ".interlock/.gitignore"
SOCKET: Final = ".interlock/gate.sock"
DIFFERENCES_MAX: Final = 20
"""Lines of a difference that are printed. Chosen: a screen; the files themselves have the rest."""
_WORDS: Final = {
    "missing": "would be written",
    "written": "written",
    "same": "is there already",
    "differs": "is there with another text, and was not changed; read it before you use it",
    "refused": "was not written",
}


class Result(msgspec.Struct, frozen=True):
    """The state of each file and the next steps, as `--output json` prints it."""

    files: Sequence[Outcome]
    frameworks: Sequence[str]
    lines: Sequence[str]
    commands: Sequence[str]
    notes: Sequence[str]


def add_project(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of the verb without a part."""
    parser.add_argument(
        "--directory",
        dest="project_directory",
        default=".",
        metavar="DIRECTORY",
        help="the project's folder (.)",
    )
    parser.add_argument(
        "--check",
        dest="project_check",
        action="store_true",
        help="write nothing; exit with 1 if a file is missing, or has another text",
    )
    parser.add_argument(
        "--ci",
        dest="project_ci",
        action="store_true",
        help="write a job for GitHub that checks and tests the invariants; without the flag, only "
        "if the project has .git and .github",
    )
    with_output(parser)
    parser.set_defaults(run=run)


def refuse_before_part(arguments: argparse.Namespace, part: str) -> None:
    """Refuse flags of the project that stand before a part: it has its own, and would ignore these.

    Raises
    ------
    ConfigError
        Naming one of them.
    """
    given = {
        "--directory": arguments.project_directory != ".",
        "--check": arguments.project_check,
        "--ci": arguments.project_ci,
        "--output": arguments.output != "text",
    }
    for flag, is_given in given.items():
        if is_given:
            raise ConfigError(
                f"`{flag}` before `{part}` has no effect; see `interlock init {part} --help`"
            )


def run(arguments: argparse.Namespace) -> int:
    """Write or compare, and print the next steps."""
    folder = Path(arguments.project_directory)
    if not folder.is_dir():
        shown = visible(arguments.project_directory)
        raise ConfigError(f"`--directory {shown}` is not a folder; make it, or name another")
    facts = look_at_project(folder)
    step = look if arguments.project_check else write
    outcomes = [
        step(folder, path, text)
        for path, text in _wanted(facts, with_ci=arguments.project_ci).items()
    ]
    frameworks = [] if facts.is_of_node else found_frameworks(facts.packages, facts.modules)
    gate = f"unix:{SOCKET}"
    lines = [line for one in frameworks for line in (*connecting_lines(one, gate), "")]
    commands = _commands(arguments.project_directory, facts)
    names = [one.name for one in frameworks]
    if arguments.output == "json":
        result = Result(outcomes, names, lines[:-1], commands, _notes(facts))
        say_json(msgspec.to_builtins(result))
    else:
        _say(outcomes, _wanted(facts, with_ci=arguments.project_ci))
        _say_next(names, lines, commands)
        for note in _notes(facts):
            say(note)
    failing = {"refused", "missing", "differs"} if arguments.project_check else {"refused"}
    return EXIT_VIOLATIONS if any(one.state in failing for one in outcomes) else EXIT_FINE


def _wanted(facts: ProjectFacts, *, with_ci: bool) -> dict[str, str]:
    """Paths in the project, and the texts that they should have."""
    wanted = {path: (TEMPLATES / name).read_text("utf-8") for path, name in FILES.items()}
    wanted[IGNORED] = "*\n"
    if with_ci or {".git", ".github"} <= facts.marks:
        wanted[WORKFLOW] = (TEMPLATES / "workflow.yaml").read_text("utf-8")
    return wanted


def _commands(directory: str, facts: ProjectFacts) -> list[str]:
    """The next steps, as commands to copy."""
    here = [] if directory == "." else [f"cd {shlex.quote(directory)}"]
    interlock = as_called(sys.argv[0])
    commands = [
        *here,
        f"{interlock} test invariants",
        f"{interlock} gate serve --config interlock.yaml",
        f"{interlock} doctor --config interlock.yaml",
    ]
    if ".claude" in facts.marks:
        commands.append(f"{interlock} init claude-code --gate unix:{SOCKET}")
    return commands


def as_called(program: str) -> str:
    """The command that the user typed. An environment that is not activated is not on the path, so
    `interlock` alone would not be found, or be another one.
    """
    if Path(program).name != "interlock" or "/" not in program:
        return "interlock"
    found = shutil.which("interlock")
    is_on_path = found is not None and Path(found).resolve() == Path(program).resolve()
    return "interlock" if is_on_path else shlex.quote(str(Path(program).absolute()))


def _notes(facts: ProjectFacts) -> list[str]:
    """Sentences about what no command here does."""
    notes = ["the agent's environment needs the package interlock-client"]
    if facts.is_of_node:
        notes = ["for Node, copy the client docs/clients/gate.ts; its gate listens on a port"]
    if ".mcp.json" in facts.marks:
        command = f"interlock mcp-proxy --gate unix:{SOCKET} --name NAME -- COMMAND"
        notes.append(f"a server of .mcp.json is asked about if it is started by `{command}`")
    return notes


def _say(outcomes: Sequence[Outcome], wanted: dict[str, str]) -> None:
    for one in outcomes:
        reason = f": {one.text}" if one.state == "refused" else ""
        say(safe(f"{one.path}: {_WORDS[one.state]}{reason}"))
        if one.state == "differs":
            _say_difference(one.text, wanted[one.path])


def _say_difference(there: str, wanted: str) -> None:
    lines = list(
        difflib.unified_diff(
            there.splitlines(), wanted.splitlines(), "yours", "of interlock init", lineterm="", n=0
        )
    )
    for line in lines[:DIFFERENCES_MAX]:
        say(safe(f"  {visible(line)}"))
    if len(lines) > DIFFERENCES_MAX:
        say(f"  and {len(lines) - DIFFERENCES_MAX} more lines")


def _say_next(names: Sequence[str], lines: Sequence[str], commands: Sequence[str]) -> None:
    say()
    if names:
        say(f"connect the agent ({', '.join(names)}):")
        say()
        for line in lines:
            say(f"    {line}".rstrip())
    say("next:")
    say()
    for command in commands:
        say(safe(f"    {command}"))
    say()
