"""The packs: what each must have, and how they are found."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

import msgspec
import pytest

from fixtures.packs_measure import DATA, group_of, measure, read_labels
from invariants.image.compile import compile_program
from invariants.model.errors import ConfigError
from invariants.model.event import Event, Origin
from invariants.model.limits import DEFAULT_LIMITS
from invariants.spec.model import Example, InvariantSpec
from invariants.taint.event_view import EventView
from monitor.authoring.examples import run_examples
from monitor.authoring.files import default_pack_specs, examine, read_specs
from monitor.authoring.packs import Pack, all_packs, find_pack
from monitor.authoring.paths import spec_paths
from monitor.cli.__main__ import main
from monitor.ingest.decode import decode_event
from tests.conftest import require_or_skip

PACKS = all_packs()
FLAGGED_SHARE_MAX = 0.05


@cache
def invariants() -> tuple[tuple[Pack, InvariantSpec], ...]:
    """Those of all packs. Read when a test asks and not when it is collected: it takes a second."""
    return tuple(
        (pack, invariant)
        for pack in PACKS
        for spec in read_specs(pack.path)
        for invariant in spec.invariants
    )


def _finds_nothing(example: Example) -> bool:
    return not example.violated_at and not example.inconclusive_at


def test_the_packs_are_there() -> None:
    """All packs are shipped, those that need a user's lists or an operator are off."""
    assert {pack.name: pack.is_default for pack in PACKS} == {
        "approval": False,
        "budgets": True,
        "loops": True,
        "origins": False,
        "paths": True,
        "production": True,
        "secrets": True,
        "shell": True,
        "telemetry": True,
        "tools": False,
        "work": True,
        "workspace": False,
    }


@pytest.mark.parametrize("pack", PACKS, ids=[pack.name for pack in PACKS])
def test_examples_hold(pack: Pack) -> None:
    """Every example of a pack, each try to get round it among them, gives what it says."""
    results = run_examples(read_specs(pack.path))
    assert results
    assert [result for result in results if not result.is_passed] == []


@pytest.mark.parametrize("pack", PACKS, ids=[pack.name for pack in PACKS])
def test_nothing_is_wrong_with_a_pack(pack: Pack) -> None:
    """Packs have no faults; the one warning is meant (an approval must come strictly before)."""
    _, faults = examine(pack.path)
    assert [fault.code for fault in faults] == (["W503"] if pack.name == "approval" else [])


def test_each_says_what_it_is_for() -> None:
    """Threat, false alarms, a summary, and an id that begins with the pack's name."""
    for pack, invariant in invariants():
        assert invariant.id.startswith(pack.name)
        assert invariant.summary, invariant.id
        notes = pack.notes[invariant.id]
        assert set(notes) == {"threat", "false alarms"}, invariant.id
        texts = notes.values()
        assert all(len(text) > 10 and not text.endswith(" ") for text in texts), invariant.id


def test_each_was_tried() -> None:
    """One example holds, one is violated, and three tries to get round it are told honestly."""
    for _, invariant in invariants():
        tries = [e for e in invariant.examples if e.name.startswith("evasion, ")]
        plain = [e for e in invariant.examples if e not in tries]
        assert any(_finds_nothing(example) for example in plain), invariant.id
        assert any(example.violated_at for example in plain), invariant.id
        assert len(tries) >= 3, invariant.id
        for example in tries:
            is_unseen = example.name.startswith("evasion, not seen")
            assert is_unseen == _finds_nothing(example), (invariant.id, example.name)


def test_packs_stop_nobody_by_themselves() -> None:
    """A pack only observes until its user says otherwise."""
    assert {invariant.mode for _, invariant in invariants()} == {"observe"}


def test_packs_are_found_by_name(tmp_path: Path) -> None:
    """`pack:NAME` stands for a file, `pack:default` for those that are on, in any folder."""
    assert spec_paths(Path("pack:shell")) == [find_pack("shell").path]
    assert spec_paths(tmp_path / "pack:shell") == [find_pack("shell").path]
    default = spec_paths(Path("pack:default"))
    assert default == [pack.path for pack in PACKS if pack.is_default]
    assert [spec.file for spec in default_pack_specs()] == [str(path) for path in default]
    with pytest.raises(ConfigError, match=r"`nope`.*`shell`"):
        spec_paths(Path("pack:nope"))


