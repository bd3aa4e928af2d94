"""The pages held against the code: examples run, tables are complete, links and commands exist."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from interlock.control_record import ControlRecord, ControlView
from interlock.kinds import KNOWN_KINDS
from invariants.check import specs as check
from invariants.check.specs import RefusedNames, check_specs, read_specs
from invariants.model.errors import Fault
from invariants.model.event import CARRIED_BY, Event, EventRecord, Origin
from invariants.spec.load import load_spec
from monitor.authoring.examples import run_examples
from monitor.cli.__main__ import VERBS, build_parser
from monitor.config.load import load_settings
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.ingest.provenance import Provenance
from monitor.ingest.rejected import REASONS
from monitor.kernel.build_finding import DEFAULT_SEVERITIES
from monitor.telemetry.metrics_table import METRICS
from monitor.topics import CONTROL, DAY_MS, POLICIES, READ_TOGETHER
from monitor.transport.base import NoticeKind
from monitor.transport.logdir.layout import from_line

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRINCIPALS = ROOT / "docs" / "principals.md"
LANGUAGE = ROOT / "docs" / "language.md"

FRAME = """version: 1
predicates:
  p:
    when: kind == "a"
    with:
      v: number(args.v)
  q:
    when: kind == "b"
    with:
      v: number(args.v)
invariants:
  - id: a
    severity: warning
    {formula}
"""


def _blocks(path: Path, language: str) -> list[tuple[int, str]]:
    """The fenced blocks of a language, each with the line where it begins."""
    text = path.read_text()
    return [
        (text.count("\n", 0, match.start(2)) + 1, match[2])
        for match in FENCE.finditer(text)
        if match[1] == language
    ]


def _section(path: Path, title: str) -> str:
    """The text from a heading of the second level to the next one."""
    _, _, rest = path.read_text().partition(f"\n## {title}\n")
    assert rest, f"{path.name} has no section `{title}`"
    return rest.partition("\n## ")[0]


def _rows(section: str) -> Iterator[list[str]]:
    """The cells of each row of a section's tables, without heads."""
    lines = section.split("\n")
    for number, line in enumerate(lines):
        is_head = number + 1 < len(lines) and lines[number + 1].startswith("|---")
        if line.startswith("| ") and not is_head:
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def _codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def _faults(text: str) -> list[Fault]:
    spec, faults = load_spec(text, "page.yaml")
    return [*faults, *(check_specs([(spec, RefusedNames())]).faults if spec else [])]


@pytest.mark.parametrize(
    ("line", "text"), _blocks(LANGUAGE, "yaml"), ids=lambda value: str(value)[:6]
)
def test_examples_of_the_language_run(line: int, text: str) -> None:
    """Each file on the page loads without a fault or warning, and its examples pass."""
    specs, faults = read_specs([(f"language.md:{line}", text)])
    assert not faults
    results = run_examples(specs)
    assert results, "an example of the page has no examples"
    assert not [result for result in results if not result.is_passed]


@pytest.mark.parametrize(
    ("line", "text"),
    [block for block in _blocks(PRINCIPALS, "yaml") if "invariants:" in block[1]],
    ids=lambda value: str(value)[:6],
)
def test_examples_of_roles_run(line: int, text: str) -> None:
    """The invariants on the page of principals load, and their examples pass."""
    test_examples_of_the_language_run(line, text)


def _formulas() -> list[str]:
    return [code for row in _rows(_section(LANGUAGE, "Formulas")) for code in _codes(row[0])]


@pytest.mark.parametrize("formula", _formulas())
def test_every_formula_of_the_table_is_taken(formula: str) -> None:
    """What the table of operators shows can be written."""
    line = (
        f"always: p implies ({formula})"
        if FUTURE & {*re.findall(r"[a-z]+", formula)}
        else f"never: p and ({formula})"
    )
    errors = [fault for fault in _faults(FRAME.format(formula=line)) if fault.severity == "error"]
    assert not errors


def _refusals() -> list[tuple[str, str]]:
    rows = (row for row in _rows(_section(LANGUAGE, "Refused formulas")) if len(row) == 3)
    return [(_codes(row[0])[0], row[1]) for row in rows]


@pytest.mark.parametrize(("line", "code"), _refusals())
def test_what_the_page_calls_refused_is_refused(line: str, code: str) -> None:
    """Each row names the code that the check gives."""
    assert code in {fault.code for fault in _faults(FRAME.format(formula=line))}


