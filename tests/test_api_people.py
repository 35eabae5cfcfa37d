"""What people's programs may ask over real HTTP, and that nothing they send breaks anything."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from optimai.core.clock import Instant
from optimai.core.ids import blob_id
from optimai.core.money import OPI
from optimai.network import home
from optimai.network.home import make_token
from optimai.network.queries import steps
from optimai.network.store import tokens
from optimai.network.store.sql import Tx
from tests.api import Api
from tests.road import REQUESTER, campaign

pytestmark = pytest.mark.usefixtures("trial")


async def test_a_token_does_what_its_scopes_say_and_its_owners_bytes_only(api: Api):
    token = await api.token()
    data = b"result"
    await api.ask("PUT", f"/blobs/{blob_id(data)}", data, token)
    path = f"/blobs/{blob_id(data)}"
    mine = await make_token(api.road.database, "requester", "me", ("read",))
    other = await make_token(api.road.database, "somebody", "them", ("read", "campaign"))
    admin = await make_token(api.road.database, "operator", "root", ("admin", "read"))
    assert (await api.ask("GET", path, token=mine))[0] == 200
    assert (await api.ask("GET", path, token=admin))[0] == 200
    assert await api.code("GET", path, token=other) == "404 not_found"
    raw = json.dumps(campaign(campaign="new")).encode()
    assert await api.code("POST", "/v1/campaigns", raw, mine) == "403 not_allowed"
    assert await api.code("POST", "/v1/campaigns", raw, other) == "402 not_enough"
    assert await api.code("POST", "/v1/campaigns", raw) == "401 no_token"


async def test_the_database_keeps_no_token(api: Api):
    token = await make_token(api.road.database, "requester", "me", ("read",))
    async with api.road.database.begin() as (tx, _):
        assert await tokens.bearer(tx, token) is None
        assert await tokens.bearer(tx, home.token_hash(token)) is not None


async def test_a_deposit_is_made_once_for_each_reference(api: Api):
    admin = await make_token(api.road.database, "operator", "root", ("admin", "campaign"))
    for reference, has, again in (("a", 5, False), ("a", 5, True), ("b", 10, False)):
        data = json.dumps({"amount": "5 OPI", "reference": reference}).encode()
        status, body, _ = await api.ask("POST", "/v1/deposits", data, admin, Content_Type="application/json")
        assert status == 201
        assert json.loads(body) == {"owner": "operator", "available_nopi": has * OPI, "again": again}
    _, body, _ = await api.ask("GET", "/v1/owners/operator")
    assert json.loads(body) == {"owner": "operator", "available_nopi": 10 * OPI}
    for amount in "0", "-1", "0.0000000001":
        data = json.dumps({"amount": amount, "reference": "c"}).encode()
        status, body, _ = await api.ask("POST", "/v1/deposits", data, admin, Content_Type="application/json")
        assert (status, json.loads(body)["code"]) == (422, "bad_value")


@pytest.mark.parametrize("amount", ["0 OPI", "-5 OPI", "much"])
async def test_a_deposit_of_nothing_or_less_is_refused_with_a_sentence(api: Api, amount: str):
    admin = await make_token(api.road.database, "operator", "root", ("admin",))
    data = json.dumps({"amount": amount, "reference": "a"}).encode()
    status, body, _ = await api.ask("POST", "/v1/deposits", data, admin, Content_Type="application/json")
    assert (status, json.loads(body)["code"]) == (422, "bad_value")


# Anything


async def test_who_looks_at_an_account_waits_for_nobody_who_moves_its_money(api: Api):
    await api.road.deposit(7 * OPI)
    token = await make_token(api.road.database, REQUESTER, "mine", ("campaign",))
    async with api.road.database.begin() as (tx, _):
        await tx.execute("update account set balance = balance - 1 where name = $1", f"available:{REQUESTER}")
        status, body, _ = await asyncio.wait_for(api.ask("GET", "/v1/account", token=token), 20)
    assert (status, json.loads(body)["available_nopi"]) == (200, 7 * OPI)


async def test_a_campaigns_status_is_of_one_moment_whatever_is_written_meanwhile(
    api: Api, monkeypatch: pytest.MonkeyPatch
):
    await api.road.begin()
    of = steps.of

    async def of_and_then(tx: Tx, now: Instant, campaign: Any) -> Any:
        found = await of(tx, now, campaign)
        async with api.road.database.begin() as (other, _):
            await other.execute("update account set balance = 1 where name = 'escrow:1'")
        return found

    monkeypatch.setattr(steps, "of", of_and_then)
    _, body, _ = await api.ask("GET", "/v1/campaigns/trials")
    assert json.loads(body)["money"]["escrow"] == 100 * OPI
    _, body, _ = await api.ask("GET", "/v1/campaigns/trials")
    assert json.loads(body)["money"]["escrow"] == 1


async def test_no_request_that_fits_the_schema_breaks_the_coordinator(api: Api):
    """Schemathesis makes requests from the API's own OpenAPI; none is answered with a fault of ours."""
    await api.road.begin()
    await api.road.answer(await api.road.join("ann"))
    await api.road.quiet()
    admin = await make_token(api.road.database, "operator", "root", ("admin", "campaign", "read"))
    _, raw, _ = await api.ask("GET", "/api/openapi.json")
    schema = schemathesis.openapi.from_dict(json.loads(raw))
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) >= 15
    for operation in operations:
        await asyncio.to_thread(_try, api.url, admin, operation)


async def test_the_schema_names_what_a_parameter_may_be(api: Api):
    for path in ("/v1/versions/trials/99999999999", "/v1/epochs/-1/head", "/v1/owners/x/earnings?after=-1"):
        assert await api.code("GET", path) in ("400 bad_message", "404 http")


def _try(url: str, admin: str, operation: Any) -> None:
    @given(case=operation.as_strategy())
    @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def any_request(case: Any) -> None:
        answer = case.call(base_url=url, headers={"Authorization": f"Bearer {admin}"}, timeout=20)
        assert answer.status_code < 500, (case.as_curl_command(), answer.content)
        if answer.status_code >= 400:
            assert {"code", "message"} <= set(answer.json())

    check: Callable[[], None] = any_request
    check()
