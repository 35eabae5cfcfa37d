"""Every promise that README.md makes to a user, and the test that holds us to it.

Those that no other file proves are proved here, on one run of `optimai run
examples/words.yaml` from an empty OPTIMAI_HOME.
"""

import ast
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil
import pyarrow.parquet as pq
import pytest
from nacl.signing import SigningKey

from optimai.cli import settings
from optimai.core import campaign
from optimai.core.ids import blob_id
from optimai.core.version import VERSION, Version
from optimai.kinds import catalog
from optimai.node import limits
from optimai.wire import envelope
from tests.processes import alive

ROOT = Path(__file__).parent.parent

# What is promised, and where it is proved: file of tests/, name of the test.
PROMISES = {
    "a requester gets a dataset from one file": ("test_promises", "test_run_ends_with_a_dataset"),
    "it is useful on one laptop with zero strangers": (
        "test_promises",
        "test_run_ends_with_a_dataset",
    ),
    "nothing is left running": ("test_promises", "test_run_leaves_no_process"),
    "Ctrl-C stops it, the same command goes on with it": (
        "test_promises",
        "test_ctrl_c_stops_all_of_it_and_the_same_command_goes_on_with_the_same_campaign",
    ),
    "get brings rows, card and lineage": (
        "test_promises",
        "test_get_brings_the_rows_as_parquet_or_json_lines_with_card_and_lineage",
    ),
    "liars are caught and earn nothing": (
        "test_judge",
        "test_who_lies_is_suspended_and_his_early_verdicts_are_overturned_before_they_are_paid",
    ),
    "docs/demo.md says what each claim of the demo is checked by": (
        "test_demo_checks",
        "test_each_claim_that_does_not_hold_makes_the_demo_end_badly_and_is_told",
    ),
    "and what out/demo/report.json holds": (
        "test_demo_summary",
        "test_the_demos_page_tells_of_each_key_of_the_report_and_of_no_other",
    ),
    "cancel ends it for good": (
        "test_campaigns",
        "test_a_campaign_that_is_cancelled_pays_what_was_answered_and_returns_the_rest",
    ),
    "every row can be traced to signed work": (
        "test_promises",
        "test_trace_leads_from_a_row_to_its_signed_result_and_pay",
    ),
    "estimate moves no money": (
        "test_promises",
        "test_estimate_says_a_price_a_time_and_the_first_five_rows_and_moves_no_money",
    ),
    "status shows campaigns": ("test_promises", "test_status_names_the_campaign_and_its_dataset"),
    "pay shows each line and why": ("test_promises", "test_pay_shows_each_line"),
    "each zero too": (
        "test_show",
        "test_pay_says_of_each_line_what_how_much_and_why_and_of_each_zero_too",
    ),
    "verify recomputes the newest epoch": ("test_promises", "test_verify_recomputes_the_newest_epoch"),
    "anyone recomputes an epoch from its bundle": (
        "test_world",
        "test_a_stranger_recomputes_every_epoch_from_its_bundle_alone",
    ),
    "a changed bundle is noticed": (
        "test_world",
        "test_one_changed_byte_anywhere_in_a_bundle_is_noticed",
    ),
    "nothing acknowledged is lost, nothing paid twice": (
        "test_crashes",
        "test_after_kills_at_random_points_all_is_done_nothing_is_lost_and_nothing_is_paid_twice",
    ),
    "the walk is what really happens": (
        "test_walk",
        "test_every_block_of_the_walk_is_what_happens_to_that_task",
    ),
    "an error is one sentence with a code": (
        "test_promises",
        "test_an_error_is_a_code_and_a_sentence_and_no_traceback",
    ),
    "no secret is in a log or an argument": (
        "test_promises",
        "test_no_secret_is_in_a_log_or_readable_by_others",
    ),
    "nothing phones home": ("test_promises", "test_whatever_imports_daft_was_told_not_to_track"),
    "a machine joins by an invite that holds no secret, works, is paid, pauses": (
        "test_operator",
        "test_a_machine_that_joined_works_is_paid_and_pauses_and_works_again",
    ),
    "the base install is a node and nothing more": (
        "test_house",
        "test_the_base_install_is_a_node_and_a_client_and_needs_no_package_of_an_extra",
    ),
    "in the base install every command says what it does": (
        "test_house",
        "test_in_a_base_install_every_command_says_what_it_does_and_a_slip_of_the_pen_is_told",
    ),
    "one on this machine needs --allow": (
        "test_run",
        "test_the_node_of_run_may_fetch_what_its_operator_allows_beside_the_site_of_the_campaign",
    ),
    "pause, within two seconds": (
        "test_node_processes",
        "test_another_process_pauses_an_agent_and_its_workers_are_gone_in_two_seconds",
    ),
    "money and a campaign for a network that is up, from another terminal": (
        "test_operator",
        "test_a_campaign_runs_on_a_network_that_is_up",
    ),
    "with --database PostgreSQL is yours": (
        "test_operator",
        "test_the_invite_has_no_secret_and_a_database_of_ones_own_holds_everything",
    ),
    "a new kind passes its check as it is written": (
        "test_kinds",
        "test_a_new_kind_keeps_all_rules_as_it_is_written",
    ),
    "docs/new-kind.md is all that a stranger needs": (
        "test_kinds",
        "test_the_kind_of_the_page_for_strangers_keeps_all_rules",
    ),
    "a campaign's page is live": (
        "test_web_browser",
        "test_what_happens_arrives_without_a_reload_and_takes_nothing_from_who_reads",
    ),
    "its pages load nothing from elsewhere": (
        "test_web_browser",
        "test_no_page_asks_anybody_else_for_anything_or_complains",
    ),
    "visibility: private keeps what it says": (
        "test_private",
        "test_no_route_tells_anybody_what_is_in_a_private_campaign",
    ),
    "docs/campaign.md has every word": (
        "test_promises",
        "test_every_word_and_option_of_a_campaign_is_documented",
    ),
    "docs/campaign.md says what columns a kind reads and gives": (
        "test_promises",
        "test_the_columns_that_a_kind_reads_and_gives_are_documented",
    ),
}


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_has_a_test(promise: str):
    file, name = PROMISES[promise]
    tree = ast.parse((ROOT / "tests" / f"{file}.py").read_text("utf-8"))
    assert name in {one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}


