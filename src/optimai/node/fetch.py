"""Fetches pages for tasks, politely.

A host gets one request at a time, and between two of them passes the longest of three
times: ours, the task's, and what its robots.txt asks for. What that file forbids is
not fetched, nor anything while it can't be read. A busy host is left alone for as long
as it says. All tasks of a node that share a fetcher share its politeness.

What may be reached, and how much of it, is `get`'s.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime

import ada_url
from aiohttp.abc import AbstractResolver
from msgspec import Struct

from optimai.core.clock import Instant
from optimai.kinds.kit import REDIRECTS, Page, Refused
from optimai.node.get import PRODUCT, Answer, Getter, Target
from optimai.node.robots import MOST_BYTES, MOST_HOPS, Rules

RESERVE = timedelta(seconds=10)  # before a lease ends, to hand the result in
RULES_LAST = timedelta(hours=1)
FAULT_LASTS = timedelta(minutes=1)  # of a robots.txt that could not be read
BACK_OFF = timedelta(seconds=1)  # from a busy host that does not say how long
LONGEST_BACK_OFF = timedelta(hours=1)
MOST_SITES = 256  # remembered at once


class Limits(Struct, frozen=True):
    bytes: int = 5 << 20  # of a page, as it comes and unpacked
    seconds: float = 30  # until it is complete
    distance: timedelta = timedelta(milliseconds=500)  # between requests to a host that is not the operator's


class Site:
    """What is remembered of a host."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.last: Instant | None = None  # request, when it was over
        self.not_before: Instant | None = None
        self.rules: dict[str, tuple[Rules | Refused, Instant]] = {}  # by origin, with their expiry


class Fetcher:
    def __init__(
        self,
        hosts: Mapping[str, str],
        now: Callable[[], Instant],
        *,
        names: AbstractResolver | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        limits: Limits | None = None,
    ) -> None:
        """`hosts` is the operator's word: private HOST:PORT that may be fetched, and the address of each."""
        self._getter = Getter(hosts, names)
        self._now = now
        self._sleep = sleep
        self._limits = limits or Limits()
        self._sites: dict[str, Site] = {}

    async def close(self) -> None:
        await self._getter.close()

    async def fetch(self, url: str, *, delay_ms: int = 0, until: Instant | None = None) -> Page:
        """Raises Refused; with `no_time` where its turn comes too late for a lease that ends at `until`."""
        target = self._getter.target(url)
        site = self._site(target.host)
        async with site.lock:
            rules = await self._rules(site, target, until)
            if not rules.allows(target.url):
                raise Refused("robots", f"The robots.txt of {target.host} does not allow {url}.")
            ours = timedelta() if target.named else self._limits.distance
            await self._turn(site, max(ours, timedelta(milliseconds=delay_ms), rules.delay), until)
            try:
                answer = await self._get(target, self._limits.bytes, until)
            finally:
                site.last = self._now()
            if busy(answer):
                site.not_before = Instant(self._now() + back_off(answer, self._now()))
        return Page(url=url, status=answer.status, headers=answer.headers, body=answer.body, at=self._now())

    def _site(self, host: str) -> Site:
        """The one used least recently is forgotten, unless it is in use."""
        site = self._sites.pop(host, None) or Site()
        if len(self._sites) >= MOST_SITES:
            idle = next((name for name, one in self._sites.items() if not one.lock.locked()), None)
            self._sites.pop(idle or "", None)
        self._sites[host] = site
        return site

    async def _rules(self, site: Site, target: Target, until: Instant | None) -> Rules:
        known, expiry = site.rules.get(target.origin, (None, None))
        if known is None or expiry is None or expiry <= self._now():
            known = await self._read_rules(target, until)
            lasts = FAULT_LASTS if isinstance(known, Refused) else RULES_LAST
            site.rules[target.origin] = (known, Instant(self._now() + lasts))
        if isinstance(known, Refused):
            raise Refused(known.why, str(known))
        return known

    async def _read_rules(self, target: Target, until: Instant | None) -> Rules | Refused:
        """No file is no rules. A fault is returned, to be remembered as well."""
        try:
            answer = await self._follow(f"{target.origin}/robots.txt", until)
        except Refused as fault:
            if fault.why == "no_time":
                raise
            return fault
        if busy(answer):
            return Refused("unreachable", f"The robots.txt of {target.host} answers {answer.status}.")
        return Rules(answer.body.decode("utf-8", "replace") if answer.status == 200 else "", PRODUCT)

    async def _follow(self, url: str, until: Instant | None) -> Answer:
        answer = await self._get(self._getter.target(url), MOST_BYTES, until, cut=True)
        for _ in range(MOST_HOPS):
            if answer.status not in REDIRECTS:
                break
            try:
                url = ada_url.join_url(url, answer.headers.get("location", ""))
            except ValueError:
                raise Refused("broken", f"{url} leads nowhere.") from None
            answer = await self._get(self._getter.target(url), MOST_BYTES, until, cut=True)
        return answer

    async def _turn(self, site: Site, distance: timedelta, until: Instant | None) -> None:
        now = self._now()
        turn = max(now, site.last + distance if site.last else now, site.not_before or now)
        if until is not None and turn > until - RESERVE:
            raise Refused("no_time", "Its turn comes after the lease.")
        if turn > now:
            await self._sleep((turn - now).total_seconds())

    async def _get(self, target: Target, most: int, until: Instant | None, *, cut: bool = False) -> Answer:
        seconds = self._limits.seconds
        if until is not None:
            seconds = min(seconds, (until - RESERVE - self._now()).total_seconds())
            if seconds <= 0:
                raise Refused("no_time", "The lease is nearly over.")
        return await self._getter.get(target, seconds, most, cut=cut)


def busy(answer: Answer) -> bool:
    return answer.status == 429 or answer.status >= 500


def back_off(answer: Answer, now: Instant) -> timedelta:
    """What `Retry-After` asks for: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after"""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        wait = timedelta(seconds=int(asked[:9]))
    else:
        try:
            wait = parsedate_to_datetime(asked) - now
        except (ValueError, TypeError, OverflowError):
            wait = BACK_OFF
    return min(max(wait, BACK_OFF), LONGEST_BACK_OFF)
