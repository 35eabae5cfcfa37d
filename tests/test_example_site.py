"""What `optimai run` refuses before it starts anything, and the example's site that it starts."""

from pathlib import Path
from typing import Any

import pytest

from optimai.cli.children import Children
from optimai.cli.private import Private
from optimai.client.campaign_file import Written
from optimai.core.campaign import parse
from optimai.core.errors import BadCampaign


def private(folder: Path, within: list[str] | None = None, **said: Any) -> Private:
    pages: dict[str, Any] = {"kind": "crawl", "from": "seeds", "max": 30}
    raw = {
        "campaign": "docs",
        "budget": "1 OPI",
        "inputs": {"seeds": [said.pop("seed", "http://docs-1.localhost/index.html")]},
        "steps": {"pages": pages | ({"within": within} if within else {})},
        "dataset": {"from": "pages"},
        "private": {"site": "."} | said,
    }
    return Private(Written(folder / "docs.yaml", parse(raw), raw, {}), folder, Children(folder))


@pytest.mark.parametrize(
    ("within", "hosts", "beyond"),
    [
        (None, 2, "docs-2.localhost"),
        (["docs-1.localhost"], 3, "docs-2.localhost, docs-3.localhost"),
        (["docs-1.*", "docs-3.*"], 3, "docs-2.localhost"),
    ],
)
def test_a_crawl_that_would_leave_out_hosts_of_its_site_without_a_word_is_refused(
    tmp_path: Path, within: list[str] | None, hosts: int, beyond: str
):
    with pytest.raises(BadCampaign) as refused:
        private(tmp_path, within, hosts=hosts)
    assert str(refused.value) == (
        f"steps.pages.within: private.hosts spreads the site's pages over {hosts} hosts, and links may not lead "
        f'to {beyond}. Write within: ["docs-*.localhost"], or private.hosts: 1'
    )


def test_a_crawl_of_all_hosts_of_its_site_or_of_the_only_one_or_of_another_site_is_not(tmp_path: Path):
    assert private(tmp_path, ["docs-*.localhost"], hosts=8)
    assert private(tmp_path)
    assert private(tmp_path, seed="http://plants.example/", hosts=8)
    assert private(tmp_path, site=None, hosts=8)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(BadCampaign, match=r"^private.site: there is no folder .*/pages"):
        private(tmp_path, site="pages")
