"""The tree of balances: how long a million accounts take, and a proof; beside OpenZeppelin's own in JavaScript.

Both build the same tree over 100,000 accounts, and the roots have to be equal; then ours over a million. The peer is
installed by npm into out/.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from time import perf_counter

from Crypto.Hash import keccak as library

from optimai.core.merkle import Tree, grow, leaf, proof, root

PEER = "@openzeppelin/merkle-tree@1.0.8"
ROOT = Path(__file__).parents[2]
HOME = ROOT / "out" / "openzeppelin"
FEW = 100_000
PROOFS = 2_000
GOAL, GOAL_PROOF = 20.0, 2.0  # seconds for a million accounts, milliseconds for a proof


def keccak(data: bytes) -> bytes:
    return library.new(data=data, digest_bits=256).digest()


def build(accounts: int) -> tuple[list[bytes], Tree, float]:
    began = perf_counter()
    leaves = [leaf(keccak, (n + 1).to_bytes(20), n * 10**12) for n in range(accounts)]
    tree = grow(keccak, leaves)
    return leaves, tree, perf_counter() - began


def theirs() -> tuple[str, float]:
    if not (HOME / "node_modules").exists():
        HOME.mkdir(parents=True, exist_ok=True)
        install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(HOME), PEER]
        subprocess.run(install, check=True)
    run = ["node", str(Path(__file__).with_name("peer.js")), str(FEW)]
    path = {"NODE_PATH": str(HOME / "node_modules"), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    found = json.loads(subprocess.run(run, env=path, check=True, capture_output=True).stdout)
    return found["root"], found["seconds"]


def main() -> None:
    words = argparse.ArgumentParser(prog="make bench NAME=merkle")
    words.add_argument("--accounts", type=int, default=1_000_000)
    asked = words.parse_args()

    ours, peers = [], []
    for _ in range(3):
        _, tree, took = build(FEW)
        said, seconds = theirs()
        if said != "0x" + tree.nodes[0].hex():
            sys.exit(f"the roots differ: {said} and {tree.nodes[0].hex()}")
        ours.append(took)
        peers.append(seconds)
    leaves, tree, whole = build(asked.accounts)
    took = []
    for number in range(0, asked.accounts, max(1, asked.accounts // PROOFS)):
        began = perf_counter()
        its = proof(tree, number)
        if root(keccak, leaves[number], its) != tree.nodes[0]:
            sys.exit(f"the proof of account {number} does not hold")
        took.append(1_000 * (perf_counter() - began))
    proved = statistics.median(took)

    few, peer = statistics.median(ours), statistics.median(peers)
    print(f"{'':12}{'accounts':>10}{'s':>8}{'us an account':>15}")
    for name, accounts, seconds in (
        ("ours", FEW, few),
        ("openzeppelin", FEW, peer),
        ("ours", asked.accounts, whole),
    ):
        print(f"{name:12}{accounts:10,}{seconds:8.2f}{1e6 * seconds / accounts:15.1f}")
    print(f"a proof of {len(its)} hashes, made and checked: {proved:.2f} ms")
    figures = {
        "accounts": asked.accounts,
        "seconds": round(whole, 2),
        "proof_ms": round(proved, 3),
        "goal_proof_ms": GOAL_PROOF,
    }
    said = {
        "bench": "merkle",
        "figures": figures,
        "peer": {"openzeppelin_s_at_100k": round(peer, 2), "ours_s_at_100k": round(few, 2)},
        "ratio": round(peer / few, 1),
        "goal": GOAL,
        "met": whole * 1_000_000 / asked.accounts <= GOAL and proved <= GOAL_PROOF,
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
