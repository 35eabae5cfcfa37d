"""Datasets: names, their versions, and what a version is made of, as the network has signed it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from optimai.core.clock import Instant
from optimai.core.ids import CampaignId
from optimai.core.version import Part, Version
from optimai.kinds import catalog
from optimai.kinds.contract import Shard
from optimai.network import shards
from optimai.network.queries import evidence, private
from optimai.network.store import reading
from optimai.network.store.sql import Tx
from optimai.wire import envelope
from optimai.wire.envelope import Envelope

MOST = 200
FIRST = 10  # rows that are shown


class Summary(Struct, frozen=True, kw_only=True):
    name: str
    number: int  # of the newest version
    versions: int
    rows: int
    bytes: int
    license: str  # "" where its terms name none
    at: Instant
    campaign: str
    campaign_id: CampaignId  # as there may be several of that name


class Shown(Struct, frozen=True, kw_only=True):
    """A version, its manifest's signature, and its first rows."""

    version: Version
    keyid: str  # of the network's key, which signed the manifest
    campaign: CampaignId
    newest: int  # number of the newest version of this name
    private: bool  # by its terms: its rows are shown to nobody here
    first: tuple[dict[str, Any], ...]
    columns: tuple[tuple[str, str], ...]  # of these rows: (name, step that made it), what was made last first


async def listed(tx: Tx) -> tuple[Summary, ...]:
    """The newest version of each name."""
    found = []
    for row in await reading.datasets(tx, MOST):
        version = manifest(row["manifest"])[0]
        found.append(
            Summary(
                name=row["name"],
                number=row["number"],
                versions=row["versions"],
                rows=row["rows"],
                bytes=sum(part.bytes for part in version.parts),
                license=version.card.get("terms", {}).get("license", ""),
                at=row["at"],
                campaign=row["campaign"],
                campaign_id=row["campaign_id"],
            )
        )
    return tuple(found)


async def version(tx: Tx, name: str, number: int) -> Shown:
    """Raises NotFound."""
    row = await evidence.version(tx, name, number)
    version, signed = manifest(row["manifest"])
    public = private.shown(None, row)
    first = await _first(tx, version.parts) if public else ()
    return Shown(
        version=version,
        keyid=signed.signatures[0].keyid,
        campaign=row["campaign"],
        newest=row["newest"],
        private=not public,
        first=first,
        columns=tuple(_columns(version.card["steps"], first[0])) if first else (),
    )


def manifest(data: bytes) -> tuple[Version, Envelope]:
    signed = envelope.read(data)
    return msgspec.json.decode(signed.payload, type=Version), signed


def _columns(steps: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The network's own are no part of it. "": given by the requester."""
    left = [name for name in row if not name.startswith("_")]
    for step in reversed(steps):
        if kind := catalog.there().whole.get(step["kind"]):
            for name in kind.kind.gives:
                if name in left:
                    left.remove(name)
                    yield name, step["name"]
    yield from ((name, "") for name in left)


async def _first(tx: Tx, parts: tuple[Part, ...]) -> tuple[dict[str, Any], ...]:
    part = next((part for part in parts if part.rows), None)
    if part is None:
        return ()
    return tuple((await shards.read(tx, Shard(part.blob, part.rows, part.bytes)))[:FIRST])
