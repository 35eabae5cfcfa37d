"""The rules inside `dedup`: bands, shingles, pairs, groups, phases, and the judge."""

from collections.abc import Sequence
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimai.core.assignment import Role
from optimai.core.chance import MILLION, Ppm
from optimai.core.ids import AssignmentId, BlobId, OwnerId, RowId
from optimai.kinds.contract import Accepted, Answer, Case, More, News, Piece, Shard
from optimai.kinds.dedup.bands import MOST_HASHES, RECALL, Bands, bands_for, found
from optimai.kinds.dedup.candidates import MOST_PAIRS, MOST_SHARDS, MOST_TOGETHER, Pair, chunks, pairs_of
from optimai.kinds.dedup.groups import fates
from optimai.kinds.dedup.judge import agree, check, rows
from optimai.kinds.dedup.spec import PHASES, Options, bound, plan
from optimai.kinds.dedup.tasks import (
    Chunk,
    Group,
    Grouped,
    Join,
    Joined,
    Keep,
    Kept,
    Result,
    Sign,
    Signed,
    Task,
    Verified,
    Verify,
)
from optimai.kinds.words import jaccard, shingles, words

similarities = st.integers(500_000, MILLION).map(Ppm)
row_names = st.integers(0, 30).map(lambda n: RowId(f"{n:032x}"))


# Bands


@given(similarities)
def test_bands_find_pairs_at_the_threshold_and_no_deeper_ones_would(similarity: Ppm):
    bands = bands_for(similarity)
    assert bands.count * bands.depth <= MOST_HASHES
    assert found(similarity, bands) >= RECALL
    deeper = bands.depth + 1
    assert deeper > MOST_HASHES or found(similarity, Bands(MOST_HASHES // deeper, deeper)) < RECALL
    assert bands.count == 1 or found(similarity, Bands(bands.count - 1, bands.depth)) < RECALL


@given(similarities, similarities, similarities)
def test_what_is_more_alike_is_found_more_surely(threshold: Ppm, one: Ppm, other: Ppm):
    bands = bands_for(threshold)
    assert found(min(one, other), bands) <= found(max(one, other), bands)


# Shingles


def test_case_punctuation_and_space_make_no_difference():
    assert shingles(words("The cat -- sat\non THE mat."), 5) == {"the cat sat on the", "cat sat on the mat"}
    assert shingles(words("Too short!"), 5) == {"too short"}
    assert shingles(words(" ?! "), 5) == frozenset()


def test_a_character_is_a_word_where_there_are_no_spaces():
    assert shingles(words("東京は日本"), 3) == {"東 京 は", "京 は 日", "は 日 本"}


def test_punctuation_makes_no_difference_in_any_script():
    assert words("東京は、日本の首都。\u3000「ﾄｳｷｮｳ」・１") == list("東京は日本の首都ﾄｳｷｮｳ１")
    assert words("กรุงเทพ") == list("กรุงเทพ")  # a vowel that is a mark is no punctuation


@given(st.frozensets(st.sampled_from("abcdefgh")), st.frozensets(st.sampled_from("abcdefgh")))
def test_similarity_is_what_is_shared_and_whole_only_for_equal_texts(
    one: frozenset[str], other: frozenset[str]
):
    ppm = jaccard(one, other)
    assert ppm == jaccard(other, one)
    assert (ppm == MILLION) == (one == other)
    assert (ppm == 0) == (not one & other and one != other)


# Candidates


@given(st.integers(2, 200))
def test_a_bucket_of_any_size_brings_few_pairs_and_leaves_nobody_out(size: int):
    pairs = list(pairs_of(range(size)))
    if size <= MOST_TOGETHER:
        assert pairs == list(combinations(range(size), 2))
    assert len(pairs) <= max(66, 2 * size)
    assert {row for pair in pairs for row in pair} == set(range(size))


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=600))
def test_chunks_hold_each_pair_once_and_name_few_shards(places: list[tuple[int, int]]):
    pairs = [
        Pair(RowId(str(n)), RowId("l"), RowId("r"), left, right) for n, (left, right) in enumerate(places)
    ]
    cut = list(chunks(pairs))
    assert sorted(pair.row for chunk in cut for pair in chunk) == sorted(pair.row for pair in pairs)
    for chunk in cut:
        assert 0 < len(chunk) <= MOST_PAIRS
        assert len({place for pair in chunk for place in (pair.left_in, pair.right_in)}) <= MOST_SHARDS