@pytest.mark.parametrize("row", list(_rows(_section(LANGUAGE, "Patterns"))), ids=lambda row: row[0])
def test_every_pattern_can_be_written(row: list[str]) -> None:
    """A pattern of the table stands for the formula beside it."""
    stated = []
    for written in ("pattern: {" + _codes(row[0])[0] + "}", _codes(row[1])[0]):
        names = sorted(set(re.findall(r"\b[pqr]\b", written)))
        predicates = "".join(f'  {name}: kind == "{name}"\n' for name in names)
        text = f"version: 1\npredicates:\n{predicates}" + (
            f"invariants:\n  - id: a\n    severity: warning\n    {written}\n"
        )
        assert not _faults(text)
        spec, _ = load_spec(text, "page.yaml")
        assert spec is not None
        stated.append((spec.invariants[0].form, spec.invariants[0].formula))
    assert stated[0] == stated[1]


FUTURE = {"next", "eventually", "always", "until"}


def test_every_code_is_named() -> None:
    """The page's tables name each code that a file can be refused or warned with."""
    known = set(re.findall(r"\b[EW][2345]\d\d\b", check.__doc__ or ""))
    assert len(known) > 40
    assert known <= set(re.findall(r"\b[EW]\d{3}\b", LANGUAGE.read_text()))


EVENTS = ROOT / "docs" / "events.md"


def _first_cells(section: str) -> set[str]:
    return {code for row in _rows(section) for code in _codes(row[0])}


def test_every_field_of_an_event_is_told() -> None:
    """The table of the event has exactly the fields that are read."""
    assert _first_cells(_section(EVENTS, "The event")) == {*EventRecord.__struct_fields__}


def test_every_field_of_findings_and_control_records_is_told() -> None:
    """Consumers find each field of what the monitor writes."""
    assert _first_cells(_section(EVENTS, "Findings")) == {*Finding.__struct_fields__}
    control = _section(EVENTS, "Control records")
    assert _first_cells(control) == {*ControlRecord.__struct_fields__}


def test_the_table_of_kinds_is_the_one_that_is_held() -> None:
    """Who may assert which kind, cell by cell."""
    told = set()
    topics = READ_TOGETHER
    for row in _rows(_section(EVENTS, "Kinds and their topics")):
        for kind in _codes(row[0]):
            told.add(kind)
            for topic, cell in zip(topics, row[1:], strict=True):
                assert Provenance().may_assert(topic, kind) is (cell == "yes"), (topic, kind)
    assert told == KNOWN_KINDS


def test_fields_that_kinds_carry_are_told() -> None:
    """Which fields are missing where an event leaves them out, by how its kind begins."""
    told = {
        field: frozenset(kind.removesuffix("*") for kind in _codes(row[0]))
        for row in _rows(_section(EVENTS, "Missing fields"))
        for field in _codes(row[1])
    }
    assert told == {field: frozenset(kinds) for field, kinds in CARRIED_BY.items()}


def test_the_table_of_topics_is_complete() -> None:
    """Each topic with how long it is kept."""
    rows = {_codes(row[0])[0]: row[2] for row in _rows(_section(EVENTS, "Topics"))}
    kept = {
        topic: f"{policy.retention_ms // DAY_MS} days" if policy.retention_ms else rows[topic]
        for topic, policy in POLICIES.items()
    }
    assert rows == kept


def test_findings_of_the_engine_and_their_severities_are_told() -> None:
    """Types and default severities are those of the code."""
    rows = {_codes(row[0])[0]: row[1] for row in _rows(_section(EVENTS, "Findings of the engine"))}
    assert rows == dict(DEFAULT_SEVERITIES)


def test_reasons_and_notices_are_told() -> None:
    """Why a record is no event, and what a source may notice."""
    assert _first_cells(_section(EVENTS, "Rejected records")) == {*REASONS}
    assert _first_cells(_section(EVENTS, "The log directory")) == {*get_args(NoticeKind)}


@pytest.mark.parametrize(("line", "text"), _blocks(EVENTS, "json"), ids=lambda v: str(v)[:6])
def test_json_on_the_page_is_what_it_says(line: int, text: str) -> None:
    """The event is one, and the envelope holds a control record."""
    if '"kind"' in text:
        assert isinstance(decode_event(text.encode(), Origin("a", "0", 0)), Event)
    else:
        key, value, _ = from_line(CONTROL, text.encode())
        assert key is not None, line
        assert ControlView().apply(key.decode(), value)


PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "node_modules" for part in path.parts)
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def _page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_page_name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of every page names a file, and a heading where it names one."""
    for target in LINK.findall(page.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        assert found.exists(), f"{_page_name(page)}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in anchors, f"{_page_name(page)}: {target}"


def test_settings_on_their_page_load(tmp_path: Path) -> None:
    """The example is a whole file, of settings that belong together."""
    ((_, text),) = _blocks(ROOT / "docs" / "configuration.md", "yaml")
    (tmp_path / "interlock.yaml").write_text(text)
    settings = load_settings(str(tmp_path / "interlock.yaml"), {})
    assert settings.source == "kafka://broker-1:9092,broker-2:9092"


def test_the_site_has_every_page() -> None:
    """Its contents name each page of `docs/`, and no other."""
    told = runpy.run_path(str(ROOT / "docs" / "site" / "conf.py"))
    named = {*told["QUESTIONS"].values(), *told["REFERENCE"].values()}
    pages = {f"docs/{page.stem}" for page in (ROOT / "docs").glob("*.md")}
    assert pages == {name for name in named if re.fullmatch(r"docs/[\w-]+", name)}


@pytest.mark.parametrize("page", PAGES, ids=_page_name)
def test_files_that_pages_name_exist(page: Path) -> None:
    """A path of ours in backticks is a file or folder of ours."""
    named = re.findall(
        r"`((?:invariants|monitor|interlock|detectors|replay|tests|fixtures|docs)/[\w./*-]*)`",
        page.read_text(),
    )
    missing = [name for name in named if not list(ROOT.glob(name.rstrip("/")))]
    assert not missing


def test_the_code_map_is_true() -> None:
    """ARCHITECTURE.md names modules that are there, and has a line for every folder of modules."""
    told = _codes(_section(ROOT / "ARCHITECTURE.md", "4. Code map").replace("\n", " "))
    for name in (name for name in told if re.fullmatch(r"[\w*]+\.py", name)):
        folders = [ROOT / package for package in PACKAGES]
        assert (ROOT / name).exists() or any(list(folder.rglob(name)) for folder in folders), name
    for package in PACKAGES:
        for path in (ROOT / package).iterdir():
            if (path / "__init__.py").exists():
                assert f"{path.name}/" in told, f"{package}/{path.name}"


PACKAGES = ("invariants", "detectors", "monitor", "replay", "interlock")


RUNNING = ROOT / "docs" / "running.md"
COMMAND = re.compile(r"(?:^|[\s`$])interlock ([a-z]+(?:-[a-z]+)*)\b")


def test_every_metric_is_told_and_no_other() -> None:
    """Names, types, labels and meanings are those of the code's table."""
    told = [
        (_codes(row[0])[0], row[1], row[2])
        for row in _rows(_section(RUNNING, "Metrics and health"))
        if _codes(row[0])[0].startswith("interlock_")
    ]
    meant = [
        (m.name, f"{m.type} by {', '.join(m.labels)}" if m.labels else m.type, m.meaning)
        for m in METRICS
    ]
    assert told == meant


@pytest.mark.parametrize("page", PAGES, ids=_page_name)
def test_verbs_that_pages_name_exist(page: Path) -> None:
    """What a page tells to type, in code, is a verb of the command line."""
    text = page.read_text()
    code = [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^(?:    |\$ ).*", text, re.MULTILINE)]
    code += [block for _, block in _blocks(page, "sh")]
    verbs = {verb for part in code for verb in COMMAND.findall(part)}
    assert verbs <= {*VERBS, "completion"}


def _shell_lines() -> Iterator[Any]:
    for page in PAGES:
        lines = [line for _, block in _blocks(page, "sh") for line in block.splitlines()]
        for line in lines:
            if line.startswith("interlock "):
                yield pytest.param(line, id=f"{page.stem}: {line}")


@pytest.mark.parametrize("line", list(_shell_lines()))
def test_commands_of_pages_parse(line: str) -> None:
    """Every command line in a block of shell is one that the real parser takes."""
    assert build_parser().parse_args(shlex.split(line)[1:]).run


@pytest.mark.parametrize(
    ("line", "text"), _blocks(ROOT / "README.md", "yaml"), ids=lambda v: str(v)[:6]
)
def test_invariants_of_the_first_page_load(line: int, text: str) -> None:
    """What a newcomer sees first is a whole file."""
    _, faults = read_specs([(f"README.md:{line}", text)])
    assert not faults


@pytest.mark.parametrize("page", PAGES, ids=_page_name)
def test_no_page_names_a_machine(page: Path) -> None:
    """Paths of somebody's own machine mean nothing to a reader."""
    assert not re.search(r"(?<![\w.])/(home|root|work|Users)/", page.read_text())