class Ran(NamedTuple):
    home: Path
    status: int
    said: str
    seen: dict[int, psutil.Process]  # every process that there was
    arguments: set[str]


def optimai(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "optimai", *words],
        env=environment(home),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "OPTIMAI_HOME": str(home), "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "200"}


@pytest.fixture(scope="module")
def ran() -> Iterator[Ran]:
    """The smallest campaign, from nothing to its dataset; what it was seen to start."""
    with tempfile.TemporaryDirectory(prefix="optimai-run-") as folder:  # short: a socket's path has 107 bytes
        home = Path(folder) / "home"
        said = Path(folder) / "said"
        seen: dict[int, psutil.Process] = {}
        arguments: set[str] = set()
        with said.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "optimai", "run", "examples/words.yaml"],
                env=environment(home),
                cwd=ROOT,
                stdout=out,
                stderr=out,
            )
            whole = psutil.Process(process.pid)
            for _ in range(600):
                try:
                    process.wait(0.2)
                    break
                except subprocess.TimeoutExpired:
                    for one in whole.children(recursive=True):
                        seen[one.pid] = one
                        try:
                            arguments.update(one.cmdline())
                        except psutil.NoSuchProcess:
                            continue
            else:
                process.terminate()
        yield Ran(home, process.wait(20), said.read_text(), seen, arguments)


@pytest.mark.slow
def test_run_ends_with_a_dataset(ran: Ran):
    assert ran.status == 0, ran.said
    assert "words@1" in ran.said
    assert "3 rows" in ran.said


