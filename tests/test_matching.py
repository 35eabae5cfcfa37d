"""Who is offered what: fair, urgent first, and never more than there is."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from optimai.core.ids import CampaignId, NodeId, OwnerId, TaskId
from optimai.core.matching import Asker, Ready, match

KINDS = ("crawl", "label")


def asker(number: int, room: int = 1, owner: str = "", kinds: tuple[str, ...] = KINDS) -> Asker:
    name = f"node {number}"
    return Asker(NodeId(name), OwnerId(owner or f"owner {number}"), number, room, frozenset(kinds))


def ready(
    number: int, places: int = 1, cost: int = 1, kind: str = "crawl", pinned: str | None = None
) -> Ready:
    return Ready(TaskId(number), kind, places, cost, CampaignId(1), NodeId(pinned) if pinned else None)


owners = st.sampled_from([OwnerId(name) for name in "abcd"])
askers = st.lists(
    st.builds(
        Asker,
        node=st.integers(0, 99).map(lambda number: NodeId(str(number))),
        owner=owners,
        serial=st.just(1),
        room=st.integers(0, 4),
        kinds=st.frozensets(st.sampled_from(KINDS)),
        network=st.sampled_from(["", "x/24", "y/24"]),
    ),
    max_size=6,
    unique_by=lambda one: one.node,
)
tasks = st.lists(
    st.builds(
        Ready,
        task=st.integers(0, 99).map(TaskId),
        kind=st.sampled_from(KINDS),
        places=st.integers(0, 3),
        cost=st.integers(0, 5),
        purse=st.integers(0, 2).map(CampaignId),
        pinned=st.none() | st.integers(0, 99).map(lambda number: NodeId(str(number))),
        shared=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda one: one.task,
)
tried = st.dictionaries(
    st.integers(0, 99).map(TaskId), st.frozensets(owners | st.sampled_from(["x/24", "y/24"])), max_size=8
)
purses = st.tuples(*[st.integers(0, 12)] * 3).map(
    lambda some: {CampaignId(n): left for n, left in enumerate(some)}
)


@given(askers, tasks, tried, purses)
def test_no_offer_breaks_a_promise(asking, standing_open, before, left):
    """Of room, kind, pin, places, escrow, one try an owner, and one a network where that counts."""
    offers = match(asking, standing_open, before, left)
    by_task = {one.task: one for one in standing_open}
    assert all(count <= who.room for who, count in Counter(who for who, _ in offers).items())
    assert all(by_task[task].kind in who.kinds for who, task in offers)
    assert all(by_task[task].pinned in (None, who.node) for who, task in offers)
    assert all(count <= by_task[task].places for task, count in Counter(task for _, task in offers).items())
    assert all(who.owner not in before.get(task, ()) for who, task in offers)
    assert max(Counter((who.owner, task) for who, task in offers).values(), default=1) == 1
    apart = [(who, task) for who, task in offers if who.network and not by_task[task].shared]
    assert all(who.network not in before.get(task, ()) for who, task in apart)
    assert max(Counter((who.network, task) for who, task in apart).values(), default=1) == 1
    for purse in left:
        assert sum(by_task[task].cost for _, task in offers if by_task[task].purse == purse) <= left[purse]


@given(askers, tasks, tried, purses)
def test_nobody_is_left_without_what_he_could_have_had(asking, standing_open, before, left):
    offers = match(asking, standing_open, before, left)
    taken = Counter(task for _, task in offers)
    spent = Counter()
    for one in standing_open:
        spent[one.purse] += one.cost * taken[one.task]
    for who in asking:
        if sum(one is who for one, _ in offers) == who.room:
            continue
        for one in standing_open:
            could = (
                one.kind in who.kinds
                and one.pinned in (None, who.node)
                and taken[one.task] < one.places
                and who.owner not in before.get(one.task, ())
                and (who.owner, one.task) not in {(other.owner, task) for other, task in offers}
                and left[one.purse] - spent[one.purse] >= one.cost
                and (
                    one.shared
                    or not who.network
                    or (
                        who.network not in before.get(one.task, ())
                        and (who.network, one.task) not in {(other.network, task) for other, task in offers}
                    )
                )
            )
            assert not could


@given(askers, tasks, tried, purses)
def test_the_same_question_has_the_same_answer(asking, standing_open, before, left):
    assert match(asking, standing_open, before, left) == match(asking, standing_open, before, dict(left))


def test_the_most_urgent_task_goes_first():
    assert match([asker(1)], [ready(7), ready(3)], {}, {CampaignId(1): 9}) == [(asker(1), 7)]


def test_who_asks_together_is_served_in_turn():
    offers = match([asker(1, room=3), asker(2, room=3)], [ready(n) for n in range(4)], {}, {CampaignId(1): 9})
    assert [(who.node, task) for who, task in offers] == [
        ("node 1", 0),
        ("node 2", 1),
        ("node 1", 2),
        ("node 2", 3),
    ]


def test_two_nodes_of_one_owner_do_not_share_a_task():
    offers = match(
        [asker(1, owner="ann"), asker(2, owner="ann"), asker(3)], [ready(1, places=3)], {}, {CampaignId(1): 9}
    )
    assert [who.node for who, _ in offers] == ["node 1", "node 3"]


def test_what_escrow_cannot_pay_is_passed_over_for_what_it_can():
    offers = match([asker(1, room=2)], [ready(1, cost=8), ready(2, cost=3)], {}, {CampaignId(1): 5})
    assert [task for _, task in offers] == [2]
