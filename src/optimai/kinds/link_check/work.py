"""Looks at each link once and follows its redirects. Politeness and robots.txt are the kit's."""

from urllib.parse import urldefrag, urljoin

from optimai.kinds.kit import Kit, Refused
from optimai.kinds.link_check.seen import LONGEST, Link, Seen, is_address
from optimai.kinds.link_check.spec import Result, Task

MOST_HOPS = 5


async def work(task: Task, kit: Kit) -> Result:
    seen = []
    for link in task.links:
        seen.append(await _look(link, task.delay_ms, kit))
        kit.progress(len(seen), len(task.links))
    return Result(tuple(seen))


async def _look(link: Link, delay_ms: int, kit: Kit) -> Seen:
    url = link.url
    if not is_address(url):
        return Seen(row=link.row, refused="no_address")
    for hop in range(MOST_HOPS + 1):
        moved_to = url if hop else ""
        try:
            page = await kit.fetch(url, delay_ms=delay_ms)
        except Refused as no:
            return Seen(row=link.row, refused=no.why, moved_to=moved_to)
        onward = _target(url, page.location)
        if not onward:
            length = len(page.body) if 200 <= page.status < 300 else 0
            return Seen(row=link.row, status=page.status, moved_to=moved_to, length=length)
        url = onward
    return Seen(row=link.row, refused="loop")


def _target(url: str, location: str) -> str:
    """Where a redirect leads, or "" where that is nowhere."""
    try:
        onward = urldefrag(urljoin(url, location)).url if location else ""
    except ValueError:
        return ""
    return onward if is_address(onward) and len(onward) <= LONGEST else ""
