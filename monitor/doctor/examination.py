"""`interlock doctor` as a whole: settings and addresses -> probes -> all diagnoses.

The probes run side by side, each until the same deadline; what they found is judged afterwards, by
pure functions. Nothing is changed: no file is written, no topic created, no event recorded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

from invariants.check.checked import CheckedSpec
from invariants.model.event import SECOND_NS
from monitor.authoring.packs import PREFIX
from monitor.clock import Clock
from monitor.config.table import Settings
from monitor.doctor.ask_gate import ask_gate, ask_monitor
from monitor.doctor.broker import judge_broker
from monitor.doctor.diagnosis import Diagnosis, Learnt, NotLearnt, ok, trouble, unknown
from monitor.doctor.events import judge_events
from monitor.doctor.gate import Files, judge_gate
from monitor.doctor.heartbeats import judge_heartbeats
from monitor.doctor.invariants import judge_invariants, program_digest
from monitor.doctor.log_dir import judge_log_dir
from monitor.doctor.look_at_files import (
    look_at_files,
    look_at_log_dir,
    look_at_socket,
    look_at_state,
)
from monitor.doctor.look_at_software import look_at_invariants, look_at_versions
from monitor.doctor.look_at_source import (
    latest_of_kafka,
    latest_of_log,
    look_at_broker,
    look_at_heartbeats,
)
from monitor.doctor.monitor import READY, judge_monitor
from monitor.doctor.plan import (
    CONFIG,
    Asked,
    Plan,
    extras,
    has_state,
    log_dirs,
    needs_of,
    plan_of,
    token_file,
)
from monitor.doctor.rights import FILES, judge_file, judge_socket
from monitor.doctor.state import judge_state
from monitor.doctor.timed import Probe, together
from monitor.doctor.versions import judge_versions
from monitor.findings.count_text import count_of
from monitor.findings.model import mode_of_all
from monitor.ingest.provenance import Provenance
from monitor.presentation import visible
from monitor.principals.load import load_principals
from monitor.principals.model import Principals, digest_with
from monitor.topics import EVENTS
from monitor.transport.address import (
    FileAddress,
    KafkaAddress,
    LogDirAddress,
)

PRINCIPALS: Final = "principals.check"
MARGIN_S: Final = 1.0
"""A probe that knows its deadline ends before the deadline of all."""


def examine_all(asked: Asked, clock: Clock) -> list[Diagnosis]:
    """Every diagnosis, in the order of the subjects."""
    plan = plan_of(asked)
    found: dict[str, Any] = together(dict(_probes(asked, plan, clock)), asked.seconds)
    return [
        *_of_config(asked, plan),
        *_of_versions(found["versions"]),
        *_of_invariants(asked, plan, found),
        *_of_principals(asked, found),
        *_of_files(found),
        *_of_state(asked, plan, found),
        *_of_sources(asked, plan, found),
        *_of_monitor(asked, plan, found),
        *_of_gates(asked, plan, found),
    ]


def _probes(asked: Asked, plan: Plan, clock: Clock) -> Iterator[tuple[str, Probe]]:
    settings, seconds = asked.settings, asked.seconds - MARGIN_S
    yield "versions", partial(look_at_versions, extras(settings, plan))
    yield (
        "files",
        partial(
            look_at_files, asked.config, token_file(asked), settings, has_state=has_state(plan)
        ),
    )
    yield "principals", partial(_principals, settings)
    if settings.invariants:
        yield "invariants", partial(look_at_invariants, settings.invariants)
    if has_state(plan):
        yield "state", partial(look_at_state, settings.state_dir)
    for needs in needs_of(settings, plan, reads_all=False):
        yield f"broker {needs.role}", partial(look_at_broker, needs, settings)
    for role, address, topics in log_dirs(plan):
        yield f"log {role}", partial(look_at_log_dir, address.directory, topics)
    count = asked.sample_count
    match plan.source:
        case KafkaAddress():
            sample = partial(
                latest_of_kafka, plan.source, settings, clock, count=count, seconds=seconds
            )
            yield "sample", sample
        case LogDirAddress():
            yield "sample", partial(latest_of_log, plan.source, clock, count=count)
    if isinstance(plan.target, KafkaAddress | LogDirAddress):
        yield "heartbeats", partial(look_at_heartbeats, plan.target, settings, clock, seconds)
    if plan.monitor is not None:
        yield "monitor", partial(ask_monitor, *plan.monitor, clock, seconds)
    for gate in plan.gates:
        yield f"gate {gate}", partial(ask_gate, gate, asked.token_file, clock, seconds)
    for path in plan.sockets:
        yield f"socket {path}", partial(look_at_socket, path, settings.gate.socket_access)


def _principals(settings: Settings) -> Principals | None:
    return None if settings.principals is None else load_principals(settings.principals)


def _of_config(asked: Asked, plan: Plan) -> list[Diagnosis]:
    place = asked.config or "flags and environment"
    found = [trouble(CONFIG, place, line) for line in asked.settings_fault.splitlines()]
    found += [*plan.faults, *_of_combination(asked.settings, place)]
    parts = (plan.source, plan.publish, plan.target, *plan.gates, *asked.settings.invariants)
    if not found and not any(parts):
        text = "there is nothing to examine: no source, gate, target or invariants are named"
        mend = "give `--config FILE`, `--gate ADDRESS` or `--target ADDRESS`"
        return [unknown(CONFIG, place, text, mend)]
    return found or [ok(CONFIG, place, "every setting can be read")]


def _of_combination(settings: Settings, place: str) -> Iterator[Diagnosis]:
    """Settings that a monitor or a gate needs together, or that they may not share."""
    listen, publish = settings.gate.listen, settings.gate.publish
    is_gated = listen is not None or publish is not None
    if not settings.invariants and (settings.source is not None or is_gated):
        text = "`invariants` is not set, and neither a monitor nor a gate starts without it"
        yield trouble(CONFIG, place, text, "name files, folders or packs, such as `pack:default`")
    if is_gated and (listen is None or publish is None):
        text = "`gate.listen` and `gate.publish` are needed together, and one is not set"
        yield trouble(CONFIG, place, text, "docs/gate.md shows both")
    if is_gated and settings.source is not None:
        text = "a monitor (`source`) and a gate (`gate.publish`) share `state_dir`, and the second "
        text += "to start is refused"
        mend = "give one of them another `--state-dir`"
        yield trouble(CONFIG, place, text, mend, is_required=False)


def _of_versions(learnt: Learnt[Any]) -> list[Diagnosis]:
    """The versions, or that they are not known."""
    if isinstance(learnt, NotLearnt):
        return [unknown("versions.libraries", "this environment", learnt.reason)]
    return judge_versions(learnt)


def _of_invariants(asked: Asked, plan: Plan, found: dict[str, Any]) -> list[Diagnosis]:
    if "invariants" not in found:
        return []
    cap, is_gated = mode_of_all(asked.settings.mode), plan.publish is not None
    # A pack has no folder, though settings resolve its name like that of a file.
    named = [
        Path(one).name if Path(one).name.startswith(PREFIX) else one
        for one in asked.settings.invariants
    ]
    return judge_invariants(named, found["invariants"], cap, is_gated=is_gated)


def _of_principals(asked: Asked, found: dict[str, Any]) -> list[Diagnosis]:
    if asked.settings.principals is None:
        return []
    place = f"principals: `{visible(asked.settings.principals)}`"
    learnt = found["principals"]
    if isinstance(learnt, NotLearnt):
        return [trouble(PRINCIPALS, place, learnt.reason, "correct the file: docs/principals.md")]
    return [ok(PRINCIPALS, place, f"its digest is {learnt.digest}")]


def _of_files(found: dict[str, Any]) -> list[Diagnosis]:
    files = found["files"]
    if isinstance(files, NotLearnt):
        return [unknown(FILES, "files of the settings", files.reason)]
    judged = [one for file in files for one in judge_file(file, os.geteuid())]
    wrong = [one for one in judged if one.outcome != "ok"]
    text = f"{count_of(len(judged), 'file')} examined: nobody else can read secrets or replace them"
    return wrong or [ok(FILES, "files of the settings", text)]


def _of_state(asked: Asked, plan: Plan, found: dict[str, Any]) -> list[Diagnosis]:
    path, facts = asked.settings.state_dir, found.get("state")
    if facts is None:
        return []
    if isinstance(facts, NotLearnt):
        return [unknown("state.store", f"state_dir: `{visible(path)}`", facts.reason)]
    specs = _specs(found)
    return judge_state(path, facts, program_digest(specs) if specs else None)


def _specs(found: dict[str, Any]) -> tuple[CheckedSpec, ...]:
    learnt = found.get("invariants")
    return () if learnt is None or isinstance(learnt, NotLearnt) else tuple(learnt.specs)


def _of_sources(asked: Asked, plan: Plan, found: dict[str, Any]) -> list[Diagnosis]:
    settings = asked.settings
    reads_all = any(one.per != "session" for spec in _specs(found) for one in spec.invariants)
    diagnoses: list[Diagnosis] = []
    for needs in needs_of(settings, plan, reads_all=reads_all):
        diagnoses += judge_broker(needs, found[f"broker {needs.role}"])
    for role, address, _ in log_dirs(plan):
        diagnoses += judge_log_dir(role, address.directory, found[f"log {role}"])
    if isinstance(plan.source, FileAddress):
        place = f"source `{visible(plan.source.path)}`"
        is_there = plan.source.path == "-" or Path(plan.source.path).is_file()
        text = "a finished file is examined by `interlock run`"
        diagnoses.append(
            ok("file.reach", place, text)
            if is_there
            else trouble("file.reach", place, "there is no such file", "correct `source`")
        )
    if "heartbeats" in found:
        assert asked.target is not None, "it is the target's control topic"
        topic = plan.target.topics[0] if isinstance(plan.target, KafkaAddress) else EVENTS
        diagnoses += judge_heartbeats(asked.target, topic, found["heartbeats"], settings.skew_ns)
    if "sample" in found:
        provenance = Provenance(asserts=settings.asserts)
        place = f"source {settings.source}"
        diagnoses += judge_events(place, found["sample"], provenance, settings.skew_ns)
    return diagnoses


def _of_monitor(asked: Asked, plan: Plan, found: dict[str, Any]) -> list[Diagnosis]:
    """A finished file is judged by no monitor that stays."""
    if not isinstance(plan.source, KafkaAddress | LogDirAddress):
        return []
    if plan.monitor is None:
        text = "it serves no pages, or on any free port, so it cannot be asked"
        return [unknown(READY, "monitor", text, "set `http.port`", is_required=False)]
    host, port = plan.monitor
    return judge_monitor(f"{host}:{port}", found["monitor"], _whole_digest(asked, found))


def _whole_digest(asked: Asked, found: dict[str, Any]) -> str | None:
    """The digest of invariants and principals together, as the metrics have it."""
    principals, specs = found["principals"], _specs(found)
    if isinstance(principals, NotLearnt) or not specs:
        return None
    return digest_with(program_digest(specs), principals)


def _of_gates(asked: Asked, plan: Plan, found: dict[str, Any]) -> list[Diagnosis]:
    skew_s = asked.settings.skew_ns / SECOND_NS
    diagnoses: list[Diagnosis] = []
    for path in plan.sockets:
        socket = found[f"socket {path}"]
        if not isinstance(socket, NotLearnt) and not socket.is_absent:
            diagnoses.append(judge_socket(socket))
    for address in plan.gates:
        # The gate at `--gate` may be another than the one of the settings.
        is_own = plan.publish is not None and asked.gate is None and bool(asked.settings.invariants)
        own = Files(_whole_digest(asked, found)) if is_own else None
        diagnoses += judge_gate(address, found[f"gate {address}"], skew_s, own)
    return diagnoses
