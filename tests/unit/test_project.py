"""`interlock init`: what a project names, the lines for its framework, and the door that writes."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from monitor.cli import init_project
from monitor.project.facts import modules_of, packages_of
from monitor.project.frameworks import (
    FRAMEWORKS,
    PYTHON,
    Framework,
    connecting_lines,
    found_frameworks,
)
from monitor.project.look import CODE_FILES_MAX, look_at_project
from monitor.project.write import READ_BYTES_MAX, look, write

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "text", "packages"),
    [
        (
            "requirements.txt",
            "LangChain[x]==1.0 ; python_version>'3'\n# no\n-r a.txt\n",
            {"langchain"},
        ),
        (
            "requirements.txt",
            "pydantic_ai.slim>=1\n\nhttps://e.example/x.whl\n",
            {"pydantic-ai-slim", "https"},
        ),
        ("pyproject.toml", '[project]\ndependencies = ["langgraph>=1"]', {"langgraph"}),
        (
            "pyproject.toml",
            '[project.optional-dependencies]\na = ["strands-agents"]\n'
            '[dependency-groups]\nb = ["google-adk"]',
            {"strands-agents", "google-adk"},
        ),
        (
            "pyproject.toml",
            '[tool.poetry.dependencies]\nlangchain = "^1"\n'
            '[tool.poetry.group.a.dependencies]\nb = "*"',
            {"langchain", "b"},
        ),
        ("pyproject.toml", "[project\n", set()),
        ("pyproject.toml", 'project = 1\ntool = "x"', set()),
        ("Pipfile.toml", '[packages]\nlangchain = "*"', {"langchain"}),
        (
            "package.json",
            '{"dependencies": {"ai": "1"}, "devDependencies": {"b": "1"}}',
            {"npm:ai", "npm:b"},
        ),
        ("package.json", '{"dependencies": ["langchain"]}', set()),
        ("package.json", "[" * 100_000, set()),
        ("package.json", "[]", set()),
    ],
)
def test_packages_that_files_require(name: str, text: str, packages: set[str]) -> None:
    """Each form of a requirement; foreign text that is none names nothing."""
    found = packages_of(name, text)
    assert packages <= found and len(found) <= len(packages) + 1


def test_a_key_of_many_parts_is_not_parsed() -> None:
    """The parser's memory grows with the square of the parts: 200 KB would fill any memory."""
    key = ".".join(["a"] * 2_002)
    assert packages_of("pyproject.toml", f'{key} = 1\n[project]\ndependencies = ["x"]') == set()
    short = ".".join(["a"] * 1_000)
    assert packages_of("pyproject.toml", f'{short} = 1\n[project]\ndependencies = ["x"]') == {"x"}


def test_a_name_of_node_is_not_one_of_python() -> None:
    """`langchain` of Node has no adapter."""
    assert found_frameworks(
        packages_of("package.json", '{"dependencies": {"langchain": "1"}}'), ()
    ) == [PYTHON]


@pytest.mark.parametrize(
    ("code", "modules"),
    [
        ("import a.b, c as d\nfrom e.f import g\nfrom . import h\n", {"a", "c", "e"}),
        ("def f():\n    import a\n", {"a"}),
        ("import a\n]", set()),
        ("\0", set()),
        ("(" * 5_000, set()),
        ("-" * 100_000 + "1", set()),
    ],
)
def test_modules_that_code_imports(code: str, modules: set[str]) -> None:
    """Code is parsed and never run; what cannot be parsed names nothing."""
    assert modules_of(code) == modules


PAGES = "".join((ROOT / "docs" / name).read_text() for name in ("connecting.md", "agents.md"))


@pytest.mark.parametrize("framework", [*FRAMEWORKS, PYTHON], ids=lambda one: one.name)
def test_the_lines_are_those_of_the_page(framework: Framework) -> None:
    """In their order in one block, with another address of the gate."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGES, re.MULTILINE | re.DOTALL)
    lines = connecting_lines(framework, "unix:/run/interlock/gate.sock")
    assert len(lines) <= 5
    assert "\n".join(lines) in {re.sub(r"\n+", "\n", block).strip("\n") for block in blocks}


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda one: one.name)
def test_a_framework_is_found_by_its_requirement(framework: Framework) -> None:
    """Each alone, by any of its names; its adapter exists."""
    for package in framework.packages:
        assert found_frameworks({package, "numpy"}, ()) == [framework]
    for module in framework.modules:
        assert found_frameworks((), {module}) == [framework]
    (adapter,) = re.findall(r"interlock\.adapters\.(\w+)", framework.lines[1])
    assert (ROOT / "interlock" / "adapters" / f"{adapter}.py").is_file()


def test_every_adapter_has_its_lines() -> None:
    """A framework that has an adapter is found in a project."""
    adapters = {path.stem for path in (ROOT / "interlock" / "adapters").glob("*.py")}
    told = "".join(line for one in FRAMEWORKS for line in one.lines)
    assert adapters - {"__init__", "running", "schema_fit"} == set(
        re.findall(r"interlock\.adapters\.(\w+)", told)
    )


def test_a_project_is_read_within_bounds(tmp_path: Path) -> None:
    """Links, pipes and folders in the places of files are passed over, and so are environments."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("import langchain\n")
    for folder in (".venv", "node_modules"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "b.py").write_text("import strands\n")
    os.mkfifo(tmp_path / "requirements.txt")
    (tmp_path / "pyproject.toml").mkdir()
    (tmp_path / "outside.py").symlink_to("/etc/passwd")
    (tmp_path / "package.json").write_bytes(b"\xff\xfe")
    facts = look_at_project(tmp_path)
    assert facts.modules == {"langchain"} and not facts.packages and not facts.marks
    assert facts.has_code and not facts.is_of_node


