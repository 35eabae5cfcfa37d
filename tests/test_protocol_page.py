"""What docs/protocol.md says in figures is what the rules say."""

from pathlib import Path

from optimai.core import conduct, reputation
from optimai.core.assignment import Role
from optimai.core.chance import MILLION, Ppm
from optimai.core.conduct import TERMS, Conduct, Units
from optimai.core.money import Nano, parse_opi
from optimai.core.protocol import OPEN, PRIVATE
from optimai.core.reward import work
from optimai.kinds import catalog

PAGE = (Path(__file__).parent.parent / "docs" / "protocol.md").read_text()


def after(clean: int, fell: int) -> Conduct:
    one = Conduct()
    terms = conduct.Terms(faults=1_000)
    for task in range(clean + fell):
        one = conduct.observe(one, Units(1, task >= clean), terms, task=task)
    return one


def said(*figures: str) -> None:
    words = " ".join(PAGE.split())
    for figure in figures:
        assert figure in words


def test_the_worked_example_comes_out_as_the_page_says():
    good = Ppm(750_000)
    well = after(60, 2)
    person = conduct.observe(Conduct(), Units(25, 9), OPEN.opinions, chance=Ppm(MILLION // 4))
    assert {well.state, person.state} == {conduct.State.STANDING}
    bound = reputation.bound(well.reputation)
    said(f"`held` {well.reputation.held / MILLION:.1f}", f"`fell` {well.reputation.fell / MILLION:.1f}")
    said(f"a bound of .{bound // 1000}")
    assert conduct.quality(well, good) == MILLION
    quality = conduct.quality(person, catalog.load("label").kind.good, chance=Ppm(MILLION // 4))
    said(f"a bound of .{reputation.bound(person.reputation) // 1000}", f"the quality .{quality // 1000}")
    paid = work(8, parse_opi("0.010"), quality)
    said(f"{paid / 10**9:.3f} OPI of {8 * 0.010:.3f}")


def test_the_defaults_are_those_on_the_page():
    assert (OPEN.again, OPEN.away) == (TERMS, 86_400)
    assert (TERMS.audit, TERMS.probation, TERMS.bond, TERMS.fine) == (50_000, 20, 30, 1_500_000)
    assert (TERMS.clear, TERMS.faults, TERMS.window, TERMS.least) == (3, 3, 20, 600_000)
    assert (OPEN.opinions.least, OPEN.opinions.fine, OPEN.challenges.least) == (150_000, 0, 900_000)
    assert {
        PRIVATE.terms(checks, role).bond for checks in ("again", "opinions", "challenges") for role in Role
    } == {0}
    kinds = {name: catalog.load(name).kind for name in catalog.names()}
    for row, checks in (("doing it again", "again"), ("opinions", "opinions"), ("challenges", "challenges")):
        names = ", ".join(sorted(name for name, kind in kinds.items() if kind.checks == checks))
        assert f" {names} |" in PAGE, row


def test_a_fine_is_the_price_of_what_fell_and_a_half_over_the_rate():
    assert conduct.fine(Nano(4), 3, Ppm(50_000)) == 4 * 3 * 30
    assert conduct.fine(Nano(4), 3, Ppm(MILLION)) == 18
