"""The attack laboratory: runs repeat to the last coin, lying brings less than honesty, and a strategy is one file."""

from pathlib import Path

import pytest

from optimai.cli.sim import sim
from optimai.core.chance import Ppm, happens
from optimai.core.conduct import TERMS, State
from optimai.core.errors import BadValue, NotFound
from optimai.sim.lab import hardware, laboratory, scenario
from optimai.sim.lab.laboratory import Figure
from optimai.sim.lab.machines import World
from optimai.sim.lab.players import PRICE, Machines
from optimai.sim.lab.scenario import Scenario
from optimai.sim.lab.strategies import BY_NAME, Me, Strategy

SMALL = Machines(owners=20, draws=120)
EXAMPLES = sorted((Path(__file__).parent.parent / "examples" / "attacks").glob("*.toml"))


def small(strategy: str, share: float = 1.0, seeds: int = 2) -> Scenario:
    return Scenario(strategy=strategy, share=share, seeds=seeds, network=SMALL)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_same_seed_gives_the_same_run_and_another_one_another(name: str):
    def run(seed: int) -> object:
        attack = scenario.strategy(name, 0.3)
        return World(SMALL, dict.fromkeys(range(6), attack), seed).run()

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_who_is_honest_earns_what_an_honest_one_earns():
    report = laboratory.run(small("honest"))
    assert report.ratio == report.net == Figure(1.0)
    assert report.accuracy == report.accuracy_honest
    assert report.cost == report.cost_honest


@pytest.mark.parametrize(
    "name", ["fabricator", "random", "swarm", "whitewasher", "targeted-bloc", "rubber-stamp", "griefer"]
)
def test_who_only_lies_earns_next_to_nothing(name: str):
    report = laboratory.run(small(name))
    assert report.net.mean < 0.1
    assert report.suspended.mean > 0.5


def test_who_lies_seldom_earns_less_and_who_turns_to_it_loses_what_he_had():
    assert laboratory.run(small("lazy", 0.3)).ratio.mean < 0.5
    assert laboratory.run(small("sleeper")).net.mean < 0


def test_a_network_without_faults_pays_everybody_whole_and_is_right():
    rules = Machines(owners=20, draws=120, faults=Ppm(0), good=Ppm(500_000))
    outcome = World(rules, {}, 1).run()
    assert outcome.wrong == 0
    assert {one.paid for one in outcome.answers} == {120 * PRICE}
    assert not any(outcome.suspended)


def test_nobody_is_paid_more_than_his_answers_are_worth():
    for name in BY_NAME:
        outcome = World(SMALL, dict.fromkeys(range(6), scenario.strategy(name, 0.5)), 3).run()
        for one in (*outcome.answers, *outcome.audits):
            assert one.paid <= one.effort / 0.02 * PRICE
        assert sum(one.paid for one in outcome.answers) <= SMALL.owners * SMALL.draws * PRICE


def test_who_has_nobody_to_audit_him_is_not_paid_anything_to_take_away_before_he_leaves():
    world = World(Machines(owners=1, draws=30), {}, 1)
    assert world.run().did == 30
    assert world.players.all[0].name.free == 0


def test_where_no_jury_can_be_had_nobody_is_found_guilty():
    outcome = World(Machines(owners=2, draws=60), {0: scenario.strategy("fabricator", 1.0)}, 1).run()
    assert outcome.suspended[1] == 0


class Peek(Strategy):
    """Lies where it will not be audited, if chance tells it."""

    def lies(self, me: Me, item: int) -> bool:
        return me.conduct.state is State.STANDING and not happens(me.seed, TERMS.audit, "audit", item, me.at)