@pytest.mark.slow
def test_run_leaves_no_process(ran: Ran):
    assert len(ran.seen) >= 3  # a coordinator, PostgreSQL, a node
    assert [one for one in ran.seen.values() if alive(one)] == []


@pytest.mark.slow
def test_ctrl_c_stops_all_of_it_and_the_same_command_goes_on_with_the_same_campaign():
    with tempfile.TemporaryDirectory(prefix="optimai-run-") as folder:
        home, said = Path(folder) / "home", Path(folder) / "said"
        with said.open("wb") as out:
            words = [sys.executable, "-m", "optimai", "run", "examples/words.yaml"]
            process = subprocess.Popen(words, env=environment(home), cwd=ROOT, stdout=out, stderr=out)
            wait_for("watch it at", said)
            seen = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130, said.read_text()
        assert len(seen) >= 2  # a coordinator, a node
        assert [one for one in seen if alive(one)] == []
        assert not (home / "private" / "postgres" / "postmaster.pid").exists()
        assert "The same command goes on with it" in said.read_text()
        logs = home / "private" / "logs"
        assert (logs / "local.log").read_text().endswith("local has stopped.\n")
        assert "The coordinator has stopped" in (logs / "coordinator.log").read_text()
        again = optimai(home, "run", "examples/words.yaml")
        assert again.returncode == 0, again.stderr
        assert "words@1" in again.stdout
        listed = optimai(home, "status").stdout
        assert len(re.findall(r"^ *words +done", listed, re.MULTILINE)) == listed.count("words ") == 1


def wait_for(words: str, said: Path) -> None:
    for _ in range(1_200):
        if words in said.read_text():
            return
        time.sleep(0.05)
    raise AssertionError(said.read_text())


@pytest.mark.slow
def test_get_brings_the_rows_as_parquet_or_json_lines_with_card_and_lineage(ran: Ran, tmp_path: Path):
    for form in ("parquet", "jsonl"):
        got = optimai(ran.home, "get", "words@1", "--to", form, "--into", str(tmp_path / form))
        assert got.returncode == 0, got.stderr
    [parquet] = (tmp_path / "parquet").rglob("*.parquet")
    [lines] = [file for file in (tmp_path / "jsonl").rglob("*.jsonl") if "lineage" not in file.name]
    rows = pq.ParquetFile(parquet).read(use_threads=False).to_pylist()
    assert sorted(row["words"] for row in rows) == [6, 8, 9]
    assert {row["_row"] for row in rows} == {
        json.loads(line)["_row"] for line in lines.read_text().splitlines()
    }
    assert {"_row", "_from", "_result", "_verdict", "_lineage"} <= rows[0].keys()
    assert all(row["_result"] and row["_from"] and row["_verdict"] for row in rows)
    for folder in (parquet.parent, lines.parent):
        card = json.loads((folder / "card.json").read_text())
        assert (card["rows"], [step["name"] for step in card["steps"]]) == (3, ["counts"])
        version = signed_version(ran, folder / "manifest.json")
        assert (version.name, version.number, version.card) == ("words", 1, card)
        assert len(version.parents) == 1
    assert [part.blob for part in version.parts] == [blob_id(parquet.read_bytes())]


def signed_version(ran: Ran, manifest: Path) -> Version:
    """What the manifest says, if the network signed it."""
    key = SigningKey(bytes.fromhex((ran.home / "private" / "network.key").read_text().strip())).verify_key
    signed = envelope.read(manifest.read_bytes())
    envelope.verify(signed, VERSION, bytes(key))
    return msgspec.json.decode(signed.payload, type=Version)


@pytest.mark.slow
def test_trace_leads_from_a_row_to_its_signed_result_and_pay(ran: Ran, tmp_path: Path):
    optimai(ran.home, "get", "words@1", "--into", str(tmp_path))
    [file] = tmp_path.rglob("*.parquet")
    row = pq.ParquetFile(file).read(use_threads=False).to_pylist()[0]
    traced = optimai(ran.home, "trace", "words@1", row["_row"])
    assert traced.returncode == 0, traced.stderr
    assert f"verdict {row['_verdict']}" in traced.stdout
    assert f"envelope {row['_result'][:16]}" in traced.stdout
    assert "given by the requester" in traced.stdout
    assert "OPI" in traced.stdout


