"""Two wheels, built and installed: the agent's side alone, and the monitor with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("invariants", "detectors", "monitor", "replay", "interlock")
BESIDE = ("interlock_command.py", "pyproject.toml", "README.md", "LICENSE")
LIBRARIES = Path(sysconfig.get_path("purelib"))
RECORDED = ROOT / "fixtures" / "sessions" / "coding-1.jsonl.gz"


def project(name: str) -> dict[str, object]:
    told: dict[str, object] = tomllib.loads((ROOT / name).read_text())["project"]
    return told


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command without what this process has on its own path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both, built from a copy: a build writes beside its sources."""
    source = tmp_path_factory.mktemp("source")
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=ignored)
    for name in BESIDE:
        shutil.copy(ROOT / name, source / name)
    done = run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--no-index", "--no-build-isolation", "--wheel-dir", "dist", "./interlock", ".", cwd=source,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {path.name.partition("-")[0]: path for path in (source / "dist").glob("*.whl")}
    assert set(found) == {"interlock", "interlock_client"}
    return found


def environment(place: Path, *wheels: Path) -> Path:
    """The programs of a new environment with these wheels, and no library yet."""
    venv.create(place, symlinks=True, with_pip=False)
    done = run(
        sys.executable, "-m", "pip", "--python", place / "bin" / "python", "install", "--quiet",
        "--disable-pip-version-check", "--no-compile", "--no-deps", "--no-index", *wheels,
        cwd=place,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return place / "bin"


def packages_of(programs: Path) -> Path:
    (found,) = (programs.parent / "lib").glob("python*/site-packages")
    return found


@pytest.fixture(scope="module")
def monitor(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both wheels, with the libraries of the environment that runs the tests."""
    programs = environment(tmp_path_factory.mktemp("monitor"), *wheels.values())
    # Of a folder on such a line Python reads no further `.pth`, so the checkout is not on the path.
    (packages_of(programs) / "libraries.pth").write_text(f"{LIBRARIES}\n")
    return programs


def test_no_file_is_in_both(wheels: dict[str, Path]) -> None:
    """Every file of the packages is in exactly one of them, and the client's are `interlock/`."""
    held = {name: {*zipfile.ZipFile(path).namelist()} for name, path in wheels.items()}
    assert not held["interlock"] & held["interlock_client"]
    files = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and not {"__pycache__", "build"} & {*path.parts}
    }
    left_out = {f"interlock/{name}" for name in ("README.md", "LICENSE", "pyproject.toml")}
    shipped = {name for name in files - left_out if ".egg-info/" not in name}
    of_client = {name for name in shipped if name.startswith("interlock/")}
    assert {n for n in held["interlock_client"] if ".dist-info/" not in n} == of_client
    of_monitor = shipped - of_client | {"interlock_command.py"}
    assert {n for n in held["interlock"] if ".dist-info/" not in n} == of_monitor


def test_versions_and_ranges_are_the_same() -> None:
    """The monitor needs the client of its own version, and both the same libraries."""
    monitor, client = project("pyproject.toml"), project("interlock/pyproject.toml")
    needed, extras = monitor["dependencies"], client["optional-dependencies"]
    assert isinstance(needed, list) and isinstance(extras, dict)
    assert monitor["version"] == client["version"]
    assert f"interlock-client=={client['version']}" in needed
    assert client["dependencies"] == [n for n in needed if n.startswith("msgspec")]
    assert extras["kafka"] == [n for n in needed if n.startswith("kafka-python")]
    assert monitor["requires-python"] == client["requires-python"]


PUBLISHES = """
import sys
from pathlib import Path
from interlock import Client, ClientOptions, SettingError

options = ClientOptions(before_view="allow", fail="open")
client = Client(f"log:{Path.cwd()}", options, agent="a")
with client.session("s") as session:
    session.emit("tool.requested", tool="t")
client.close()
print(sum(len(path.read_text().splitlines()) for path in Path("agent.events").iterdir()))
try:
    Client("kafka://b:9092", agent="a")
except SettingError as refused:
    print(refused)
libraries = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
print(sorted(name for name in libraries if not name.startswith("_")))
"""


def test_the_client_needs_msgspec_alone(wheels: dict[str, Path], tmp_path: Path) -> None:
    """An agent publishes without the monitor and its libraries; its own `monitor` is no matter."""
    programs = environment(tmp_path / "agent", wheels["interlock_client"])
    shutil.copytree(LIBRARIES / "msgspec", packages_of(programs) / "msgspec")
    (tmp_path / "monitor.py").write_text("")
    done = run(programs / "python", "-c", PUBLISHES, cwd=tmp_path)
    assert done.stderr == ""
    count, refusal, libraries = done.stdout.splitlines()
    assert count == "3"
    assert "interlock-client[kafka]" in refusal
    assert libraries == "['interlock', 'msgspec']"


def test_the_command_runs_from_wheels(monitor: Path, tmp_path: Path) -> None:
    """Help, packs and templates are found; a `monitor` in the current folder is no matter."""
    (tmp_path / "monitor").mkdir()
    (tmp_path / "monitor" / "__init__.py").write_text("raise SystemExit('foreign')\n")
    told = run(monitor / "interlock", "--version", cwd=tmp_path)
    assert told.stdout == f"interlock {project('pyproject.toml')['version']}\n"
    assert "usage: interlock" in run(monitor / "interlock", "--help", cwd=tmp_path).stdout
    judged = ["--source", RECORDED, "--invariants", "pack:default"]
    done = run(monitor / "interlock", "run", *judged, "--state-dir", "state", cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    assert "274 events" in done.stdout
    page = [RECORDED, "--invariants", "pack:default", "-o", "page.html"]
    done = run(monitor / "interlock", "report", *page, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "page.html\n")


@pytest.mark.parametrize("name", PACKAGES)
@pytest.mark.parametrize("form", ["package", "module"])
def test_a_foreign_package_is_named(monitor: Path, tmp_path: Path, name: str, form: str) -> None:
    """One of the user's own that Python would import instead: one line, and nothing of it runs."""
    found = tmp_path / name if form == "package" else tmp_path / f"{name}.py"
    if form == "package":
        found.mkdir()
    code = found / "__init__.py" if form == "package" else found
    code.write_text("raise SystemExit('it ran')\n")
    done = run(monitor / "interlock", "--help", cwd=monitor, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"interlock: `{name}` is taken from {found}, and ")
    assert line.endswith(f"; remove {tmp_path} from PYTHONPATH")
    (line,) = run(monitor / "python", "-m", "interlock_command", cwd=tmp_path).stderr.splitlines()
    assert line.endswith(
        "start the command `interlock` instead of `python -m`, or in another folder"
    )


def test_a_folder_without_code_hides_nothing(monitor: Path, tmp_path: Path) -> None:
    """Python prefers a package later on the path to a plain folder."""
    (tmp_path / "monitor").mkdir()
    done = run(monitor / "interlock", "--help", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0


def test_the_monitor_without_its_client_is_refused(wheels: dict[str, Path], tmp_path: Path) -> None:
    """Installed without dependencies: the distribution that is missing is named."""
    programs = environment(tmp_path / "alone", wheels["interlock"])
    done = run(programs / "interlock", "--help", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("interlock: the package `interlock` is missing; it belongs to ")