def test_a_project_of_node_has_no_lines_of_python(tmp_path: Path) -> None:
    """Until it has a module or a requirement of Python."""
    (tmp_path / "package.json").write_text('{"dependencies": {"ai": "7"}}')
    (tmp_path / ".mcp.json").write_text("{}")
    facts = look_at_project(tmp_path)
    assert facts.is_of_node and facts.marks == {".mcp.json"}
    (tmp_path / "requirements.txt").write_text("langchain")
    assert not look_at_project(tmp_path).is_of_node
    assert not look_at_project(tmp_path / "nothing").is_of_node


def test_no_more_than_so_many_files_of_code_are_read(tmp_path: Path) -> None:
    """The first ones count, in the order of their names."""
    for number in range(CODE_FILES_MAX + 1):
        (tmp_path / f"m{number:04}.py").write_text(f"import m{number}\n")
    assert len(look_at_project(tmp_path).modules) == CODE_FILES_MAX


# The door that writes.


def test_a_file_is_written_once_and_never_changed(tmp_path: Path) -> None:
    """Missing, written, the same, and another."""
    assert look(tmp_path, "a/b.yaml", "x\n").state == "missing"
    assert list(tmp_path.iterdir()) == []
    assert write(tmp_path, "a/b.yaml", "x\n").state == "written"
    assert write(tmp_path, "a/b.yaml", "x\n").state == "same"
    (tmp_path / "a" / "b.yaml").write_text("mine\n")
    outcome = write(tmp_path, "a/b.yaml", "x\n")
    assert (outcome.state, outcome.text) == ("differs", "mine\n")
    assert (tmp_path / "a" / "b.yaml").read_text() == "mine\n"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.yaml"]


@pytest.mark.parametrize("at", ["a", "a/b", "a/b/c.yaml"])
def test_no_link_is_followed(tmp_path: Path, at: str) -> None:
    """Neither of a folder nor of the file, whether its target is there or not."""
    outside = tmp_path / "outside"
    outside.mkdir()
    project = tmp_path / "project"
    (project / at).parent.mkdir(parents=True)
    for target in (outside, outside / "not-there", project):
        (project / at).symlink_to(target)
        assert look(project, "a/b/c.yaml", "x").state == "refused"
        assert write(project, "a/b/c.yaml", "x").state == "refused"
        (project / at).unlink()
    assert list(outside.iterdir()) == []


def test_what_is_no_ordinary_file_is_refused(tmp_path: Path) -> None:
    """A pipe does not block, and a file is not a folder."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    for path in ("pipe", "folder", "file/a"):
        assert write(tmp_path, path, "x").state == "refused"


def test_a_huge_file_is_read_within_bounds(tmp_path: Path) -> None:
    """It differs, and is not read to its end."""
    with (tmp_path / "a").open("wb") as file:
        file.truncate(1 << 40)
    outcome = look(tmp_path, "a", "x")
    assert outcome.state == "differs" and len(outcome.text) <= READ_BYTES_MAX + 1


def test_a_folder_that_may_not_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the system's reason; nothing half-written stays."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    outcome = write(tmp_path, "a", "x")
    assert (outcome.state, outcome.text) == ("refused", "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_another_process_that_writes_first_keeps_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the write: the file is that of the other process."""
    fsync = os.fsync

    def late(descriptor: int) -> None:
        (tmp_path / "a").write_text("other")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", late)
    assert write(tmp_path, "a", "x").state == "differs"
    assert (tmp_path / "a").read_text() == "other"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_next_steps_name_the_program_that_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of an environment that is not on the path, by its own path."""
    program = tmp_path / "an env" / "interlock"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "/usr/bin")
    assert init_project.as_called(str(program)) == shlex.quote(str(program))
    monkeypatch.setenv("PATH", str(program.parent))
    assert init_project.as_called(str(program)) == "interlock"
    assert init_project.as_called("monitor/cli/__main__.py") == "interlock"