def test_many_pairs_of_few_shards_are_cut_by_number():
    pairs = [Pair(RowId(str(n)), RowId("l"), RowId("r"), 0, 1) for n in range(MOST_PAIRS + 1)]
    assert [len(chunk) for chunk in chunks(pairs)] == [MOST_PAIRS, 1]


# Groups


@given(st.lists(st.tuples(row_names, row_names)), st.randoms(use_true_random=False))
def test_of_each_group_the_smallest_row_is_kept_whatever_the_order_of_pairs(
    pairs: list[tuple[RowId, RowId]], chance: Random
):
    told = fates(pairs)
    groups: list[set[RowId]] = []
    for pair in pairs:
        touched = [group for group in groups if group & set(pair)]
        groups = [group for group in groups if group not in touched] + [set(pair).union(*touched)]
    assert set(told) == {row for group in groups if len(group) > 1 for row in group}
    for group in groups:
        for row in group & set(told):
            assert told[row].kept == min(group)
            assert told[row].duplicates == len(group) - 1
    shuffled = [pair[::-1] for pair in pairs]
    chance.shuffle(shuffled)
    assert fates(shuffled) == told


# Phases


def done(task: Task, *, pairs: bool = True) -> Result:
    match task:
        case Sign():
            return Signed(BlobId(f"signed {task.shard.blob}"))
        case Join():
            return Joined(
                (Chunk(BlobId("pairs"), 7, (0,)), Chunk(BlobId("more"), 5, (0,))) if pairs else (), ()
            )
        case Verify():
            return Verified(BlobId(f"similarities of {task.pairs}"))
        case Group():
            return Grouped(tuple(BlobId(f"fates {n}") for n in range(task.shards)), 0)
        case Keep():
            return Kept(BlobId(f"kept {task.shard.blob}"))


def shards(count: int) -> list[Shard]:
    return [Shard(BlobId(f"s{n}"), n + 1, 1) for n in range(count)]


def play(count: int, *, pairs: bool = True) -> list[list[Piece[Task]]]:
    """The pieces of each phase, when all goes well."""
    planned = plan(Options(), b"", News(sealed=shards(count), ended=True))
    phases = []
    while not planned.finished:
        phases.append(list(planned.pieces))
        accepted = [Accepted(piece.task, done(piece.task, pairs=pairs)) for piece in planned.pieces]
        planned = plan(Options(), planned.state, News(accepted=accepted, ended=True))
    return phases


def kinds_of(phases: Sequence[Sequence[Piece[Task]]]) -> list[tuple[str, int, int]]:
    """Name, tasks and units of each."""
    return [(type(p[0].task).__name__, len(p), sum(piece.units for piece in p)) for p in phases]


def test_phases_follow_each_other_and_each_has_its_unit():
    assert kinds_of(play(3)) == [
        ("Sign", 3, 6),
        ("Join", 1, 6),
        ("Verify", 2, 12),
        ("Group", 1, 12),
        ("Keep", 3, 6),
    ]
    assert list(PHASES) == ["sign", "join", "verify", "group", "keep"]


@given(st.integers(1, 9))
def test_an_estimate_starts_from_what_is_done_even_where_no_pair_may_be_alike(count: int):
    rows = sum(shard.rows for shard in shards(count))
    units = sum(
        piece.units * (2 if piece.audited else 1) for phase in play(count, pairs=False) for piece in phase
    )
    assert bound(Options(), rows)[0] == units


def test_where_no_pair_may_be_alike_nothing_is_verified():
    assert kinds_of(play(2, pairs=False)) == [("Sign", 2, 3), ("Join", 1, 3), ("Keep", 2, 3)]


