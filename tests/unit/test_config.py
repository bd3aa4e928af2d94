"""Settings from file, environment and flags; every fault is told, with its place."""

from __future__ import annotations

import argparse
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args

import pytest

from invariants.model.errors import ConfigError
from monitor.config.detector import DetectorSettings
from monitor.config.gate import GateSettings
from monitor.config.kafka import KafkaSettings
from monitor.config.load import add_flags, load_settings, require
from monitor.config.reference_page import render_page
from monitor.config.setting import Given, Setting, ValueRefusedError, format_duration, read_value
from monitor.config.severity import SeveritySettings
from monitor.config.sources import SourceSettings
from monitor.config.table import TABLE, Settings
from monitor.findings.model import EngineFindingType
from monitor.kernel.build_finding import DEFAULT_SEVERITIES

HOUR_NS = 3_600_000_000_000


def parsed(*arguments: str) -> dict[str, object]:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return vars(parser.parse_args(arguments))


def written(directory: Path, text: str) -> str:
    path = directory / "interlock.yaml"
    path.write_text(text)
    return str(path)


def refused(text: str, directory: Path, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(written(directory, text), environment or {})
    return str(caught.value)


def test_without_anything_the_defaults_hold() -> None:
    """Each is what the table says, and observes nothing that it should not."""
    settings = load_settings(None, {})
    assert settings == Settings()
    assert settings.http_host == "127.0.0.1"


def test_flags_hold_over_environment_over_file_over_default(tmp_path: Path) -> None:
    """Each place overrides the one below it, setting by setting."""
    text = "http: {port: 1, host: file}\nskew: 1s\nlinger: 1h\n"
    environment = {"INTERLOCK_HTTP_PORT": "2", "INTERLOCK_SKEW": "2s", "PATH": "/bin"}
    settings = load_settings(written(tmp_path, text), environment, parsed("--http-port", "3"))
    assert settings.http_port == 3
    assert settings.skew_ns == 2_000_000_000
    assert (settings.http_host, settings.linger_ns) == ("file", HOUR_NS)
    assert settings.ids_max == 10_000


def test_the_environment_may_name_the_file(tmp_path: Path) -> None:
    """`INTERLOCK_CONFIG` where no flag does."""
    path = written(tmp_path, "mode: observe")
    assert load_settings(None, {"INTERLOCK_CONFIG": path}).mode == "observe"


def test_every_setting_can_be_given_in_all_three_places(tmp_path: Path) -> None:
    """Its default, written out, is read back as the same value everywhere."""
    samples = {"text": "x", "path": "/p", "paths": "/p", "integers": "2", "name lists": "{}"}
    for row in TABLE:
        if row.name == "webhook.url":
            continue
        value = (
            samples.get(row.type)
            or {
                "integer": str(max(row.minimum or 0, 1)),
                "duration": "1s"
                if row.name != "idle_close" and "retention" not in row.name
                else "2h",
                "boolean": "true",
                "choice": row.choices[-1] if row.choices else "",
            }[row.type]
        )
        extra = {
            "webhook.secret_file": {"INTERLOCK_WEBHOOK_URL": "http://h"},
            "webhook.ca_file": {"INTERLOCK_WEBHOOK_URL": "http://h"},
            "kafka.sasl_mechanism": {"INTERLOCK_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"},
        }.get(row.name, {})
        quoted = f'"{value}"' if row.type == "text" else value
        quoted = f"[{value}]" if row.type == "integers" else quoted
        head, _, tail = row.name.partition(".")
        text = f"{head}:\n  {tail}: {quoted}\n" if tail else f"{head}: {quoted}\n"
        flag = [row.flag] if row.type == "boolean" else [row.flag, value]
        by_file = load_settings(written(tmp_path, text), extra)
        by_environment = load_settings(None, {row.env: value, **extra})
        by_flag = load_settings(None, extra, parsed(*flag))
        assert by_file == by_environment == by_flag, row.name


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """With file, line and column, or the variable's or flag's name, and what was expected."""
    text = "skew: 5\nslices_maxx: 3\nhttp:\n  port: 99999\n  pord: 1\nwebhook: yes\nmode:\n"
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {"INTERLOCK_IDS_MAX": "many"}, parsed("--linger", "1 hour"))
    assert str(caught.value).splitlines() == [
        f"{path}:1:7: `skew` is `5`; expected a whole number with a unit "
        "(`ms`, `s`, `m`, `h`, `d`), as in `30s`",
        f"{path}:2:1: `slices_maxx` is not a setting; did you mean `slices_max`?",
        f"{path}:4:9: `http.port` is 99999; the maximum is 65535",
        f"{path}:5:3: `http.pord` is not a setting; did you mean `http.port`?",
        f"{path}:6:10: `webhook` is a group; expected a map",
        f"{path}:7:6: `mode` is empty; give a value or omit the setting",
        "`INTERLOCK_IDS_MAX` is `many`; expected a whole number",
        "`--linger` is `1 hour`; expected a whole number with a unit "
        "(`ms`, `s`, `m`, `h`, `d`), as in `30s`",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- a\n", "expected a map"),
        ("skew: 1s\nskew: 2s\n", "is used twice"),
        ("trust_ts: yes\n", "expected `true` or `false`"),
        ("trust_ts: 1\n", "expected `true` or `false`"),
        ("ids_max: true\n", "expected a whole number"),
        ("ids_max: '5'\n", "expected a whole number"),
        ("ids_max: 0\n", "the minimum is 1"),
        ("mode: on\n", "`as-written`, `observe`, `enforce`"),
        ("skew: false\n", "expected a whole number with a unit"),
        ("skew: -1s\n", "expected a whole number with a unit"),
        ("lateness: -1s\n", "expected a whole number with a unit"),
        ("asserts: [a]\n", "expected a map of names"),
        ("asserts: {t: [1]}\n", "no list of names under `t`"),
        ("source: [a]\n", "expected text"),
        ('source: "a\\u0007b"\n', "control characters"),
        ("invariants: {a: b}\n", "a list of paths"),
        ("invariants: ['']\n", "empty path"),
        ("webhook: {url: 'ftp://x'}\n", "begin with"),
        ("webhook: {secret_file: x}\n", "without `webhook.url`"),
        ("kafka: {sasl_mechanism: PLAIN}\n", "SASL_SSL"),
        ("kafka: {sasl_plain_password: x}\n", "`kafka.sasl_plain_password_file`"),
        ("http: {port: [1]}\n", "expected a whole number"),
        ("a: &x 1\n", "is not a setting"),
    ],
)
def test_values_that_are_refused(tmp_path: Path, text: str, why: str) -> None:
    """Each with what was expected."""
    assert why in refused(text, tmp_path)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """Missing, a directory, or no UTF-8."""
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_settings(str(path), {})
    (tmp_path / "latin").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_settings(str(tmp_path / "latin"), {})


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    """Comments alone are no fault."""
    assert load_settings(written(tmp_path, "# nothing\n"), {}) == Settings()


