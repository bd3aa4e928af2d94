"""`interlock enforce --preview`: the calls that a gate would have refused in recordings."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import msgspec

from invariants.check.checked import CheckedSpec
from invariants.image.compile import compile_program
from invariants.model.errors import ConfigError
from monitor.authoring.files import read_specs
from monitor.cli.arguments import HELP, Verbs, paths, with_output
from monitor.cli.output import EXIT_FINE, EXIT_UNJUDGED, complain, say, say_json
from monitor.clock import SystemClock
from monitor.config.load import load_settings
from monitor.log import configure_log

SUFFIXES = (".jsonl", ".jsonl.gz")


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "enforce",
        help=HELP["enforce"],
        description="Plays recordings past a gate that was not there: which calls would have been "
        "denied or held if the invariants were enforced, how often, and examples. Nothing is "
        "switched on. "
        "Example: interlock enforce --preview recordings/ --invariants pack:default",
    )
    parser.add_argument(
        "--preview",
        nargs="+",
        required=True,
        metavar="RECORDING",
        help="recordings, plain files of events, or folders of them",
    )
    parser.add_argument(
        "--invariants", type=paths, required=True, help="files, folders or packs, with commas"
    )
    parser.add_argument(
        "--as-written",
        action="store_true",
        help="only invariants that have `mode: enforce`; by default all are taken as enforced",
    )
    with_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the preview; 4 if a recording is damaged or has records that cannot be read."""
    from replay.capture.header import plain_settings
    from replay.preview.preview import Preview, lines_of
    from replay.recording.reader import RecordedFile

    configure_log("warning", "auto")
    specs = read_specs(*map(Path, arguments.invariants))
    if not arguments.as_written:
        specs = [_enforced(spec) for spec in specs]
    preview, is_whole = Preview(compile_program(specs)), True
    now_ns = SystemClock().now_ns()
    for path in _files(arguments.preview):
        file = RecordedFile(
            str(path), plain_settings=lambda: plain_settings(load_settings()), now_ns=now_ns
        )
        preview.play(file)
        if file.damage is not None:
            complain(f"{path}: {file.damage}; the part before it was played")
            is_whole = False
    if arguments.output == "json":
        say_json(
            {
                "totals": msgspec.to_builtins(preview.totals),
                "invariants": msgspec.to_builtins(preview.invariants()),
            }
        )
    else:
        for line in lines_of(preview):
            say(line)
    return EXIT_FINE if is_whole and not preview.totals.unread_count else EXIT_UNJUDGED


def _enforced(spec: CheckedSpec) -> CheckedSpec:
    invariants = tuple(replace(one, mode="enforce") for one in spec.invariants)
    return replace(spec, invariants=invariants)


def _files(named: list[str]) -> list[Path]:
    found: list[Path] = []
    for name in named:
        path = Path(name)
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.name.endswith(SUFFIXES))
            found += [p for p in inside if not p.name.startswith("labels")]
        else:
            found.append(path)
    if not found:
        raise ConfigError("`--preview`: no `.jsonl` or `.jsonl.gz` file is there")
    return found
