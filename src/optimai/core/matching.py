"""Who is offered what. A pure decision over what stands open and who asks.

Nodes that ask together are served in turn, one offer each, so that nobody takes all;
each gets the most urgent task that it can do and that its owner has not tried.
"""

from collections.abc import Callable, Mapping, Sequence, Set

from msgspec import Struct

from optimai.core.ids import CampaignId, NodeId, OwnerId, TaskId


class Asker(Struct, frozen=True):
    node: NodeId
    owner: OwnerId
    serial: int  # of the exchange in which it asks
    room: int
    kinds: frozenset[str]  # that it can do and may do,
    no_audits: frozenset[str] = frozenset()  # and those that it may do, but not audit
    network: str = ""  # that it asks from, where one try a network counts (core/address.py)


class Ready(Struct, frozen=True):
    task: TaskId
    kind: str
    places: int
    cost: int  # nano-OPI that must be set aside for one try
    purse: CampaignId  # whose escrow pays
    pinned: NodeId | None = None
    audit: bool = False  # it is an audit that it wants
    shared: bool = False  # owners of one network may try it


def match(
    askers: Sequence[Asker],
    ready: Sequence[Ready],
    tried: Mapping[TaskId, Set[str]],
    purses: Mapping[CampaignId, int],
    may: Callable[[Asker, Ready], bool] = lambda asker, one: True,
) -> list[tuple[Asker, TaskId]]:
    """Offers, in order. `ready` is in order of urgency; `purses` says what each escrow still has.

    `tried` are the owners of a task's tries, and the networks that they came from; `may` says whose turn it is. An
    owner tries a task once, and where that counts a network does; an escrow is never overdrawn, a task never gets more
    tries than it has places.
    """
    places = {one.task: one.places for one in ready}
    left = dict(purses)
    taken: dict[TaskId, set[str]] = {}
    room = [asker.room for asker in askers]
    start = [0] * len(askers)  # everything before it in `ready` is of no use to this asker,
    front = 0  # or, before this, to anybody
    offers = []
    hungry = [number for number, asker in enumerate(askers) if asker.room > 0]
    while hungry:
        still = []
        for number in hungry:
            asker = askers[number]
            while front < len(ready) and not places[ready[front].task]:
                front += 1
            for place in range(max(start[number], front), len(ready)):
                one = ready[place]
                start[number] = place + 1
                if (
                    one.kind in asker.kinds
                    and not (one.audit and one.kind in asker.no_audits)
                    and places[one.task] > 0
                    and one.pinned in (None, asker.node)
                    and left[one.purse] >= one.cost
                    and asker.owner not in tried.get(one.task, ())
                    and asker.owner not in taken.get(one.task, ())
                    and (
                        not asker.network
                        or one.shared
                        or (
                            asker.network not in tried.get(one.task, ())
                            and asker.network not in taken.get(one.task, ())
                        )
                    )
                    and may(asker, one)
                ):
                    offers.append((asker, one.task))
                    places[one.task] -= 1
                    left[one.purse] -= one.cost
                    taken.setdefault(one.task, set()).update((asker.owner, asker.network))
                    room[number] -= 1
                    if room[number]:
                        still.append(number)
                    break
        hungry = still
    return offers
