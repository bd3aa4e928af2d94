"""`shell_commands` against Bash itself: whatever Bash starts, the list has.

Random scripts over commands that do not exist are run in an empty folder with an empty path;
Bash's own hook for unknown commands writes down their words. `INTERLOCK_SHELL_CASES` for more.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from invariants.shell.commands import shell_commands
from invariants.values.value import Failure
from tests.support.shell_text import could_be

CASES = int(os.environ.get("INTERLOCK_SHELL_CASES", "150"))
SEED = 20
BASH = shutil.which("bash")

WORDS = [
    *("aa", "bb", "cc", "-x", "'q r'", '"s t"', "a\\ b", "{d,e}", "{1..3}", "x{y,z}'w'"),
    *("$'\\x61a'", "'#'", "#c", "''", "v=1", "w='1 2'", "]]", "{", "}", "if", "then", "do", "!"),
    *("in", "esac", "time", "2", "a\\\nb", "[", "[["),
]
COMMANDS = [
    *("aa", "bb", "cc", "sh -c 'aa bb'", "eval 'cc d; aa'", "eval aa \"'x y'\"", "'aa'", "\\bb"),
    *('a""a', "exec cc", "command aa", "builtin eval bb", "X=1 aa", "Y=2 Z='3 4' bb"),
]
REDIRECTS = [" >f", " 2>&1", " <<< 'h i'", " >/dev/null", " 2>f 1>&2"]
SHAPES = [
    *(
        "({0})",
        "{{ {0}; }}",
        "{{ {0}\n}}",
        "if {0}; then {1}; fi",
        "if {0}\nthen {1}\nelse {1}\nfi",
    ),
    *("for i in {2} {2}; do {0}; done", "case aa in aa|bb) {0};; *) {1} ;; esac"),
    *("f() {{ {0}; }}; f {2}", 'aa "$({0})" x', "bb $({0})", "v=$({0})", "! {0}", "{0} # c"),
    *("cc <<E\n {2} $({0})\nE\n", "cc <<'E' && aa\n$(bb)\nE\n", "bash <<'E'\n{0}\nE\n"),
    *("echo {2} | sh", "aa `bb x`", "cc <(aa b)", "[[ aa == bb || -n x ]] && {0}"),
    *("(( 1 + 2 )) && {0}", "aa $((1+2)) && {0}", "{0} | {1}", "{0} && {1}", "{0}\n{1}", "{0};{1}"),
]
HOOK = (
    "command_not_found_handle() { printf '%s\\0' \"$@\" $'\\1' >&9; return 0; }\n"
    'export -f command_not_found_handle; PATH="$1"; eval "$2"'
)


def _simple(chance: random.Random) -> str:
    words = [chance.choice(COMMANDS), *chance.choices(WORDS, k=chance.randrange(3))]
    return " ".join(words) + (chance.choice(REDIRECTS) if chance.random() < 0.2 else "")


def _script(chance: random.Random, depth: int) -> str:
    if depth == 0 or chance.random() < 0.4:
        return _simple(chance)
    inner = (_script(chance, depth - 1), _script(chance, depth - 1), chance.choice(WORDS))
    return chance.choice(SHAPES).format(*inner)


def _run(script: str, folder: Path) -> list[list[str]]:
    """The words of every command that Bash could not find, in no order."""
    assert BASH is not None
    (folder / "bin").mkdir(exist_ok=True)
    for name in ("bash", "sh"):
        link = folder / "bin" / name
        if not link.exists():
            link.symlink_to(BASH)
    written = folder / "written"
    arguments = [BASH, "-c", f"exec 9>>'{written}'; {HOOK}", "_", str(folder / "bin"), script]
    written.write_bytes(b"")
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    with subprocess.Popen(arguments, cwd=folder, start_new_session=True, **quiet) as shell:
        try:
            shell.wait(10)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
    records = written.read_bytes().decode().split("\1\0")[:-1]
    return [record[:-1].split("\0") for record in records]


@pytest.mark.skipif(BASH is None, reason="there is no bash here")
def test_whatever_bash_starts_is_listed(tmp_path: Path) -> None:
    """No command that Bash starts is missing from the list, word for word."""
    chance = random.Random(SEED)
    started_count = 0
    for _ in range(CASES):
        script = _script(chance, 3)
        try:
            commands = shell_commands(script)
        except Failure:
            continue
        for words in _run(script, tmp_path):
            started_count += 1
            is_told = any(could_be(listed, words) for listed in commands)
            assert is_told, f"{script!r} starts {words}, and the list is {commands}"
    assert started_count > CASES, "the scripts start something"
