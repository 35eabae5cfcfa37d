"""What commands show of pay and of a campaign: every line with its reason, a zero too; what waits for what."""

from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from optimai.cli import estimate, run, show, watch
from optimai.client.campaign_file import Written
from optimai.client.estimate import estimate as compute
from optimai.core.campaign import parse
from optimai.core.money import OPI

CENT = OPI // 100


def line(number: int, amount: int, reason: str) -> dict[str, Any]:
    return {
        "id": number,
        "campaign": "docs",
        "step": "pages",
        "role": "answer",
        "unit": "page",
        "units": 6,
        "held": amount // CENT,
        "price": CENT,
        "quality": 1_000_000,
        "fined": 0,
        "kept": 0,
        "amount": amount,
        "state": "available" if amount else "void",
        "reason": reason,
        "at": "2026-12-01T12:00:00Z",
    }


def paid(lines: list[dict[str, Any]], *, each: bool = False) -> str:
    out = StringIO()
    show._pay(Console(file=out, width=150, highlight=False), lines, 5 * CENT, each)
    return out.getvalue()


def printed(what: RenderableType) -> str:
    out = StringIO()
    Console(file=out, width=120, highlight=False).print(what)
    return out.getvalue()


def test_pay_says_of_each_line_what_how_much_and_why_and_of_each_zero_too():
    said = paid([line(1, 6 * CENT, "6 of 6 outcomes hold"), line(2, 0, "3 of 6 pages refuted, among them x")])
    assert "0.060 OPI available: earned so far\n" in said
    assert "0.050 OPI on the account now\n" in said
    good, zero = said.split("OPI available  ")[1].split("OPI void")
    assert "docs/pages answer, 6 of 6 pages at 0.010" in good
    assert "6 of 6 outcomes hold" in good
    assert good.rstrip().endswith("0.000")
    assert "docs/pages answer, 0 of 6 pages at 0.010" in zero
    assert "3 of 6 pages refuted, among them x" in zero


def test_where_no_coordinator_runs_the_command_is_named_that_starts_one_there(tmp_path: Path):
    """`optimai run` has a node of its own beside its network; `optimai up` has none."""
    assert f"`optimai up --home {tmp_path}` goes on" in show._asleep(tmp_path, tmp_path)
    (tmp_path / "nodes" / "local").mkdir(parents=True)
    assert "`optimai run FILE` goes on" in show._asleep(tmp_path, None)


def test_a_node_that_does_not_run_is_started_from_its_own_folder():
    assert "`optimai join --home /elsewhere` starts it" in printed(
        show._status("ann", None, " --home /elsewhere")
    )


def test_many_lines_are_summed_by_their_reason_and_lines_shows_each():
    lines = [line(number, 6 * CENT * (number % 2), f"reason {number % 2}") for number in range(30)]
    together = paid(lines)
    assert together.count("docs/pages") == 2
    assert "0.900 OPI available  docs/pages answer, 90 of 90 pages at 0.010" in together
    assert "0.000 OPI void       docs/pages answer, 0 of 90 pages at 0.010" in together
    assert "30 lines, those with the same reason together; --lines: each" in together
    assert paid(lines, each=True).count("docs/pages") == 30


def step(name: str, state: str, **more: Any) -> dict[str, Any]:
    fields = {
        "name": name,
        "kind": "crawl",
        "state": state,
        "standing": False,
        "done": 5,
        "rows": 5,
        "per_second": 2.5,
        "closed": 3,
        "open": 4,
        "audited": 0,
        "drawn": 0,
        "waits_for": "",
    }
    return fields | more


def test_a_campaigns_status_has_each_step_its_rows_a_second_what_it_waits_for_and_the_money():
    steps = [
        step("pages", "flows", audited=2, drawn=3),
        step("text", "waits", rows=0, waits_for="a node with pip install '.[engine]'"),
        step("kept", "sealed", standing=True, done=7, rows=0),
        step("seeds", "sealed", kind=None),
    ]
    money = dict.fromkeys(("available", "pending", "reserved", "returned"), 0) | {
        "budget": OPI,
        "escrow": OPI - 3 * CENT,
        "pending": 3 * CENT,
    }
    said = printed(watch.table({"steps": steps, "money": money}))
    pages, text, kept = (
        next(one for one in said.splitlines() if one.startswith(name)) for name in ("pages", "text", "kept")
    )
    assert " ".join(pages.split()) == "pages crawl 5 2.5 3/7 flows, 2 of 3 tasks checked by another"
    assert " ".join(text.split()) == "text crawl 0 3/7 waits for a node with pip install '.[engine]'"
    assert " ".join(kept.split()) == "kept crawl 7 3/7 sealed"
    assert "seeds" not in said
    assert "1.000 OPI: 0.030 pending · 0.970 in escrow" in said


WHY = "pages: 1 of 1 pages without an answer that counts: 1 at a private address."


async def test_a_run_whose_dataset_has_no_rows_says_why_and_not_what_comes_next():
    money = dict.fromkeys(("available", "pending", "reserved", "returned", "escrow", "budget"), 0)
    version = {"name": "docs", "number": 1, "rows": 0}
    done = {"state": "done", "steps": [], "money": money, "version": version, "no_rows": WHY}
    out = StringIO()
    nobody: Any = None  # it is not asked
    assert not await run._summary(Console(file=out, width=150, highlight=False), nobody, done, "")
    assert f"docs@1: no rows: {WHY}" in out.getvalue()
    assert "Next" not in out.getvalue()


def test_an_estimate_that_was_tried_and_made_no_rows_does_not_say_that_the_budget_covers_it():
    steps = {"pages": {"kind": "crawl", "from": "seeds", "max": 10, "price": "0.001/page"}}
    raw = {"campaign": "docs", "budget": "1 OPI", "inputs": {"seeds": ["http://docs.example/"]}}
    campaign = parse(raw | {"steps": steps, "dataset": {"from": "pages"}})
    sample = [{"name": "pages", "state": "sealed", "held": 0, "rows": 0, "standing": False}]
    lines = compute(campaign, sample, {"pages": 2.0})
    out = StringIO()
    screen = Console(file=out, width=150, highlight=False)
    estimate._show(screen, Written(Path("docs.yaml"), campaign, raw, {}), lines, {"rows": []}, WHY)
    assert f"It was tried to its end, and made no rows: {WHY}" in out.getvalue()
    assert "covers" not in out.getvalue()
    estimate._show(screen, Written(Path("docs.yaml"), campaign, raw, {}), lines, {"rows": []}, "")
    assert "which the budget covers" in out.getvalue()
