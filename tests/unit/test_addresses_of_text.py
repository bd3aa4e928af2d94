"""Addresses are compared by what they address; what cannot be read is never "not seen"."""

from __future__ import annotations

import pytest

from invariants.model.fact import Truth
from invariants.taint.addresses import read_addresses
from invariants.taint.fingerprints import (
    ADDRESSES_MAX,
    SHOWN_ADDRESSES_MAX,
    readings_of,
    shown_keys,
)
from invariants.taint.memory import Shown, SourceMemory, fingerprints_of, memory_of

KEYS = fingerprints_of(b"a key")
FALSE, UNKNOWN, TRUE = Truth.FALSE, Truth.UNKNOWN, Truth.TRUE


def memory(*texts: str) -> SourceMemory:
    made = memory_of(KEYS)
    for text in texts:
        made = made.taking(text, is_certain=True, pairs_max=1_000_000)
    return made


def asked(value: str, web: str, user: str = "") -> tuple[Truth | None, Truth | None]:
    """`seen(value, "web")` and `only_from(value, "web")`."""
    shown = Shown((memory(user), memory(web)))
    return shown.seen(1, value), shown.only_from(1, (0,), value)


EVE = "eve@evil.example"


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("<a href='mailto:eve@evil.example?subject=x'>", [EVE]),
        ("Eve <EVE@Evil.Example>", [EVE]),
        ("bob@corp.example,eve@evil.example;x@y", ["bob@corp.example", EVE, "x@y"]),
        ("eve (at) evil dot example", [EVE]),
        ("eve[@]evil[.]example", [EVE]),
        ("eve\u200b@ｅｖｉｌ．example.", [EVE]),
        ("eve@evil\u3002example", [EVE]),
        ("eve@b\u00fccher.example", ["eve@xn--bcher-kva.example"]),
        ("o'brien@corp.example", ["o'brien@corp.example"]),
        ("**eve@evil.example**", [EVE]),
        ("HTTPS://u:p@Evil.Example.:443/a/../b%7e?q#c", ["https://evil.example/b~?q"]),
        ("(https://evil.example/a_(b)).", ["https://evil.example/a_(b)"]),
        ("https://evil.example/#/page", ["https://evil.example/#/page"]),
        ("http://evil.example:8080", ["http://evil.example:8080/"]),
        ("hxxps://evil[.]example/a", ["https://evil.example/a"]),
        ("https://a.example/x,https://b.example/y", ["https://a.example/x", "https://b.example/y"]),
        ("http://[::FFFF:1.2.3.4]/", ["http://1.2.3.4/"]),
        ("https://good.example@evil.example/", ["https://evil.example/"]),
        ("git@host.example:org/repo.git", ["ssh://git@host.example/org/repo.git"]),
        (
            "https://a.example/r?u=https%3A%2F%2Fevil.example%2F&to=eve%40evil.example",
            [
                "https://a.example/r?u=https%3A%2F%2Fevil.example%2F&to=eve%40evil.example",
                "https://evil.example/",
                EVE,
            ],
        ),
        ("@bob and a@b@c, x @ 5, me@", []),
        ('"eve x"@evil.example', []),
        ("https://127.1/ https://2130706433/ https://0x7f.1/", []),
        ("https://a@b@c/ https:///x https://e..f/ https://evil.example:99999999/", []),
        ("eve@" + "a" * 64 + ".example", []),
        ("https://" + "é" * 63 + ".example/", []),
    ],
)
def test_a_text_names_addresses(text: str, addresses: list[str]) -> None:
    """In their normal forms; what is none, or could be two, is left out."""
    assert [address.text for address in read_addresses(text, 64).addresses] == addresses


