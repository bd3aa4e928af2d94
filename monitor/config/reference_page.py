"""The page `docs/configuration.md`, generated from the table of settings.

    python -m monitor.config.reference_page > docs/configuration.md

A test compares the page with the table.
"""

from __future__ import annotations

import sys
from typing import Final

from .load import CONFIG_VARIABLE, EXEMPT_VARIABLES
from .setting import Setting, format_duration
from .table import TABLE

_HEAD: Final = """# Configuration

This page is generated from the table in `monitor/config/table.py` by `python -m
monitor.config.reference_page`.

You can give every setting in three places. A flag overrides the environment, the environment
overrides the file, and the file overrides the default:

| where | how |
|---|---|
| flag | `--http-port 9000` |
| environment | `INTERLOCK_HTTP_PORT=9000` |
| file, named by `--config FILE` or `{config}` | `http: {{port: 9000}}` |

```yaml
source: kafka://broker-1:9092,broker-2:9092
invariants: [invariants/, vendor/pack.yaml]
state_dir: /var/lib/interlock
webhook:
  url: https://alerts.example/interlock
  secret_file: /run/secrets/interlock-webhook
kafka:
  security_protocol: SASL_SSL
  sasl_mechanism: SCRAM-SHA-512
  sasl_plain_username: interlock
  sasl_plain_password_file: /run/secrets/kafka-password
```

- The file is YAML 1.2. A repeated key, an unknown key and an empty value are refused, and so is
  an `INTERLOCK_` variable that is not a setting. All faults are reported at once.
- Durations are whole numbers with a unit: `ms`, `s`, `m`, `h`, `d`. `0` needs no unit.
- A relative path in the file is relative to the file's directory; any other, to the working
  directory.
- In a variable or flag, write a list with commas and a map as JSON. Give a boolean flag as
  `--trust-ts` or `--no-trust-ts`.
- No setting contains a secret. A setting that ends in `_file` names a file that contains one.
- These variables are not settings and are ignored: {exempt}, and those that Kubernetes sets for a
  service with the name `interlock` (`INTERLOCK_SERVICE_HOST`, `INTERLOCK_PORT_...`).
"""

_TITLES: Final = {
    "": "General",
    "severity": "Severities of the engine's findings",
    "respond": "Responses",
    "webhook": "Webhook",
    "store": "Store",
    "http": "Metrics and health",
    "log": "Log",
    "detector": "Detector",
    "gate": "Gate",
    "kafka": "Kafka client",
}


def render_page() -> str:
    """The whole page. A setting of a new section (`name.setting`) needs a title for it here."""
    untitled = {_section(setting) for setting in TABLE} - _TITLES.keys()
    assert not untitled, f"add titles to `_TITLES` for {sorted(untitled)}"
    exempt = ", ".join(f"`{name}`" for name in sorted(EXEMPT_VARIABLES - {CONFIG_VARIABLE}))
    parts = [_HEAD.format(config=CONFIG_VARIABLE, exempt=exempt)]
    for section, title in _TITLES.items():
        rows = [setting for setting in TABLE if _section(setting) == section]
        parts.append(f"## {title}\n")
        parts.append("| setting | type | default | meaning |\n|---|---|---|---|")
        parts += [_line(setting) for setting in rows]
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def _section(setting: Setting) -> str:
    return setting.name.split(".")[0] if "." in setting.name else ""


def _line(setting: Setting) -> str:
    cells = (f"`{setting.name}`", _type(setting), _default(setting), setting.meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(setting: Setting) -> str:
    if setting.choices:
        return ", ".join(f"`{choice}`" for choice in setting.choices)
    bounds = []
    if setting.minimum is not None:
        bounds.append(f"from {_value(setting, setting.minimum)}")
    if setting.maximum is not None:
        bounds.append(f"to {_value(setting, setting.maximum)}")
    return ", ".join([setting.type, " ".join(bounds)]) if bounds else setting.type


def _default(setting: Setting) -> str:
    if setting.default in (None, ()) or setting.type == "name lists":
        return setting.unset_means or "not set"
    return f"`{_value(setting, setting.default)}`"


def _value(setting: Setting, value: object) -> str:
    if setting.type == "duration":
        assert isinstance(value, int)
        return format_duration(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    sys.stdout.write(render_page())
