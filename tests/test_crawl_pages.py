"""The promises of `crawl` about URLs, links, text and likeness."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimai.core.chance import MILLION
from optimai.kinds.crawl.markup import hrefs, words
from optimai.kinds.crawl.outcome import host
from optimai.kinds.crawl.pages import MOST_LINKS, alike, decode, links, media_type
from optimai.kinds.crawl.urls import inside, normal
from optimai.kinds.crawl.visit import http_date

SITE = Path(__file__).parents[1] / "examples/docs/site"
HERE = "http://docs.example/guide/index.html"


def led(html: str, *within: str) -> list[str]:
    return links(html, HERE, within)


# URLs


@pytest.mark.parametrize(
    ("url", "is_"),
    [
        ("HTTP://Docs.Example:80/a/../b?q=1#part", "http://docs.example/b?q=1"),
        ("https://docs.example:443", "https://docs.example/"),
        ("http://docs.example:8080/", "http://docs.example:8080/"),
        ("http://bücher.example/ä b", "http://xn--bcher-kva.example/%C3%A4%20b"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("../c3ref/x.html", "http://docs.example/c3ref/x.html"),
        ("//other.example/y", "http://other.example/y"),
        ("?page=2", "http://docs.example/guide/index.html?page=2"),
        ("", "http://docs.example/guide/index.html"),
    ],
)
def test_a_page_has_one_url(url: str, is_: str):
    assert normal(url, HERE) == is_
    assert normal(is_) == is_


@pytest.mark.parametrize(
    "url",
    [
        "mailto:a@b.example",
        "javascript:void(0)",
        "ftp://docs.example/",
        "http://user:pw@docs.example/",
        "http://docs.example/" + "a" * 2000,
        "http://",
        "http://a b/",
        "\ud800",
    ],
)
def test_what_nobody_fetches_has_no_url(url: str):
    assert normal(url, HERE) is None


@given(st.text(max_size=60))
def test_a_normal_url_stays_as_it_is_and_has_a_host(text: str):
    url = normal(text, HERE)
    if url is not None:
        assert normal(url) == url
        assert host(url)
        assert "#" not in url


def test_a_scope_is_made_of_hosts_and_globs_of_hosts():
    assert inside("http://docs-1.localhost:8000/x", ["docs-*.localhost"])
    assert inside("http://docs.example/x", ["a.example", "docs.example"])
    assert not inside("http://docs.example.evil/x", ["docs.example"])
    assert not inside("http://evil/docs-1.localhost", ["docs-*.localhost"])


# Links


def test_links_are_normal_sorted_within_scope_and_told_once():
    html = """<a href="b.html">b</a> <A HREF='a.html#one'>a</A> <a href=a.html>again</a> <a name=x>no</a>
              <area href="/map.html"> <a href="http://other.example/">away</a> <a href="index.html#t">t</a>"""
    assert led(html) == [
        "http://docs.example/guide/a.html",
        "http://docs.example/guide/b.html",
        "http://docs.example/map.html",
    ]
    assert "http://other.example/" in led(html, "docs.example", "other.example")


def test_what_is_no_tag_of_the_page_is_no_link():
    html = """<!-- <a href="comment.html"> --> <script>'<a href="script.html">'</script>
              <p title='<a href="title.html">'> <textarea><a href="t.html"></textarea> <a href="real.html">"""
    assert led(html) == ["http://docs.example/guide/real.html"]


def test_a_base_moves_all_links_and_entities_are_read():
    assert led('<base href="/other/"><base href="/third/"><a href="x?a=1&amp;b=2">') == [
        "http://docs.example/other/x?a=1&b=2"
    ]


def test_of_too_many_links_the_first_in_order_are_kept():
    html = "".join(f'<a href="{n:05}">' for n in range(MOST_LINKS + 10))
    assert led(html) == [f"http://docs.example/guide/{n:05}" for n in range(MOST_LINKS)]


@pytest.mark.parametrize(
    "page",
    [
        "<div>" * 300_000,
        "<a " + "b " * 700_000,
        "".join(f"<p><b id={n}>" for n in range(100_000)),
        "<a x='y' z=\"" * 100_000,
        "<!--" * 400_000,
        "<script>" * 200_000,
        "<" * 1_500_000,
        "<a href=x " * 150_000,
        "<base href=/a>" * 100_000,
    ],
    ids=lambda page: page[:12],
)
def test_a_page_that_was_made_to_be_slow_is_not(page: str):
    """Each took minutes, or all memory, in a tree builder or with a careless pattern."""
    began = time.perf_counter()
    led(page)
    words(page)
    assert time.perf_counter() - began < 15


def test_a_real_page_gives_its_links_and_its_text():
    page = (SITE / "faq.html").read_text()
    found = links(page, "http://docs-1.localhost/faq.html", ())
    assert "http://docs-1.localhost/lang_createtable.html" in found
    text = " ".join(words(page))
    assert "How do I create an AUTOINCREMENT field?" in text
    assert "function" not in text.split("Small. Fast. Reliable.")[0]


@given(st.text(alphabet="<>/=\"'!-ahref scriptb&;", max_size=200))
def test_any_text_is_a_page(text: str):
    assert isinstance(list(hrefs(text)), list)
    assert all(normal(link) == link for link in led(text))


# Text


def test_valid_utf_8_is_believed_before_any_declaration():
    assert decode("größer".encode(), "windows-1252") == "größer"
    assert decode(b"\xef\xbb\xbfx", "") == "x"


def test_else_the_server_is_believed_and_then_the_page():
    russian = '<meta charset="windows-1251"><p>привет'
    assert decode("привет".encode("koi8-r"), "KOI8-R") == "привет"
    assert decode(russian.encode("cp1251"), "") == russian


@pytest.mark.parametrize(
    "label", ["zlib", "hex", "idna", "punycode", "unicode_escape", "rot13", "nonsense", "utf-7"]
)
def test_a_codec_that_is_no_encoding_of_the_web_is_never_asked(label: str):
    assert decode(b"caf\xe9", label) == "café"


@pytest.mark.parametrize(
    ("header", "body", "is_"),
    [
        ('Text/HTML; Charset="ISO-8859-1"', b"", ("text/html", "iso-8859-1")),
        ("text/plain", b"", ("text/plain", "")),
        ("", b"\n<!DOCTYPE html><p>", ("text/html", "")),
        ("nonsense", b"%PDF", ("", "")),
        ("image/png", b"<html>", ("image/png", "")),
    ],
)
def test_a_type_is_read_from_its_header_or_seen(header: str, body: bytes, is_: tuple[str, str]):
    assert media_type(header, body) == is_


def test_likeness_is_the_share_of_runs_of_five_words():
    text = [f"w{n}" for n in range(104)]
    assert alike(text, text) == MILLION
    assert alike(text, [*text[:50], "other", *text[51:]]) == 95 * MILLION // 105
    assert alike(text, [f"v{n}" for n in range(104)]) == 0
    assert alike(["few", "words"], ["few", "words"]) == MILLION
    assert alike(["few", "words"], ["other", "words"]) == 0
    assert alike([], []) == MILLION
    assert alike(text, []) == 0


@given(st.lists(st.sampled_from("abc"), max_size=30), st.lists(st.sampled_from("abc"), max_size=30))
def test_likeness_is_mutual(mine: list[str], theirs: list[str]):
    assert alike(mine, theirs) == alike(theirs, mine)
    assert 0 <= alike(mine, theirs) <= MILLION


@pytest.mark.parametrize(
    ("header", "is_"),
    [
        ("Wed, 28 Dec 2022 14:00:00 GMT", "2022-12-28T14:00:00Z"),
        ("Wed, 28 Dec 2022 14:00:00 +0100", "2022-12-28T13:00:00Z"),
        ("yesterday", None),
        ("", None),
        ("Fri, 31 Dec 9999 23:59:59 -2300", None),
        ("Fri, 01 Jan 1960 00:00:00 GMT", None),
    ],
)
def test_a_servers_date_is_written_as_ours(header: str, is_: str | None):
    assert http_date(header) == is_
