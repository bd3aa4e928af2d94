"""`host` and `domain` against addresses that are written to be read in two ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invariants.cel import addresses
from invariants.cel.named_addresses import urls
from invariants.values.value import Failure

HOSTS = [
    ("https://Example.COM/path", "example.com"),
    ("http://example.com.", "example.com"),
    ("http://example.com.:80/", "example.com"),
    ("http://example.com:/", "example.com"),
    ("http://user:pw@example.com:8080/x", "example.com"),
    ("http://good.example@evil.example/", "evil.example"),
    ("http://good.example:80@evil.example:90", "evil.example"),
    ("http://evil.example#@good.example/", "evil.example"),
    ("http://evil.example?@good.example/", "evil.example"),
    ("http://evil.example/@good.example/", "evil.example"),
    ("http://evil.example?x=http://good.example", "evil.example"),
    ("ftp+x.y-z://a_b.c", "a_b.c"),
    ("HTTP://A", "a"),
    ("http://192.0.2.1/", "192.0.2.1"),
    ("http://xn--bcher-kva.example", "xn--bcher-kva.example"),
    ("http://[2001:DB8::1]:443/", "[2001:db8::1]"),
    ("http://u@[2001:db8:0:0:0:0:0:1]", "[2001:db8::1]"),
    ("http://[::ffff:127.0.0.1]/", "127.0.0.1"),
    ("http://[0:0::FFFF:7f00:1]:80/", "127.0.0.1"),
    ("http://[64:ff9b::7f00:1]/", "[64:ff9b::7f00:1]"),
    ("http://1a.example", "1a.example"),
    ("http://a.b1", "a.b1"),
    ("javascript://good.example/%0aalert(1)", "good.example"),
]

NO_HOSTS = [
    "",
    "example.com",
    "//example.com",
    "http:example.com",
    "http:/example.com",
    "http:///example.com",
    "http:////example.com",
    "http://",
    "http:///",
    "http://?x",
    "http://#x",
    "http://@/",
    "http://:80/",
    "http://.",
    "http://.example.com",
    "http://a..b",
    "http://example.com..",
    "http://a@b@example.com/",
    "http://good.example\\@evil.example/",
    "http://evil.example\\.good.example/",
    "http:\\\\evil.example",
    "http://good.example\\",
    "http://good.example/path\\",
    " http://good.example",
    "http://good.example ",
    "http://good .example",
    "http://good.example\t.evil.example",
    "ht\ntp://good.example",
    "http://good.example\n",
    "http://good.example\r\nHost: evil",
    "http://good.example\0.evil.example",
    "http://good.example\x7f",
    "http://good。example",
    "http://ｇood.example",
    "http://bücher.example",
    "http://good.example/ü",
    "http://ｅvil.example",
    "http://%65vil.example",
    "http://evil%2eexample",
    "http://a:b:c/",
    "http://a:8x/",
    "http://a:-1/",
    "http://[::1",
    "http://[::1]x",
    "http://[::1]:x",
    "http://[::1].example",
    "http://[::1%25eth0]/",
    "http://[good.example]/",
    "http://[]/",
    "http://::1/",
    "http://2130706433/",
    "http://127.1/",
    "http://0x7f.0.0.1/",
    "http://0x7f000001",
    "http://0177.0.0.1/",
    "http://127.0.0.01/",
    "http://256.0.0.1/",
    "http://1.2.3.4.5/",
    "http://a.0x",
    "http://a,b/",
    "http://a;b/",
    "http://<a>/",
    "http://{a}/",
    "http://a'b/",
    "1http://a",
    "://a",
    "jar:http://a!/",
    "ht_tp://a",
    "http://good.example\ud800",
]


@pytest.mark.parametrize(("url", "host"), HOSTS)
def test_host(url: str, host: str) -> None:
    """The host is the one that every client would connect to."""
    assert addresses.host(url) == host


@pytest.mark.parametrize("url", NO_HOSTS)
def test_no_host(url: str) -> None:
    """Where two readers could see two hosts, or none, there is no host."""
    with pytest.raises(Failure):
        addresses.host(url)


URL_TEXT = st.text(alphabet="ah.:/@?#[]\\%0x1 -_é\t", max_size=12)


@given(URL_TEXT, URL_TEXT)
def test_the_short_way_to_a_host_is_the_long_way(authority: str, rest: str) -> None:
    """The pattern for common URLs answers only as the exact reading would."""
    for url in (f"h://{authority}", f"h://{authority}/{rest}", f"{authority}//{rest}"):
        try:
            exact: str | None = addresses._host(url)
        except Failure:
            exact = None
        try:
            assert addresses.host(url) == exact
        except Failure:
            assert exact is None


PLACES = (
    "[::ffff:203.0.113.9]",
    "[::FFFF:CB00:7109]",
    "[::cb00:7109]",
    "203.0.113.9",
    "A.b.",
    "0x7f.1",
)


@given(st.sampled_from(PLACES) | URL_TEXT, st.sampled_from(("", ":80", ":81", "/x", "?y")))
def test_the_host_is_that_of_the_normal_form(place: str, rest: str) -> None:
    """A list of hosts means the same beside `host(x)` and beside `urls(x)`."""
    url = f"http://{place}{rest}"
    try:
        host, normal = addresses.host(url), urls(url)
    except Failure:
        return
    assert [addresses.host(one) for one in normal] == [host]
    assert normal[0].removeprefix("http://").startswith(host)


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("a@Example.COM", "example.com"),
        ("a.b+c@example.com.", "example.com"),
        ("a@xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a@192.0.2.1", "192.0.2.1"),
        ("a@", None),
        ("@example.com", None),
        ("example.com", None),
        ("", None),
        ("a@b@c.example", None),
        ('"a@good.example"@evil.example', None),
        ("A <a@evil.example>", None),
        ("<a@evil.example>", None),
        ("a@good.example,b@evil.example", None),
        ("a@good.example;b@evil.example", None),
        ("mailto:a@evil.example", None),
        ("a%evil.example@good.example", None),
        ("evil.example!a@good.example", None),
        ("a@good.example\n", None),
        ("a@good.example ", None),
        ("a @good.example", None),
        ("a\0@good.example", None),
        ("a@[192.0.2.1]", None),
        ("a@a..b", None),
        ("a@bücher.example", None),
        ("ä@good.example", None),
        ("a@good.example(evil.example)", None),
    ],
)
def test_domain(address: str, domain: str | None) -> None:
    """The domain of one plain address, and nothing of what looks like several."""
    if domain is not None:
        assert addresses.domain(address) == domain
        return
    with pytest.raises(Failure):
        addresses.domain(address)
