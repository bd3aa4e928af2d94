"""The rules that are shipped, as promtool and the tests read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).resolve().parents[2] / "monitor" / "rules"
FILES = sorted(RULES.glob("*.yml"))


@dataclass(frozen=True)
class Alert:
    """One alerting rule."""

    name: str
    expression: str
    severity: str
    annotations: dict[str, str]
    waits: str

    def told(self, labels: dict[str, str], value: str) -> dict[str, str]:
        """The annotations as a person reads them; `value` stands where the rule shows its own."""
        return {key: render(text, labels, value) for key, text in self.annotations.items()}


def render(template: str, labels: dict[str, str], value: str) -> str:
    """Labels and the value put into a template; anything else is left, and no test expects it."""
    shown = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda m: labels[m[1]], template)
    return re.sub(r"\{\{ [^{}]*\$value[^{}]* \}\}", lambda _: value, shown)


def rules() -> list[dict[str, Any]]:
    """Every rule of every file, as written."""
    return [
        rule
        for path in FILES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def alerts() -> dict[str, Alert]:
    """The alerting rules by name."""
    found = [rule for rule in rules() if "alert" in rule]
    named = {
        rule["alert"]: Alert(
            rule["alert"],
            rule["expr"],
            rule["labels"]["severity"],
            rule["annotations"],
            rule.get("for", "0s"),
        )
        for rule in found
    }
    assert len(named) == len(found), "two alerts of one name"
    return named


def recorded() -> dict[str, str]:
    """The recording rules: name and expression."""
    found = [rule for rule in rules() if "record" in rule]
    named = {rule["record"]: rule["expr"] for rule in found}
    assert len(named) == len(found), "two recording rules of one name"
    return named