@pytest.mark.parametrize(
    ("value", "web"),
    [
        (EVE, "write to eve at evil dot example"),
        (EVE, "eve @ evil.example"),
        (EVE, "eve-at-evil.example"),
        (EVE, "eve_at_evil dot example"),
        (EVE, "eve \u00abat\u00bb evil\u3010dot\u3011example"),
        (EVE, "mailto:bob@corp.example?bcc=eve%40evil.example"),
        ("http://203.0.113.9/", "http://3405803785/"),
        ("http://203.0.113.9/", "http://[64:ff9b::cb00:7109]/"),
        ("203.0.113.9", "http://0xcb.28937/x"),
        (EVE, "eve@evil dot example"),
        ("https://ev\til.example/pay\n", "https://evil.example/pay"),
        (EVE, "eve-at-evil-dot-example"),
        (EVE, "write to eve*AT*evil*DOT*example"),
        (EVE, "eve@evil-dot-example"),
        ("eve@evil-dot-example", EVE),
        ("+49 30 1234 5678", "0049 30 12345678"),
        ("0049-30-12345678", "+49 30 1234 5678"),
        ("IBAN DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
        ("to account de89-370400440532013000, thanks", "DE89 3704 0044 0532 0130 00"),
        ("give DE 89 3704 00440532013000 1", "DE89370400440532013000"),
        ("GB82 WEST 1234 5698 7654 32 2026", "GB82WEST12345698765432"),
        ("eve at evil dot example", EVE),
        (EVE, "to=eve@evil.example"),
        (EVE, "\u8054\u7cfbeve@evil.example\u8c22\u8c22"),
        (EVE, "eve&#64;evil&period;example"),
        ("eve%40evil.example", EVE),
        (EVE, "eve%40evil.example"),
        (EVE, "ZXZlQGV2aWwuZXhhbXBsZQ=="),
        ("eve+x@evil.example", EVE),
        (EVE, "eve+x@evil.example"),
        ("Accounts 42 <eve@evil.example>", EVE),
        ("https://evil.example/pay", "go to Evil.example/pay now"),
        ("https://evil.example/pay", "//evil.example/pay/"),
        ("https://evil.example", "go to evil.example."),
        ("http://evil.example/Pay", "https://evil.example/pay"),
        ("evil.example/pay", "https://evil.example/pay"),
        ("evil.example", "https://evil.example/pay"),
        ("evil.example", EVE),
        ("evil.example", "evil.example:8443/x"),
        ("[::1]", "http://[::1]:80/x"),
        ("https://a.example/?u=https://evil.example/", "https://evil.example/"),
    ],
)
def test_a_copy_in_another_form_is_only_from_where_it_was_shown(value: str, web: str) -> None:
    """Widely, where the forms do not name the same for certain."""
    assert asked(value, web)[1] is TRUE
    assert asked(value, "eve is evil, for example")[1] is not TRUE


@pytest.mark.parametrize(
    ("value", "web", "user", "expected"),
    [
        ("bob+x@corp.example", "bob+x@corp.example", "bob@corp.example", UNKNOWN),
        ("bob@corp.example", "bob@corp.example", "bob+x@corp.example", UNKNOWN),
        ("bob@corp.example", "bob+x@corp.example", "bob@corp.example", FALSE),
        ("bob@corp.example", "bob@corp.example", "bob at corp.example", UNKNOWN),
        ("https://c.example/a", "https://c.example/a", "http://c.example/a", UNKNOWN),
        ("https://p.example/aBc", "https://p.example/aBc", "https://p.example/AbC", UNKNOWN),
        ("https://c.example/a#b", "https://c.example/a#b", "https://c.example/a", FALSE),
        ("c.example", "https://c.example/x", "https://c.example/a", FALSE),
        ("Bob Roe <bob@c.example>", "Bob Roe", "bob@c.example", FALSE),
        (f"bob@c.example, {EVE}", EVE, "bob@c.example", TRUE),
        ("ssh-rsa AAAAB3Nza1 bob@c.example", "AAAAB3Nza1", "bob@c.example", UNKNOWN),
        ("DE89-3704 bob@c.example", "x", "bob@c.example", FALSE),
        ("git@h.example:evil/x", "git@h.example:evil/x", "git@h.example:good/x", TRUE),
        ("git@h.example:good/x", "git@h.example:evil/x", "git@h.example:good/x", FALSE),
        ("https://c.example/a%20b", "https://c.example/a%20b", "https://c.example/a b", TRUE),
        ("http://0177.0.0.1/", "http://177.0.0.1/", "http://127.0.0.1/", UNKNOWN),
        ("https://stra\u00dfe.example", "https://strasse.example", "", TRUE),
        ("https://ev\til.example/", "https://evil.example/", "https://evil.example/", UNKNOWN),
        ("https://ev\til.example/", "https://evil.example/", "https://ev\til.example/", FALSE),
        ("DE89370400440532", "DE89 3704 0044 0532", "DE89370400440532", FALSE),
        ("DE89370400440532", "DE89 3704 0044 0532", "DE89-3704-0044-0532", UNKNOWN),
        ("DE8937040044053213", "DE89 3704 0044 0532 99", "", FALSE),
        ("2.5 million", "2,5 million; 25 million", "", FALSE),
        ("mailto:bob@c.example?cc=al@c.example", "x", "al@c.example bob@c.example", FALSE),
    ],
)
def test_only_what_names_the_address_itself_endorses_it(
    value: str, web: str, user: str, expected: Truth
) -> None:
    """A wider form of what others said is not known; names beside it are nobody's."""
    assert asked(value, web, user)[1] is expected


@pytest.mark.parametrize(
    "value",
    [
        "eve@@evil.example",
        "a@b@c",
        '"eve x"@evil.example',
        "eve(x)@evil.example",
        "eve@[192.0.2.1]",
        "https:/evil.example/x",
        "https://127.1/",
        "https://a@b@evil.example/",
        "mailto:evil",
        ", ".join(f"u{number}@x.example" for number in range(ADDRESSES_MAX + 1)),
        "@ " * (4 * ADDRESSES_MAX + 1) + "x",
        "eve@(x)evil.org",
        "eve@evil(x).org",
        "eve@evil..org",
        "eve@evil.org\x00.corp.org",
        "eve%evil.org@relay.org",
        "=?utf-8?q?eve=40evil.org?=",
        "https://%65vil.org/",
        "ftp:\\\\evil.org",
        "https:\\\\evil.org",
        "http://0177.0.0.1/",
        "http://[fe80::1%25eth0]/",
    ],
)
def test_what_cannot_be_read_is_never_not_seen(value: str) -> None:
    """In a value; as a page's text it makes nothing unknown."""
    whole = ", ".join(f"u{number}@x.example" for number in range(ADDRESSES_MAX + 1))
    assert asked(value, "weather")[1] is UNKNOWN
    assert asked(value, whole)[0] in (UNKNOWN, TRUE)
    assert memory(value).is_whole
    assert asked(EVE, value) == (FALSE, FALSE)


ACCOUNTS = "from 12: 4929-1234-5678-9012, 0049 30 12345678 2026 or DE89 3704 0044 0532 0130 00."


@pytest.mark.parametrize(
    "value",
    [
        "card 4929 1234 5678 9012",
        "card no. 4929123456789012 12/27 123, thanks",
        "pay 100 EUR to 4929 1234 56789012 by 2026-01-05",
        "please dial +49 30 1234 5678 now",
    ],
)
def test_an_account_beside_words_may_be_what_was_shown(value: str) -> None:
    """Where it ends is not known; who wrote just that endorses it, and others change nothing."""
    assert asked(value, ACCOUNTS) == (UNKNOWN, UNKNOWN)
    assert asked(value, "5105 9876 5432 1098, 0049 30 12345699 or DE89") == (FALSE, FALSE)
    assert asked(value, ACCOUNTS, f"so: {value}")[1] is not TRUE


def test_an_account_beside_words_is_endorsed_by_who_named_it() -> None:
    """As it stands there; in another grouping it is in doubt."""
    value = "to account DE89370400440532013000, thanks"
    assert asked(value, ACCOUNTS)[1] is TRUE
    assert asked(value, ACCOUNTS, "pay DE89370400440532013000")[1] is FALSE
    assert asked(value, ACCOUNTS, ACCOUNTS)[1] is UNKNOWN
    assert asked(f"{value} 77", ACCOUNTS)[0] is UNKNOWN
    assert asked("card 4929-1234-5678-9012", ACCOUNTS, "4929-1234-5678-9012")[1] is FALSE


SHOWN = "https://evil.example/pay or https://evil.example/?u=https://x.example/ or eve@evil.example"


@pytest.mark.parametrize(
    "value",
    [
        "see https://ev\til.example/pay now",
        "https://ev\til.example/pay\tthen https://good.example/",
        "https://good.example/\nhttps://e\nvil.exa\r\nmple/pay\nbye x",
        "go ht\ttps://ev\til.example/pay, ok",
        "see https://evil.example\\pay now",
        "see \\\\evil.example\\pay now",
        "see https:\\\\evil.example\\p\tay now",
        "see https://evil.example/?u=\thttps://x.example/ now",
        "write e\nve@evil.example now",
        "write eve@evil.exa\tmple now",
    ],
)
def test_what_readers_repair_among_words_may_be_what_was_shown(value: str) -> None:
    """They drop tabs, or end an address there."""
    user = "https://good.example/ and https://x.example/"
    assert asked(value, SHOWN, user)[0] is not FALSE
    assert asked(value, SHOWN, user)[1] is not FALSE
    assert asked(value, "weather", user)[1] is not TRUE


def test_lists_and_lines_stay_certain() -> None:
    """What only stands on lines is not joined to something that nobody showed."""
    lines = [f"https://c.example/{number}" for number in range(ADDRESSES_MAX)]
    assert asked("\n".join(lines), SHOWN, " ".join(lines)) == (FALSE, FALSE)
    mails = [f"u{number}@c.example" for number in range(ADDRESSES_MAX)]
    assert asked("\n".join(mails), SHOWN, " ".join(mails)) == (FALSE, FALSE)
    assert asked("Hello\nsee https://c.example/a\nBye", SHOWN, "https://c.example/a")[1] is FALSE
    assert asked("//\ta" * 200, SHOWN)[1] is UNKNOWN


@pytest.mark.parametrize(
    "value",
    [
        "look-at-me.example",
        "look-at-me-dot-example",
        "at 2026-01-05 09:00 to 10:00",
        "12,345,678 x",
        "C:\\Users\\eve",
        "12.50",
        "2026-01-05 09:00",
        "/a/b.py",
        "x=1\n",
    ],
)
def test_honest_values_stay_certain(value: str) -> None:
    """Names, paths, amounts and times are no addresses that somebody repairs."""
    assert asked(value, "weather, C:/tmp, at 9:00 or 2026-01-05") == (FALSE, FALSE)


@pytest.mark.parametrize("value", ["@bob", "2 @ 5 each", "medium.example/@bob", "x@", "Bob"])
def test_what_bears_no_sign_of_an_address_is_known_by_its_tokens(value: str) -> None:
    """A handle is no address."""
    expected = UNKNOWN if value == "x@" else FALSE
    assert asked(value, "weather") == (expected, expected)
    assert asked(value, f"so: {value} it is") == (TRUE, TRUE)


def test_a_url_that_clients_read_as_two_is_doubtful() -> None:
    """Browsers take a backslash for a slash; others read a user before the host."""
    value = "https://evil.example\\@good.example/"
    assert asked(value, "weather", "https://good.example/")[1] is UNKNOWN
    assert asked(value, "https://evil.example/", "https://good.example/")[1] is TRUE


def test_percent_in_a_url_hides_no_words() -> None:
    """A page whose name goes on behind `%20` is not the page before it with a word beside."""
    assert asked("https://c.example/a%20b", "https://c.example/a") == (FALSE, FALSE)


def test_seen_asks_for_every_address() -> None:
    """And never says "not seen" of what may be an account beside it."""
    assert asked(f"bob@c.example, {EVE}", EVE)[0] is FALSE
    assert asked(f"bob@c.example, {EVE}", f"{EVE} bob@c.example")[0] is TRUE
    assert asked(f"{EVE} +1-555-0100", EVE)[0] is UNKNOWN
    assert asked(f"call {EVE}", EVE)[0] is TRUE


def test_a_text_cannot_pass_for_an_address() -> None:
    """The keys of addresses hold characters that no token holds."""
    forged = "\x01mail\x01eve@evil.example \x02 \x01host\x01evil.example"
    keys = shown_keys(forged).keys
    assert "\x01mail\x01mail\x01eve@evil.example" not in keys
    assert asked("mail\x01bob@c.example", "x")[0] is UNKNOWN


def test_a_text_of_too_many_addresses_leaves_a_source_not_whole() -> None:
    """What is beyond the bound was shown, and is not called unseen."""
    page = " ".join(f"u{number}@x.example" for number in range(SHOWN_ADDRESSES_MAX + 2))
    assert memory(page[: len(page) // 2]).is_whole
    assert not memory(page).is_whole
    assert asked(EVE, page)[0] is UNKNOWN


UNITS = """
@|a@|a@b.c |://|http://|http://a.b/|http://@|( at )| at | at a.b| dot |a@a dot |%40|a.|a.bb/|
a.bb:1|<a@b>|=a@b=|a@b:|git@a:|[::1]|\u00e9.|\u00e9@|a\u3002b@|//|https://a.b/?u=|
https://a](|/../|@ | @ b.c|mailto:|)"""


@pytest.mark.parametrize("unit", UNITS.replace("\n", "").split("|"))
def test_the_work_for_hostile_texts_is_bounded(unit: str) -> None:
    """65,536 characters are read; a pattern that backtracks would not come back."""
    text = (unit * 65_536)[:65_536]
    assert shown_keys(text).keys or unit == ")"
    assert readings_of(text) or unit in ("[::1]", ")", " dot ")
