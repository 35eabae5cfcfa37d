"""One hash for what every wallet has earned: a Merkle tree, to the byte as OpenZeppelin's StandardMerkleTree 1.0.

A contract that knows the root pays whoever shows a leaf and its proof. A leaf is an address and an amount, (address,
uint256) in Solidity's ABI, hashed twice, so that none passes for an inner node. Leaves are sorted by hash and stand
at the end of an array in which node i has the children 2i + 1 and 2i + 2; the hash of two is that of the smaller
and then the larger, so that a proof needs no directions.

The hash is Keccak-256 and handed in: no library of the core's has it.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct

Hash = Callable[[bytes], bytes]

MOST = 1 << 256


class Tree(Struct, frozen=True):
    nodes: Sequence[bytes]  # the root first
    places: Sequence[int]  # of each leaf, in the order in which they were given


def leaf(keccak: Hash, address: bytes, amount: int) -> bytes:
    """Raises ValueError for what is no address (20 bytes) or no uint256."""
    if len(address) != 20 or not 0 <= amount < MOST:
        raise ValueError("a leaf is an address of 20 bytes and an amount below 2**256")
    return keccak(keccak(bytes(12) + address + amount.to_bytes(32)))


def grow(keccak: Hash, leaves: Sequence[bytes]) -> Tree:
    """Raises ValueError where there is no leaf."""
    if not leaves:
        raise ValueError("a tree has a leaf at least")
    size = 2 * len(leaves) - 1
    nodes = [b""] * size
    places = [0] * len(leaves)
    for place, number in enumerate(sorted(range(len(leaves)), key=leaves.__getitem__)):
        places[number] = size - 1 - place
        nodes[size - 1 - place] = leaves[number]
    for here in range(len(leaves) - 2, -1, -1):
        nodes[here] = _both(keccak, nodes[2 * here + 1], nodes[2 * here + 2])
    return Tree(nodes, places)


def proof(tree: Tree, number: int) -> list[bytes]:
    """Of the leaf that was given as `number`: what stands beside the way from it to the root."""
    here, beside = tree.places[number], []
    while here:
        beside.append(tree.nodes[here + 1 if here % 2 else here - 1])
        here = (here - 1) // 2
    return beside


def root(keccak: Hash, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """Where the proof leads from this leaf. It holds where that is the root that was published."""
    for one in proof:
        leaf = _both(keccak, leaf, one)
    return leaf


def _both(keccak: Hash, one: bytes, other: bytes) -> bytes:
    return keccak(one + other if one < other else other + one)
