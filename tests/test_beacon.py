"""Commitments bind, and the beacon hangs on all that was shown and on no order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimai.core.beacon import SALT, beacon, commit, root
from optimai.core.ids import NodeId

SALTS = st.binary(min_size=SALT, max_size=SALT)
PARTS = st.tuples(st.text(max_size=20), st.binary(max_size=50), SALTS, st.text(max_size=20).map(NodeId))


@given(PARTS, PARTS)
def test_a_commitment_is_to_one_item_answer_salt_and_node(one, other):
    assert (commit(*one) == commit(*other)) == (one == other)


def test_where_one_part_ends_and_the_next_begins_is_bound_too():
    salt = bytes(SALT)
    assert commit("ab", b"c", salt, NodeId("n")) != commit("a", b"bc", salt, NodeId("n"))


@given(st.lists(PARTS, max_size=8), st.randoms())
def test_the_root_hangs_on_no_order_and_on_every_commitment(parts, chance):
    commitments = [commit(*one) for one in parts]
    mixed = list(commitments)
    chance.shuffle(mixed)
    assert root(mixed) == root(commitments)
    if commitments:
        assert root(commitments[1:]) != root(commitments)


@given(st.binary(max_size=64), st.lists(SALTS, max_size=6, unique=True))
def test_who_keeps_salts_to_himself_chooses_among_two_to_their_number(signature: bytes, salts: list[bytes]):
    mine = salts[:3]
    others = salts[3:]
    shown = [[one for n, one in enumerate(mine) if which >> n & 1] for which in range(1 << len(mine))]
    assert len({beacon(signature, [*others, *some]) for some in shown}) == 1 << len(mine)
    assert beacon(signature, salts) == beacon(signature, salts[::-1])


def test_a_salt_that_could_be_guessed_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        commit("item", b"answer", b"short", NodeId("n"))