def test_chance_tells_no_strategy_who_is_audited(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(BY_NAME, "peek", Peek)
    assert laboratory.run(small("peek")).ratio.mean < 0.5


def test_declaring_more_than_one_has_earns_less_and_many_names_no_more():
    honest = [hardware.earns(declared) for declared in (1.0, 1.05, 1.2, 2.0)]
    assert honest == sorted(honest, reverse=True)
    assert honest[1] < 1
    assert honest[3] == 0
    assert hardware.earns(1, 10) < 1.01
    assert hardware.earns(10, 10) == 0


def test_a_figure_has_students_interval():
    assert Figure.of([3.0]) == Figure(3.0)
    figure = Figure.of([1.0, 2.0, 3.0])
    assert (figure.mean, round(figure.either_way, 3)) == (2.0, 2.484)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_scenarios(path: Path):
    one = scenario.read(path)
    assert isinstance(scenario.strategy(one.strategy, one.share, path.parent), Strategy)


def test_a_strategy_of_ones_own_is_one_file(tmp_path: Path):
    (tmp_path / "mine.py").write_text(
        "from optimai.sim.lab.strategies import Me, Strategy\n"
        "class Mine(Strategy):\n"
        "    def lies(self, me: Me, item: int) -> bool:\n"
        "        return not me.conduct.fell\n"
    )
    (tmp_path / "mine.toml").write_text(
        'strategy = "mine.py:Mine"\nseeds = 1\n[network]\nowners = 20\ndraws = 60\n'
    )
    report = laboratory.run(scenario.read(tmp_path / "mine.toml"), tmp_path)
    assert 0 < report.net.mean < 0.6
    assert report.suspended.mean > 0.3


@pytest.mark.parametrize(
    "text",
    [
        "strategy = 1",
        'strategy = "lazy"\nshare = 2.0',
        'strategy = "lazy"\nattackers = -0.1',
        'strategy = "lazy"\nseeds = 0',
        'strategy = "lazy"\nseed = 3',
        'strategy = "lazy"\n[network]\nowners = 0',
        'strategy = "lazy"\n[network.terms]\naudits = 3',
        'strategy = "lazy"\n[network.terms]\naudit = 0',
        "strategy =",
        "a=" + "[" * 2_000,
        "",
    ],
)
def test_what_is_no_scenario_is_refused(tmp_path: Path, text: str):
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(BadValue, match="a scenario"):
        scenario.read(tmp_path / "bad.toml")


@pytest.mark.parametrize(
    "inside",
    [
        "def broken(:",
        "import nowhere_at_all",
        "class Mine(Strategy):\n    def __init__(self, share): raise KeyError",
        "class Mine(Strategy):\n    def __init__(self, share, other): pass",
        "class Mine(Strategy):\n    def lies(self, me, item): return 1 / 0",
        "class Mine(Strategy):\n    def audit(self, me, whose): return 'HOLDS'",
    ],
)
def test_what_is_wrong_in_a_strategy_of_ones_own_is_told(tmp_path: Path, inside: str):
    (tmp_path / "mine.py").write_text(f"from optimai.sim.lab.strategies import Strategy\n{inside}\n")
    one = Scenario(strategy="mine.py:Mine", seeds=1, network=Machines(owners=5, draws=5))
    with pytest.raises(BadValue, match="a strategy that can be"):
        laboratory.run(one, tmp_path)


@pytest.mark.parametrize(
    "one",
    [
        Scenario(strategy="griefer", seeds=1, network=Machines(owners=10, draws=1)),
        Scenario(strategy="rubber-stamp", seeds=1, attackers=1.0, network=Machines(owners=1, draws=20)),
    ],
)
def test_a_scenario_in_which_honesty_brings_nothing_is_refused(one: Scenario):
    with pytest.raises(BadValue, match="honest owners are paid"):
        laboratory.run(one)


@pytest.mark.parametrize("name", ["nobody", "none.py:Mine", "empty.py:Mine", "other.py:Mine"])
def test_what_is_no_strategy_is_refused(tmp_path: Path, name: str):
    (tmp_path / "empty.py").write_text("")
    (tmp_path / "other.py").write_text("class Mine: pass\n")
    with pytest.raises(BadValue):
        scenario.strategy(name, 1.0, tmp_path)


def test_a_scenario_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(NotFound):
        scenario.read(tmp_path / "none.toml")


def test_the_command_plays_and_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name, audit in (("often", 50_000), ("seldom", 20_000)):
        text = f'strategy = "lazy"\nshare = 0.3\n[network]\nowners = 12\ndraws = 40\n[network.terms]\naudit = {audit}\n'
        (tmp_path / f"{name}.toml").write_text(text)
    sim()
    assert "whitewasher" in capsys.readouterr().out
    sim(tmp_path / "often.toml", tmp_path / "seldom.toml", compare=True, seeds=2)
    said = capsys.readouterr().out
    assert "simulated attackers" in said
    assert "difference" in said
    for paths, seeds in (((tmp_path / "often.toml",), 2), ((tmp_path / "often.toml",) * 2, 0)):
        with pytest.raises(BadValue):
            sim(*paths, compare=True, seeds=seeds)
