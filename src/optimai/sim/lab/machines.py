"""Work of machines under the protocol, in virtual time: answers, audits, juries, fines, pay. Nothing else is real here.

Time goes in draws. In each, every owner who is not suspended does one task; then a share of the results is drawn to
be done again by somebody else (all of a newcomer's), and in a tenth of the audits the auditor is shown a fault that was
planted. Who finds something wrong is believed where two of a jury of three say so, too; where the owner would be
suspended for it, four of seven have to. What an owner then is and gets is `core/conduct.py`, to the letter.
"""

from collections import deque
from collections.abc import Mapping

from blake3 import blake3
from msgspec import Struct

from optimai.core import conduct
from optimai.core.chance import MILLION, Ppm, Seed
from optimai.core.conduct import State, Units
from optimai.core.money import Nano
from optimai.core.reward import work
from optimai.sim.lab.audits import Audits
from optimai.sim.lab.players import LIE, PRICE, Kept, Machines, Name, Player, Players, Result
from optimai.sim.lab.strategies import Strategy


class Outcome(Struct, frozen=True, kw_only=True):
    items: int  # that had an answer when the last draw was over,
    did: int  # and the answers, audits and votes of jurors that it took
    standing: int  # of them that still have it, now that whatever was not paid out was audited,
    wrong: int  # and of those
    answers: tuple[Kept, ...]  # of each player, since what is compared began
    audits: tuple[Kept, ...]
    suspended: tuple[int, ...]  # how often each player was


class World:
    """One run. The same seed gives the same run."""

    def __init__(
        self, rules: Machines, strategies: Mapping[int, Strategy], seed: int, since: int = 0
    ) -> None:
        """What the players have is counted from the draw `since` on."""
        self.rules = rules
        self.since = since
        self.players = Players.of(rules, strategies, Seed(blake3(seed.to_bytes(8, "big")).digest()))
        self.audits = Audits(self.players)
        self.open: deque[int] = deque()  # items whose answer fell
        self.stands: dict[int, Result] = {}
        self.items = 0
        self.done = 0

    def run(self) -> Outcome:
        everybody = self.players.all
        before = self.players.kept()
        for now in range(self.rules.draws):
            if now == self.since:
                before = self.players.kept()
            self.audits.now = now
            made = [result for one in everybody if (result := self._answer(one, now))]
            self._audit([one for one in made if self.players.chance(one.rate, "audit", one.item, now)])
            self._audit_asked()
            for one in everybody:
                for name in one.names:
                    self._release(name, now)
        items, did = len(self.stands), self.done + self.audits.done
        self._end()
        after = list(zip(self.players.kept(), before, strict=True))
        return Outcome(
            items=items,
            did=did,
            standing=len(self.stands),
            wrong=sum(one.wrong for one in self.stands.values()),
            answers=tuple(now[0].since(then[0]) for now, then in after),
            audits=tuple(now[1].since(then[1]) for now, then in after),
            suspended=tuple(one.suspended for one in everybody),
        )

    def _answer(self, player: Player, now: int) -> Result | None:
        if now >= player.next_name and player.strategy.leaves(self.players.me(player, now)):
            self._close(player.name)
            player.names.append(Name(player.number))
            player.next_name = now + -(-self.rules.away // self.rules.networks)
        name = player.name
        if name.as_auditor.state is State.SUSPENDED and now >= name.audit_back:
            name.as_auditor = conduct.begin_again(name.as_auditor)
        if name.conduct.state is State.SUSPENDED:
            if now < name.back:
                return None
            name.conduct = conduct.begin_again(name.conduct)
        item = self.open.popleft() if self.open else self.items
        self.items += item == self.items
        lies = player.strategy.lies(self.players.me(player, now), item)
        player.answering += LIE if lies else 1
        self.done += 1
        result = Result(
            item=item,
            by=name,
            wrong=self._wrong(player, lies, now),
            rate=conduct.rate(name.conduct, self.rules.terms),
            amount=work(1, PRICE, conduct.quality(name.conduct, self.rules.good)),
            at=now,
            clean_then=name.clean,
        )
        name.pending.append(result)
        self.stands[item] = result
        return result

    def _wrong(self, player: Player, lies: bool, now: int) -> bool:
        if lies:
            return not (
                player.strategy.guesses and self.players.chance(MILLION // 2, "guess", player.number, now)
            )
        return self.players.chance(self.rules.faults, "fault", player.number, now)

    def _audit(self, results: list[Result]) -> None:
        for one in results:
            if not one.audited and (held := self.audits.held(one)) is not None:
                one.audited = True
                self._judged(one, held)

    def _audit_asked(self) -> None:
        """What was not paid out yet of who was found wrong, or has left."""
        self._audit(
            [line for one in self.players.all for name in one.names for line in name.pending if line.asked]
        )

    def _judged(self, result: Result, held: bool) -> None:
        name = result.by
        was_suspended = name.conduct.state is State.SUSPENDED
        name.conduct = conduct.observe(name.conduct, Units(1, not held), self.rules.terms, task=result.item)
        name.clean += held
        if held:
            return
        result.void = True
        self.open.append(result.item)
        del self.stands[result.item]
        name.conduct = conduct.charge(name.conduct, conduct.fine(PRICE, 1, result.rate, self.rules.terms))
        for line in name.pending:
            if not line.asked:  # who looks at all of them samples nothing
                line.asked, line.rate = True, Ppm(MILLION)
        if name.conduct.state is State.SUSPENDED and not was_suspended:
            self.players.all[name.player].suspended += 1
            name.back = self.audits.now + self.rules.away
        if name.conduct.state is State.SUSPENDED:
            for line in name.pending:
                line.amount = Nano(0)

    def _close(self, name: Name) -> None:
        """He leaves: of what waits, some is audited and stands for the rest."""
        waiting = [line for line in name.pending if not (line.audited or line.void)]
        many, rate = conduct.closing(len(waiting), self.rules.terms)
        for _ in range(many):
            line = waiting.pop(self.players.below(len(waiting), "closing"))
            line.asked, line.rate = True, rate

    def _release(self, name: Name, now: int) -> None:
        while name.pending:
            line = name.pending[0]
            clear = conduct.clear(line.audited, name.clean - line.clean_then, self.rules.terms)
            if not line.void and (now < line.at + self.rules.appeal or not clear):
                return
            name.pending.popleft()
            if not line.void:
                name.conduct, split = conduct.earn(name.conduct, line.amount, PRICE, self.rules.terms)
                name.free += split.free

    def _end(self) -> None:
        """All leave: some of what was not paid out is audited first, and what fell then is done again by nobody."""
        for one in self.players.all:
            self._close(one.name)
        self._audit_asked()
        self._audit_asked()  # and all of who was found wrong
        for one in self.players.all:
            for name in one.names:
                self._release(name, self.rules.draws + self.rules.appeal)
