"""How a page is decoded, whatever its server and itself say of it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimai.kinds import encoding
from optimai.kinds.clean_text.guess import guess

RUSSIAN = (
    "Москва - столица России, город федерального значения и крупнейший по численности населения город страны."
)
GREEK = (
    "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας και έδρα της κυβέρνησης, με πληθυσμό πάνω από εξακόσιες χιλιάδες."
)
HEBREW = "ירושלים היא עיר הבירה של מדינת ישראל, והעיר הגדולה ביותר בה. אוכלוסייתה מונה כמיליון תושבים."
JAPANESE = (
    "東京は日本の首都であり、世界最大の都市の一つである。人口は約千四百万人で、経済の中心地となっている。"
)
CHINESE = (
    "北京是中华人民共和国的首都，是全国的政治中心和文化中心。城市人口超过两千万，历史悠久，有许多名胜古迹。"
)
KOREAN = (
    "서울특별시는 대한민국의 수도이자 최대 도시이다. 인구는 약 천만 명이며 정치와 경제와 문화의 중심지이다."
)
FRENCH = "Paris est la capitale de la France, située au cœur d'un bassin, à l'été comme à l'hiver : élégance."
SITE = Path(__file__).parent.parent / "examples" / "docs" / "site"

LEGACY = [
    (RUSSIAN, "cp1251"),
    (RUSSIAN, "koi8-r"),
    (GREEK, "cp1253"),
    (HEBREW, "cp1255"),
    (JAPANESE, "cp932"),
    (JAPANESE, "euc_jp"),
    (CHINESE, "gb18030"),
    (KOREAN, "cp949"),
    (FRENCH, "cp1252"),
]
LABELS = {
    "cp1251": "windows-1251",
    "koi8-r": "KOI8-R",
    "cp1253": "windows-1253",
    "cp1255": "windows-1255",
    "cp932": "Shift_JIS",
    "euc_jp": "euc-jp",
    "gb18030": "gb2312",
    "cp949": "ks_c_5601-1987",
    "cp1252": "iso-8859-1",
}


def page(text: str, meta: str = "") -> str:
    charset = f'<meta charset="{meta}">' if meta else ""
    return f'<html><head>{charset}<title>A page</title></head><body><p class="text">{text}</p></body></html>'


def decode(body: bytes, declared: str) -> str:
    return encoding.decode(body, declared, guess)


@pytest.mark.parametrize(("text", "codec"), LEGACY)
@pytest.mark.parametrize("declared", ["", "utf-8", "iso-8859-1", "no-such-encoding"])
def test_a_wrong_or_missing_declaration_is_seen_through(text: str, codec: str, declared: str):
    html = page(text, meta="utf-8" if declared == "utf-8" else "")
    assert decode(html.encode(codec), declared) == html


@pytest.mark.parametrize(("name", "codec"), [("spellfix1.html", "cp1252"), ("cli.html", "cp932")])
def test_the_mislabelled_pages_of_the_demo_are_read_as_they_are(name: str, codec: str):
    body = (SITE / name).read_text().encode(codec, "xmlcharrefreplace")
    assert decode(body, "utf-8") == body.decode(codec)


@pytest.mark.parametrize(("text", "codec"), LEGACY)
def test_a_true_declaration_is_followed_by_the_server_or_in_the_page(text: str, codec: str):
    html = page(text, meta=LABELS[codec])
    assert decode(html.encode(codec), LABELS[codec]) == html
    assert decode(html.encode(codec), "") == html


@given(
    st.text(min_size=3).filter(lambda text: "\0" not in text), st.sampled_from(sorted({*LABELS.values(), ""}))
)
def test_what_is_utf8_is_read_as_utf8_whatever_is_declared(text: str, declared: str):
    html = page(text)
    assert decode(html.encode(), declared) == html


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_settles_it(codec: str):
    assert decode(page(GREEK).encode(codec), "windows-1251") == page(GREEK)


def test_utf16_without_a_mark_is_read_when_it_is_declared():
    assert decode(page(GREEK).encode("utf-16-le"), "utf-16le") == page(GREEK)


def test_a_few_broken_characters_do_not_change_the_encoding():
    cut_off = page(RUSSIAN).encode()[:-50] + b"\xd0"
    assert RUSSIAN[:60] in decode(cut_off, "utf-8")


@given(st.binary(), st.text(max_size=20))
def test_any_bytes_become_text_under_any_label(body: bytes, declared: str):
    assert isinstance(decode(body, declared), str)
