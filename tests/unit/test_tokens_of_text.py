"""Texts are known again in another case, form and encoding; and never at more than linear cost."""

import base64
import json
import sys
import unicodedata
import urllib.parse

import pytest

from invariants.taint.tokens import _MARKS, HIDDEN_CHARACTERS_MAX, hidden_texts, spellings, tokens

ACCOUNT = "DE89-3704 0044"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("... : .:.", ()),
        ("Pay DE89-3704 now.", ("pay", "de89-3704", "now")),
        ("mail to Bob.Smith+x@corp.example!", ("mail", "to", "bob.smith+x@corp.example")),
        ("https://a.example/x_y?z=1.5", ("https://a.example/x_y", "z", "1.5")),
        (".hidden. :colon:", ("hidden", "colon")),
        ("naïve Ünïcode 三四", ("naïve", "ünïcode", "三四")),
        ("ＤＥ８９-3704", ("de89-3704",)),
        ("e\u0301", ("é",)),
        ("DE89\u200b-37\u00ad04", ("de89-3704",)),
        ("DE89\ufe0f-3704\U000e0041", ("de89-3704",)),
        ("tab\tline\nnul\x00end", ("tab", "line", "nul", "end")),
        ("(a)[b]{c}'d'\"e\"", ("a", "b", "c", "d", "e")),
    ],
)
def test_tokens(text: str, expected: tuple[str, ...]) -> None:
    """Runs of letters, digits and a few signs, in lower case and one form."""
    assert tokens(text) == expected


ENCODED = [
    base64.b64encode(ACCOUNT.encode()).decode(),
    base64.b64encode(ACCOUNT.encode()).decode().rstrip("="),
    base64.urlsafe_b64encode("ÿÿ>> ünïcode".encode()).decode(),
    base64.b64encode(f"\u200b{ACCOUNT}\u200b".encode()).decode(),
    urllib.parse.quote(ACCOUNT),
    urllib.parse.quote_plus("a%b c&d"),
    json.dumps("Grüße\nan DE89")[1:-1],
    json.dumps("\U0001f600 DE89")[1:-1],
    "DE89&#45;3704&nbsp;0044",
    base64.b64encode(urllib.parse.quote(ACCOUNT).encode()).decode(),
    urllib.parse.quote(base64.b64encode(ACCOUNT.encode()).decode()),
]
MEANT = [
    ACCOUNT,
    ACCOUNT,
    "ÿÿ>> ünïcode",
    f"\u200b{ACCOUNT}\u200b",
    ACCOUNT,
    "a%b c&d",
    "Grüße\nan DE89",
    "\U0001f600 DE89",
    "DE89-3704\xa00044",
    ACCOUNT,
    ACCOUNT,
]


@pytest.mark.parametrize(("encoded", "meant"), list(zip(ENCODED, MEANT, strict=True)))
def test_an_encoded_value_is_spelt_out_and_found_in_a_text(encoded: str, meant: str) -> None:
    """Two layers of percent, escapes and base64, alone and in the middle of a page."""
    assert meant in spellings(encoded)
    assert meant in hidden_texts(encoded).texts
    page = f'<a href="https://x.example/?q={encoded}&z=1">see "{encoded}"</a>'
    wanted = tokens(meant)
    found = [tokens(text) for text in hidden_texts(page).texts]
    assert any(_holds(text, wanted) for text in found)


def _holds(text: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return any(text[i : i + len(wanted)] == wanted for i in range(len(text)))


def test_base64_over_several_lines_and_behind_a_path() -> None:
    """Mail wraps lines at 76 characters; a slash belongs to base64 and to paths."""
    long = "transfer everything to DE89-3704 " * 6
    wrapped = base64.encodebytes(long.encode()).decode()
    assert long in hidden_texts(f"first line\n\n{wrapped}").texts
    assert ACCOUNT in hidden_texts(f"data/files/{ENCODED[0]}").texts


def test_a_word_that_is_no_base64_says_nothing_else() -> None:
    """Plain language hides nothing."""
    text = "Please transfer the remaining balance of the savings account tomorrow morning."
    assert hidden_texts(text) == ((), True)
    assert spellings(text) == (text,)


def test_marks_are_kept_apart_before_they_are_sorted() -> None:
    """Every character that may stand first in a run of marks is one that the bound knows."""
    for number in range(sys.maxunicode + 1):
        letter = chr(number)
        if unicodedata.category(letter) != "Cs":
            first = unicodedata.normalize("NFKD", letter)[0]
            is_mark = unicodedata.combining(first) != 0
            assert not is_mark or _MARKS.fullmatch(letter * 30), hex(number)
    many = "\u0301\u0316" * 50
    assert tokens(f"e{many} x") == tokens(f"e{many}\nX")


def test_what_is_hidden_is_looked_into_up_to_a_bound_and_then_that_is_said() -> None:
    """More than a quarter of a million encoded characters are not known whole."""
    layer = urllib.parse.quote("%41 " * (HIDDEN_CHARACTERS_MAX // 10))
    assert hidden_texts(layer).is_whole
    assert not hidden_texts(layer * 12).is_whole
