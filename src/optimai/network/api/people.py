"""What requesters, operators and anybody may ask: campaigns, money, versions, evidence."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody, PathParameter, QueryParameter

from optimai.core.ids import EarningId, OwnerId
from optimai.core.money import parse_opi
from optimai.network import access, accounts, campaigns
from optimai.network.api.machines import JSON, Here, body
from optimai.network.home import make_token
from optimai.network.leaving import leave_signed
from optimai.network.queries import campaigns as campaign_facts
from optimai.network.queries import earnings, evidence, look, preview, trace
from optimai.network.queries.campaigns import Campaign, Summary
from optimai.network.queries.earnings import Line
from optimai.network.queries.preview import Preview
from optimai.network.queries.trace import Trace

MOST_CAMPAIGN = 8 << 20  # bytes, known answers and inputs included

# Bounds are those of the columns that these are looked up in.
Name = Annotated[str, PathParameter(pattern=r"^[^\x00]{1,80}$")]
Number = Annotated[int, PathParameter(ge=0, le=(1 << 31) - 1)]
Most = Annotated[int, QueryParameter(ge=1, le=100)]
After = Annotated[int, QueryParameter(ge=0, le=(1 << 63) - 1)]


class Leaves(msgspec.Struct, frozen=True):
    """What an owner who leaves still waits for."""

    owner: OwnerId
    waiting: int  # results without a verdict, and lines of pay that are not free yet
    bond_nopi: int  # that comes back then,
    owed_nopi: int  # less this
    lost_nopi: int  # of kinds for which it is suspended


class Submitted(msgspec.Struct, frozen=True):
    campaign: int
    name: str


class Deposit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    amount: str  # "50 OPI"
    owner: Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9-]{0,60}\Z")] = ""  # whose account; "": your own
    reference: Annotated[
        str, msgspec.Meta(pattern=r"\A[^\x00]{1,80}\Z")
    ]  # the same reference is deposited once


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    owner: Annotated[
        str, msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9-]{0,59}\Z")
    ]  # whose account it spends from
    name: Annotated[str, msgspec.Meta(pattern=r"\A[^\x00]{1,60}\Z")]  # to know it by
    scopes: tuple[Literal["admin", "campaign", "read"], ...]


class Made(msgspec.Struct, frozen=True):
    token: str


class Balance(msgspec.Struct, frozen=True):
    owner: str
    available_nopi: int


class Booked(Balance, frozen=True):
    again: bool  # the reference was booked before, so nothing moved


@post("/v1/campaigns", status_code=201)
async def submit(request: Request[Any, Any, Any], database: Here) -> Submitted:
    """Take in a campaign (the file's values as JSON). Its budget leaves your account at once."""
    raw = msgspec.json.decode(await body(request, MOST_CAMPAIGN), type=dict[str, Any])
    async with database.begin() as (tx, now):
        who = await access.person(tx, access.bearer_of(request.headers), "campaign")
        number = await campaigns.submit(tx, now, raw, who.owner)
    return Submitted(number, str(raw["campaign"]))


@get("/v1/campaigns")
async def listed(database: Here) -> list[Summary]:
    """All campaigns, the newest first."""
    async with look(database) as (tx, _):
        return list(await campaign_facts.listed(tx))


@get("/v1/campaigns/{name:str}")
async def status(request: Request[Any, Any, Any], database: Here, name: Name) -> Campaign:
    """What a campaign does just now: steps, checks, who works, where the money is."""
    async with look(database) as (tx, now):
        return await campaign_facts.named(tx, now, name, await access.anybody(tx, request.headers))


@get("/v1/campaigns/{name:str}/rows")
async def rows(request: Request[Any, Any, Any], database: Here, name: Name, most: Most = 5) -> Preview:
    """The first rows there are so far; of a private campaign for its requester's token or an admin's."""
    async with look(database) as (tx, _):
        return await preview.first(tx, name, most, await access.anybody(tx, request.headers))


@post("/v1/campaigns/{name:str}/cancel", status_code=204)
async def cancel(request: Request[Any, Any, Any], database: Here, name: Name) -> None:
    """End a campaign of yours before its time: what was answered is judged and paid, the rest returns."""
    async with database.begin() as (tx, now):
        who = await access.person(tx, access.bearer_of(request.headers), "campaign")
        await campaigns.cancel(tx, now, name, who)


@post("/v1/deposits", status_code=201)
async def deposit(request: Request[Any, Any, Any], database: Here, data: JSONBody[Deposit]) -> Booked:
    """Put OPI on an account. In a private network the operator says so; nothing else backs it yet."""
    async with database.begin() as (tx, now):
        who = await access.person(tx, access.bearer_of(request.headers), "admin")
        owner = OwnerId(data.owner) if data.owner else who.owner
        done = await accounts.deposit(tx, owner, parse_opi(data.amount), data.reference, now)
    return Booked(owner, done.left, done.again)


@post("/v1/withdrawals", status_code=201)
async def withdraw(request: Request[Any, Any, Any], database: Here) -> Booked:
    """Take out what is available to an owner. The body is an envelope signed by the owner's key."""
    owner, done = await accounts.withdraw_signed(database, await body(request, 1 << 14))
    return Booked(owner, done.left, done.again)


@post("/v1/leavings", status_code=201)
async def leave(request: Request[Any, Any, Any], database: Here) -> Leaves:
    """Leave, and have the bond back when all is paid out. The body is an envelope signed by the owner's key."""
    told = await leave_signed(database, await body(request, 1 << 14))
    return Leaves(told.owner, told.waiting, told.bond, told.owed, told.lost)


@post("/v1/tokens", status_code=201)
async def token(request: Request[Any, Any, Any], database: Here, data: JSONBody[NewToken]) -> Made:
    """A token for a requester or operator. It is shown this once; the network keeps its hash."""
    async with database.begin() as (tx, _):
        await access.person(tx, access.bearer_of(request.headers), "admin")
    return Made(await make_token(database, data.owner, data.name, data.scopes))


@get("/v1/account")
async def account(request: Request[Any, Any, Any], database: Here) -> Balance:
    """What is on your account."""
    async with look(database) as (tx, _):
        who = await access.person(tx, access.bearer_of(request.headers), "campaign")
        return Balance(who.owner, await accounts.balance(tx, who.owner))


@get("/v1/versions/{name:str}/{number:int}", media_type=JSON)
async def version(database: Here, name: Name, number: Number) -> Response[bytes]:
    """The signed manifest of a version; number 0 is the newest."""
    async with look(database) as (tx, _):
        return Response(await evidence.manifest(tx, name, number), media_type=JSON)


@get("/v1/epochs/{number:int}/head", media_type=JSON)
async def epoch_head(database: Here, number: Number) -> Response[bytes]:
    """The signed head of a closed epoch; number 0 is the newest."""
    async with look(database) as (tx, _):
        return Response((await evidence.closed(tx, number)).head, media_type=JSON)


@get("/v1/epochs/{number:int}/bundle", media_type="application/x-ndjson")
async def epoch_bundle(request: Request[Any, Any, Any], database: Here, number: Number) -> Response[bytes]:
    """All that is needed to recompute a closed epoch; with private work in it for its requester or an admin."""
    async with look(database) as (tx, _):
        bundle = await evidence.bundle(tx, number, await access.anybody(tx, request.headers))
    return Response(await database.blobs.get(bundle), media_type="application/x-ndjson")


@get("/v1/versions/{name:str}/{number:int}/rows/{row:str}/trace")
async def traced(
    request: Request[Any, Any, Any], database: Here, name: Name, number: Number, row: Name
) -> Trace:
    """From a row (or the beginning of its name) back to the signed work behind it, and who was paid for that."""
    async with look(database) as (tx, _):
        return await trace.row(tx, name, number, row, await access.anybody(tx, request.headers))


@get("/v1/owners/{owner:str}")
async def owner(database: Here, owner: Name) -> Balance:
    """What is on an owner's account just now: what became available, less what was withdrawn."""
    async with look(database) as (tx, _):
        return Balance(owner, await accounts.balance(tx, OwnerId(owner)))


@get("/v1/owners/{owner:str}/earnings")
async def earned(
    request: Request[Any, Any, Any], database: Here, owner: Name, after: After = 0
) -> list[Line]:
    """An owner's lines of pay in the order they were written, zeros too; `after` is the last one you have."""
    async with look(database) as (tx, _):
        who = await access.anybody(tx, request.headers)
        return list(await earnings.of(tx, OwnerId(owner), EarningId(after), who))


HANDLERS = [
    withdraw,
    leave,
    token,
    rows,
    traced,
    owner,
    earned,
    submit,
    listed,
    status,
    cancel,
    deposit,
    account,
    version,
    epoch_head,
    epoch_bundle,
]
