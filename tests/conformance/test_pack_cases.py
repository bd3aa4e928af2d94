"""The packs held against sessions like publicly reported incidents, and their honest twins.

Tries to get round them are there as well. None was made for the packs; they lie beside the
project, in `cases`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest
import yaml

from fixtures.packs_measure import DATA
from invariants.image.compile import compile_program
from invariants.model.event import Event, Origin
from invariants.model.limits import DEFAULT_LIMITS
from invariants.runtime.program import Program
from monitor.authoring.files import default_pack_specs
from monitor.findings.model import Finding
from monitor.ingest.decode import decode_event
from monitor.kernel.kernel import Kernel
from monitor.kernel.settings import KernelSettings
from tests.conftest import require_or_skip

CASES = DATA.parents[1] / "cases"
TWINS = Path(__file__).resolve().parents[2] / "fixtures" / "evasion_twins.yaml"

# What a `bad-*` session of a folder must be told for: the beginning of an invariant's id.
TOLD = {
    "h01": "shell-no-mass-deletion",
    "h02": "secrets-no-egress-after-read",
    "h03": "secrets-no-egress-after-read",
    "h04": "secrets-no-egress-after-read",
    "h05": "secrets-no-egress-after-read",
    "h06": "production-no-",
    "h07": "work-no-uncommitted-loss",
    "h11": "",
    "h12": "",
    "h14": "shell-no-",
    "h15": "secrets-no-",
    "h17": "production-no-change",
    "h18": "secrets-no-egress-after-read",
}


@cache
def packs() -> Program:
    return compile_program(default_pack_specs(), limits=DEFAULT_LIMITS, digest_key=b"cases")


def findings(lines: Iterable[bytes], name: str) -> dict[str, list[Finding]]:
    """By session, what the default packs say; `telemetry` is about clients, and left out."""
    engines: dict[str, Kernel] = {}
    found: dict[str, list[Finding]] = {}
    for number, line in enumerate(lines):
        event = decode_event(line, Origin(name, "0", number))
        assert isinstance(event, Event), event
        session = event.session
        engine = engines.setdefault(session, Kernel(packs(), KernelSettings(trust_ts=True)))
        told = [f for f in engine.step(event) if not f.invariant.startswith("telemetry")]
        found.setdefault(session, []).extend(told)
    return found


def _of_file(path: Path) -> dict[str, list[Finding]]:
    return findings(path.read_bytes().splitlines(), path.name)


def _is_loud(finding: Finding) -> bool:
    return finding.severity != "info"


def _folder(name: str) -> Path:
    folder = next(iter(sorted(CASES.glob(f"{name}*"))), None)
    if folder is None:
        require_or_skip("data", f"cases/{name} is not beside the project")
    assert folder is not None
    return folder


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(TOLD))
def test_incidents_are_told_and_their_twins_are_not(name: str) -> None:
    """Each `bad-*` session at `warning` or above, by the right invariant; no `ok-*` session is."""
    for session, found in _of_file(_folder(name) / "events.jsonl").items():
        loud = [(f.invariant, f.type) for f in found if _is_loud(f)]
        if session.startswith("bad"):
            assert any(id_.startswith(TOLD[name]) for id_, _ in loud), (session, found)
        if session.startswith("ok"):
            assert not loud, session


@pytest.mark.data
def test_a_loop_is_told_once() -> None:
    """Sixty equal calls are one finding, not fifty-five."""
    found = _of_file(_folder("h12") / "events.jsonl")["loop"]
    assert {(f.invariant, f.anchor.position) for f in found} == {("loops-same-call", 5)}
    assert [f.run.count for f in found if f.run is not None] == [1, 10]


@pytest.mark.data
def test_no_try_gets_round_the_packs() -> None:
    """Each file of `security` with commands is violated or inconclusive at `warning` or above."""
    index = _folder("security") / "INDEX.tsv"
    for line in index.read_text().splitlines():
        name, invariant, *_ = line.split("\t")
        if not name.startswith(("shell-", "net-", "egress-")):
            continue
        found = [f for all_ in _of_file(index.parent / f"{name}.jsonl").values() for f in all_]
        assert any(f.invariant == invariant and _is_loud(f) for f in found), line


def _twins() -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = yaml.safe_load(TWINS.read_text())
    return found


@pytest.mark.parametrize("name", _twins())
def test_the_honest_twin_of_an_evasion_is_quiet(name: str) -> None:
    """It looks like the evasion, and does no harm."""
    about = {"session": name, "kind": "tool.requested"}
    calls = (
        json.dumps({**about, "seq": seq, "ts": seq + 1, **call}).encode()
        for seq, call in enumerate(_twins()[name])
    )
    loud = [f for f in findings(calls, name)[name] if _is_loud(f)]
    assert not loud


@pytest.mark.data
def test_every_evasion_has_a_twin() -> None:
    """None is left out."""
    lines = (_folder("security") / "INDEX.tsv").read_text().splitlines()
    names = [line.split("\t")[0] for line in lines]
    wanted = {name for name in names if name.startswith(("shell-", "net-", "egress-"))}
    assert _twins().keys() == wanted


@pytest.mark.data
def test_honest_work_is_quiet() -> None:
    """Of real coding sessions at most a quarter are flagged, once in a hundred calls at most."""
    path = DATA.parent / "coding-sessions" / "coding.jsonl.gz"
    if not path.is_file():
        require_or_skip("data", f"{path.name} is not beside the project")
    unpacked = gzip.decompress(path.read_bytes()).splitlines()
    calls = sum(json.loads(line)["kind"] == "tool.requested" for line in unpacked)
    found = findings(unpacked, path.name)
    loud = [f for all_ in found.values() for f in all_ if _is_loud(f)]
    assert len(found) == 12
    assert len({f.session for f in loud}) <= 3
    assert len(loud) * 100 <= calls
