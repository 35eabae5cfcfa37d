// OpenZeppelin's own tree over N balances: one JSON object with its root and the seconds it took.
const { StandardMerkleTree } = require("@openzeppelin/merkle-tree");
const count = Number(process.argv[2]);
const leaves = [];
for (let n = 0; n < count; n++) {
  leaves.push(["0x" + (n + 1).toString(16).padStart(40, "0"), (BigInt(n) * 10n ** 12n).toString()]);
}
const began = process.hrtime.bigint();
const tree = StandardMerkleTree.of(leaves, ["address", "uint256"]);
console.log(JSON.stringify({ root: tree.root, seconds: Number(process.hrtime.bigint() - began) / 1e9 }));