def test_misspelt_variables_are_refused_without_their_value() -> None:
    """The value may be a secret in the wrong place."""
    with pytest.raises(ConfigError) as caught:
        load_settings(
            None, {"INTERLOCK_WEBHOOK_SECRET": "hunter2", "INTERLOCK_QQQQQQQQQQQQQQQQQQQQQQQQ": "q"}
        )
    assert "did you mean `INTERLOCK_WEBHOOK_SECRET_FILE`?" in str(caught.value)
    assert "`INTERLOCK_QQQQQQQQQQQQQQQQQQQQQQQQ` is not a setting; unset it" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_variables_of_tests_and_kubernetes_are_passed_over() -> None:
    """What a service named `interlock` puts into every pod is no misspelt setting."""
    names = "SERVICE_HOST SERVICE_PORT SERVICE_PORT_METRICS PORT PORT_9847_TCP PORT_9847_TCP_ADDR"
    environment = {f"INTERLOCK_{name}": "x" for name in names.split()}
    tests = ("INTERLOCK_REQUIRE", "INTERLOCK_LAWS_CASES", "INTERLOCK_LONG", "INTERLOCK_KAFKA_CACHE")
    tests += ("INTERLOCK_GATE_TOKEN", "INTERLOCK_GATE_TOKEN_FILE")
    assert load_settings(None, {**environment, **dict.fromkeys(tests, "1")}) == Settings()
    assert not {row.env for row in TABLE} & {*environment, *tests}


def test_paths_in_the_file_start_at_the_file(tmp_path: Path) -> None:
    """Wherever the monitor is started from; in flags they start where it is started."""
    text = "invariants: [a.yaml, /abs]\nstate_dir: state\n"
    settings = load_settings(written(tmp_path, text), {}, parsed("--digest-key-file", "key"))
    assert settings.invariants == (f"{tmp_path}/a.yaml", "/abs")
    assert settings.state_dir == f"{tmp_path}/state"
    assert settings.digest_key_file == "key"


