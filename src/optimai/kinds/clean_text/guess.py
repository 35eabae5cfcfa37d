"""The encoding of a page of which nobody says one that fits, by how its text looks."""

import re

from charset_normalizer import from_bytes

from optimai.kinds.encoding import western

_TAG = re.compile(rb"<[^>]*>")
_GUESSED = ["cp932", "euc_jp", "gb18030", "big5", "cp949", "cp1251", "koi8-r", "cp1253", "cp1255", "cp1256"]


def guess(body: bytes) -> str:
    best = None if western(body) else from_bytes(_TAG.sub(b" ", body), cp_isolation=_GUESSED).best()
    return best.encoding if best else "cp1252"
