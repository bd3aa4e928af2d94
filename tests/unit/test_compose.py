"""The compose file held against the code: nothing here is run, for want of a Docker engine.

Every mount, topic, environment name, flag, port, path and address is resolved against what it
means: the command line's parser, the table of settings, the broker's listeners, the Dockerfile.
"""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from monitor.authoring.examples import run_examples
from monitor.authoring.files import examine
from monitor.cli.__main__ import build_parser
from monitor.cli.kafka import run as kafka_init
from monitor.config.load import load_settings, require
from monitor.config.table import TABLE, Settings
from monitor.transport.address import KafkaAddress, parse_source_url
from tests.support.compose import ROOT, compose, flags, here, mounts, ports, services
from tests.support.kafka_broker import KAFKA_VERSION

SERVICES = services()
ONCE = {"topics"}
WRITES_ITS_ROOT = {"kafka"}
"""Its image writes the broker's configuration beside the program when it starts."""
LISTENS = {"monitor": 9847, "prometheus": 9090, "alertmanager": 9093, "grafana": 3000}
SETTINGS = load_settings(
    str(here("monitor", "/etc/interlock/interlock.yaml")), SERVICES["monitor"]["environment"]
)
KAFKA = SERVICES["kafka"]["environment"]


def listeners(name: str) -> dict[str, str]:
    """Listeners of the broker by name, each `HOST:PORT`."""
    return dict(part.split("://") for part in KAFKA[name].split(","))


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    """A whole version, never `latest`; a digest, where one is given, is one."""
    image = SERVICES[name]["image"]
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?", image)


@pytest.mark.parametrize("name", SERVICES)
def test_services_have_few_rights(name: str) -> None:
    """No capability, no way to new ones, no root, no writable root, bounded memory and tasks."""
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"].split(":")[0] not in ("0", "root")
    assert service.get("read_only", False) is (name not in WRITES_ITS_ROOT)
    assert service["mem_limit"] and service["pids_limit"]
    forbidden = {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "userns_mode"}
    assert not forbidden & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_services_are_watched(name: str) -> None:
    """What goes on running has a health check and is started again; what runs once has neither."""
    service = SERVICES[name]
    assert ("healthcheck" in service) is (name not in ONCE)
    assert service["restart"] == ("no" if name in ONCE else "unless-stopped")


@pytest.mark.parametrize("name", SERVICES)
def test_mounts_are_there(name: str) -> None:
    """A path that is missing would be made as an empty folder, by root; none may be written."""
    for mount in mounts(name):
        assert str(mount.target).startswith("/")
        if mount.is_bind:
            assert mount.path.exists(), mount
            assert mount.options == "ro"
        else:
            assert mount.source in compose()["volumes"]
            assert mount.options == ""


def test_volumes_networks_and_secrets_are_used() -> None:
    """Nothing is declared for nobody, and nothing is used undeclared."""
    named = {mount.source for name in SERVICES for mount in mounts(name) if not mount.is_bind}
    assert named == set(compose()["volumes"])
    assert {n for s in SERVICES.values() for n in s["networks"]} == set(compose()["networks"])
    assert {n for s in SERVICES.values() for n in s.get("secrets", [])} == set(compose()["secrets"])


def test_only_loopback_reaches_in() -> None:
    """Published ports are bound to loopback, and inside somebody listens there."""
    for name in SERVICES:
        for address, outside, inside in ports(name):
            assert address == "127.0.0.1"
            assert outside == inside
            if name == "kafka":
                assert f":{inside}" == listeners("KAFKA_LISTENERS")["OUTSIDE"]
            else:
                assert inside == LISTENS[name]
    assert {name for name in SERVICES if ports(name)} == {"kafka", *LISTENS}


def test_whoever_is_waited_for_is_there() -> None:
    """With a condition that can come true."""
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            done = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert how == {"condition": done}, (name, other)
    assert set(SERVICES["monitor"]["depends_on"]) == {"kafka", "topics"}


def test_those_who_talk_share_a_network() -> None:
    """Names resolve only within a network."""
    talks = [
        ("topics", "kafka"),
        ("monitor", "kafka"),
        ("prometheus", "monitor"),
        ("prometheus", "alertmanager"),
        ("grafana", "prometheus"),
    ]
    for one, other in talks:
        assert set(SERVICES[one]["networks"]) & set(SERVICES[other]["networks"]), (one, other)
    assert "events" not in SERVICES["grafana"]["networks"]


