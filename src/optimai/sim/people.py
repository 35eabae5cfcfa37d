"""People who label, made up for demos and tests. Wherever they show, they are named as simulated.

A simulated person does not read: what a careful reader would choose is given for each
row, by the row's name. How often one chooses it, what one leans to otherwise, and how
long one takes are habits; all else follows from a seed, so the same person says the
same of the same row, in whichever order the rows come.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
from blake3 import blake3
from msgspec import Raw, Struct

from optimai.core.chance import Ppm, Seed, below, happens
from optimai.kinds.label.spec import Answers, Item, Opinion, Task
from optimai.node.hands import Declined, Line, kind_of
from optimai.wire.exchange import Offer

LEANS = Ppm(500_000)  # of the errors of a person with a leaning
ACCURACY = (Ppm(860_000), Ppm(980_000))  # of a crowd: from, to

Pause = Callable[[float], Awaitable[object]]  # for so many seconds


class Person(Struct, frozen=True, kw_only=True):
    seed: Seed
    knows: Mapping[str, str]  # name of a row -> what a careful reader would choose
    accuracy: Ppm  # on this share of those rows they do choose it
    leaning: str = ""  # a choice
    pace: float = 6.0  # seconds for a row, the median; from half to twice as long

    def choose(self, choices: Sequence[str], item: Item) -> str:
        right = self.knows.get(item.name, "")
        if right in choices and happens(self.seed, self.accuracy, "right", item.row):
            return right
        others = [choice for choice in choices if choice != right]
        if self.leaning in others and happens(self.seed, LEANS, "leans", item.row):
            return self.leaning
        return others[below(self.seed, len(others), "errs", item.row)]

    def seconds(self, item: Item) -> float:
        return float(self.pace * 2 ** (below(self.seed, 2_001, "pace", item.row) / 1_000 - 1))

    def answers(self, task: Task) -> Answers:
        return Answers(tuple(Opinion(item.row, self.choose(task.choices, item)) for item in task.items()))


def name(number: int) -> str:
    return f"simulated-person-{number}"


def crowd(
    count: int, knows: Mapping[str, str], choices: Sequence[str], seed: Seed, pace: float = 6.0
) -> list[Person]:
    """People of all kinds: careful and careless, quick and slow, some with a leaning."""
    worst, best = ACCURACY
    return [
        Person(
            seed=Seed(blake3(f"person {number}".encode(), key=seed).digest()),
            knows=knows,
            accuracy=Ppm(worst + below(seed, best - worst + 1, "accuracy", number)),
            leaning=[*choices, ""][below(seed, len(choices) + 1, "leaning", number)],
            pace=pace * (0.5 + below(seed, 1_001, "pace", number) / 1_000),
        )
        for number in range(1, count + 1)
    ]


class PersonHands:
    """A person at a page of tasks, as the hands of a node."""

    def __init__(self, person: Person, pause: Pause) -> None:
        self.person = person
        self.pause = pause

    async def do(self, offer: Offer, line: Line) -> Raw | Declined:
        if kind_of(offer) != "label":
            return Declined("A simulated person only labels.")
        task = msgspec.json.decode(offer.task, type=Task)
        items = list(task.items())
        for done, item in enumerate(items, 1):
            await self.pause(self.person.seconds(item))
            line.progress(done, len(items))
        return Raw(msgspec.json.encode(self.person.answers(task)))

    async def close(self) -> None:
        """A person keeps nothing warm."""
