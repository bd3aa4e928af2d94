"""Configuration: a YAML file, `INTERLOCK_*` variables and flags -> `Settings`, or every fault.

A flag overrides the environment, which overrides the file, which overrides the default. Unknown
names are refused, since a misspelt setting would silently have no effect. Secrets are not given in
settings: they are read from files named by settings that end in `_file`.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from invariants.model.errors import ConfigError
from invariants.yaml.nodes import YamlList, YamlMap, YamlNode, YamlScalar, read_yaml

from .setting import Given, Setting, ValueRefusedError, read_value, shown
from .table import TABLE, Settings, make_settings

CONFIG_VARIABLE: Final = "INTERLOCK_CONFIG"
PREFIX: Final = "INTERLOCK_"
FILE_BYTES_MAX: Final = 1 << 20

EXEMPT_VARIABLES: Final = frozenset(
    {
        CONFIG_VARIABLE,
        "INTERLOCK_GATE_TOKEN",
        "INTERLOCK_GATE_TOKEN_FILE",
        "INTERLOCK_KAFKA_CACHE",
        "INTERLOCK_LAWS_CASES",
        "INTERLOCK_LONG",
        "INTERLOCK_REQUIRE",
    }
)
"""Our variables that are not settings: the path of the file, those that agents read, and those that
the tests read."""

_OF_KUBERNETES: Final = re.compile(
    r"INTERLOCK_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_[A-Z]+)?)?)"
)
"""Kubernetes sets these in every pod for a service with the name `interlock`."""

_BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in TABLE}
_BY_ENV: Final[Mapping[str, Setting]] = {setting.env: setting for setting in TABLE}
_SECTIONS: Final = frozenset(name.split(".")[0] for name in _BY_NAME if "." in name)


def load_settings(
    file: str | None = None,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Settings:
    """The effective settings.

    `file` is the configuration file (else `INTERLOCK_CONFIG` names it, else there is none).
    `environment` is this process's if it is None. `flags` is the result of argparse for flags from
    `add_flags` (`vars(namespace)`); other names in it are ignored.

    Raises
    ------
    ConfigError
        With one line for each fault, of all three places at once.
    """
    environment = os.environ if environment is None else environment
    faults: list[str] = []
    path = file or environment.get(CONFIG_VARIABLE)
    values: dict[str, Any] = {}
    if path:
        values |= _from_file(path, faults)
    values |= _from_environment(environment, faults)
    values |= _from_flags(flags or {}, faults)
    settings = make_settings(values)
    if not faults:
        faults += _check_together(settings)
    if faults:
        raise ConfigError("\n".join(faults))
    return settings


def add_flags(parser: argparse.ArgumentParser, short: str = "") -> None:
    """A flag for each setting, in groups; flags have no defaults, so that other sources can
    apply. Settings of the section `short` have a second flag without its name.
    """
    groups: dict[str, argparse._ArgumentGroup] = {}
    for setting in TABLE:
        section = setting.name.split(".")[0] if "." in setting.name else "settings"
        if section not in groups:
            groups[section] = parser.add_argument_group(section)
        more: dict[str, Any] = {"metavar": setting.type.upper().replace(" ", "_")}
        if setting.type == "boolean":
            more = {"action": argparse.BooleanOptionalAction}
        elif setting.choices:
            more = {"metavar": "|".join(setting.choices)}
        groups[section].add_argument(
            setting.flag,
            *([f"--{setting.flag.removeprefix(f'--{short}-')}"] if section == short else []),
            dest=setting.destination,
            default=None,
            help=setting.meaning.replace("%", "%%").replace("`", ""),
            **more,
        )


def require(settings: Settings, *names: str) -> None:
    """Refuse to continue without these settings.

    Raises
    ------
    ConfigError
        Naming each that is missing, and the three ways to give it.
    """
    missing = [
        f"`{name}` is not set; give `{_BY_NAME[name].flag}`, `{_BY_NAME[name].env}` "
        f"or `{name}:` in the configuration file"
        for name in names
        if attrgetter(name)(settings) in (None, ())
    ]
    if missing:
        raise ConfigError("\n".join(missing))


def _from_file(path: str, faults: list[str]) -> dict[str, Any]:
    try:
        with Path(path).open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        faults.append(f"`{path}` is not UTF-8 text (byte {error.start})")
        return {}
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this is not a usable path"
        faults.append(f"`{path}` cannot be read: {reason}")
        return {}
    root, found = read_yaml(text, path)
    faults += [str(fault) for fault in found]
    if root is None or (isinstance(root, YamlScalar) and root.value is None):
        return {}
    if not isinstance(root, YamlMap):
        faults.append(f"{_place(path, root)}: expected a map of settings, as in `source: log:DIR`")
        return {}
    return _from_map(path, root, "", faults)


def _from_map(path: str, node: YamlMap, section: str, faults: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    base = Path(path).absolute().parent
    for key, value in node.entries:
        name = f"{section}{key.text}"
        if not section and name in _SECTIONS:
            if isinstance(value, YamlMap):
                values |= _from_map(path, value, f"{name}.", faults)
            else:
                faults.append(f"{_place(path, value)}: `{name}` is a group; expected a map")
        elif name not in _BY_NAME:
            hint = _hint(name, _BY_NAME, "no known setting is similar")
            faults.append(f"{_place(path, key)}: `{shown(name)}` is not a setting; {hint}")
        else:
            given = Given(_plain(value), is_text=False, base=base)
            _take(values, name, given, f"{_place(path, value)}: `{name}`", faults)
    return values


def _from_environment(environment: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable in sorted(name for name in environment if name.startswith(PREFIX)):
        setting = _BY_ENV.get(variable)
        if setting is not None:
            given = Given(environment[variable], is_text=True)
            _take(values, setting.name, given, f"`{variable}`", faults)
        elif variable not in EXEMPT_VARIABLES and not _OF_KUBERNETES.fullmatch(variable):
            # Its value is not shown: it may be a secret in the wrong place.
            hint = _hint(variable, _BY_ENV, "unset it")
            faults.append(f"`{shown(variable)}` is not a setting; {hint}")
    return values


def _from_flags(flags: Mapping[str, object], faults: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for setting in TABLE:
        value = flags.get(setting.destination)
        if value is not None:
            given = Given(value, is_text=True)
            _take(values, setting.name, given, f"`{setting.flag}`", faults)
    return values


def _take(values: dict[str, Any], name: str, given: Given, place: str, faults: list[str]) -> None:
    try:
        values[name] = read_value(_BY_NAME[name], given)
    except ValueRefusedError as fault:
        faults.append(f"{place} {fault}")


def _check_together(settings: Settings) -> list[str]:
    """Faults that involve more than one value."""
    faults = []
    if settings.webhook_url is not None:
        # HTTP and TLS take long to import, and most monitors have no webhook.
        from .webhook_address import parse_webhook_url

        try:
            parse_webhook_url(settings.webhook_url)
        except ConfigError as error:
            faults.append(str(error))
    elif settings.webhook_secret_file or settings.webhook_ca_file:
        faults.append("`webhook.secret_file` or `webhook.ca_file` is set without `webhook.url`")
    kafka = settings.kafka
    if kafka.sasl_mechanism and not (kafka.security_protocol or "").startswith("SASL_"):
        faults.append(
            "`kafka.sasl_mechanism` has no effect without `kafka.security_protocol: SASL_SSL` "
            "(or `SASL_PLAINTEXT`)"
        )
    return faults


def _plain(node: YamlNode) -> object:
    match node:
        case YamlScalar():
            return node.value
        case YamlList():
            return [_plain(item) for item in node.items]
        case YamlMap():
            return {key.text: _plain(value) for key, value in node.entries}


def _place(path: str, node: YamlNode) -> str:
    return f"{path}:{node.place.line}:{node.place.column}"


def _hint(name: str, known: Mapping[str, Setting], otherwise: str) -> str:
    from difflib import get_close_matches  # Only a fault needs it.

    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else otherwise
