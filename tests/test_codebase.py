"""The code base held against its own rules: arrows, doors, sizes, and what must not be named."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("invariants", "detectors", "monitor", "replay", "interlock")
COMMAND = "interlock_command.py"
FILES = [
    ROOT / COMMAND,
    *sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")),
]

# Arrows: what each package may import of ours.
ARROWS = {
    "invariants": {"invariants"},
    "detectors": {"detectors", "invariants"},
    "monitor": {"monitor", "detectors", "invariants", "interlock"},
    "replay": {"replay", "monitor", "detectors", "invariants", "interlock"},
    "interlock": {"interlock"},
    COMMAND: {"monitor"},
}
# The command line puts everything together: these verbs reach up, when they run (decision 0020).
REACHING_UP = {
    "monitor/cli/check_deep.py",
    "monitor/cli/enforce.py",
    "monitor/cli/record.py",
    "monitor/cli/replay_arguments.py",
    "monitor/cli/replay.py",
    "monitor/cli/report.py",
    "monitor/cli/train.py",
}
# The monitor shares with the client what control records mean, and what an event may hold.
_SHARED = ("control_record", "errors", "kinds", "limits", "names", "watermarks")
SHARED_WITH_CLIENT = {f"interlock.{name}" for name in _SHARED}
# They play the agent: the benchmark of the kill switch, operators who ask a gate, and the proxy.
PLAYS_AN_AGENT = {
    *("monitor/bench/kill_switch.py", "monitor/bench/kill_switch_agent.py"),
    "monitor/cli/gate_requests.py",
    "monitor/cli/mcp_proxy.py",
    "monitor/doctor/ask_gate.py",
    "monitor/traces/native.py",
}

# Doors: the only files that may import a library.
DOORS = {
    "aiohttp": {
        "monitor/gate_server/http_door.py",
        "monitor/bench/gate_echo.py",
        "interlock/mcp_proxy/http_exchange.py",
        "interlock/mcp_proxy/http_server.py",
    },
    "kafka": {"monitor/transport/kafka/client.py", "interlock/transport/kafka.py"},
    "prometheus_client": {"monitor/telemetry/metrics_registry.py"},
    "sqlite3": {"monitor/store/store.py", "monitor/store/rows.py", "monitor/store/schema.py"},
    "sklearn": {"detectors/forest_training.py"},
}
# Names that something outside the house calls: libraries, users of the client, Python itself.
CALLED_FROM_OUTSIDE = {
    "monitor.gate_server.http_door": {"_Framing.handle_error"},
    "interlock.client": {"Client.healthy"},
    "interlock.session": {"Session.assistant_message", "Session.tool_call", "Session.user_message"},
    "monitor.transport.kafka.assignor": {
        "Listener.on_partitions_assigned",
        "Listener.on_partitions_lost",
        "Listener.on_partitions_revoked",
    },
}
# What users take from `interlock/adapters/`, and the hooks that frameworks find by name.
OF_ADAPTERS = {
    "Interlock", "InterlockMiddleware", "guarded", "get_ordering",
    "before_agent", "after_agent", "after_model", "wrap_tool_call",
    "on_user_message_callback", "after_model_callback", "before_tool_callback",
    "init_agent", "process", "before_agent_callback", "interlock_hooks",
}  # fmt: skip
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
TEST_LINES_MAX = 500

IMPURE_CALLS = {"open", "print", "input", "eval", "exec", "compile", "__import__"}
# The one file that makes functions, from syntax trees (decision 0046).
COMPILES = {"invariants/cel/python_tree.py"}
IMPURE_MODULES = {
    "os",
    "io",
    "socket",
    "time",
    "random",
    "logging",
    "pathlib",
    "subprocess",
    "threading",
    "secrets",
    "sqlite3",
}


def _names(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(_tree(path)))


def _imports(path: Path) -> Iterator[tuple[str, int]]:
    """Absolute names of the modules that a file imports, wherever in it."""
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            yield _imported_from(path, node), node.lineno


def _imported_from(path: Path, node: ast.ImportFrom) -> str:
    """The absolute name of the module that `from ... import` names."""
    package = path.relative_to(ROOT).parts[:-1]
    base = package[: len(package) - node.level + 1] if node.level else ()
    return ".".join((*base, *(node.module or "").split("."))).strip(".")


def test_arrows_run_one_way() -> None:
    """A package imports only what stands below it."""
    wrong = []
    for path in FILES:
        own = path.relative_to(ROOT).parts[0]
        for module, line in _imports(path):
            top = module.split(".")[0]
            if top == "replay" and _names(path) in REACHING_UP:
                continue
            if top in PACKAGES and top not in ARROWS[own]:
                wrong.append(f"{_names(path)}:{line} imports {module}")
    assert not wrong, "\n".join(wrong)


def _target(module: str, name: str) -> str | None:
    """The file of ours that `from module import name` loads; None for anything else."""
    for parts in ([*module.split("."), name], module.split(".")):
        base = ROOT.joinpath(*parts)
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if parts[0] in PACKAGES and path in _files():
                return _names(path)
    return None


@cache
def _files() -> frozenset[Path]:
    return frozenset(FILES)


def _room(name: str) -> str:
    """The room of a file: its folder, or the file itself beside the folders of its package."""
    folder, _, _ = name.rpartition("/")
    return folder if "/" in folder or name.endswith("__init__.py") else name


def _arrows() -> dict[tuple[str, str], list[str]]:
    """Imports that lead from one room to another, by both rooms; of types alone too."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for path in FILES:
        own = _names(path)
        for node in _nodes(path):
            names: list[tuple[str, str]] = []
            if isinstance(node, ast.ImportFrom):
                names = [(_imported_from(path, node), alias.name) for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [(alias.name, "") for alias in node.names]
            for module, name in names:
                target = _target(module, name)
                if target is not None and _room(target) != _room(own):
                    line = f"{own}:{getattr(node, 'lineno', 0)} imports {name} of {target}"
                    arrows.setdefault((_room(own), _room(target)), []).append(line)
    return arrows


def test_arrows_between_rooms_form_no_circle() -> None:
    """Rooms are read one after the other: what a room imports never leads back to it."""
    arrows = {pair: lines for pair, lines in _arrows().items() if not _reaches_up(pair)}
    below: dict[str, set[str]] = {}
    for source, target in arrows:
        below.setdefault(source, set()).add(target)
    rooms = {room for pair in arrows for room in pair}
    while lowest := {room for room in rooms if not below.get(room, set()) & rooms}:
        rooms -= lowest
    while highest := rooms - {t for room in rooms for t in below.get(room, set())}:
        rooms -= highest
    wrong = [
        f"{source} -> {target}:\n  " + "\n  ".join(lines)
        for (source, target), lines in sorted(arrows.items())
        if source in rooms and target in rooms
    ]
    assert not wrong, "\n".join(wrong)


def _reaches_up(pair: tuple[str, str]) -> bool:
    """The command line reaches up when it runs (decision 0020)."""
    return pair[0] == "monitor/cli" and pair[1].startswith("replay")


def test_the_monitor_shares_only_what_both_sides_must_agree_on() -> None:
    """Nothing of the client's own work is used by the monitor."""
    wrong = []
    for path in FILES:
        if path.relative_to(ROOT).parts[0] == "interlock" or _names(path) in PLAYS_AN_AGENT:
            continue
        wrong += [
            f"{_names(path)}:{line} imports {module}"
            for module, line in _imports(path)
            if module.split(".")[0] == "interlock" and module not in SHARED_WITH_CLIENT
        ]
    assert not wrong, "\n".join(wrong)


def test_verbs_reach_up_only_when_they_run() -> None:
    """Loading the command line loads nothing of the replay room: only a verb at work does."""
    for name in sorted(REACHING_UP):
        path = ROOT / name
        if not path.exists():
            continue
        for node in _tree(path).body:
            found = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
            is_inside = isinstance(node, ast.FunctionDef | ast.If)  # `if TYPE_CHECKING`
            modules = {getattr(n, "module", None) or "" for n in found}
            assert is_inside or not any(m.startswith("replay") for m in modules), name


def test_the_replay_room_cannot_act() -> None:
    """Nothing that replay loads can act, publish or stop anybody: it is not there."""
    names = [_module(path) for path in FILES if path.is_relative_to(ROOT / "replay")]
    script = f"import sys, importlib\nfor n in {names!r}: importlib.import_module(n)\n"
    script += "print('\\n'.join(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert set(names) <= loaded
    acting = (
        "monitor.actions",
        "monitor.transport.kafka.producer",
        "monitor.transport.logdir.writer",
        "monitor.service.outbox",
        "monitor.response.plan",
        "monitor.service.connect",
        "monitor.service.loop",
        "monitor.service.assemble",
        "monitor.store.store",
        "interlock.client",
        "interlock.connection",
        "interlock.publisher",
        "interlock.transport",
        "kafka",
    )
    met = {m for m in loaded for a in acting if m == a or m.startswith(a + ".")}
    assert not met, met


def test_doors_are_the_only_ones() -> None:
    """Each outside library comes in through the files named for it."""
    wrong = []
    for path in FILES:
        for module, line in _imports(path):
            allowed = DOORS.get(module.split(".")[0])
            if allowed is not None and _names(path) not in allowed:
                wrong.append(f"{_names(path)}:{line} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_the_core_is_pure() -> None:
    """`invariants/` reaches no file, socket, clock, random source or log."""
    wrong = []
    for path in FILES:
        if path.relative_to(ROOT).parts[0] != "invariants":
            continue
        wrong += [
            f"{_names(path)}:{line} imports {module}"
            for module, line in _imports(path)
            if module.split(".")[0] in IMPURE_MODULES
        ]
        for node in _nodes(path):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in IMPURE_CALLS
                and not (_names(path) in COMPILES and node.func.id == "compile")
            ):
                wrong.append(f"{_names(path)}:{node.lineno} calls {node.func.id}")
    assert not wrong, "\n".join(wrong)


def test_the_reference_shares_no_code_with_the_machine() -> None:
    """The naive semantics imports types only: errors, facts, moments, verdicts, spec, syntax."""
    allowed = {
        "invariants.model.errors",
        "invariants.model.fact",
        "invariants.model.trace_point",
        "invariants.model.verdict",
        "invariants.spec.model",
        "invariants.formula.ast",
    }
    wrong = []
    for path in (ROOT / "invariants" / "reference").glob("*.py"):
        for module, line in _imports(path):
            is_ours = module.startswith("invariants") and not module.startswith(
                "invariants.reference"
            )
            if is_ours and module not in allowed:
                wrong.append(f"{_names(path)}:{line} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_sizes() -> None:
    """A file is read at one sitting, and a function fits on a screen."""
    wrong = []
    for path in FILES:
        lines = path.read_text().count("\n")
        if lines > FILE_LINES_MAX:
            wrong.append(f"{_names(path)} has {lines} lines; split it by meaning")
        wrong += [
            f"{_names(path)}:{node.lineno}: {node.name} has {_length(node)} lines"
            for node in _nodes(path)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and _length(node) > FUNCTION_LINES_MAX
        ]
    assert not wrong, "\n".join(wrong)


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function, without its docstring."""
    body = function.body
    has_doc = ast.get_docstring(function) is not None
    start = body[1].lineno if has_doc and len(body) > 1 else body[0].lineno
    return (function.end_lineno or start) - start + 1


def test_test_files_are_short_enough() -> None:
    """A test file is read at one sitting too."""
    long = [
        f"{_names(path)}: {path.read_text().count(chr(10))}"
        for path in (ROOT / "tests").rglob("*.py")
        if path.read_text().count("\n") > TEST_LINES_MAX
    ]
    assert not long, "\n".join(long)


def test_tests_import_modules_that_exist() -> None:
    """mypy does not read the tests: after a move, each import of ours still finds its module."""
    lost = [
        f"{_names(path)}:{line}: there is no module `{module}`; name the file where it stands now"
        for folder in ("tests", "fixtures")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for module, line in _imports(path)
        if module.partition(".")[0] in PACKAGES and not _exists(module)
    ]
    assert not lost, "\n".join(lost)


def _exists(module: str) -> bool:
    place = ROOT.joinpath(*module.split("."))
    return (place / "__init__.py").is_file() or place.with_suffix(".py").is_file()


def test_modules_say_what_they_are() -> None:
    """Every module that holds code begins with a docstring."""
    trees = {_names(path): _tree(path) for path in FILES}
    wrong = [name for name, tree in trees.items() if tree.body and not ast.get_docstring(tree)]
    assert not wrong, "no module docstring: " + ", ".join(wrong)


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _defined(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names that a module defines and methods of its classes, each as whole name and last part."""
    for node in tree.body:
        match node:
            case ast.FunctionDef(name) | ast.ClassDef(name):
                yield name, name
            case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name)):
                yield name, name
        if isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, ast.FunctionDef):
                    yield f"{node.name}.{part.name}", part.name


