"""The promises of the kind `clean.text`: what becomes of a page, why one is dropped, why all agree."""

import gzip
import subprocess
import sys
import tomllib
import unicodedata
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from py3langid import classify
from trafilatura import load_html

from optimai.core.assignment import Role
from optimai.core.errors import BadCampaign, WrongVersion
from optimai.core.ids import AssignmentId, BlobId, OwnerId
from optimai.kinds import catalog
from optimai.kinds.clean_text import rules
from optimai.kinds.clean_text.judge import agree, check
from optimai.kinds.clean_text.spec import Dropped, Options, Result, Task, plan
from optimai.kinds.clean_text.work import MOST_BYTES, TOOLS, clean, language_of, main_text, tidy
from optimai.kinds.contract import Answer, Case, Finding, News, Shard, Verdict
from optimai.sim.proof.drive import drive
from optimai.sim.proof.kit import MemoryKit

SITE = Path(__file__).parent.parent / "examples" / "docs" / "site"
ARTICLES = Path(__file__).parents[2] / "shared/data/extraction/html"
HOME = Path(catalog.__file__).parent / "clean_text"

PROSE = (
    "The watering of house plants depends on the season, the pot and the light. In winter most of them rest "
    "and need little; in summer a plant on a sunny sill may want water each day. Put a finger into the soil: "
    "if it is dry down to the first joint, water until it runs out below, and empty the saucer after a while."
)
TASK = Task(Shard(BlobId("in"), 3, 1), 0, 3, None, 20)


def html(text: str) -> bytes:
    return f"<html><head><title>Plants</title></head><body><p>{text}</p></body></html>".encode()


def cleaned(body: bytes, *, kind: str = "text/html", encoding: str = "utf-8", task: Task = TASK):
    return clean(body, {"url": "http://plants.example/a", "type": kind, "encoding": encoding}, task)


# What passes


def test_a_page_becomes_its_main_text():
    navigation = '<nav><a href="/">Home</a> <a href="/all">All our pages</a></nav>'
    page = f"<html><title>Plants</title><body>{navigation}<h1>Watering</h1><p>{PROSE}</p></body></html>"
    row = cleaned(page.encode())
    assert row == {
        "url": "http://plants.example/a",
        "site": "plants.example",
        "title": "Watering",
        "text": PROSE,
        "language": "en",
        "words": len(PROSE.split()),
    }


async def test_a_large_shard_is_cut_and_each_row_is_cleaned_once():
    kit = MemoryKit()
    pages = [
        {
            "_row": f"{n:04}",
            "url": f"http://x/{n}",
            "body": kit.put(html(PROSE)),
            "type": "text/html",
            "encoding": "",
        }
        for n in range(7)
    ]
    shard = kit.shard(pages)
    cut = [Task(shard, start, stop, None, 20) for start, stop in [(0, 3), (3, 7)]]
    rows = [row for task in cut for row in kit.written((await catalog.work("clean.text")(task, kit)).rows)]
    assert sorted(rows, key=lambda row: row["_row"]) == await drive("clean.text", {}, [shard], kit)
    assert len(rows) == 7


@given(st.lists(st.integers(1, 2_000), max_size=5))
def test_the_pieces_of_a_plan_cover_each_row_once_and_are_of_at_most_500_rows(sizes: list[int]):
    sealed = [Shard(BlobId(f"s{n}"), size, 1) for n, size in enumerate(sizes)]
    pieces = plan(Options(), b"", News(sealed=sealed)).pieces
    covered = [(p.task.shard.blob, row) for p in pieces for row in range(p.task.start, p.task.stop)]
    assert covered == [(shard.blob, row) for shard in sealed for row in range(shard.rows)]
    assert all(piece.units == piece.task.stop - piece.task.start <= 500 for piece in pieces)


# What is dropped


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("few_words", "Too short."),
        ("many_words", "A word in time saves nine. " * 20_000),
        ("short_words", "a bc d ef g hi " * 20),
        ("long_words", "SQLITE_LIMIT_LENGTH SQLITE_LIMIT_COLUMN " * 20),
        ("symbols", "Tags #one in #two of #three many #four words " * 10),
        ("few_letters", "2024 2025 1999 2001 plants 12:30 " * 10),
        (
            "cut_lines",
            "\n".join(f"Here you can read more about the plant that has the number {n} …" for n in range(9)),
        ),
        ("repeated_lines", "\n".join(["Add to basket", "A fern from the woods of Chile"] * 9)),
        ("repeated_text", "\n".join([PROSE, PROSE, "One", "Two", "Three", "Four"])),
    ],
)
def test_each_rule_drops_its_own_kind_of_text(reason: str, text: str):
    assert rules.why_dropped(rules.facts(text, 20)) == reason


@pytest.mark.parametrize(
    ("reason", "page"),
    [
        ("not_html", cleaned(b"%PDF-1.7", kind="application/pdf")),
        ("too_large", cleaned(b" " * (MOST_BYTES + 1))),
        ("no_text", cleaned(b"<html><body></body></html>")),
        ("language", cleaned(html(PROSE), task=Task(TASK.shard, 0, 3, "de", 20))),
        ("few_words", cleaned(html(PROSE), task=Task(TASK.shard, 0, 3, None, 1_000))),
    ],
)
def test_a_page_that_is_dropped_says_why(reason: str, page: object):
    assert page == reason
    assert reason in rules.REASONS