def test_what_one_lie_would_spoil_for_all_is_always_audited_and_the_join_needs_an_engine():
    pieces = [piece for phase in play(2) for piece in phase]
    assert {type(piece.task) for piece in pieces if piece.audited} == {Join, Group}
    assert {type(piece.task) for piece in pieces if piece.needs == "engine"} == {Join}


def test_nothing_begins_before_all_input_is_there():
    waiting = plan(Options(), b"", News(sealed=shards(2)))
    assert (list(waiting.pieces), waiting.finished) == ([], False)
    begun = plan(Options(), waiting.state, News(ended=True))
    assert [piece.task.shard for piece in begun.pieces] == shards(2)


@given(st.integers(1, 5), st.randoms(use_true_random=False))
def test_in_whatever_order_results_come_repeat_and_fail_the_same_tasks_are_done(count: int, chance: Random):
    planned = plan(Options(), b"", News(sealed=shards(count), ended=True))
    opened: list[Task] = []
    believed: list[Accepted[Task, Result]] = []
    while not planned.finished:
        opened += [piece.task for piece in planned.pieces]
        chance.shuffle(opened)
        closed = [opened.pop() for _ in range(min(len(opened), chance.randint(1, 3)))]
        news = [Accepted(task, done(task) if chance.random() < 0.7 else None) for task in closed]
        repeated = [one for one in believed if chance.random() < 0.1]
        believed += [one for one in news if one.result]
        planned = plan(Options(), planned.state, News(accepted=[*news, *repeated], ended=True))
    assert not opened
    assert {one.task for one in believed} == {piece.task for phase in play(count) for piece in phase}
    assert len(believed) == len({one.task for one in believed})


# Judge

SHARD = Shard(BlobId("s"), 3, 1)
TASKS: list[Task] = [
    Sign(SHARD, "text", 5, Bands(18, 6)),
    Join((SHARD,), (BlobId("x"),), 18),
    Verify(BlobId("p"), 7, (SHARD,), "text", 5),
    Group((), 800_000, 2),
    Keep(SHARD, None),
]
THREE = [{"_row": str(n)} for n in range(3)]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("other", TASKS)
def test_a_result_of_another_phase_is_refused(task: Task, other: Task):
    refused = check(Options(), task, done(other), THREE)
    assert ("can't be answered" in refused) == (type(task) is not type(other))


@pytest.mark.parametrize(
    ("task", "result", "why"),
    [
        (TASKS[1], Joined((Chunk(BlobId("p"), MOST_PAIRS + 1, (0,)),), ()), "A chunk has 1 to"),
        (TASKS[1], Joined((Chunk(BlobId("p"), 0, (0,)),), ()), "A chunk has 1 to"),
        (TASKS[1], Joined((Chunk(BlobId("p"), 1, ()),), ()), "A chunk has 1 to"),
        (TASKS[1], Joined((Chunk(BlobId("p"), 1, (1,)),), ()), "A chunk names a shard"),
        (TASKS[3], Grouped((None,), 0), "It tells the fates of 1 shards of 2."),
        (TASKS[4], Kept(BlobId("k")), "All 3 rows are unique, and it keeps 1."),
    ],
)
def test_a_result_that_the_next_phase_could_not_work_with_is_refused(task: Task, result: Result, why: str):
    assert check(Options(), task, result, THREE[:1]).startswith(why)


def test_only_rows_that_are_kept_are_published():
    assert [rows("c/unique", task, done(task)) for task in TASKS] == [None, None, None, None, "kept s"]


def test_two_owners_with_different_results_of_a_phase_ask_a_third():
    answers = [
        Answer(
            assignment=AssignmentId(n), owner=OwnerId(str(n)), role=Role.ANSWER, result=Signed(BlobId(str(n)))
        )
        for n in range(2)
    ]
    outcome = agree(Case(step="c/u", options=Options(), task=TASKS[0], units=3, answers=answers))
    assert outcome == More(1, "the owners do not agree")