@pytest.mark.slow
def test_status_names_the_campaign_and_its_dataset(ran: Ran):
    said = optimai(ran.home, "status")
    assert said.returncode == 0, said.stderr
    assert "words@1, 3 rows" in said.stdout
    assert "done" in said.stdout


@pytest.mark.slow
def test_pay_shows_each_line(ran: Ran):
    said = optimai(ran.home, "pay")
    assert said.returncode == 0, said.stderr
    assert "words/counts" in said.stdout
    assert "3 of 3 rows" in said.stdout
    assert "available" in said.stdout


@pytest.mark.slow
def test_verify_recomputes_the_newest_epoch(ran: Ran, tmp_path: Path):
    said = optimai(ran.home, "verify", "--save", str(tmp_path))
    assert said.returncode == 0, said.stderr + said.stdout
    holds = re.search(r"Epoch (\d+) holds\. Recomputed: 1 verdict on", said.stdout)
    assert holds, said.stdout
    elsewhere = optimai(
        tmp_path / "nowhere", "verify", "--bundle", str(tmp_path)
    )  # neither network nor database
    assert elsewhere.returncode == 0, elsewhere.stderr + elsewhere.stdout
    assert holds[0] in elsewhere.stdout
    assert not (tmp_path / "nowhere").exists()
    other = optimai(ran.home, "verify", "77", "--bundle", str(tmp_path))
    assert other.stderr.startswith("bad_value: 77 is not the epoch of")
    bundle = tmp_path / "bundle.jsonl"
    bundle.write_bytes(bundle.read_bytes().replace(b"word", b"worb", 1))
    changed = optimai(ran.home, "verify", "--bundle", str(tmp_path))
    assert changed.returncode == 1
    assert f"Epoch {holds[1]} does not hold." in changed.stdout


@pytest.mark.slow
def test_a_token_goes_into_a_new_file_that_only_its_owner_can_read(ran: Ran, tmp_path: Path):
    file = tmp_path / "token"
    file.write_text("mine\n")
    refused = optimai(ran.home, "token", "somebody", "--into", str(file))
    assert (refused.returncode, file.read_text()) == (2, "mine\n")
    assert refused.stderr.startswith("bad_value: ")
    file.unlink()
    made = optimai(ran.home, "token", "somebody", "--into", str(file))
    assert made.returncode == 0, made.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().startswith("opi_")
    assert file.read_text().strip() not in made.stdout + made.stderr


SEVEN = """
campaign: seven
budget: 1 OPI
inputs: {texts: [{text: a}, {text: b}, {text: c}, {text: d}, {text: e}, {text: f}, {text: g}]}
steps: {counts: {kind: word_count, from: texts, price: 0.001/row}}
dataset: {from: counts}
"""


@pytest.mark.slow
def test_estimate_says_a_price_a_time_and_the_first_five_rows_and_moves_no_money(tmp_path: Path):
    """Its network is another one and thrown away: where accounts would be, nothing is even begun."""
    file, home = tmp_path / "seven.yaml", tmp_path / "home"
    file.write_text(SEVEN)
    said = optimai(home, "estimate", str(file))
    assert said.returncode == 0, said.stderr
    assert re.search(r"counts word_count +7 rows +0\.007 to 0\.00735 +7 +\d+ s", said.stdout), said.stdout
    assert "Together 0.007 to 0.00735 OPI of 1.000" in said.stdout
    head, *rows = said.stdout.partition("The first rows of counts:")[2].strip().splitlines()
    assert head.split() == ["text", "words"]
    assert len({row.split()[0] for row in rows} & set("abcdefg")) == len(rows) == 5
    assert {row.split()[1] for row in rows} == {"1"}
    assert not home.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("run", "nowhere.yaml"), "not_found"),
        (("get", "other@7"), "not_found"),
        (("verify", "999"), "not_found"),
        (("trace", "words@1", "nosuchrow"), "not_found"),
    ],
)
def test_an_error_is_a_code_and_a_sentence_and_no_traceback(ran: Ran, words: tuple[str, ...], code: str):
    said = optimai(ran.home, *words)
    assert said.returncode == 2
    assert re.fullmatch(rf"{code}: .+\.\n", said.stderr.strip() + "\n"), said.stderr


