"""The tree of balances is OpenZeppelin's to the byte, and a proof holds for its leaf alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from Crypto.Hash import keccak as library
from hypothesis import given
from hypothesis import strategies as st

from optimai.core.merkle import MOST, grow, leaf, proof, root

# Made by StandardMerkleTree.of(leaves, ["address", "uint256"]) of @openzeppelin/merkle-tree 1.0.8.
THEIRS = json.loads((Path(__file__).parent / "vectors" / "openzeppelin.json").read_text())

BALANCES = st.lists(
    st.tuples(st.binary(min_size=20, max_size=20), st.integers(0, MOST - 1)),
    min_size=1,
    max_size=40,
    unique=True,
)


def keccak(data: bytes) -> bytes:
    return library.new(data=data, digest_bits=256).digest()


def read(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


@pytest.mark.parametrize("case", THEIRS, ids=lambda case: f"{len(case['leaves'])} leaves")
def test_root_and_proofs_are_those_of_openzeppelin(case: dict[str, Any]):
    leaves = [leaf(keccak, read(address), int(amount)) for address, amount in case["leaves"]]
    tree = grow(keccak, leaves)
    assert tree.nodes[0] == read(case["root"])
    assert [proof(tree, number) for number in range(len(leaves))] == [
        [read(one) for one in its] for its in case["proofs"]
    ]


@given(BALANCES)
def test_each_leaf_is_proved_and_no_other(balances: list[tuple[bytes, int]]):
    leaves = [leaf(keccak, *one) for one in balances]
    tree = grow(keccak, leaves)
    for number, one in enumerate(leaves):
        its = proof(tree, number)
        assert len(its) <= len(leaves).bit_length()
        assert root(keccak, one, its) == tree.nodes[0]
        assert root(keccak, leaf(keccak, balances[number][0], balances[number][1] ^ 1), its) != tree.nodes[0]


@given(BALANCES, st.randoms())
def test_the_order_in_which_balances_come_changes_no_root(balances: list[tuple[bytes, int]], chance: Any):
    leaves = [leaf(keccak, *one) for one in balances]
    mixed = list(leaves)
    chance.shuffle(mixed)
    assert grow(keccak, leaves).nodes[0] == grow(keccak, mixed).nodes[0]


@pytest.mark.parametrize(("address", "amount"), [(bytes(19), 0), (bytes(20), -1), (bytes(20), MOST)])
def test_what_solidity_could_not_hold_is_refused(address: bytes, amount: int):
    with pytest.raises(ValueError, match="20 bytes"):
        leaf(keccak, address, amount)


def test_a_tree_without_a_leaf_is_refused():
    with pytest.raises(ValueError, match="at least"):
        grow(keccak, [])
