"""Rules for Prometheus out of invariants: an alert for each, with its severity and its owner.

    rule_file(invariants)          the rules; they read `monitor/rules/recording.yml`
    test_file(invariants, paths)   tests of them for promtool: each fires, and no other one does

Texts of an invariant are data here: a template in them is not expanded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final
from zlib import crc32

import yaml

from invariants.model.errors import ConfigError
from invariants.spec.model import InvariantSpec

GROUP: Final = "interlock_invariants"
_RUNBOOK: Final = "docs/alerts.md#an-alert-for-each-invariant"
_PARTS: Final = re.compile(r"[^A-Za-z0-9]+")
_FIRES_AT: Final = "20m"
_SERIES_STEPS: Final = "0x30 1x30"


def rule_file(invariants: Sequence[InvariantSpec]) -> str:
    """YAML. Raises ConfigError if two invariants have one id."""
    rules = [_rule(one, name) for one, name in zip(invariants, _names(invariants), strict=True)]
    return _yaml({"groups": [{"name": GROUP, "rules": rules}]})


def test_file(invariants: Sequence[InvariantSpec], rule_files: Sequence[str]) -> str:
    """YAML for `promtool test rules`."""
    names = _names(invariants)
    tests = [_test(one, name, names) for one, name in zip(invariants, names, strict=True)]
    return _yaml({"rule_files": list(rule_files), "evaluation_interval": "30s", "tests": tests})


def _rule(invariant: InvariantSpec, name: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": f'interlock:findings:new5m{{type="violated", invariant="{invariant.id}"}} > 0',
        "keep_firing_for": "10m",
        "labels": _labels(invariant),
        "annotations": _annotations(invariant),
    }


def _labels(invariant: InvariantSpec) -> dict[str, str]:
    owner = {"owner": _plain(invariant.about.owner)} if invariant.about.owner else {}
    return {"severity": invariant.severity, **owner}


def _annotations(invariant: InvariantSpec) -> dict[str, str]:
    links = [one for one in invariant.about.references if one.startswith("https://")]
    return {
        "summary": _plain(invariant.summary) or f"Invariant {invariant.id} was violated.",
        "description": _plain(invariant.about.description)
        or f"An agent violated {invariant.id} in the last five minutes.",
        "command": f"interlock findings list --invariant {invariant.id} --state-dir STATE_DIR",
        "runbook": _plain(links[0]) if links else _RUNBOOK,
    }


def _test(invariant: InvariantSpec, name: str, names: Sequence[str]) -> dict[str, Any]:
    """The series rises at one time: this alert fires, and no other one of the group."""
    labels = {
        "type": "violated",
        "severity": invariant.severity,
        "invariant": invariant.id,
        "instance": "monitor-1",
        "job": "interlock",
    }
    series = ", ".join(f'{key}="{value}"' for key, value in labels.items())
    fired = {
        "exp_labels": labels | _expanded(_labels(invariant)),
        "exp_annotations": _expanded(_annotations(invariant)),
    }
    checks = [
        {"eval_time": _FIRES_AT, "alertname": other, "exp_alerts": [fired] if other == name else []}
        for other in names
    ]
    return {
        "interval": "30s",
        "input_series": [
            {"series": f"interlock_findings_total{{{series}}}", "values": _SERIES_STEPS}
        ],
        "alert_rule_test": [
            {"eval_time": "10m", "alertname": name, "exp_alerts": []},
            *checks,
        ],
    }


def _expanded(texts: dict[str, str]) -> dict[str, str]:
    """The texts as Prometheus expands them."""
    return {name: text.replace(_BRACES, "{{") for name, text in texts.items()}


def _names(invariants: Sequence[InvariantSpec]) -> list[str]:
    """`no-egress` is `InterlockNoEgress`. Ids that would have the same name get a digest."""
    ids = [invariant.id for invariant in invariants]
    if len(set(ids)) < len(ids):
        twice = next(id_ for id_ in ids if ids.count(id_) > 1)
        raise ConfigError(f"two invariants have the id `{twice}`; give files of one program")
    plain = ["Interlock" + "".join(map(_capital, _PARTS.split(id_))) for id_ in ids]
    return [
        name if plain.count(name) == 1 else f"{name}{crc32(id_.encode()):08x}"
        for name, id_ in zip(plain, ids, strict=True)
    ]


def _capital(part: str) -> str:
    return part[:1].upper() + part[1:]


_BRACES: Final = '{{"{{"}}'


def _plain(text: str) -> str:
    """A text in which Prometheus expands nothing."""
    return text.replace("{{", _BRACES)


def _yaml(content: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return text
