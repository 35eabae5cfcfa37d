"""An epoch's public bundle: all that a stranger needs to recompute its verdicts and payouts.

Nobody needs the database or our word: signatures say who did what, the kinds' own
judges say what it was worth, the prices are those pinned at the offer, and the ledger
must add up. Who has the epoch before as well sees that this one goes on where that one
ended, and that its seed was fixed before it began.

    shown and recomputed    signatures, draws by chance, whose turn an offer was, verdicts, conduct, amounts, fines,
                            bonds, links, balances
    shown and claimed       what was pinned at an offer (price, quality, audit rate, how long the task had waited),
                            that nobody else could be had, that rows were refused unseen, what a challenge asked for
                            and what its right answer was
"""

import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import msgspec
from blake3 import blake3
from msgspec import Raw, Struct
from msgspec.structs import replace

from optimai.core import conduct, ledger
from optimai.core.assignment import Role
from optimai.core.chance import MILLION, Seed, commitment, first_seed, happens
from optimai.core.conduct import Conduct
from optimai.core.earning import UNPAID, State
from optimai.core.eligibility import may_take, threshold
from optimai.core.errors import DamagedKind, NotFound, OptimaiError
from optimai.core.ids import EnvelopeId, OwnerId, TaskId, fingerprint
from optimai.core.ledger import OUTSIDE, Account
from optimai.kinds import catalog, consequence, ruling
from optimai.kinds.catalog import Loaded
from optimai.kinds.contract import More
from optimai.kinds.lines import (
    CHUNK,
    HEAD,
    Balance,
    Ended,
    Evidence,
    Head,
    Judged,
    Kind,
    Line,
    Link,
    Node,
    Paid,
    SeedOf,
    Stands,
    Stood,
    Was,
    chunks,
    read,
    stood,
    were,
)
from optimai.kinds.ruling import Given
from optimai.wire import envelope
from optimai.wire.envelope import Envelope
from optimai.wire.exchange import EXCHANGE, Met, Signed

L = TypeVar("L")
NEW = Conduct()
PART = 500  # envelopes that one thread checks at a time
Key = tuple[OwnerId, str, Role]


class Report(Struct, frozen=True, kw_only=True):
    """What was recomputed. It is good when `wrong` is empty."""

    epoch: int = 0
    verdicts: int = 0
    results: int = 0
    proofs: int = 0  # answers to challenges
    earnings: int = 0
    transfers: int = 0
    waived: int = 0  # verdicts without an audit because nobody else could be had
    refused: int = 0  # results whose rows could not be taken: claimed, look at the blobs to see
    unpaid: int = 0  # verdicts that came when their escrow was empty
    wrong: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.wrong


def verify(head: Envelope, data: bytes, key: bytes, before: tuple[Envelope, bytes] | None = None) -> Report:
    """Recompute an epoch from its signed head and its bundle.

    `key` is the network's, which you know from its invite. `before` are head and bundle of
    the epoch before, if you have them.
    """
    top, wrong = _open(head, data, key)
    if top is None or wrong:
        return Report(wrong=tuple(wrong))
    try:
        lines = read(data)
        report = _Recount(top, lines).report()
        apart = _apart(top, lines, key, *before) if before else []
    except (NotFound, DamagedKind) as fault:
        return Report(wrong=(f"It can't be recomputed with the kinds that are here. {fault}",))
    except (OptimaiError, msgspec.DecodeError, LookupError, ValueError) as fault:
        return Report(wrong=(f"The bundle is signed, and makes no sense: {fault!r}",))
    return replace(report, wrong=(*report.wrong, *apart))


def _open(head: Envelope, data: bytes, key: bytes) -> tuple[Head | None, list[str]]:
    """A head, and what is wrong with it and its bundle's bytes."""
    try:
        envelope.verify(head, HEAD, key)
        top = msgspec.json.decode(head.payload, type=Head)
    except (OptimaiError, msgspec.DecodeError) as fault:
        return None, [f"The head is not this network's: {_what(fault)}"]
    if top.network != fingerprint(key):
        return None, [f"The head is of network {top.network}."]
    found = chunks(data)
    wrong = [
        f"Bytes {number * CHUNK:,} to {(number + 1) * CHUNK - 1:,} of the bundle were changed."
        for number, (theirs, ours) in enumerate(zip(top.chunks, found, strict=False))
        if theirs != ours
    ]
    if len(top.chunks) != len(found):
        wrong.append("The bundle is longer or shorter than its head says.")
    return top, wrong