@cache
def _used() -> tuple[set[tuple[str, str]], set[str]]:
    """(module, name) of all imports and of names in their own modules; all attributes read."""
    names: set[tuple[str, str]] = set()
    attributes: set[str] = set()
    for path in FILES:
        for node in _nodes(path):
            if isinstance(node, ast.ImportFrom):
                module = _imported_from(path, node)
                names |= {(module, alias.name) for alias in node.names}
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                names.add((_module(path), node.id))
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                attributes.add(node.attr)
    return names, attributes


def test_nothing_stands_in_the_house_that_only_tests_call() -> None:
    """Each function, class, constant and method is used by the house itself, or by its users.

    A method counts as used where any attribute of its name is read.
    """
    names, attributes = _used()
    wrong = []
    for path in FILES:
        module = _module(path)
        is_verb = module.startswith("monitor.cli.")  # The command line finds these by name.
        known = CALLED_FROM_OUTSIDE.get(module, set()) | ({"add", "run"} if is_verb else set())
        of_adapters = OF_ADAPTERS if module.startswith("interlock.adapters.") else set()
        wrong += [
            f"{_names(path)}: {whole}"
            for whole, name in _defined(_tree(path))
            if not name.startswith("__")
            and whole not in known
            and name not in of_adapters
            and (module, name) not in names
            and name not in attributes
        ]
    assert not wrong, "only tests use these, or nothing does:\n" + "\n".join(wrong)


