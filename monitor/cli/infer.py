"""`interlock infer`: entries for the lists of packs, from what is known of an agent's tools."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invariants.model.errors import ConfigError
from monitor.cli.arguments import HELP, Verbs, with_output
from monitor.cli.output import EXIT_FINE, EXIT_UNJUDGED, safe, say, say_json

if TYPE_CHECKING:
    from monitor.infer.propose import Entry, ListName, Proposal, ToolFacts
    from monitor.infer.tools import ReadTools


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    parser = verbs.add_parser(
        "infer",
        help=HELP["infer"],
        description="Reads schemas of tools, a result of tools/list, a trace or events, and "
        "proposes what each tool is, as a difference to the packs with a reason for each entry. "
        "Nothing is in force until a person has read it: tools and their descriptions are written "
        "by others. Exits with 4 if a part of the file was not read. "
        "Example: interlock infer tools.json --pack secrets --to secrets.yaml",
    )
    parser.add_argument("tools", metavar="FILE", help="a file, also compressed by gzip; - is stdin")
    parser.add_argument("--pack", metavar="NAME", default="", help="only the lists of this pack")
    parser.add_argument(
        "--to", metavar="FILE", default="", help="write that pack, with the entries, as a new file"
    )
    with_output(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read, propose, print; write only with `--to`."""
    from monitor.authoring.packs import find_pack
    from monitor.cli.ingest import content_of
    from monitor.infer.propose import propose
    from monitor.infer.tools import read_tools

    if arguments.to and not arguments.pack:
        raise ConfigError("`--to` writes one pack; name it with `--pack`")
    if arguments.to and Path(arguments.to).exists():
        raise ConfigError(f"{arguments.to} exists; name a new file")
    if arguments.pack:
        find_pack(arguments.pack)
    lists = pack_lists()
    read = read_tools(content_of(arguments.tools))
    if not read.tools:
        reason = f"; {read.unread[0].place}: {read.unread[0].reason}" if read.unread else ""
        raise ConfigError(f"{arguments.tools}: no tool is declared or called in it{reason}")
    made = propose(read.tools.values(), lists)
    if arguments.pack:
        made = _of_pack(made, arguments.pack)
    if arguments.to:
        _write(arguments.to, _edited(arguments.pack, made.entries)[1])
    if arguments.output == "json":
        say_json(_facts(made, read))
    else:
        for line in _lines(made, read, arguments.to):
            say(safe(line))
    return EXIT_UNJUDGED if read.unread else EXIT_FINE


def pack_lists() -> Mapping[ListName, Sequence[str]]:
    """The lists of texts of all packs."""
    return {
        (pack, name): [item for item in items if isinstance(item, str)]
        for pack, lists in _lists_by_pack().items()
        for name, items in lists.items()
        if not any(isinstance(item, str) and "?" in item for item in items)
    }


def _of_pack(made: Proposal, pack: str) -> Proposal:
    """The same with the entries of one pack; all that is in doubt stays."""
    return dataclasses.replace(
        made,
        entries=[one for one in made.entries if one.list_name[0] == pack],
        without_effect=[one for one in made.without_effect if one.list_name[0] == pack],
    )


def _lists_by_pack() -> Mapping[str, Mapping[str, Sequence[Any]]]:
    from monitor.authoring.files import read_specs
    from monitor.authoring.packs import all_packs

    return {
        pack.name: {
            name: items for spec in read_specs(pack.path) for name, items in spec.lists.items()
        }
        for pack in all_packs()
    }


def _edited(pack: str, entries: Sequence[Entry]) -> tuple[str, str]:
    """The text of a pack without and with its entries."""
    from monitor.authoring.files import read_specs
    from monitor.authoring.packs import find_pack
    from monitor.infer.edit import with_entries

    path = find_pack(pack).path
    text, (spec,) = path.read_text("utf-8"), read_specs(path)
    own = [entry for entry in entries if entry.list_name[0] == pack]
    return text, with_entries(text, spec.lists, own)


def _write(name: str, text: str) -> None:
    try:
        with Path(name).open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"{name}: {error.strerror}") from None


def _lines(made: Proposal, read: ReadTools, to: str) -> Iterator[str]:
    """The difference, and after it what is not in it; only the difference has no `#`."""
    if to:
        yield f"# written: {to}; read it, then `interlock test` it"
    for pack in sorted({entry.list_name[0] for entry in made.entries}):
        before, after = (text.splitlines() for text in _edited(pack, made.entries))
        names = (f"pack:{pack}", f"{pack}.yaml")
        yield from difflib.unified_diff(before, after, *names, lineterm="", n=1)
    yield f"# {len(made.tools)} tools, {len(made.entries)} entries are proposed"
    yield from _notes(made, read)


def _notes(made: Proposal, read: ReadTools) -> Iterator[str]:
    from monitor.presentation import visible

    for entry in made.without_effect:
        pack, name = entry.list_name
        yield (
            f"# NO EFFECT: `{visible(entry.subject)}` belongs to `{name}` of `{pack}` "
            f"({'; '.join(entry.reasons)}), but `{entry.exempted_by}` of that pack exempts it; "
            "narrow that list"
        )
    for tool in made.tools:
        for doubt in tool.doubts:
            yield f"# DOUBT: `{visible(tool.name)}`: {doubt}"
    for text in made.unwritten:
        yield f"# NOT WRITTEN: `{visible(text)}` cannot be a pattern; rename it"
    yield from (_outside(tool) for tool in made.tools if _reads_outside(tool))
    unclassified = [tool for tool in made.tools if not tool.is_classified]
    if unclassified:
        yield f"# NOT CLASSIFIED, which does not mean harmless: {len(unclassified)}"
    for tool in unclassified:
        weak = "; ".join(f"{sign.kind}? {', '.join(sign.reasons)}" for sign in tool.signs)
        yield f"#   {visible(tool.name)}" + (f" ({weak})" if weak else "")
    for place, reason in read.unread:
        yield f"# NOT READ: {place}: {reason}"
    if read.unread_count > len(read.unread):
        yield f"# NOT READ: {read.unread_count - len(read.unread)} more"


def _reads_outside(tool: ToolFacts) -> bool:
    return any(sign.kind == "reads_untrusted" and sign.is_strong for sign in tool.signs)


def _outside(tool: ToolFacts) -> str:
    from monitor.presentation import visible

    reasons = [sign.reasons for sign in tool.signs if sign.kind == "reads_untrusted"]
    return f"# reads what strangers write: `{visible(tool.name)}` ({'; '.join(reasons[0])})"


def _facts(made: Proposal, read: ReadTools) -> Mapping[str, Any]:
    return {
        "tools": [
            {
                "name": tool.name,
                "is_classified": tool.is_classified,
                "lists": [".".join(name) for name in tool.lists],
                "signs": [
                    {"kind": sign.kind, "is_strong": sign.is_strong, "reasons": sign.reasons}
                    for sign in tool.signs
                ],
                "doubts": tool.doubts,
            }
            for tool in made.tools
        ],
        "entries": [_entry(entry) for entry in made.entries],
        "without_effect": [_entry(entry) for entry in made.without_effect],
        "unwritten": made.unwritten,
        "unread_count": read.unread_count,
        "unread": [{"place": place, "reason": reason} for place, reason in read.unread],
    }


def _entry(entry: Entry) -> Mapping[str, Any]:
    pack, name = entry.list_name
    return {
        "pack": pack,
        "list": name,
        "pattern": entry.pattern,
        "subject": entry.subject,
        "reasons": entry.reasons,
        "exempted_by": entry.exempted_by,
    }
