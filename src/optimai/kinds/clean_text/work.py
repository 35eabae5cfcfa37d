"""HTML to clean text. Equal bytes in, equal bytes out, on every machine: so the tools have versions.

A node that has others refuses this work: honest answers would differ from everybody else's and
look like lies. The list is a part of the kind's hash, and a new version of a tool a new version
of the kind.
"""

import asyncio
import re
import unicodedata
from collections import Counter
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import trafilatura
from py3langid.langid import MODEL_FILE, LanguageIdentifier, visit_counts
from trafilatura.metadata import extract_title

from optimai.core.errors import WrongVersion
from optimai.core.rows import Row
from optimai.kinds.clean_text import rules
from optimai.kinds.clean_text.guess import guess
from optimai.kinds.clean_text.spec import Dropped, Result, Task
from optimai.kinds.encoding import decode
from optimai.kinds.kit import Kit

TOOLS = {"trafilatura": "2.3.1", "lxml": "6.1.3", "charset-normalizer": "3.5.2", "py3langid": "0.4.0"}
MOST_BYTES = 2_000_000  # of a page,
MOST_ELEMENTS = 50_000  # and in it: in the worst case 250 MB and 2 s
HTML = {"text/html", "application/xhtml+xml", ""}
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

# The model of languages, and where each state of its automaton begins in the table of moves.
_languages = LanguageIdentifier.from_model_file(MODEL_FILE)
_row_starts = [row << 8 for row in _languages.tk_row]


async def work(task: Task, kit: Kit) -> Result:
    """Raises WrongVersion where a tool is not the one of TOOLS."""
    for tool, wanted in TOOLS.items():
        if version(tool) != wanted:
            raise WrongVersion(tool, version(tool), wanted)

    pages = await kit.rows(task.shard, "_row", "url", "body", "type", "encoding")
    kept: list[Row] = []
    dropped: Counter[str] = Counter()
    for number, page in enumerate(pages[task.start : task.stop], 1):
        cleaned = clean(await kit.read(page["body"]), page, task)
        if isinstance(cleaned, str):
            dropped[cleaned] += 1
        else:
            kept.append({"_row": kit.row_id(page["_row"]), "_from": [page["_row"]], **cleaned})
        kit.progress(number, task.stop - task.start)
        await asyncio.sleep(0)  # so that a pause is heard
    counts = tuple(Dropped(reason, dropped[reason]) for reason in rules.REASONS if dropped[reason])
    return Result(await kit.write_rows(kept), counts)


def clean(body: bytes, page: Row, task: Task) -> dict[str, Any] | str:
    """The columns of the row, or the reason why there is none."""
    if page["type"].partition(";")[0].strip().lower() not in HTML:
        return "not_html"
    if len(body) > MOST_BYTES:
        return "too_large"
    tree = trafilatura.load_html(decode(body, page["encoding"], guess))
    if tree is None:
        return "no_text"
    if tree.xpath("count(//*)") > MOST_ELEMENTS:
        return "too_large"
    title, text = main_text(tree)
    if not text:
        return "no_text"
    language = language_of(text)
    if task.language not in (None, language):
        return "language"
    facts = rules.facts(text, task.min_words)
    return rules.why_dropped(facts) or {
        "url": page["url"],
        "site": urlsplit(page["url"]).hostname or "",
        "title": title,
        "text": text,
        "language": language,
        "words": facts.words,
    }


def main_text(tree: Any) -> tuple[str, str]:
    """Title and main text; all text of the page where no part of it looks like the main one; "" for none.

    Of trafilatura's modes `fast` is the best by the article extraction benchmark (README).
    """
    title = extract_title(tree) or ""
    text = trafilatura.extract(tree, fast=True, include_comments=False) or trafilatura.html2txt(tree)
    return " ".join(tidy(title).split()), tidy(text)


def tidy(text: str) -> str:
    """NFC, a line feed after each paragraph but the last, and nothing that is no text."""
    lines = (_UNWRITABLE.sub("", line).strip() for line in _LINE_END.split(text))
    return unicodedata.normalize("NFC", "\n".join(line for line in lines if line))


def language_of(text: str) -> str:
    """The most likely language of the first 4,000 characters, by the model of py3langid.

    Naive Bayes over its features: the sum, over those that occur, of log(1 + count) times the
    feature's log-likelihood, plus the prior. Summed as whole numbers of 2**-32: floats would
    depend on the order in which a machine adds.
    """
    start = text[:4_000]
    data = (start.lower() if start.isupper() else start).encode()
    counts = visit_counts(_languages.tk_nextmove, _row_starts, _languages.tk_output, data) or {}
    features = np.fromiter(counts.keys(), np.int64, len(counts))
    weights = _whole(np.log1p(np.fromiter(counts.values(), np.float64, len(counts))))
    likelihoods = _whole(_languages.nb_ptc[features].astype(np.float64))
    scores = weights @ likelihoods + (_whole(_languages.nb_pc.astype(np.float64)) << 16)
    return str(_languages.nb_classes[int(scores.argmax())])


def _whole(values: Any) -> Any:
    """In units of 2**-16."""
    return np.rint(values * 65_536).astype(np.int64)