def test_a_page_of_too_many_elements_is_too_large_for_it_would_exhaust_the_node():
    assert cleaned(b"<html><body>" + b"<p>a<br>" * 30_000) == "too_large"


def test_prose_passes_all_rules_in_scripts_with_and_without_spaces():
    chinese = "北京是中华人民共和国的首都，是全国的政治中心、文化中心，也是历史悠久的城市。"
    for text in (PROSE, chinese, f"{PROSE}\n{chinese}"):
        assert rules.why_dropped(rules.facts(text, 20)) is None


async def test_a_task_counts_what_each_rule_dropped():
    kit = MemoryKit()
    bodies = [html(PROSE), html("Too short."), html("Shorter."), b"<html><body></body></html>"]
    shard = kit.shard(
        [
            {
                "_row": str(n),
                "url": "http://x/",
                "body": kit.put(body),
                "type": "text/html",
                "encoding": "utf-8",
            }
            for n, body in enumerate(bodies)
        ]
    )
    result = await catalog.work("clean.text")(Task(shard, 0, 4, None, 20), kit)
    assert result.dropped == (Dropped("no_text", 1), Dropped("few_words", 2))
    assert len(kit.written(result.rows)) == 1


def test_the_readme_explains_every_reason():
    readme = (HOME / "README.md").read_text()
    assert [reason for reason in rules.REASONS if f"| `{reason}` |" not in readme] == []


def test_a_language_that_is_no_code_is_refused_before_anything_runs():
    with pytest.raises(BadCampaign, match=r"steps\.text"):
        catalog.options_of("text", catalog.load("clean.text"), {"language": "english"})


# Equal on every machine


@given(st.text())
def test_text_is_nfc_and_can_be_written_and_tidying_it_again_changes_nothing(text: str):
    tidied = tidy(text)
    assert tidied.encode().decode() == tidied
    assert unicodedata.is_normalized("NFC", tidied)
    assert all(line == line.strip() != "" for line in tidied.split("\n")) or tidied == ""
    assert not set(tidied) & set("\r\x00\x85\u2028")
    assert tidy(tidied) == tidied


@pytest.mark.skipif(
    not ARTICLES.is_dir(), reason="the shared articles (data/extraction) are not on this machine"
)
def test_languages_are_those_of_py3langid():
    """Though they are added up as whole numbers."""
    texts = [
        main_text(load_html(gzip.decompress(path.read_bytes()).decode()))[1]
        for path in sorted(ARTICLES.glob("*"))[:30]
    ]
    texts += [
        PROSE,
        PROSE.upper(),
        "Die Katze schläft auf dem Sofa.",
        "Кошка спит на диване.",
        "猫がソファで寝ている。",
    ]
    assert [language_of(text) for text in texts] == [classify(text[:4_000])[0] for text in texts]


def test_what_was_cleaned_before_and_the_seed_of_hashing_do_not_matter():
    program = """
import sys, pathlib
from blake3 import blake3
from trafilatura import load_html
from optimai.kinds.clean_text.work import main_text
pages = sorted(pathlib.Path(sys.argv[1]).glob("*.html"))[:16]
pages = pages if sys.argv[2] == "1" else pages[::-1]
texts = {page.name: main_text(load_html(page.read_text())) for page in pages}
print(blake3(repr(sorted(texts.items())).encode()).hexdigest())
"""
    digests = {
        subprocess.run(
            [sys.executable, "-c", program, str(SITE), seed],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_the_tools_are_those_of_the_lock_and_of_an_install_without_it():
    """Else no node could do this work at all: raise TOOLS and KIND.version together with the lock."""
    assert {tool: version(tool) for tool in TOOLS} == TOOLS
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    assert {f"{tool}=={wanted}" for tool, wanted in TOOLS.items()} <= set(project["dependencies"])


async def test_a_node_with_another_version_of_a_tool_refuses_the_work(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(TOOLS, "trafilatura", "1.0")
    with pytest.raises(WrongVersion, match=r"pip install 'trafilatura==1\.0'"):
        await catalog.work("clean.text")(TASK, MemoryKit())


# How it is judged


def result(blob: str, *dropped: Dropped) -> Result:
    return Result(BlobId(blob), dropped)


def test_who_invents_text_is_refuted_by_two_others():
    answers = [
        Answer(
            assignment=AssignmentId(n),
            owner=OwnerId(str(n)),
            role=Role.AUDIT if n else Role.ANSWER,
            result=one,
        )
        for n, one in enumerate([result("invented"), result("true"), result("true")])
    ]
    verdict = agree(Case(step="c/text", options=Options(), task=TASK, units=3, answers=answers))
    assert isinstance(verdict, Verdict)
    assert verdict.believed == result("true")
    assert verdict.findings[AssignmentId(0)] == Finding(
        0, 3, 3, "2 of 3 have the same result, and it is not this one."
    )


@pytest.mark.parametrize(
    ("kept", "dropped", "why"),
    [
        (3, (), ""),
        (1, (Dropped("no_text", 2),), ""),
        (1, (Dropped("no_text", 1),), "It accounts for 2 rows of 3."),
        (2, (Dropped("boring", 1),), "There is no rule 'boring'."),
        (3, (Dropped("no_text", 0),), "A rule that drops nothing is left out."),
    ],
)
def test_a_result_that_does_not_account_for_each_row_is_refused(
    kept: int, dropped: tuple[Dropped, ...], why: str
):
    assert check(Options(), TASK, result("x", *dropped), [{"_row": str(n)} for n in range(kept)]) == why
