from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from optimai.core import ledger
from optimai.core.clock import instant
from optimai.core.earning import MOVES, Earning, State, pend, release, void
from optimai.core.errors import WrongMove
from optimai.core.ids import AssignmentId, CampaignId, EarningId, OwnerId
from optimai.core.ledger import Account, Transfer
from optimai.core.money import Nano

LATER = instant(2026, 1, 3)
CAMPAIGN = CampaignId(1)
ESCROW, RESERVED = ledger.escrow(CAMPAIGN), ledger.reserved(CAMPAIGN)
ANN = OwnerId("ann")
PENDING, AVAILABLE = ledger.pending(ANN), ledger.available(ANN)

amounts = st.integers(1, 10**12).map(Nano)


def reserve(number: int, amount: Nano) -> Earning:
    return Earning(id=EarningId(number), assignment=AssignmentId(number), owner=ANN, amount=amount)


def moved(one: Earning, to: State) -> Earning:
    if to is State.PENDING:
        return pend(one, one.amount, LATER, "it held")
    return release(one) if to is State.AVAILABLE else void(one, "it did not hold")


@given(st.sampled_from(State), st.sampled_from([State.PENDING, State.AVAILABLE, State.VOID]))
def test_a_move_that_is_not_in_the_table_raises(here: State, to: State) -> None:
    one = replace(reserve(1, Nano(5)), state=here)
    if to in MOVES[here]:
        assert moved(one, to).state is to
    else:
        with pytest.raises(WrongMove):
            moved(one, to)


@pytest.mark.parametrize("final", [State.AVAILABLE, State.VOID])
@pytest.mark.parametrize("to", [State.PENDING, State.AVAILABLE, State.VOID])
def test_what_is_free_or_void_is_final(final: State, to: State) -> None:
    with pytest.raises(WrongMove):
        moved(replace(reserve(1, Nano(5)), state=final), to)


@given(amounts, st.integers(-10, 2 * 10**12))
def test_nobody_earns_nothing_or_more_than_was_set_aside(held: Nano, amount: int) -> None:
    one = reserve(1, held)
    if 0 < amount <= held:
        assert pend(one, Nano(amount), LATER, "it held").amount == amount
    else:
        with pytest.raises(ValueError, match="between one nano-OPI and its reserve"):
            pend(one, Nano(amount), LATER, "it held")


@given(amounts)
def test_a_void_line_has_nothing_in_it_and_says_why(amount: Nano) -> None:
    one = void(pend(reserve(1, amount), amount, LATER, "it held"), "an audit found otherwise")
    assert (one.amount, one.release_at, one.reason) == (0, None, "an audit found otherwise")
    with pytest.raises(ValueError, match="without a reason"):
        void(reserve(2, amount), "")


class Pay(RuleBasedStateMachine):
    """Lines of pay and the ledger side by side: what the lines say is what the accounts hold."""

    lines = Bundle("lines")

    def __init__(self) -> None:
        super().__init__()
        self.accounts: Counter[Account] = Counter()
        self.now: dict[EarningId, Earning] = {}
        self.free: dict[EarningId, Earning] = {}
        self.post("deposit", ledger.OUTSIDE, ledger.available(OwnerId("requester")), Nano(10**15))
        self.post("fund", ledger.available(OwnerId("requester")), ESCROW, Nano(10**15))

    def post(self, event: str, source: Account, target: Account, amount: Nano) -> None:
        self.settle([ledger.move(event, "it", source, target, amount)])

    def settle(self, transfers: list[Transfer]) -> None:
        self.accounts.update(ledger.together(transfers))

    def keep(self, one: Earning) -> EarningId:
        self.now[one.id] = one
        return one.id

    @rule(target=lines, amount=amounts)
    def offer(self, amount: Nano) -> EarningId:
        self.post("reserve", ESCROW, RESERVED, amount)
        return self.keep(reserve(len(self.now) + 1, amount))

    @rule(line=lines, share=st.fractions(0, 1))
    def judge(self, line: EarningId, share: Fraction) -> None:
        one = self.now[line]
        earned = Nano(max(1, int(one.amount * share)))
        if one.state is not State.RESERVED:
            with pytest.raises(WrongMove):
                pend(one, earned, LATER, "judged twice")
            return
        transfers = [ledger.move("earn", "it", RESERVED, PENDING, earned)]
        if earned < one.amount:
            transfers.append(ledger.move("return", "it", RESERVED, ESCROW, Nano(one.amount - earned)))
        self.settle(transfers)
        self.keep(pend(one, earned, LATER, "it held"))

    @rule(line=lines)
    def refuse(self, line: EarningId) -> None:
        one = self.now[line]
        source = {State.RESERVED: RESERVED, State.PENDING: PENDING}.get(one.state)
        if source is None:
            with pytest.raises(WrongMove):
                void(one, "too late")
            return
        self.post("return", source, ESCROW, one.amount)
        self.keep(void(one, "it did not hold"))

    @rule(line=lines)
    def appeal_over(self, line: EarningId) -> None:
        one = self.now[line]
        if one.state is not State.PENDING:
            with pytest.raises(WrongMove):
                release(one)
            return
        self.post("release", PENDING, AVAILABLE, one.amount)
        self.free[line] = release(one)
        self.keep(self.free[line])

    @invariant()
    def the_lines_in_a_state_hold_what_its_account_holds(self) -> None:
        sums: Counter[State] = Counter()
        for one in self.now.values():
            sums[one.state] += one.amount
        held = {State.RESERVED: RESERVED, State.PENDING: PENDING, State.AVAILABLE: AVAILABLE}
        assert {state: sums[state] for state in held} == {
            state: self.accounts[account] for state, account in held.items()
        }
        assert sums[State.VOID] == 0

    @invariant()
    def no_money_is_made_or_lost(self) -> None:
        assert sum(self.accounts.values()) == 0
        assert all(amount >= 0 for account, amount in self.accounts.items() if account != ledger.OUTSIDE)

    @invariant()
    def a_free_line_never_changes(self) -> None:
        assert all(self.now[line] == one for line, one in self.free.items())

    @invariant()
    def each_zero_has_a_reason(self) -> None:
        assert all(one.reason for one in self.now.values() if one.amount == 0)


TestPay = Pay.TestCase
TestPay.settings = settings(max_examples=50, stateful_step_count=25)