@pytest.mark.slow
def test_no_secret_is_in_a_log_or_readable_by_others(ran: Ran):
    secrets = [file for file in ran.home.rglob("*") if file.suffix in (".key", ".token")]
    assert {file.name for file in secrets} >= {"network.key", "admin.token"}
    logs = "".join(file.read_text("utf-8", "replace") for file in ran.home.rglob("*.log"))
    for file in secrets:
        text = file.read_bytes()
        said = text.decode().strip() if file.suffix == ".token" or file.name == "network.key" else text.hex()
        assert said not in logs + ran.said, file
        assert not any(said in one for one in ran.arguments), file
        assert file.stat().st_mode & 0o077 == 0, file


def test_whatever_imports_daft_was_told_not_to_track():
    """Daft reports home at its import unless told not to: one module imports it, in a worker that was told."""
    named = {
        str(file.relative_to(ROOT / "src" / "optimai"))
        for file in (ROOT / "src").rglob("*.py")
        if re.search(r"^\s*(import|from) daft\b", file.read_text("utf-8"), re.MULTILINE)
    }
    assert named == {"kinds/dedup/work.py"}
    assert settings.child_environment()["DO_NOT_TRACK"] == "1"
    assert limits.environment(ROOT, 1)["DO_NOT_TRACK"] == "1"


def words_of_a_campaign() -> set[str]:
    """Every word that `core.campaign` takes in, by its path."""

    def named(struct: type[msgspec.Struct], path: str = "") -> set[str]:
        return {path + field.encode_name for field in msgspec.structs.fields(struct)}

    return (
        named(campaign._File)
        | named(campaign._Validate, "validate.")
        | named(campaign._Dataset, "dataset.")
        | named(campaign._Private, "private.")
        | {"kind", "from", "price", "dataset.split.by"}
    )


def options(kind: str) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(catalog.load(kind).options)}


def first_cells(text: str) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def test_every_word_and_option_of_a_campaign_is_documented():
    page = (ROOT / "docs" / "campaign.md").read_text("utf-8")
    general, _, kinds = page.partition("\n## Kinds")
    assert first_cells(general) == words_of_a_campaign()
    documented = {section.partition("`")[0]: first_cells(section) for section in kinds.split("\n### `")[1:]}
    assert documented == {kind: options(kind) for kind in catalog.names()}


@pytest.mark.parametrize("name", catalog.names())
def test_the_columns_that_a_kind_reads_and_gives_are_documented(name: str):
    """A column that an option names stands there by the name of the option."""
    page = (ROOT / "docs" / "campaign.md").read_text("utf-8")
    section = page.partition(f"\n### `{name}`\n")[2].partition("\n### ")[0]
    reads, gives = (
        re.search(rf"^- {word}: (.*?)\.$", section, re.MULTILINE | re.DOTALL).group(1)  # type: ignore[union-attr]
        for word in ("Reads", "Gives")
    )
    kind = catalog.load(name)
    example = next(iter((ROOT / "src/optimai/kinds" / name.replace(".", "_") / "examples").glob("*.json")))
    written = json.loads(example.read_text("utf-8"))["options"]
    given = msgspec.convert(written, type=kind.options)
    naming = {getattr(given, option): option for option in ("column", "by") if option in options(name)}
    needed = {naming.get(column, column) for column in kind.needs(given)}
    assert set(re.findall("`(.*?)`", reads)) - {"known", "crawl"} == needed
    assert set(re.findall("`(.*?)`", gives)) == set(kind.kind.gives)
    assert ("all columns that it was given" in gives) == kind.kind.carries
