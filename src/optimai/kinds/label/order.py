"""Which rows are asked about, and in which order: known rows among the others, where nobody can tell them.

A known row is asked once, as every other: an owner who met a row again would know what
it is for. So known rows are few, and they stand where they tell most. Tasks are pulled
in their order, hence the first ones are dense in known rows, two in five, until there
were as many as an owner's probation is long. The rest come one in twenty, as long as
they last: who comes late meets only these.

Sample, order and place are draws whose seed is made of the known answers, which no
worker has: a row out of line can't be told from the rest. The same known answers give
the same sample, and rows that are added later only push out others.
"""

from collections.abc import Mapping, Sequence

from blake3 import blake3
from msgspec import Struct, json

from optimai.core.chance import Seed, draw
from optimai.core.conduct import OPINIONS
from optimai.core.ids import BlobId, RowId

DENSE = (2, 3)  # known rows and others in a window,
SPARSE = (1, 19)  # and in a later one


class Line(Struct, frozen=True):
    row: RowId
    name: str
    blob: BlobId  # the shard it stands in


def arrange(lines: Sequence[Line], known: Mapping[str, str], sample: int | None) -> list[Line]:
    """`known` are the answers by the name of their row; `sample`: so many of the others, None for all."""
    seed = Seed(blake3(json.encode(sorted(known.items()))).digest())

    def turn(line: Line) -> int:
        return draw(seed, "turn", line.row)

    def place(line: Line) -> int:
        return draw(seed, "place", line.row)

    tests = sorted((line for line in lines if line.name in known), key=turn)
    others = sorted((line for line in lines if line.name not in known), key=turn)[:sample]
    arranged: list[Line] = []
    while tests or others:
        few, many = DENSE if len(arranged) * DENSE[0] < OPINIONS.probation * sum(DENSE) else SPARSE
        arranged += sorted(tests[:few] + others[:many], key=place)
        tests, others = tests[few:], others[many:]
    return arranged
