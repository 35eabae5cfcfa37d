"""What `optimai run` says of how a campaign ended, and before it begins one that was there already."""

from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from optimai.cli import join, run
from optimai.cli.children import Children
from optimai.cli.private import Private
from optimai.client.campaign_file import read
from optimai.core.errors import BadCampaign, BadValue, NotFound
from optimai.core.money import OPI

ROOT = Path(__file__).parent.parent
MONEY = dict.fromkeys(("available", "pending", "reserved", "escrow", "returned"), 0)
MADE = {"name": "docs", "number": 1, "rows": 7}


def facts(state: str, version: dict[str, Any] | None) -> dict[str, Any]:
    rest = {"steps": [], "money": MONEY | {"budget": OPI}, "no_rows": ""}
    return {"name": "docs", "state": state, "version": version} | rest


class Network:
    """Knows one campaign, or none."""

    url = "http://network"

    def __init__(self, campaign: dict[str, Any] | None = None) -> None:
        self.campaign = campaign

    async def get(self, path: str, kind: object) -> dict[str, Any]:
        if self.campaign is None:
            raise NotFound("campaign", "docs", "")
        return self.campaign


@pytest.fixture(autouse=True)
def no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    async def first_row(*_: object) -> str:
        return ""

    monkeypatch.setattr(run, "first_row", first_row)


async def ended(state: str, version: dict[str, Any] | None) -> tuple[bool, str]:
    out = StringIO()
    console = Console(file=out, width=300)
    done = await run._summary(console, Network(), facts(state, version), "")  # type: ignore[arg-type]
    return done, out.getvalue()


async def test_a_campaign_that_is_done_ends_with_its_dataset():
    done, said = await ended("done", MADE)
    assert done
    assert "docs@1: 7 rows. Next:" in said


async def test_a_campaign_that_was_cancelled_is_told_as_that_and_is_no_success():
    done, said = await ended("cancelled", None)
    assert not done
    assert "docs was ended before it was done" in said
    assert "Next" not in said
    done, said = await ended("cancelled", MADE)
    assert not done
    assert "docs@1: 7 rows, as far as it came" in said


async def test_a_campaign_without_a_dataset_is_no_success():
    done, said = await ended("done", None)
    assert not done
    assert "without a dataset" in said


async def anew(campaign: dict[str, Any] | None) -> str:
    out = StringIO()
    before = await run._made_before(Network(campaign), "docs")  # type: ignore[arg-type]
    run._say_anew(Console(file=out, width=300), before)
    return out.getvalue()


async def test_before_a_campaign_is_done_a_second_time_it_is_said_that_it_is_paid_anew():
    said = await anew(facts("done", MADE))
    assert said == "docs@1 is there already; this makes docs@2 and is paid anew.\n"
    assert await anew(facts("running", MADE)) == ""
    assert await anew(facts("cancelled", None)) == ""
    assert await anew(None) == ""


@pytest.mark.parametrize(
    "text", ["", "a.localhost:80", "a.localhost=127.0.0.1:80", "a:80=127.0.0.1:x", "a:80=b:99999"]
)
def test_what_allows_no_host_is_refused_with_an_example(text: str):
    with pytest.raises(BadValue, match="an allowed host"):
        join.allowed([text])


async def test_the_node_of_run_may_fetch_what_its_operator_allows_beside_the_site_of_the_campaign(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    started: list[str] = []

    class Node:
        async def says(self, lines: int) -> list[str]:
            return [""]

    async def start(self: Children, name: str, *arguments: str) -> Node:
        started.extend(arguments)
        return Node()

    monkeypatch.setattr(Children, "start", start)
    hosts = join.allowed(["my-site.localhost:9100=127.0.0.1:9100"])
    private = Private(read(ROOT / "examples" / "words.yaml"), tmp_path, Children(tmp_path), hosts)
    private.hosts = {"docs-1.localhost:80": "127.0.0.1:4000"}
    await private.start_node("local")
    allowed = [after for before, after in pairwise(started) if before == "--allow"]
    assert allowed == ["docs-1.localhost:80=127.0.0.1:4000", "my-site.localhost:9100=127.0.0.1:9100"]


async def test_a_network_that_runs_is_not_told_what_its_nodes_may_fetch():
    with pytest.raises(BadValue, match="its own operator"):
        await run._elsewhere(
            read(ROOT / "examples" / "words.yaml"),
            Console(),
            run.connect.network("http://127.0.0.1:9"),
            "",
            {"a:1": "127.0.0.1:1"},
        )


def test_a_campaign_file_that_is_not_utf_8_is_refused_with_the_place(tmp_path: Path):
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"campaign: caf\xe9\n")
    with pytest.raises(BadCampaign, match=r"latin\.yaml: byte 14 of it is not UTF-8\. Save it as UTF-8"):
        read(file)
