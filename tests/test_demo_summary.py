"""The demo's summary: plain words, amounts in OPI, commands that can be pasted."""

import json
import re
import shlex
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace
from rich.console import Console

from optimai.cli import demo_checks, demo_summary
from optimai.cli.children import Children
from optimai.cli.demo_report import Dataset, Fault, Ledger, NodeLine, Report, StepLine, Verified
from optimai.cli.private import Private
from optimai.client.campaign_file import read

ROW = "0034551a4e9dce1f69e9b468e1b63fa5"


FERN = NodeLine("fern", "fabricator", True, 18, 0, "audits", 0, 0, 0, "")


def small(folder: Path, *wrong: str, nodes: tuple[NodeLine, ...] = (FERN,)) -> Report:
    """Of a small run."""
    return Report(
        ok=not wrong,
        seconds=100,
        steps=(StepLine("topic", 3, 1), StepLine("kept", 1, 0, answers=39)),
        nodes=nodes,
        faults=(Fault("maple was killed", survived=True),),
        ledger=Ledger(0, 0, 0, 51),
        dataset=Dataset("docs@1", str(folder), 1),
        verify=Verified(9, ok=True, tampered_detected=True, fullest=4, verdicts=7),
        wrong=wrong,
    )


def told(into: Path, *wrong: str, **more: Any) -> str:
    """What the summary of it says."""
    folder = into / "docs@1"
    folder.mkdir()
    pq.write_table(pa.table({"_row": [ROW]}), folder / "0000.parquet")
    out = StringIO()
    demo_summary.show(Console(file=out, width=200, highlight=False), small(folder, *wrong, **more), into)
    return out.getvalue()


# What programs may rely on in out/demo/report.json.
KEYS = {
    "": {"ok", "seconds", "steps", "nodes", "faults", "ledger", "dataset", "verify"},
    "steps": {"name", "rows_in", "rows_out"},
    "nodes": {"name", "habit", "done", "accepted", "caught_by", "earned_nopi"},
    "faults": {"what", "survived"},
    "ledger": {"sum_nopi", "double_paid", "lost_results"},
    "dataset": {"name", "path", "rows"},
    "verify": {"epoch", "ok", "tampered_detected"},
}
MORE = {
    "": {"wrong"},
    "nodes": {"simulated", "undue_nopi", "bond_nopi", "why"},
    "ledger": {"acknowledged_results"},
    "verify": {"fullest", "verdicts"},
}
PAGE = Path(__file__).parent.parent / "docs" / "demo.md"


def test_the_report_has_these_keys_in_json(tmp_path: Path):
    report = json.loads(msgspec.json.encode(small(tmp_path)))
    for part, keys in KEYS.items():
        there = report[part] if part else report
        for one in there[:1] if isinstance(there, list) else [there]:
            assert one.keys() == keys | MORE.get(part, set()), part


def test_the_demos_page_tells_of_each_key_of_the_report_and_of_no_other():
    """In a table whose first column is a key, or `part.key`."""
    parts = {"steps": StepLine, "nodes": NodeLine, "faults": Fault, "ledger": Ledger, "dataset": Dataset}
    parts |= {"verify": Verified}
    fields = {f"{part}.{key}" for part, of in parts.items() for key in of.__struct_fields__}
    fields |= set(Report.__struct_fields__) - parts.keys()
    assert set(re.findall(r"^\| `([a-z_.]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)) == fields


def test_who_is_simulated_is_called_so(tmp_path: Path):
    person = NodeLine("simulated-person-1", "honest", True, 10, 9, None, 5, 0, 0, "")
    nodes = (
        person,
        replace(person, name="tattler"),
        replace(FERN, name="oak", habit="slow", caught_by=None),
        FERN,
        replace(FERN, name="birch", habit="honest", simulated=False, caught_by=None),
    )
    lines = told(tmp_path, nodes=nodes).splitlines()
    table = [" ".join(line.split()) for line in lines[lines.index("") + 1 :]]
    assert any(line.startswith("2 people, simulated honest 20 18") for line in table), table
    assert any(line.startswith("oak, simulated slow 18") for line in table)
    assert any(line.startswith("fern, simulated fabricator 18") for line in table)
    assert any(line.startswith("birch honest 18") for line in table)


@pytest.mark.parametrize(("undue", "said"), [(0, True), (5, False)])
def test_what_a_liar_kept_is_explained_only_where_it_is_so(tmp_path: Path, undue: int, said: bool):
    reed = replace(FERN, name="reed", habit="replayer", earned_nopi=5, undue_nopi=undue)
    assert ("what it has was free before" in told(tmp_path, nodes=(reed,))) is said


def test_which_private_hosts_nodes_may_reach_is_said_in_sight(tmp_path: Path):
    private = Private(read(Path("examples/docs.yaml")), tmp_path, Children(tmp_path))
    assert private.where() == ""
    private.hosts = {f"docs-{number}.localhost:80": "127.0.0.1:4321" for number in (1, 2, 3)}
    out = StringIO()
    demo_summary.begin(Console(file=out, width=60), "http://127.0.0.1:1", "docs", private.where())
    assert "docs-1.localhost:80 to docs-3.localhost:80 lead to 127.0.0.1:4321." in out.getvalue()


def test_each_next_command_names_the_demos_network_and_things_that_there_are(tmp_path: Path):
    lines = told(tmp_path).partition("Next, all on this machine:")[2].splitlines()
    commands = [shlex.split(line, comments=True)[1:] for line in lines if line.strip()]
    home = str(tmp_path / "network")
    assert commands == [
        ["trace", "docs@1", ROW[:12], "--home", home],
        ["verify", "4", "--home", home],
        ["up", "--home", home],
        ["run", "examples/docs.yaml"],
    ]


def test_what_was_kept_is_a_step_too_and_a_balance_of_zero_is_said_in_words(tmp_path: Path):
    said = told(tmp_path)
    assert "39 proofs of it held" in said
    assert "held: units that hold" in said
    assert "all accounts together are exactly 0 OPI: no coin was made, none was lost" in said
    assert "nano" not in said


def test_what_does_not_hold_is_told_with_where_to_look(tmp_path: Path):
    said = told(tmp_path, "fern, a fabricator, earned 0.012 OPI")
    assert "Not everything holds" in said
    assert "Where to look" in said
    assert f"up --home {tmp_path}/network" in said
    assert "Next" not in said


@pytest.mark.parametrize(
    ("what", "value", "said"),
    [
        ("all_accounts", 12_000_000, "all accounts together are 0.012 OPI, not 0: money was made or lost"),
        ("double_paid", 2, "2 results were paid more than once"),
    ],
)
def test_a_sum_that_is_not_zero_is_told_in_its_own_unit(what: str, value: int, said: str):
    assert demo_checks.unbalanced(what, value) == said
