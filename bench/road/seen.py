"""What the database of the road says of it: whether a kind's turn is over, what was done, what it was given."""

from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from bench.road.plain import Given
from optimai.blobs.disk import DiskBlobs

_OPEN = """
    select exists (select from step join campaign on campaign.id = step.campaign
                    where campaign.name = $1 and step.kind = $2 and step.state <> 'sealed')
        or exists (select from earning join campaign on campaign.id = earning.campaign
                    where campaign.name = $1 and earning.state in ('reserved', 'pending'))
"""
# A sort is what a task says of itself: dedup has five, crawl's is to fetch. Only what a judge took is done.
_DONE = """
    select coalesce(convert_from(task.body, 'UTF8')::json ->> 'type', '') as sort,
           count(*) filter (where tried.role = 'answer') as tasks,
           sum(task.units) filter (where tried.role = 'answer') as units,
           count(*) filter (where tried.role = 'audit') as audits,
           coalesce(sum(task.units) filter (where tried.role = 'audit'), 0) as again
      from task join step on step.id = task.step join campaign on campaign.id = step.campaign
      join assignment as tried on tried.task = task.id and tried.state in ('accepted', 'rejected')
     where campaign.name = $1 and step.kind = $2 group by 1
"""
_ROWS = """
    select shard.blob from shard join step on step.id = shard.step join campaign on campaign.id = step.campaign
     where campaign.name = $1 and step.name = $2 order by shard.id
"""
_FETCHED = """
    select task.body from task join step on step.id = task.step join campaign on campaign.id = step.campaign
     where campaign.name = $1 and step.kind = 'crawl'
"""


class Sort(Struct, frozen=True):
    """One sort of a kind's tasks. Units are rows, pages, pairs."""

    tasks: int
    units: int
    audits: int
    again: int  # units that a second owner did


class Seen:
    def __init__(self, database: "asyncpg.Connection[Any]", blobs: DiskBlobs) -> None:
        self.database = database
        self.blobs = blobs

    async def going_on(self, campaign: str, kind: str) -> bool:
        """Its steps are not sealed, or somebody is not paid."""
        return bool(await self.database.fetchval(_OPEN, campaign, kind))

    async def epoch(self) -> int:
        """The one that runs."""
        return int(await self.database.fetchval("select max(number) from epoch"))

    async def closed(self, epoch: int) -> bool:
        return bool(
            await self.database.fetchval("select closed is not null from epoch where number = $1", epoch)
        )

    async def done(self, campaign: str, kind: str) -> Mapping[str, Sort]:
        found = await self.database.fetch(_DONE, campaign, kind)
        return {one["sort"]: Sort(one["tasks"], one["units"], one["audits"], one["again"]) for one in found}

    async def given(self, campaign: str, site: str) -> Given:
        """What each kind had to work on, for whoever does it again."""
        tasks = await self.database.fetch(_FETCHED, campaign)
        pages = await self._rows(campaign, "pages")
        return Given(
            site=site,
            urls=sorted({url for one in tasks for url in msgspec.json.decode(one["body"])["urls"]}),
            pages=[
                (one["url"], one["type"], one["encoding"], await self.blobs.get(one["body"])) for one in pages
            ],
            texts=[(one["_row"], one["text"]) for one in await self._rows(campaign, "text")],
            links=[one["url"] for one in pages],
        )

    async def _rows(self, campaign: str, step: str) -> list[dict[str, Any]]:
        found = await self.database.fetch(_ROWS, campaign, step)
        tables = [
            pq.ParquetFile(pa.BufferReader(await self.blobs.get(one["blob"]))).read(use_threads=False)
            for one in found
        ]
        return [row for table in tables for row in table.to_pylist()]
