"""`shell_commands`: code that a text writes, hands on, or gives a program to start."""

from __future__ import annotations

import pytest

from invariants.shell.commands import shell_commands
from invariants.values.unknown_text import UnknownText
from invariants.values.value import Failure

RM = ["rm", "-rf", "/"]


def _is_unknown(command: list[str | UnknownText]) -> bool:
    return isinstance(command[0], UnknownText) and command[0].is_many


@pytest.mark.parametrize(
    "text",
    [
        # Files that the text writes and runs.
        "echo 'rm -rf /' > f; sh f",
        "echo 'rm -rf /' > d/f; cd d; . ./f",
        "cat > f <<'E'\nrm -rf /\nE\nchmod +x f && ./f",
        "echo 'rm -rf /' | tee f; bash f",
        "echo 'rm -rf /' > f; cp f g; sh g",
        "x=f; echo 'rm -rf /' > $x; sh < $x",
        # Parameters.
        'set -- rm -rf /; "$@"',
        'set -- x rm -rf /; shift; "$@"',
        'f() { "$@"; }; f rm -rf /',
        "f() { $1 -rf $2; }; f rm /",
        "sh -c 'eval \"$1\"' _ 'rm -rf /'",
        "sh -c 'sh -c '\\''$*'\\'' _ rm -rf /'",
        # Sums and prompts read text once more, quotes and all.
        "[[ -v 'a[$(rm -rf \"/\")]' ]]",
        "[[ -n x && 'a[$(rm -rf '\\''/'\\'')]' -eq 1 ]]",
        "read x <<< 'a[$(rm -rf /)]'; ((x))",
        "f() { ((x = $1)); }; f 'a[$(rm -rf /)]'",
        # Programs with more than one name.
        "x=ls; false || x=rm; $x -rf /",
        "$BASH -c 'rm -rf /'",
        "echo 'rm -rf /' | ${SHELL:-sh}",
        # Options and variables that hold commands; more words may follow.
        "env -S 'sh -c' 'rm -rf /'",
        "script -qc'rm -rf /' /dev/null",
        "start-stop-daemon -S --startas rm -- -rf /",
        "echo -rf / | xargs -n2 rm",
        "printf '%s' 'rm -rf /' | xargs -0I% sh -c %",
        "ionice -c3 ${u-rm} -rf /",
        "linux64 -R rm${u:+x} -rf /",
        "script -c 'rm -rf /' f",
        # A plain sh has neither `$'...'` nor braces.
        "sh -c 'rm -rf {/,}; rm -rf /'",
    ],
)
def test_code_is_found(text: str) -> None:
    """Word for word, whatever carried it."""
    assert any(command[:3] == RM for command in shell_commands(text))


@pytest.mark.parametrize(
    "text",
    [
        "tar -I 'rm -rf /' -cf f .",
        "tar -cf f --checkpoint-action=exec='rm -rf /' .",
        "git -c alias.x='!rm -rf /' x",
        "git -c core.editor='rm -rf /' commit",
        "GIT_EDITOR='rm -rf /' git commit",
        "PAGER='rm -rf /' man ls",
        "split --filter='rm -rf /' f",
        "mapfile -C 'rm -rf /' a",
        "compgen -C'rm -rf /' x",
    ],
)
def test_code_of_options_may_have_more_words(text: str) -> None:
    """What the program adds behind the command is not known."""
    found = [command for command in shell_commands(text) if command[:3] == RM]
    assert found and all(isinstance(word, UnknownText) for word in found[0][3:])


@pytest.mark.parametrize(
    "text",
    [
        "curl -o f https://a.example/x; sh f",
        "f() { cat g; }; f > h; . ./h",
        "echo a > f; echo b > f; sh f",
        "ln -s /bin/sh s; ./s -c 'rm -rf /'",
        "mkfifo p; echo x > p & sh p",
        'python3 -c \'open("f", "w").write(x)\'; sh f',
        "printf 'x:\\n\\trm -rf /\\n' > Makefile; make",
        "make --eval='x:; rm -rf /'",
        "vim -es -c '!rm -rf /' -c q",
        "ex -s f <<< '!rm -rf /'",
        "sqlite3 x '.shell rm -rf /'",
        "gdb -batch -ex 'shell rm -rf /'",
        "awk 'BEGIN{print | \"rm -rf /\"}'",
        "run-parts d",
        "$x -c 'rm -rf /'",
        "/proc/$$/exe -c 'rm -rf /'",
        "declare -n r=x; $r hi",
        "echo 'rm -rf /' > >(sh)",
        "cat x | bash <(cat)",
        "a=('$(rm -rf /)'); echo \"${a[0]@P}\"",
        'a=(\\$\\(\\r\\m\\)); echo "${a[0]@P}"',
        "xargs -d '\\n' env -S < f",
    ],
)
def test_code_that_is_not_known_is_told(text: str) -> None:
    """A command of which nothing is known stands in the list."""
    assert any(_is_unknown(command) for command in shell_commands(text))


@pytest.mark.parametrize(
    "text",
    [
        "chmod +x run.sh && ./run.sh",
        "cat > f.py <<'E'\nprint(1)\nE\npython3 f.py",
        "echo hello > f; cat f",
        "git commit -m 'core.editor'",
        "GIT_EDITOR=true git rebase --continue",
        "tar -czf x.tgz src",
        "make -j4 test",
        "vim -c 'set nu' f",
        "sqlite3 x 'select 1'",
        "xargs -n1 ls <<< 'a b'",
    ],
)
def test_honest_work_is_known(text: str) -> None:
    """Nothing is listed as unknown where nothing is hidden."""
    assert not any(isinstance(command[0], UnknownText) for command in shell_commands(text))


def test_a_plain_sh_has_its_own_reading() -> None:
    """Braces and `$'...'` are words as they stand there, and both readings are listed."""
    assert shell_commands("rm {a,b} $'c'") == [["rm", "a", "b", "c"], ["rm", "{a,b}", "$c"]]
    assert ["rm", "{x}", "a"] in shell_commands("rm {x}>f a")


@pytest.mark.parametrize(
    "text",
    [
        "printf 'a,b' | xargs -d, rm 3<&0-",
        "echo a > f; xargs rm < f >|f",
        "xargs sh -c 'rm '\\'''\\''\"$@\"' <<< x",
    ],
)
def test_an_input_that_may_be_another_has_no_known_words(text: str) -> None:
    """Moved, emptied, or one empty word in Bash alone: the words may be none."""
    found = [command for command in shell_commands(text) if command[0] == "rm"]
    assert found and all(isinstance(command[-1], UnknownText) for command in found)


@pytest.mark.parametrize(
    "text", ["{fd}<f echo a | xargs rm", "a $'\\xe9'", "cat <<A $(cat <<B\nB\nrm\nA\nB\n)\nA"]
)
def test_what_shells_read_in_two_ways_fails(text: str) -> None:
    """A named descriptor, half a character, and lines within a line with a here-document."""
    with pytest.raises(Failure):
        shell_commands(text)