def test_a_file_of_that_name_goes_first(tmp_path: Path) -> None:
    """Somebody's own file is never hidden by a pack."""
    own = tmp_path / "pack:shell"
    own.write_text("version: 1\n")
    assert spec_paths(own) == [own]


def test_the_command_line_knows_them(capsys: pytest.CaptureFixture[str]) -> None:
    """`packs list` names all of them, `packs show` prints the file, `check` takes the name."""
    assert main(["packs", "list"]) == 0
    listed = capsys.readouterr().out
    assert all(invariant.id in listed for _, invariant in invariants())
    assert main(["packs", "list", "--output", "json"]) == 0
    assert '"is_default":true' in capsys.readouterr().out
    assert main(["packs", "show", "tools"]) == 0
    assert capsys.readouterr().out == find_pack("tools").path.read_text()
    assert main(["check", "pack:default"]) == 0
    assert main(["packs", "show", "nope"]) == 2


def test_the_page_holds_every_invariant() -> None:
    """docs/packs.md was written after the last invariant was."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "packs.md").read_text()
    for pack, invariant in invariants():
        assert f"| `{invariant.id}` | {invariant.severity} |" in page
        assert pack.notes[invariant.id]["threat"] in page
    assert "not judged yet" not in page


@pytest.mark.data
def test_honest_work_is_far_from_the_budget() -> None:
    """No recorded event of a coding agent takes a tenth of its budget (docs/decisions/0029)."""
    path = DATA.parent / "coding-sessions" / "coding.jsonl.gz"
    if not path.is_file():
        require_or_skip("data", f"{path.name} is not beside the project")
    program = compile_program(default_pack_specs(), limits=DEFAULT_LIMITS, digest_key=b"packs")
    left = []
    for number, line in enumerate(gzip.decompress(path.read_bytes()).splitlines()):
        event = decode_event(line, Origin(path.name, "0", number))
        assert isinstance(event, Event)
        plan, view = program.session.plan(event.kind, event.record.tool), EventView(event)
        plan.facts(view)
        left.append(view.steps_left / plan.steps_max)
    assert len(left) > 1_000
    assert 0.9 < min(left) < 1


@pytest.mark.data
def test_benign_sessions_stay_quiet() -> None:
    """At most 5 % of the benign sessions are flagged, at warning or above, by what is on."""
    if not DATA.is_dir():
        require_or_skip("data", f"{DATA.name} is not beside the project")
    labels = read_labels()
    benign = {s for s, label in labels.items() if group_of(label) in ("benign", "asked")}
    specs = default_pack_specs()
    counts = measure(specs, is_wanted=benign.__contains__)
    assert counts.sessions == benign
    loud = [i.id for spec in specs for i in spec.invariants if i.severity != "info"]
    flagged = {session for name in loud for session in counts.flags.get(name, {})}
    assert 0 < len(flagged) <= FLAGGED_SHARE_MAX * len(benign)


def test_one_loop_is_one_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sixty equal calls are one loop: it is reported where it begins, and only there."""
    call = '{"kind": "tool.requested", "tool": "read", "args": {"id": 1}, "session": "s", '
    lines = (
        f'{call}"call": "c{n}", "seq": {n}, "ts": "2026-01-05T09:{n // 12:02}:{n % 12 * 5:02}Z"}}\n'
        for n in range(60)
    )
    recording = tmp_path / "events.jsonl"
    recording.write_text("".join(lines))
    flags = ["--invariants", "pack:loops", "--source", str(recording), "--output", "json"]
    main(["run", *flags, "--state-dir", str(tmp_path / "state")])
    told = [line for line in capsys.readouterr().out.splitlines() if "loops-same-call" in line]
    assert len(told) == 1
    assert msgspec.json.decode(told[0])["anchor"]["position"] == 5
