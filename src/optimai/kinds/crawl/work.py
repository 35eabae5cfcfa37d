"""Fetches the pages of a task one after another, or looks again at what another owner fetched.

Politeness is the kit's: it keeps robots.txt, the distance between two requests and
a server's `Retry-After`. Here a server that is busy is asked once more, no oftener.
"""

from contextlib import suppress

from optimai.core.errors import NotFound, WrongBytes
from optimai.core.ids import blob_id
from optimai.kinds.crawl.outcome import SKEW, Outcome, busy, checkable, second
from optimai.kinds.crawl.spec import Compare, Compared, Fetch, Fetched, Found, Result, Seen, Task
from optimai.kinds.crawl.visit import Visit, describe, refused, same
from optimai.kinds.kit import Kit, Page, Refused


async def work(task: Task, kit: Kit) -> Result:
    if isinstance(task, Fetch):
        outcomes = []
        for url in task.urls:
            outcomes.append(await _keep(await _visit(url, task, kit), kit))
            kit.progress(len(outcomes), len(task.urls))
        return Fetched(tuple(outcomes))
    found = []
    for page in task.pages:
        found.append(await _compare(page, task, kit))
        kit.progress(len(found), len(task.pages))
    return Compared(tuple(found))


async def _visit(url: str, task: Task, kit: Kit) -> Visit:
    try:
        return describe(url, await _ask(url, task.delay_ms, kit), task.within)
    except Refused as no:
        return refused(url, no.why, kit.now())


async def _ask(url: str, delay_ms: int, kit: Kit) -> Page:
    """Raises Refused. A busy server's first answer stands where a second can't be had."""
    page = await kit.fetch(url, delay_ms=delay_ms)
    if busy(page.status):
        with suppress(Refused):
            page = await kit.fetch(url, delay_ms=delay_ms)
    return page


async def _keep(one: Visit, kit: Kit) -> Outcome:
    if one.body:
        await kit.write(one.body)
    if one.links:
        await kit.write(one.links)
    return one.outcome


async def _compare(first: Outcome, task: Compare, kit: Kit) -> Found:
    """Where they do not agree, a second look tells what is false from what is never twice the same."""
    if not checkable(first):
        return Found(first.url, "unreachable")
    body = await _bytes_of(first, kit)
    if body is None or first.at > second(kit.now() + SKEW):
        return Found(first.url, "differs")

    once = await _visit(first.url, task, kit)
    if not checkable(once.outcome):
        return Found(first.url, "unreachable")
    if same(first, body, once, task.within):
        return Found(first.url, "same", _seen(once))

    twice = await _visit(first.url, task, kit)
    if not checkable(twice.outcome):
        return Found(first.url, "unreachable")
    if same(first, body, twice, task.within):
        return Found(first.url, "same", _seen(twice))
    if not same(once.outcome, once.body, twice, task.within) or _modified_since(first, once, twice):
        return Found(first.url, "changed", _seen(twice))
    gone = first.body is not None and once.outcome.status in {404, 410}
    return Found(first.url, "gone" if gone else "differs", _seen(twice))


def _seen(visit: Visit) -> Seen:
    return Seen(visit.outcome.at, visit.outcome.status, blob_id(visit.body), len(visit.body))


async def _bytes_of(first: Outcome, kit: Kit) -> bytes | None:
    """None where the first one names bytes that it never sent."""
    try:
        return await kit.read(first.body) if first.body else b""
    except (NotFound, WrongBytes):
        return None


def _modified_since(first: Outcome, once: Visit, twice: Visit) -> bool:
    """A server that dates every answer anew has said nothing."""
    modified = once.outcome.last_modified
    return modified is not None and modified == twice.outcome.last_modified and modified >= first.at