def test_no_broad_except_outside_the_loop() -> None:
    """`except Exception` stands where the loop judges one event, which counts and tells what it
    met, and where the agent's own types are read, which may raise anything (decision 0018).
    """
    wrong = []
    for path in FILES:
        if _names(path) in ("monitor/kernel/evaluate.py", "interlock/json_values.py"):
            continue
        for node in _nodes(path):
            if isinstance(node, ast.ExceptHandler):
                last = node.body[-1]
                if isinstance(last, ast.Raise) and last.exc is None:
                    continue  # It cleans up and lets the error go on.
                names = {
                    n.id
                    for n in ast.walk(node.type or ast.Name("Exception"))
                    if isinstance(n, ast.Name)
                }
                if names & {"Exception", "BaseException"}:
                    wrong.append(f"{_names(path)}:{node.lineno}")
    assert not wrong, "\n".join(wrong)


def test_the_project_speaks_of_itself_alone() -> None:
    """No machine's paths and no package registry's host stands in a file that git tracks."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
    ).stdout.decode()
    hosts = r"\b(pypi|npmjs|pythonhosted|crates|maven|golang|debian)\." + r"(org|com|io)\b"
    forbidden = re.compile(r"(?<![\w.])/(work|root)/|" + hosts)
    wrong = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.suffix in (".gz", ".png") or not path.is_file():
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if forbidden.search(line):
                wrong.append(f"{name}:{number}: {line.strip()[:100]}")
    assert not wrong, "\n".join(wrong)


def test_no_group_is_repeated_possessively() -> None:
    """`(...)*+` loses its place in Python before 3.11.5 if the group fails behind its beginning
    (gh-106052), so that a text would be read as another. An atomic group means the same there.
    """
    possessive = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+")
    wrong = [
        f"{_names(path)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str | bytes)
        and "\n" not in str(node.value)
        and possessive.search(
            node.value if isinstance(node.value, str) else node.value.decode("latin-1")
        )
    ]
    assert not wrong, "write `(?>(?:...)*)`:\n" + "\n".join(wrong)
