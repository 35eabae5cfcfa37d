"""The promises of the kind `dedup`: all phases together, held against comparing every pair."""

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest
from trafilatura import load_html

from optimai.core.errors import BadCampaign, ReportsHome
from optimai.core.ids import BlobId, RowId
from optimai.core.rows import row_id
from optimai.kinds import catalog
from optimai.kinds.clean_text.work import main_text
from optimai.kinds.contract import Shard
from optimai.kinds.dedup import candidates, signatures
from optimai.kinds.dedup.bands import bands_for
from optimai.kinds.dedup.groups import fates
from optimai.kinds.dedup.tasks import Checked, Group, Join, Joined, Keep, Sign, Verify
from optimai.kinds.dedup.work import work
from optimai.kinds.words import jaccard, shingles, words
from optimai.sim.proof.drive import drive, pieces_of
from optimai.sim.proof.kit import MemoryKit

SITE = Path(__file__).parent.parent / "examples" / "docs" / "site"
ARTICLES = Path(__file__).parents[2] / "shared/data/extraction/ground-truth.json"
BANDS = bands_for(800_000)


@pytest.fixture(autouse=True)
def not_tracked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the node starts a worker."""
    monkeypatch.setenv("DO_NOT_TRACK", "1")


def documentation() -> list[str]:
    return [main_text(load_html(path.read_text()))[1][:6_000] for path in sorted(SITE.glob("*.html"))[:60]]


def articles() -> list[str]:
    return [article["articleBody"] for article in json.loads(ARTICLES.read_text()).values()]


@cache
def with_near_copies(source: str) -> tuple[dict[str, object], ...]:
    """Texts, and copies of each in which some words were replaced: some exact, some near, some too far."""
    chance = random.Random(source)
    texts = documentation() if source == "documentation" else articles()
    for text in list(texts):
        words = text.split()
        for rate in (0, 0.005, 0.01, 0.02, 0.03, 0.05):
            if len(words) > 30 and chance.random() < 0.5:
                texts.append(" ".join(w if chance.random() >= rate else chance.choice(words) for w in words))
    return tuple(
        {"_row": row_id("c/text", source, str(n)), "text": text, "url": f"http://x/{n}"}
        for n, text in enumerate(texts)
    )


@cache
def alike_by_oracle(source: str) -> dict[tuple[RowId, RowId], int]:
    """Every pair of .8 or more, found by comparing all."""
    sets = {row["_row"]: shingles(words(str(row["text"])), 5) for row in with_near_copies(source)}
    alike = {}
    for one, other in combinations(sorted(sets), 2):
        sizes = sorted((len(sets[one]), len(sets[other])))
        if sizes[0] * 10 >= sizes[1] * 8 and (ppm := jaccard(sets[one], sets[other])) >= 800_000:
            alike[one, other] = ppm
    return alike


def shards_of(kit: MemoryKit, rows: Sequence[dict[str, object]], count: int) -> list[Shard]:
    return [kit.shard(rows[place::count]) for place in range(count)]


SOURCES = [
    "documentation",
    pytest.param(
        "articles",
        marks=pytest.mark.skipif(
            not ARTICLES.is_file(), reason="the shared articles (data/extraction) are not on this machine"
        ),
    ),
]


@pytest.mark.parametrize("source", SOURCES)
async def test_what_is_kept_is_what_comparing_every_pair_would_keep(source: str):
    rows = with_near_copies(source)
    kit = MemoryKit("c/unique")
    made = await drive("dedup", {}, shards_of(kit, rows, 5), kit)
    told = fates(alike_by_oracle(source))
    assert len(rows) > len(made) > len(rows) // 4
    expected = {
        row["_row"]: told[row["_row"]].duplicates if row["_row"] in told else 0
        for row in rows
        if row["_row"] not in told or told[row["_row"]].kept == row["_row"]
    }
    assert {row["_from"][0]: row["duplicates"] for row in made} == expected


@pytest.mark.parametrize("source", SOURCES)
async def test_of_the_pairs_at_the_threshold_or_above_99_in_100_become_candidates(source: str):
    """Of equal texts only one looks for others, so pairs are counted between texts."""
    rows = with_near_copies(source)
    kit = MemoryKit("c/unique")
    pieces = await pieces_of("dedup", {}, shards_of(kit, rows, 5), kit)
    found = [
        pair
        for piece, _ in pieces
        if isinstance(piece.task, Verify)
        for pair in candidates.read(kit.blobs[piece.task.pairs], piece.task.count)
    ]
    group = {row["_row"]: shingles(words(str(row["text"])), 5) for row in rows}
    true = {frozenset((group[one], group[other])) for one, other in alike_by_oracle(source)}
    true = {pair for pair in true if len(pair) == 2}
    met = {frozenset((group[pair.left], group[pair.right])) for pair in found}
    assert len(true) >= 50
    assert len(true & met) >= 0.99 * len(true)


async def test_the_shards_and_their_order_do_not_matter():
    rows = with_near_copies("documentation")[::3]
    made = []
    for count in (1, 4):
        kit = MemoryKit("c/unique")
        made.append(await drive("dedup", {}, shards_of(kit, rows, count)[::-1], kit))
    assert made[0] == made[1]


async def test_a_higher_similarity_keeps_more():
    rows = with_near_copies("documentation")[::3]
    kept = []
    for similarity in (0.5, 0.8, 1):
        kit = MemoryKit("c/unique")
        kept.append(len(await drive("dedup", {"similarity": similarity}, shards_of(kit, rows, 2), kit)))
    assert kept == sorted(set(kept))


async def test_no_rows_and_no_shards_give_no_rows():
    kit = MemoryKit()
    assert await drive("dedup", {}, [], kit) == []
    assert await drive("dedup", {}, [Shard(BlobId("empty"), 0, 0)], kit) == []


async def test_rows_without_a_text_are_duplicates_of_each_other_and_of_nothing_else():
    kit = MemoryKit("c/unique")
    texts = [None, "", " - ", "One", "Two words"]
    shard = kit.shard([{"_row": row_id("c/text", str(n)), "text": text} for n, text in enumerate(texts)])
    assert sorted(row["duplicates"] for row in await drive("dedup", {}, [shard], kit)) == [0, 0, 2]


@pytest.mark.parametrize("similarity", [0.3, 1.1, "0.8"])
def test_a_similarity_that_makes_no_sense_is_refused(similarity: object):
    with pytest.raises(BadCampaign, match="similarity"):
        catalog.options_of("unique", catalog.load("dedup"), {"similarity": similarity})


# What strangers send


async def signed(kit: MemoryKit, shard: Shard) -> BlobId:
    return (await work(Sign(shard, "text", 5, BANDS), kit)).signatures


def copies(kit: MemoryKit, step: str, count: int = 3) -> Shard:
    text = "These words stand in each of the rows, and no row has any others."
    return kit.shard([{"_row": row_id(step, str(n)), "text": text} for n in range(count)])


async def test_the_join_gives_the_same_bytes_each_time():
    kit = MemoryKit()
    shards = shards_of(kit, with_near_copies("documentation"), 3)
    task = Join(tuple(shards), tuple([await signed(kit, shard) for shard in shards]), BANDS.count)
    assert await work(task, kit) == await work(task, kit)


async def test_signatures_that_are_none_hide_their_shard_and_are_named():
    kit = MemoryKit()
    good, bad = copies(kit, "c/good"), copies(kit, "c/bad")
    joined = await work(Join((good, bad), (await signed(kit, good), kit.put(b"junk")), BANDS.count), kit)
    assert joined.unreadable == (1,)
    assert [chunk.shards for chunk in joined.chunks] == [(0,)]
    nothing = await work(Join((bad,), (kit.put(b"junk"),), BANDS.count), kit)
    assert nothing == Joined((), (0,))


async def test_signatures_of_rows_that_are_not_there_are_like_nothing():
    kit = MemoryKit()
    here, elsewhere = copies(kit, "c/here"), copies(kit, "c/elsewhere")
    forged = await signed(kit, elsewhere)
    joined = await work(Join((here, elsewhere), (forged, forged), BANDS.count), kit)
    (chunk,) = joined.chunks
    told = await work(Verify(chunk.pairs, chunk.count, (here,), "text", 5), kit)
    assert kit.blobs[told.similarities] == bytes(4 * chunk.count)


async def test_similarities_that_are_none_merge_nothing_and_are_counted():
    kit = MemoryKit()
    shard = copies(kit, "c/text")
    (chunk,) = (await work(Join((shard,), (await signed(kit, shard),), BANDS.count), kit)).chunks
    grouped = await work(Group((Checked(chunk.pairs, chunk.count, kit.put(b"junk")),), 800_000, 1), kit)
    assert (grouped.fates, grouped.unreadable) == ((None,), 1)
    kept = await work(Keep(shard, None), kit)
    assert [row["duplicates"] for row in kit.written(kept.rows)] == [0, 0, 0]


def test_signatures_of_another_number_of_rows_or_bands_are_not_read():
    (data,) = signatures.sign([(RowId("0" * 32), "a text")], 5, BANDS)
    assert signatures.read(data, 1, BANDS.count) is not None
    assert signatures.read(data, 2, BANDS.count) is None
    assert signatures.read(data, 1, BANDS.count + 1) is None
    assert signatures.read(data[:-1], 1, BANDS.count) is None


# Daft


async def test_the_engine_is_not_started_where_it_would_report_to_its_makers(monkeypatch: pytest.MonkeyPatch):
    kit = MemoryKit()
    shard = copies(kit, "c/text")
    task = Join((shard,), (await signed(kit, shard),), BANDS.count)
    monkeypatch.delenv("DO_NOT_TRACK")
    monkeypatch.delenv("SCARF_NO_ANALYTICS", raising=False)
    monkeypatch.delenv("DAFT_ANALYTICS_ENABLED", raising=False)
    with pytest.raises(ReportsHome, match="DO_NOT_TRACK"):
        await work(task, kit)


def test_a_join_looks_up_no_name_and_opens_no_connection():
    program = """
import asyncio, sys
seen = []
watched = {"socket.connect", "socket.getaddrinfo"}
sys.addaudithook(lambda event, _: seen.append(event) if event in watched else None)
from tests.test_dedup import BANDS, Join, MemoryKit, copies, signed, work
async def main():
    kit = MemoryKit()
    shard = copies(kit, "c/text")
    joined = await work(Join((shard,), (await signed(kit, shard),), BANDS.count), kit)
    assert joined.chunks[0].count == 2
asyncio.run(main())
print(seen)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={
            "DO_NOT_TRACK": "1",
            "PYTHONPATH": ":".join(map(str, [Path(__file__).parent.parent, *sys.path])),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
