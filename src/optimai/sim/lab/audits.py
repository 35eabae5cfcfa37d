"""Audits, planted faults and juries: what others say of a result, and what becomes of them for it."""

from optimai.core import conduct
from optimai.core.chance import MILLION, Ppm
from optimai.core.conduct import State, Units
from optimai.core.reward import work
from optimai.sim.lab.players import LIE, PRICE, Player, Players, Result
from optimai.sim.lab.strategies import Audit

EACH = Ppm(MILLION)  # false accusations are all found


class Audits:
    def __init__(self, players: Players) -> None:
        self.players = players
        self.rules = players.rules
        self.now = 0
        self.done = 0  # audits of all kinds

    def held(self, result: Result) -> bool | None:
        """Whether it does, by what others say. None where nobody is there to say it."""
        owner = self.players.all[result.by.player]
        auditor = self._auditor(owner)
        if auditor is None:
            return None
        if not self._says_wrong(auditor, owner, result.wrong):
            self._judged(auditor, held=True)
            return True
        guilty = self._jury(self.rules.jury, owner, auditor, result.wrong)
        if guilty is None:
            return None
        if guilty and self._would_suspend(result):
            guilty = self._jury(self.rules.large, owner, auditor, result.wrong)
        self._judged(auditor, held=bool(guilty))
        return not guilty

    def _auditor(self, owner: Player) -> Player | None:
        """Some are shown a fault that was planted first, under the name of the same owner."""
        for auditor in self.players.others([owner], 1):
            rate = conduct.rate(auditor.name.as_auditor, self.rules.auditing)
            if not self.players.chance(rate, "planted", self.players.next()):
                return auditor
            self._judged(auditor, held=self._says_wrong(auditor, owner, wrong=True), rate=rate)
            return next(iter(self.players.others([owner, auditor], 1)), None)
        return None

    def _says_wrong(self, who: Player, whose: Player, wrong: bool) -> bool:
        self.done += 1
        how = Audit(who.strategy.audit(self.players.me(who, self.now), whose.number))
        who.auditing += 1 if how is Audit.LOOK else LIE
        if how is Audit.LOOK:
            return wrong != self.players.chance(self.rules.faults, "look", self.players.next())
        return how is Audit.FALLS

    def _jury(self, size: int, owner: Player, auditor: Player, wrong: bool) -> bool | None:
        """Whether more than half of it says that it is wrong; who says what most say is paid. None of nobody."""
        said = [
            (juror, self._says_wrong(juror, owner, wrong))
            for juror in self.players.others([owner, auditor], size)
        ]
        if not said:
            return None
        guilty = 2 * sum(one for _, one in said) > len(said)
        for juror, one in said:
            if one == guilty:
                self._pay(juror)
        return guilty

    def _would_suspend(self, result: Result) -> bool:
        his = result.by.conduct
        after = conduct.observe(his, Units(1, 1), self.rules.terms)
        return State.SUSPENDED is after.state is not his.state

    def _judged(self, auditor: Player, *, held: bool, rate: Ppm = EACH) -> None:
        """Paid, or fined; `rate` is the chance with which a fault like this is found."""
        name, terms = auditor.name, self.rules.auditing
        name.as_auditor = conduct.observe(name.as_auditor, Units(1, not held), terms)
        if held:
            self._pay(auditor)
        else:
            name.as_auditor = conduct.charge(name.as_auditor, conduct.fine(PRICE, 1, rate, terms))
            if name.as_auditor.state is State.SUSPENDED:
                auditor.suspended += 1
                name.audit_back = self.now + self.rules.away

    def _pay(self, auditor: Player) -> None:
        name = auditor.name
        amount = work(1, PRICE, conduct.quality(name.as_auditor, self.rules.good))
        if amount:
            name.as_auditor, split = conduct.earn(name.as_auditor, amount, PRICE, self.rules.auditing)
            name.audit_free += split.free
