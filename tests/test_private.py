"""A private campaign: what its rows say is told to its requester and to admins, and to nobody else, anywhere."""

import base64
import itertools
import re
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar
from litestar.routes import HTTPRoute

from optimai.client.get import first_row
from optimai.client.network import Client
from optimai.core.errors import Private
from optimai.network.api import app
from optimai.network.home import make_token
from optimai.network.queries import Database
from optimai.web.pages import routes
from tests import town
from tests.browser import serving
from tests.town import SENTENCES, fresh

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOLD = "what a judge or a node says"  # and it may well say what it saw
SECRETS = (*SENTENCES.values(), "plants.example", "What is it about?", TOLD)
WRITTEN = {
    "assignment": "update assignment set why = $1 where why <> ''",
    "earning": "update earning set reason = $1 where reason <> ''",
    "event": "update event set why = $1 where campaign is not null and tone = 'bad'",
}


class Place(NamedTuple):
    """The town with a private campaign, and who may ask."""

    database: Database
    whole: Litestar
    base: str
    mine: str  # token of its requester,
    admin: str
    strange: str  # and of a requester of something else
    there: dict[str, list[str]]  # what a route's parameters may be, so that it finds something


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(server: str) -> AsyncIterator[Place]:
    async with fresh(server) as database:
        world = await town.settle(database, terms={"visibility": "private"})
        await town.live(world, 150)
        async with database.begin() as (tx, _):
            for sql in WRITTEN.values():
                await tx.execute(sql, TOLD)
            await tx.execute(
                "update step set position = 9 where name = 'topic'"
            )  # its rows have texts: the first shown
            [row] = await tx.fetch(
                """
                select array(select number::text from epoch) as epochs,
                       array(select id from node union select owner from node union select name from node) as who,
                       array(select id from blob) || array(select bundle from epoch where bundle is not null)
                       as blobs
                """
            )
        tokens = [
            await make_token(database, owner, owner, scopes)
            for owner, scopes in (
                ("requester", ("read", "campaign")),
                ("operator", ("admin", "read")),
                ("stranger", ("read", "campaign")),
            )
        ]
        there = {
            "name": ["plants", *row["who"], "style.css"],
            "number": ["0", *row["epochs"]],
            "row": ["0", "f"],
            "prefix": ["0", "f"],
            "owner": row["who"],
            "blob": row["blobs"],
            "version": ["plants", "plants@0", "plants@1"],
            "run": ["0", "1"],
            "path": ["nowhere"],
        }
        whole = app.make(database, routes(database))
        async with serving(database, whole) as base:
            yield Place(database, whole, base, *tokens, there)


def addresses(place: Place) -> Iterator[tuple[str, str]]:
    """Every route of the app with everything that its parameters may be; a new parameter is a KeyError here."""
    for route in place.whole.routes:
        if not isinstance(route, HTTPRoute):
            continue
        names = [part.name for part in route.path_components if not isinstance(part, str)]
        for values in itertools.product(*(place.there[name] for name in names)):
            given = iter(values)
            parts = [part if isinstance(part, str) else next(given) for part in route.path_components]
            for method in sorted(route.methods - {"OPTIONS"}):
                yield method, "/" + "/".join(parts)


def told(body: bytes) -> list[str]:
    """Secrets in these bytes, packed as base64 or not."""
    inside = [base64.b64decode(one[: len(one) // 4 * 4]) for one in re.findall(rb"[\w+/]{60,}", body)]
    return [secret for secret in SECRETS for text in (body, *inside) if secret.encode() in text]


@pytest.mark.parametrize("who", ["nobody", "somebody else"])
async def test_no_route_tells_anybody_what_is_in_a_private_campaign(place: Place, who: str):
    headers = {"authorization": f"Bearer {place.strange}"} if who == "somebody else" else {}
    asked = set()
    async with httpx.AsyncClient(base_url=place.base, headers=headers, timeout=60) as client:
        for method, path in addresses(place):
            for accept in ("*/*", "text/html") if method == "GET" else ("*/*",):
                answer = await client.request(method, path, headers={"accept": accept})
                assert not told(answer.content), (method, path)
                asked.add((path.split("/")[1], answer.status_code))
    assert {("campaigns", 200), ("nodes", 200), ("datasets", 200), ("v1", 200)} <= asked
    assert {("v1", 403), ("trace", 403), ("blobs", 401 if who == "nobody" else 404)} <= asked


async def test_the_walk_would_find_what_is_told(place: Place):
    """An admin is told all of it, so the walk above is not blind."""
    found = set()
    async with httpx.AsyncClient(
        base_url=place.base, headers={"authorization": f"Bearer {place.admin}"}, timeout=60
    ) as client:
        for method, path in addresses(place):
            if method == "GET":
                secrets = told((await client.get(path)).content)
                found |= {(path.split("/")[2], path.split("/")[-1], secret) for secret in secrets}
    assert {name for name, *_ in found} >= {"campaigns", "owners", "epochs"}
    assert {last for _, last, secret in found if secret in SENTENCES.values()} >= {"rows"}
    assert {last for name, last, secret in found if name == "epochs" and secret == "plants.example"} == {
        "bundle"
    }
    assert {last for name, last, secret in found if secret == TOLD} >= {"plants"}


@pytest.mark.parametrize("whose", ["mine", "admin"])
async def test_its_requester_and_an_admin_see_rows_and_where_they_are_from(place: Place, whose: str):
    async with Client(place.base, getattr(place, whose)) as client:
        preview = await client.get("/v1/campaigns/plants/rows", dict)
        assert preview["rows"][0]["text"] in SENTENCES.values()
        version = await client.version("plants")
        assert await client.blob(version.parts[0].blob)
        _, bundle = await client.epoch(1)
        assert b"What is it about?" in bundle
        campaign = await client.get("/v1/campaigns/plants", dict)
        assert {one["why"] for one in campaign["checks"]} >= {TOLD}
        row = await first_row(client, "plants", 1)
        trace = await client.get(f"/v1/versions/plants/1/rows/{row}/trace", dict)
        assert trace["hops"][-1]["values"]["text"] in SENTENCES.values()


async def test_without_the_scope_to_read_a_token_of_its_requester_reads_nothing(place: Place):
    spends = await make_token(place.database, "requester", "spends", ("campaign",))
    async with Client(place.base, spends) as client:
        with pytest.raises(
            Private, match=r"What plants has made is private by the terms of its campaign\. Send"
        ):
            await client.get("/v1/campaigns/plants/rows", dict)
        with pytest.raises(Private, match="bundle of epoch 1 is private"):
            await client.epoch(1)


async def test_an_epoch_without_private_work_is_everybodys(place: Place):
    """The town had nothing to do any more when its ninth epoch opened."""
    async with Client(place.base) as client:
        refused = set()
        for number in range(1, 10):
            try:
                await client.epoch(number)
            except Private:
                refused.add(number)
    assert 1 in refused
    assert 9 not in refused
