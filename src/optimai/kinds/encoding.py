"""The bytes of a page to text, though what it says of its encoding is often wrong.

In this order: a byte order mark; UTF-8, if the bytes are (other encodings almost never
look like it by accident); what the server says; what the page says; a guess, which is
the kind's to make. Whatever was declared is believed only if the bytes bear it out: many
servers call everything ISO 8859-1, and in text of the West the bytes above ASCII stand alone.
"""

import codecs
import re
from collections.abc import Callable

# What pages call an encoding, and the codec that browsers read it with: https://encoding.spec.whatwg.org/#names
_LABELS = {
    "utf-8": "utf-8 utf8 unicode-1-1-utf-8 x-unicode20utf8",
    "utf-16-le": "utf-16 utf-16le ucs-2 unicode",
    "utf-16-be": "utf-16be",
    "cp1252": "windows-1252 cp1252 iso-8859-1 iso8859-1 latin1 l1 us-ascii ascii",
    "cp1250": "windows-1250 cp1250",
    "cp1251": "windows-1251 cp1251",
    "cp1253": "windows-1253 cp1253",
    "cp1254": "windows-1254 cp1254 iso-8859-9 latin5",
    "cp1255": "windows-1255 cp1255",
    "cp1256": "windows-1256 cp1256",
    "cp1257": "windows-1257 cp1257",
    "cp1258": "windows-1258 cp1258",
    "cp874": "windows-874 tis-620 iso-8859-11",
    "iso8859-2": "iso-8859-2 latin2",
    "iso8859-5": "iso-8859-5",
    "iso8859-7": "iso-8859-7",
    "iso8859-8": "iso-8859-8 iso-8859-8-i",
    "iso8859-15": "iso-8859-15 latin9",
    "koi8-r": "koi8-r koi8",
    "koi8-u": "koi8-u",
    "cp932": "shift_jis shift-jis sjis x-sjis windows-31j ms_kanji",
    "euc_jp": "euc-jp x-euc-jp",
    "gb18030": "gb18030 gbk gb2312 gb_2312-80 x-gbk",
    "big5hkscs": "big5 big5-hkscs cn-big5 x-x-big5",
    "cp949": "euc-kr ks_c_5601-1987 windows-949 korean",
}
_CODECS = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

_IN_PAGE = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]{1,40})""", re.IGNORECASE)
_IN_FIRST = 1024  # bytes
_SHAPE = b"." * 128 + b"x" * 32 + b"_" + b"x" * 95  # of each byte; 0xA0 is the no-break space


def decode(body: bytes, declared: str, guess: Callable[[bytes], str]) -> str:
    """`declared` is what the server says, or ""; `guess` names a codec where nobody says one that fits.

    What can't be decoded becomes U+FFFD.
    """
    for mark, codec in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(codec, "replace")
    said = [_codec(declared), _codec(_declared_inside(body))]
    fitting = (codec for codec in ("utf-8", *said) if codec and _fits(body, codec))
    return body.decode(next(fitting, None) or guess(body), "replace")


def _codec(label: str) -> str | None:
    return _CODECS.get(label.strip().lower())


def _declared_inside(body: bytes) -> str:
    found = _IN_PAGE.search(body, 0, _IN_FIRST)
    return found[1].decode("ascii", "replace") if found else ""


def _fits(body: bytes, codec: str) -> bool:
    """Of the characters beyond ASCII one in ten may be broken: a page may be cut off or patched together."""
    if b"\0" in body or codec.startswith("utf-16"):
        return b"\0" in body and codec.startswith("utf-16")
    if codec == "cp1252":
        return western(body)
    text = body.decode(codec, "replace")
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    return text.count("\ufffd") * 10 <= beyond_ascii


def western(body: bytes) -> bool:
    """Of its runs of bytes above ASCII at least half are of one byte; no-break spaces alone say nothing.

    Counted in a picture of the page, in which no two runs share a dot: a list of them would
    take a hundred times the page that was made to have many.
    """
    shape = b"." + body.translate(_SHAPE).replace(b".", b"..") + b"."
    while b"__" in shape:
        shape = shape.replace(b"__", b"_")
    shape = shape.replace(b"._.", b"...")
    return 2 * shape.count(b".x.") >= shape.count(b".x") + shape.count(b"._")
