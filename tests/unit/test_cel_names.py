"""`named_any`: names of tools and arguments in all their spellings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invariants.cel import names
from invariants.cel.costs import naming
from tests.support.cel import compiled, evaluate, fails, make_view

SEND = ["sendEmail", "send-email", "SendEmail", "send_email", "SEND_EMAIL", "sendemail"]
SEND += ["mcp__gmail__sendEmail", "gmail.send.email", "send email", "sendEMAIL", "send__email"]
SEND += [
    "resendEmails",
    "send_e_mail",
    "sendEMail",
    "ｓｅｎｄ_email",
    "send\u200bEmail",
    "sendémail",
]

CASES = [
    *(("**send_email**", name, True) for name in SEND[:-1]),
    *(
        (pattern, "mcp__x__sendEmail", True)
        for pattern in ("**sendEmail**", "**SEND-EMAIL", "mcp*")
    ),
    ("**send_email**", "sendémail", False),
    ("**send_email**", "senderEmail", False),
    ("send_email", "SendEmail", True),
    ("send_email", "resendEmail", False),
    ("send_email", "sendEmails", False),
    ("**_get_**", "get", True),
    ("**_get_**", "httpGet", True),
    ("**_get_**", "widget", False),
    ("**_get_**", "big_etude", False),
    ("**get_**", "widget_x", True),
    ("**_get**", "x_getter", True),
    ("**_get**", "targets", False),
    ("**__get_**", "getMail", True),
    ("**__get_**", "mcp__gmail__getMail", True),
    ("**__get_**", "gmail.get-mail", True),
    ("**__get_**", "gmail/get_mail", True),
    ("**__get_**", "removeGetRule", False),
    ("**_get__**", "http_get__x", True),
    ("**_get__**", "http_get_x", False),
    ("**send**", "usesEndDate", False),
    ("**webpage**", "open_web_page", True),
    ("**url**", "getURLs", True),
    ("**http_server**", "HTTPServer", True),
    ("get_*", "getUser", True),
    ("get_*", "getter", False),
    ("get_*", "x_get_user", False),
    ("*_user", "getUser", True),
    ("*_user", "superuser", False),
    ("create*issue", "createGithubIssue", True),
    ("create*issue", "create_issue", True),
    ("issue*issue", "issue", False),
    ("a*b*a", "aba", True),
    ("a*b*a", "aa", False),
    ("**_a_**_a_**", "a_b", False),
    ("**_a_**_a_**", "a_a", True),
    ("*", "", True),
    ("**", "x", True),
    ("_*", "", True),
    ("", "", True),
    ("", "_", True),
    ("", "a", False),
    ("file_path", "filePath", True),
    ("file_path", "FilePath", True),
    ("file_path", "filepaths", False),
    *(("exec", name, name == "Exec") for name in ("Exec", "execute", "_", "")),
    *(("http.post", name, True) for name in ("HTTP.POST", "HTTPPost", "http_post")),
    ("**_get_**", "user.get", True),
    ("**send_email**", "listEmails", False),
]


@pytest.mark.parametrize(("pattern", "name", "is_named"), CASES)
def test_named_any(pattern: str, name: str, is_named: bool) -> None:
    """Words are compared, not spellings; of the file or of the event."""
    args = {"p": [pattern], "n": name}
    assert evaluate("named_any(args.p, args.n)", args=args) is is_named
    expression = compiled("named_any(lists.x, args.n)", x=("zzz", pattern, "z*z"))
    assert expression.evaluate(make_view(args=args)) is is_named


WORDS = st.lists(st.from_regex(r"[a-z]{2,6}[0-9]?", fullmatch=True), min_size=1, max_size=4)


def spellings(words: list[str]) -> list[str]:
    pascal = "".join(word.capitalize() for word in words)
    joined = [sign.join(words) for sign in ("_", "-", ".", " ", "__", "/")]
    return [*joined, "_".join(words).upper(), pascal, pascal[0].lower() + pascal[1:]]


@given(WORDS, WORDS, st.sampled_from(["{}", "**{}**", "{}*", "*{}", "**_{}_**", "**_{}**"]))
def test_all_spellings_agree(words: list[str], sought: list[str], form: str) -> None:
    """Law: every spelling of a list of words, in a name and in a pattern, gives one answer."""
    answers = {
        names.named_matcher([form.format(pattern)])(name)
        for name in spellings(words)
        for pattern in spellings(sought)
        if not pattern.isupper() or "_" not in form
    }
    assert len(answers) == 1


@given(WORDS, WORDS)
def test_words_written_together_agree(words: list[str], sought: list[str]) -> None:
    """Law: a pattern without borders at its edges matches at least as much without borders."""
    matcher = names.named_matcher([f"**{'_'.join(sought)}**"])
    assert matcher("".join(words)) or not matcher("_".join(words))
    assert matcher("x_" + "".join(sought)) and matcher("_".join(["x", *sought]))


def naive(pattern: str, words: list[str]) -> bool:
    """The definition for one text between two stars, over the name's words."""
    letters, sought = "".join(words), pattern.strip("_").split("_")
    borders, own = {0}, set()
    for word in words:
        borders.add(max(borders) + len(word))
    length = 0
    for word in sought:
        length += len(word)
        own.add(length)
    for start in range(len(letters) - length + 1):
        end = start + length
        inner = {border - start for border in borders if start < border < end}
        is_fitting = (start in borders and end in borders) or inner <= own
        is_bordered = (not pattern.startswith("_") or start in borders) and (
            not pattern.endswith("_") or end in borders
        )
        if letters.startswith("".join(sought), start) and is_fitting and is_bordered:
            return True
    return False


SHORT = st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=4)


@given(SHORT, SHORT, st.sampled_from(["{}", "_{}", "{}_", "_{}_"]))
def test_named_any_is_its_definition(words: list[str], sought: list[str], form: str) -> None:
    """The prepared matcher gives what the definition says of every place."""
    pattern = form.format("_".join(sought))
    assert names.named_matcher([f"**{pattern}**"])("_".join(words)) is naive(pattern, words)


def test_what_is_refused() -> None:
    """Names and patterns have bounds, and `?` has no meaning."""
    long = {"n": "a" * 1_001}
    assert fails("named_any(['a*'], args.n)", args=long)
    assert fails("named_any(args.p, 'a')", args={"p": ["a"] * 101})
    assert fails("named_any(args.p, 'a')", args={"p": ["a" * 1_001]})
    assert fails("named_any(args.p, 'a')", args={"p": ["a", 1]})
    assert fails("named_any(args.p, 'a')", args={"p": ["a?"]})
    assert fails("named_any(args.p, 'a')", args={"p": "a"})
    assert fails("named_any(['a'], args.n)", args={"n": 1})


def test_a_name_costs_by_its_length() -> None:
    """Short names are free; a long one costs for each pattern."""
    assert naming(30, "a" * 127) == 0
    assert naming(30, "a" * 128) == 30 * 32
    assert naming(1, "\ufdfa" * 128) == 18 * 128 // 4


def test_leaves() -> None:
    """Texts and numbers of any shape, as texts; what cannot be a destination is left out."""
    value = [{"a": "x y", "b": [1, 2.0, 2.5, None, True, "", " - "]}, "é", [["z"]]]
    assert evaluate("leaves(args.x)", args={"x": value}) == ["x y", "1", "2", "2.5", "é", "z"]
    assert evaluate("leaves(null)") == []
    assert fails("leaves(args.x)", args={"x": [2**63]})
    assert fails("leaves(args.x)", args={"x": ["a" * 300_000]})
    assert fails("leaves(dyn([time]))")