def test_lists_and_maps_are_read_everywhere(tmp_path: Path) -> None:
    """In the environment with commas, and as JSON."""
    environment = {"INTERLOCK_INVARIANTS": "a,b", "INTERLOCK_ASSERTS": '{"t": ["k", "l"]}'}
    settings = load_settings(None, environment)
    assert settings.invariants == ("a", "b")
    by_file = load_settings(written(tmp_path, "asserts:\n  t: [k, l]\n"), {})
    assert settings.asserts == by_file.asserts == {"t": frozenset({"k", "l"})}
    with pytest.raises(ConfigError, match="is not valid JSON"):
        load_settings(None, {"INTERLOCK_ASSERTS": "[" * 100_000})


def test_what_must_be_given_is_asked_for() -> None:
    """With the three ways to give it."""
    with pytest.raises(ConfigError, match=r"--source.*INTERLOCK_SOURCE.*source:"):
        require(Settings(), "source", "invariants")
    require(Settings(source="-", invariants=("a",)), "source", "invariants")


def test_no_setting_takes_a_secret() -> None:
    """What sounds like one names a file."""
    for row in TABLE:
        if any(word in row.name for word in ("password", "secret", "key")):
            assert row.type == "path", row.name
            assert row.name.endswith("file"), row.name


def test_the_table_is_sound() -> None:
    """Names, variables and flags are unique, defaults keep their bounds, meanings are sentences."""
    for values in zip(*((r.name, r.env, r.flag, r.destination) for r in TABLE), strict=True):
        assert len(set(values)) == len(values)
    for row in TABLE:
        assert row.meaning.endswith((".", "?"))
        assert (row.type == "choice") == bool(row.choices)
        if row.choices and row.default is not None:
            assert row.default in row.choices
        if row.minimum is not None and row.default is not None:
            assert row.default >= row.minimum
        if row.maximum is not None and row.default is not None:
            assert row.default <= row.maximum
    assert is_dataclass(Settings)
    nested = (SourceSettings, SeveritySettings, DetectorSettings, GateSettings, KafkaSettings)
    own = len(fields(Settings)) - len(nested)
    assert len(TABLE) == own + sum(len(fields(part)) for part in nested)


def test_every_engine_finding_has_a_severity() -> None:
    """A new type of finding must be given one; the engine's own defaults are the same."""
    assert set(Settings().severity.by_type()) == set(get_args(EngineFindingType))
    assert Settings().severity.by_type() == DEFAULT_SEVERITIES


def test_kafka_settings_are_the_clients_own() -> None:
    """Every name that the door takes can be set, and the other way round."""
    from monitor.transport.kafka.client import PLAIN_SETTINGS, SECRET_SETTINGS

    assert {f.name for f in fields(KafkaSettings)} == PLAIN_SETTINGS | SECRET_SETTINGS.keys()
    given = KafkaSettings(security_protocol="SSL", ssl_check_hostname=False)
    expected = {"security_protocol": "SSL", "ssl_check_hostname": False}
    assert given.client_settings() == expected


def test_help_shows_every_flag() -> None:
    """The text of `--help` can be made, and a boolean has a way to say no."""
    parser = argparse.ArgumentParser()
    add_flags(parser)
    text = parser.format_help()
    assert all(row.flag in text for row in TABLE)
    assert "--no-trust-ts" in text
    assert load_settings(None, {}, parsed("--no-respond-principal")).respond_principal is False


def test_durations_are_read_and_written() -> None:
    """Written back in the largest unit that divides them, days only from some days on."""
    row = Setting("x", "duration", 0, "")
    for text in ("0", "500ms", "90s", "24h", "7d", "5m"):
        assert format_duration(read_value(row, Given(text, is_text=True))) == text
    for text in ("1", "1.5s", "s", "1 s", "1w", "-1s", "١s", "9999999999s"):
        with pytest.raises(ValueRefusedError):
            read_value(row, Given(text, is_text=True))


def test_the_page_is_current() -> None:
    """`docs/configuration.md` is generated from the table and has a row for every setting."""
    page = Path(__file__).parents[2] / "docs" / "configuration.md"
    mend = "run `python -m monitor.config.reference_page > docs/configuration.md`"
    assert page.read_text() == render_page(), mend
    for setting in TABLE:
        assert f"\n| `{setting.name}` | " in page.read_text(), setting.name