def _what(fault: Exception) -> str:
    """Without its last sentence, which advises whoever sent it."""
    said, _, _ = str(fault).rpartition(". ")
    return f"{said}." if said else str(fault)


def _apart(top: Head, lines: list[Line], key: bytes, head: Envelope, data: bytes) -> list[str]:
    """Where an epoch does not go on as the one before it ended."""
    last, wrong = _open(head, data, key)
    if last is None or wrong:
        return [f"The epoch before: {one}" for one in wrong]
    old = read(data)
    if top.before != blake3(head.payload).hexdigest() or top.epoch != last.epoch + 1:
        wrong.append("It does not follow the epoch before.")
    if commitment(Seed(top.seed)) != last.next_seed:
        wrong.append("Its seed is not the one that was fixed before it began.")
    if top.earnings[0] != last.earnings[1] or were(old) != _of(Was, lines):
        wrong.append("Its earnings do not begin as those of the epoch before ended.")
    if stood(old) != _of(Stood, lines):
        wrong.append("The owners' conduct does not begin as it ended in the epoch before.")
    closed = {one.account: one.closed for one in _of(Balance, old) if one.closed}
    opened = {one.account: one.opened for one in _of(Balance, lines) if one.opened}
    if closed != opened:
        wrong.append("Its accounts do not begin as those of the epoch before ended.")
    return wrong


def _of(kind: type[L], lines: Iterable[Line]) -> list[L]:
    return [line for line in lines if isinstance(line, kind)]


def _conducts(lines: Iterable[Stood | Stands]) -> dict[Key, Conduct]:
    return {(line.owner, line.kind, line.role): line.conduct for line in lines}