def test_the_broker_is_the_one_that_is_tested() -> None:
    """Its version is that of the tests' broker; its listeners agree with one another."""
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"
    own, advertised = listeners("KAFKA_LISTENERS"), listeners("KAFKA_ADVERTISED_LISTENERS")
    assert set(advertised) == set(own) - {"CONTROLLER"}
    for name, address in advertised.items():
        assert address.endswith(own[name])
    assert advertised["INSIDE"].split(":")[0] == "kafka"
    assert KAFKA["KAFKA_CONTROLLER_QUORUM_VOTERS"] == "1@kafka" + own["CONTROLLER"]
    spoken = dict(p.split(":") for p in KAFKA["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
    assert set(spoken) == set(own)
    assert KAFKA["KAFKA_LOG_DIRS"] == str(mounts("kafka")[0].target)
    assert KAFKA["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_topics_are_made_by_a_command_that_is_one() -> None:
    """On the broker's inner listener, with as many copies as there are brokers."""
    parsed = build_parser().parse_args(SERVICES["topics"]["command"])
    assert parsed.run is kafka_init
    assert parsed.bootstrap == listeners("KAFKA_ADVERTISED_LISTENERS")["INSIDE"]
    assert parsed.replication_factor == 1
    assert SERVICES["topics"]["image"] == SERVICES["monitor"]["image"]


def test_the_monitor_finds_what_it_is_told() -> None:
    """Command, settings, broker, invariants, state and port."""
    parsed = build_parser().parse_args(SERVICES["monitor"]["command"])
    assert parsed.config == "/etc/interlock/interlock.yaml"
    require(SETTINGS, "source", "invariants")
    assert SETTINGS.source is not None
    address = parse_source_url(SETTINGS.source)
    assert isinstance(address, KafkaAddress)
    assert address.bootstrap == listeners("KAFKA_ADVERTISED_LISTENERS")["INSIDE"]
    assert SETTINGS.http_port == LISTENS["monitor"] == Settings().http_port
    assert SETTINGS.http_host == "0.0.0.0"
    assert SETTINGS.state_dir in [str(m.target) for m in mounts("monitor") if not m.is_bind]
    assert SETTINGS.mode == "observe"


def test_the_invariants_of_the_monitor_are_sound() -> None:
    """Read from the mounted folder without a fault or warning; their examples pass."""
    folder = here("monitor", "/etc/interlock/invariants")
    assert SETTINGS.invariants == (str(folder),)
    specs, faults = examine(folder)
    assert specs and not faults
    assert all(result.is_passed for result in run_examples(specs))


def test_environment_names_are_settings() -> None:
    """A name that is none would not be refused before the container runs."""
    known = {setting.env for setting in TABLE}
    for name in ("monitor", "topics"):
        assert set(SERVICES[name].get("environment", {})) <= known


def test_no_secret_stands_in_a_file() -> None:
    """Secrets are files that git does not see; the environment names files alone."""
    for name, secret in compose()["secrets"].items():
        assert secret == {"file": f"./deploy/secrets/{name}"}
    done = subprocess.run(
        ["git", "check-ignore", "-q", "deploy/secrets/anything"], cwd=ROOT, check=False
    )
    assert done.returncode == 0
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN", name):
                assert name.endswith("__FILE")
                assert value.removeprefix("/run/secrets/") in service["secrets"]


def test_the_dashboard_is_provisioned() -> None:
    """Grafana finds its source, and the folder with the dashboard that is shipped."""
    base = "/etc/grafana/provisioning"
    told = yaml.safe_load(here("grafana", f"{base}/datasources/interlock.yml").read_text())
    (source,) = told["datasources"]
    assert source["url"] == f"http://prometheus:{LISTENS['prometheus']}"
    assert source["type"] == "prometheus"
    told = yaml.safe_load(here("grafana", f"{base}/dashboards/interlock.yml").read_text())
    (provider,) = told["providers"]
    folder = here("grafana", provider["options"]["path"])
    assert (folder / "interlock.json").is_file()


def test_health_checks_ask_what_is_answered() -> None:
    """At the port that is listened on, by the path that the program has."""
    paths = {"prometheus": "/-/healthy", "alertmanager": "/-/healthy", "grafana": "/api/health"}
    for name, path in {**paths, "monitor": "/-/healthy"}.items():
        asked = " ".join(SERVICES[name]["healthcheck"]["test"])
        assert f"http://127.0.0.1:{LISTENS[name]}{path}" in asked
    asked = SERVICES["kafka"]["healthcheck"]["test"][1]
    assert listeners("KAFKA_ADVERTISED_LISTENERS")["INSIDE"] in asked
    code = SERVICES["monitor"]["healthcheck"]["test"][3]
    compile(code, "healthcheck", "exec")


def test_data_outlives_the_container() -> None:
    """Where each program keeps its data, a named volume is mounted."""
    kept = {
        "prometheus": flags("prometheus")["--storage.tsdb.path"],
        "alertmanager": flags("alertmanager")["--storage.path"],
        "grafana": "/var/lib/grafana",
    }
    for name, path in kept.items():
        assert path in [str(mount.target) for mount in mounts(name) if not mount.is_bind]