class _Recount:
    """Goes through a bundle in the order in which things happened."""

    def __init__(self, top: Head, lines: list[Line]) -> None:
        self.top = top
        self.wrong: list[str] = []
        self.nodes = {line.id: line for line in _of(Node, lines)}
        self.seeds = {line.epoch: Seed(line.seed) for line in _of(SeedOf, lines)} | {
            top.epoch: Seed(top.seed)
        }
        self.seeds.setdefault(0, first_seed(top.network))
        self.verdicts = _of(Judged, lines)
        self.was = {line.id: line for line in _of(Was, lines)}
        self.earnings = _of(Paid, lines)
        self.unpaid = 0
        self.balances = _of(Balance, lines)
        self.links = _of(Link, lines)
        self.conducts = _conducts(_of(Stood, lines))
        self.closing = _conducts(_of(Stands, lines))
        self.ended = _of(Ended, lines)
        self.counted: dict[int, tuple[int, int]] = {}  # assignment -> checked and faults by its last verdict
        self.proofs: dict[int, TaskId] = {}  # challenge -> the task for which its answer counts
        self.signed = self._all_signed([line.envelope for line in _of(Evidence, lines)])
        for line in _of(Kind, lines):
            if catalog.load(line.name).hash != line.hash:
                self.wrong.append(f"{line.name} was judged by other rules than yours: {line.hash[:12]}.")

    def report(self) -> Report:
        freed = [
            (line.freed, line.id, line) for line in self.earnings if line.freed and self._freed_now(line)
        ]
        judged = [(one.number, 0, one) for one in self.verdicts]
        ended = [(one.number, 0, one) for one in self.ended]
        events: list[tuple[int, int, Judged | Ended | Paid]] = [*judged, *ended, *freed]
        for _, _, event in sorted(events, key=lambda one: one[:2]):
            if isinstance(event, Judged):
                self._verdict(event)
            elif isinstance(event, Ended):
                self._end(event)
            else:
                self._paid_out(event)
        if self.conducts != self.closing:
            self.wrong.append(
                "The owners' conduct does not follow from the verdicts, and from what was paid out."
            )
        self._bonds()
        self._amounts()
        self._ledger()
        return Report(
            epoch=self.top.epoch,
            verdicts=len(self.verdicts),
            results=sum(len(one.record.asked.given) for one in self.verdicts),
            proofs=len(self.proofs),
            earnings=len(self.earnings),
            transfers=sum(len(one.transfers) for one in self.links),
            waived=sum(one.record.draw.why == "nobody else" for one in self.verdicts),
            refused=sum(bool(given.refused) for one in self.verdicts for given in one.record.asked.given),
            unpaid=self.unpaid,
            wrong=tuple(self.wrong),
        )

    def _freed_now(self, line: Paid) -> bool:
        """It was not free before this epoch."""
        return line.state is State.AVAILABLE and (line.id in self.was or line.id > self.top.earnings[0])

    def _all_signed(self, some: list[Envelope]) -> dict[EnvelopeId, Signed | None]:
        """What each says, if the node that it names signed it.

        To check a signature is most of the work, and leaves Python's lock to others: it is done on all processors.
        """
        said = [self._said(one) for one in some]
        pairs = list(zip(some, said, strict=True))
        parts = [pairs[start : start + PART] for start in range(0, len(pairs), PART)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            faults = [fault for part in pool.map(self._faults, parts) for fault in part]
        self.wrong += [fault for fault in faults if fault]
        return {
            one.id: None if fault else is_said for (one, is_said), fault in zip(pairs, faults, strict=True)
        }

    def _said(self, one: Envelope) -> Signed | None:
        try:
            return msgspec.json.decode(one.payload, type=Signed)
        except msgspec.DecodeError:
            return None

    def _faults(self, some: list[tuple[Envelope, Signed | None]]) -> list[str]:
        return [self._fault(one, said) for one, said in some]

    def _fault(self, one: Envelope, said: Signed | None) -> str:
        """What is wrong with a signature, or ""."""
        if said is None or said.node not in self.nodes:
            return f"Envelope {one.id[:12]} was not signed by a node that is named."
        key = self.nodes[said.node].key
        try:
            envelope.verify(one, EXCHANGE, key)
        except OptimaiError as fault:
            return f"Envelope {one.id[:12]} was not signed by the node it names: {_what(fault)}"
        if fingerprint(key) != said.node or said.network != self.top.network:
            return f"Envelope {one.id[:12]} is of another node or network."
        return ""

    def _verdict(self, one: Judged) -> None:
        asked = one.record.asked
        kind = catalog.load(asked.kind)
        name = f"Verdict {one.number} on task {asked.task}"
        draw = one.record.draw
        drawn = draw.why == "chance"
        if drawn and draw.audit != happens(self.seeds[draw.epoch], draw.rate, "audit", asked.task):
            self.wrong.append(f"{name}: its audit was not drawn by the epoch's seed.")
        results = [
            self._nothing(name, given)
            if kind.kind.standing and not given.result
            else self._result(name, given)
            for given in asked.given
        ]
        proved = [self._proved(name, asked.task, given) for given in asked.given]
        if None in results or not all(proved):
            return
        for given in asked.given:
            if not (kind.kind.standing or self._turn(asked.task, given)):
                self.wrong.append(f"{name}: assignment {given.assignment} was not its owner's turn.")
            roles = {Role.ANSWER, given.role}
            states = {self.conducts.get((given.owner, asked.kind, role), NEW).state for role in roles}
            if given.trusted == (conduct.State.SUSPENDED in states):
                self.wrong.append(f"{name}: assignment {given.assignment} was trusted wrongly.")
        ruled = ruling.rule(kind, asked, [result for result in results if result is not None])
        if isinstance(ruled, More) or ruled != one.record.ruled:
            self.wrong.append(f"{name} comes out otherwise: {ruled.reason}.")
            return
        self._stand(one, kind)

    def _turn(self, task: TaskId, given: Given) -> bool:
        """Might he take it, when it was offered? By the seed of the epoch before; of earlier offers that is claimed."""
        protocol = self.top.protocol
        if protocol.first == MILLION or given.epoch != self.top.epoch or given.epoch - 1 not in self.seeds:
            return True
        limit = threshold(
            timedelta(milliseconds=given.waited),
            given.quality,
            first=protocol.first,
            doubling=timedelta(seconds=protocol.doubling),
        )
        return may_take(self.seeds[given.epoch - 1], task, given.owner, limit)

    def _result(self, name: str, given: Given) -> Raw | None:
        name_of, _, index = given.result.partition(".")
        signed = self.signed.get(EnvelopeId(name_of))
        if signed is None or signed.node != given.node or self.nodes[given.node].owner != given.owner:
            self.wrong.append(f"{name}: the envelope of result {given.result[:16]} is missing or another's.")
            return None
        done = signed.results[int(index)] if int(index) < len(signed.results) else None
        if done is None or done.assignment != given.assignment:
            self.wrong.append(f"{name}: result {given.result[:16]} was signed for something else.")
            return None
        return done.result

    def _nothing(self, name: str, given: Given) -> Raw | None:
        """Of a node that went away there is no result; what it had proved is its owner's all the same."""
        if self.nodes[given.node].owner != given.owner:
            self.wrong.append(f"{name}: the node of assignment {given.assignment} is another owner's.")
            return None
        return Raw(b"null")

    def _proved(self, name: str, task: TaskId, given: Given) -> bool:
        """Each answer to a challenge was signed by the node that was asked, and counts for one task, once."""
        here = set()
        for one in given.challenges:
            if one.answer is None:
                continue
            signed = self.signed.get(one.envelope) if one.envelope else None
            if signed is None or signed.node != given.node or Met(one.id, one.answer) not in signed.answers:
                self.wrong.append(f"{name}: its node did not sign the answer to challenge {one.id}.")
                return False
            if one.id in here or self.proofs.setdefault(one.id, task) != task:
                self.wrong.append(f"{name}: the answer to challenge {one.id} counts twice.")
                return False
            here.add(one.id)
        return True

    def _stand(self, one: Judged, kind: Loaded) -> None:
        """What the verdict makes of those who had a part in it."""
        asked = one.record.asked
        for given, found in zip(asked.given, one.record.ruled.found, strict=True):
            counted = (given.checked, given.faults)
            if self.counted.get(given.assignment, counted) != counted:
                self.wrong.append(f"Verdict {one.number}: what was counted of {given.assignment} is wrong.")
            self.counted[given.assignment] = (found.checked, found.faults)
            key = (given.owner, asked.kind, given.role)
            self.conducts[key] = consequence.observed(
                self.top.protocol,
                kind,
                asked.options,
                one.record.draw,
                given,
                found,
                self.conducts.get(key, NEW),
            )

    def _paid_out(self, line: Paid) -> None:
        """What became free of an earning: its owner's fines first, then his bond."""
        key = (line.owner, line.kind, line.role)
        self.conducts[key], split = consequence.paid_out(
            self.top.protocol,
            catalog.load(line.kind),
            line.role,
            line.price,
            line.amount,
            self.conducts.get(key, NEW),
        )
        if (split.fined, split.kept) != (line.fined, line.kept):
            self.wrong.append(
                f"Of earning {line.id} {split.fined} are fined and {split.kept} kept, says the rule."
            )

    def _end(self, one: Ended) -> None:
        key = (one.owner, one.kind, one.role)
        before = self.conducts.get(key, NEW)
        back = consequence.returned(self.top.protocol, catalog.load(one.kind), one.role, before)
        if (one.returned, one.lost) != (back, before.bond - back):
            self.wrong.append(f"Of {one.owner}'s bond for {one.kind} {back} come back, says the rule.")
        self.conducts.pop(key, None)

    def _bonds(self) -> None:
        kept: dict[str, int] = {}
        for (owner, _, _), stands in self.closing.items():
            kept[ledger.bond(owner)] = kept.get(ledger.bond(owner), 0) + stands.bond
        has = {one.account: one.closed for one in self.balances if one.account.startswith("bond:")}
        if {name: amount for name, amount in kept.items() if amount} != {
            name: amount for name, amount in has.items() if amount
        }:
            self.wrong.append("The accounts of bonds are not what their owners' conduct says.")

    def _amounts(self) -> None:
        """Each assignment earned what its last verdict says: units that hold times its price, if it was trusted."""
        says: dict[int, tuple[int, OwnerId]] = {}
        for one in self.verdicts:
            for given, found in zip(one.record.asked.given, one.record.ruled.found, strict=True):
                says[given.assignment] = (consequence.amount(given, found), given.owner)
        living: dict[int, Paid] = {}
        for line in self.earnings:
            if line.state is not State.VOID:
                if line.assignment in living:
                    self.wrong.append(f"Assignment {line.assignment} is paid twice.")
                living[line.assignment] = line
        for assignment, (amount, owner) in says.items():
            self._earned(assignment, amount, owner, living.get(assignment))
        for line in living.values():
            if line.assignment not in says and line.state is not State.RESERVED and not self._went_on(line):
                self.wrong.append(f"Earning {line.id} follows from no verdict.")

    def _earned(self, assignment: int, amount: int, owner: OwnerId, paid: Paid | None) -> None:
        has = paid.amount if paid else 0
        if paid and paid.owner != owner:
            self.wrong.append(f"Assignment {assignment} is {owner}'s, and {paid.owner} earned for it.")
        elif paid and paid.state is State.AVAILABLE and has != amount:
            if not self._went_on(paid):  # else it was free before the verdict changed: final
                self.wrong.append(f"Assignment {assignment} should earn {amount}, not {has}.")
        elif not paid and amount and self._empty(assignment):
            self.unpaid += 1
        elif has != amount:
            self.wrong.append(f"Assignment {assignment} should earn {amount}, not {has}.")

    def _went_on(self, line: Paid) -> bool:
        """It was pending, and is so or free; or it was free already when the epoch opened."""
        was = self.was.get(line.id)
        if was:
            return was.state is State.PENDING and was.amount == line.amount
        return line.state is State.AVAILABLE and line.id <= self.top.earnings[0]

    def _empty(self, assignment: int) -> bool:
        return any(line.assignment == assignment and line.reason == UNPAID for line in self.earnings)

    def _ledger(self) -> None:
        last = None
        change: dict[Account, int] = {}
        for link in self.links:
            if last is not None and link.before != last:
                self.wrong.append(f"The ledger's chain breaks before {link.hash[:12]}.")
            if ledger.link(link.before, link.transfers) != link.hash:
                self.wrong.append(f"The ledger's link {link.hash[:12]} is not the hash of its transfers.")
            last = link.hash
            for transfer in link.transfers:
                if not ledger.flows(transfer):
                    self.wrong.append(f"{transfer.event} of {transfer.about} moves money where it may not.")
            for account, amount in ledger.together(link.transfers).items():
                change[account] = change.get(account, 0) + amount
        if last is not None and last != self.top.link:
            self.wrong.append("The head names another last link of the ledger.")
        self._balances(change)

    def _balances(self, change: Mapping[Account, int]) -> None:
        owed: dict[str, int] = {}
        for line in self.earnings:
            if line.state is State.RESERVED:
                owed[f"reserved:{line.campaign}"] = owed.get(f"reserved:{line.campaign}", 0) + line.amount
            elif line.state is State.PENDING:
                owed[f"pending:{line.owner}"] = owed.get(f"pending:{line.owner}", 0) + line.amount
        for one in self.balances:
            follows = one.opened + change.get(one.account, 0) == one.closed
            if not follows or (one.closed < 0 and one.account != OUTSIDE):
                self.wrong.append(f"The balance of {one.account} does not follow from its transfers.")
            if one.account.startswith(("reserved:", "pending:")) and owed.get(one.account, 0) != one.closed:
                self.wrong.append(f"{one.account} is not the sum of its earnings.")
        if sum(one.closed for one in self.balances):
            self.wrong.append("The accounts do not add up to zero.")
