"""The promises of the work of `crawl`: what a node reports of a page, and what an auditor finds. It is always noon."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from optimai.core.clock import Instant
from optimai.core.ids import BlobId, blob_id
from optimai.kinds.crawl import spec
from optimai.kinds.crawl.outcome import Outcome
from optimai.kinds.crawl.spec import Compare, Compared, Fetch, Fetched
from optimai.kinds.crawl.work import work
from optimai.kinds.kit import Page, Refused
from optimai.sim.proof.kit import NOON, MemoryKit, page

URL = "http://docs.example/guide.html"
AT = "2026-01-01T12:00:00Z"
LATER = "Thu, 01 Jan 2026 12:30:00 GMT"
TEXT = " ".join(f"word{n}" for n in range(40))
OTHER = " ".join(f"other{n}" for n in range(40))

Seen = Page | Refused


def html(body: str, **headers: str) -> Page:
    return page(URL, body, headers={"content-type": "text/html"} | headers)


def in_turn(*seen: Seen) -> Callable[[], Seen]:
    """One after another; the last one stays."""
    left = list(seen)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


async def fetched(*seen: Seen, within: tuple[str, ...] = ()) -> tuple[Outcome, MemoryKit]:
    kit = MemoryKit(web={URL: in_turn(*seen)})
    result = await work(Fetch(urls=(URL,), delay_ms=0, within=within, since=AT), kit)
    assert isinstance(result, Fetched)
    return result.outcomes[0], kit


async def found(first: Seen | Outcome, *then: Seen, blobs: dict[BlobId, bytes] | None = None) -> str:
    """What an auditor says of the first one's page who then sees these."""
    if isinstance(first, Outcome):
        outcome, kept = first, blobs or {}
    else:
        outcome, kit = await fetched(first)
        kept = kit.blobs
    auditor = MemoryKit(web={URL: in_turn(*then)}, blobs=kept, now=Instant(NOON + timedelta(hours=1)))
    result = await work(Compare(pages=(outcome,), delay_ms=0, within=()), auditor)
    assert isinstance(result, Compared)
    assert result.found[0].url == URL
    return result.found[0].says


# Fetching


async def test_the_bytes_and_the_links_are_kept_before_the_result_names_them():
    outcome, kit = await fetched(html("<a href=b.html>b</a>"))
    assert outcome.body
    assert outcome.links
    assert kit.blobs[outcome.body] == b"<a href=b.html>b</a>"
    assert kit.blobs[outcome.links] == b"http://docs.example/b.html\n"


async def test_links_lead_where_the_task_allows():
    linked = html("<a href=//a.example/>a</a> <a href=//b.example/>b</a>")
    outcome, kit = await fetched(linked, within=("*.example",))
    assert kit.blobs[outcome.links or BlobId("")].split() == [b"http://a.example/", b"http://b.example/"]
    outcome, kit = await fetched(linked)
    assert outcome.links is None


async def test_a_redirect_is_told_and_not_followed():
    outcome, kit = await fetched(page(URL, "", status=302, headers={"location": "../new"}))
    assert (outcome.status, outcome.moved_to) == (302, "http://docs.example/new")
    assert kit.fetched == [URL]


async def test_a_busy_server_is_asked_twice_and_no_oftener():
    busy = page(URL, "", status=503)
    outcome, kit = await fetched(busy, html("there"))
    assert outcome.status == 200
    outcome, kit = await fetched(busy)
    assert (outcome.status, kit.fetched) == (503, [URL, URL])


async def test_a_busy_servers_first_answer_stands_where_there_is_no_time_for_a_second():
    outcome, _ = await fetched(page(URL, "", status=429), Refused("no_time"))
    assert (outcome.status, outcome.refused) == (429, "")


async def test_a_refusal_is_an_outcome():
    outcome, _ = await fetched(Refused("too_large"))
    assert (outcome.status, outcome.refused, outcome.at) == (0, "too_large", AT)


async def test_headers_that_no_result_can_carry_are_left_out():
    outcome, _ = await fetched(html("x", etag="\udcff", **{"last-modified": "soon"}))
    assert (outcome.etag, outcome.last_modified) == (None, None)
    assert msgspec.json.encode(outcome)


async def test_the_delay_of_the_task_is_the_kits_to_keep():
    asked = []

    class Polite(MemoryKit):
        async def fetch(self, url: str, *, delay_ms: int = 0) -> Page:
            asked.append(delay_ms)
            return await super().fetch(url)

    await work(Fetch(urls=(URL,), delay_ms=250, within=(), since=AT), Polite(web={URL: html("x")}))
    assert asked == [250]


# Comparing


async def test_a_page_that_reads_the_same_is_the_same():
    assert await found(html(TEXT), html(TEXT)) == "same"
    assert (
        await found(html(f"{TEXT} 1 visit"), html(f"<div>{TEXT}</div> 2 visits <script>3</script>")) == "same"
    )


async def test_an_auditor_signs_what_it_got_itself_not_only_what_it_thinks_of_it():
    """When, what status, which bytes: two auditors of one page can be held against each other later."""
    outcome, kit = await fetched(html(OTHER))
    mine = MemoryKit(web={URL: html(TEXT)}, blobs=kit.blobs)
    compared = await work(Compare(pages=(outcome,), delay_ms=0, within=()), mine)
    assert isinstance(compared, Compared)
    [one] = compared.found
    body = html(TEXT).body
    assert one.says == "differs"
    assert one.seen == spec.Seen(AT, 200, blob_id(body), len(body))


async def test_an_invented_page_differs_or_is_not_there():
    assert await found(html(OTHER), html(TEXT)) == "differs"
    assert await found(html(OTHER), page(URL, "", status=404)) == "gone"


async def test_an_old_page_under_a_new_time_differs():
    modified = "Thu, 01 Jan 2026 11:59:59 GMT"
    assert await found(html(OTHER), html(TEXT, **{"last-modified": modified})) == "differs"


async def test_a_page_that_was_modified_since_is_nobodys_fault():
    assert await found(html(OTHER), html(TEXT, **{"last-modified": LATER})) == "changed"
    assert await found(page(URL, "", status=404), html(TEXT, **{"last-modified": LATER})) == "changed"


async def test_a_server_that_dates_every_answer_anew_excuses_nobody():
    anew = html(TEXT, **{"last-modified": LATER.replace(":00 ", ":01 ")})
    assert await found(html(OTHER), html(TEXT, **{"last-modified": LATER}), anew) == "differs"


async def test_a_page_that_is_never_twice_the_same_is_nobodys_fault():
    assert await found(html(OTHER), html(TEXT), html(TEXT[::-1])) == "changed"


async def test_a_page_of_which_there_are_two_editions_is_the_same_if_either_is():
    assert await found(html(OTHER), html(TEXT), html(OTHER)) == "same"


@pytest.mark.parametrize("now", [Refused("timeout"), Refused("private"), page(URL, "", status=500)])
async def test_what_cannot_be_reached_now_cannot_be_compared(now: Seen):
    assert await found(html(TEXT), now) == "unreachable"
    assert await found(html(OTHER), html(TEXT), now) == "unreachable"


async def test_a_page_that_robots_forbid_must_not_have_been_fetched():
    assert await found(html(TEXT), Refused("robots")) == "differs"
    assert await found(Refused("robots"), Refused("robots")) == "same"
    assert await found(Refused("robots"), html(TEXT)) == "differs"


async def test_a_false_404_differs():
    assert await found(page(URL, "", status=404), html(TEXT)) == "differs"
    assert await found(page(URL, "", status=404), page(URL, "", status=404)) == "same"
    assert await found(page(URL, "", status=410), page(URL, "", status=404)) == "differs"


async def test_a_redirect_to_elsewhere_differs():
    here, there = (page(URL, "", status=301, headers={"location": to}) for to in ("/a", "/b"))
    assert await found(here, here) == "same"
    assert await found(here, there) == "differs"


async def test_a_refusal_that_nobody_can_check_is_not_even_looked_at():
    assert await found(Refused("timeout"), html(TEXT)) == "unreachable"


async def test_a_picture_is_the_same_to_the_byte_or_differs():
    one, other = (
        page(URL, body, headers={"content-type": "image/png"}) for body in (b"\x89PNG1", b"\x89PNG2")
    )
    assert await found(one, one) == "same"
    assert await found(one, other) == "differs"


async def test_bytes_that_were_never_sent_differ():
    outcome, _ = await fetched(html(TEXT))
    assert await found(outcome, html(TEXT)) == "differs"


async def test_a_report_from_the_future_differs():
    outcome, kit = await fetched(html(TEXT))
    future = msgspec.structs.replace(outcome, at="2026-01-01T13:05:01Z")
    assert await found(future, html(TEXT), blobs=kit.blobs) == "differs"
    near = msgspec.structs.replace(outcome, at="2026-01-01T13:04:59Z")
    assert await found(near, html(TEXT), blobs=kit.blobs) == "same"


@pytest.mark.parametrize(
    "lie",
    [
        {"links": blob_id(b"http://docs.example/spam\n")},
        {"links": None},
        {"length": 1},
        {"type": "text/plain"},
        {"body": blob_id(b"something else")},
    ],
    ids=["spam", "no links", "length", "type", "body"],
)
async def test_what_follows_from_the_bytes_is_found_again_and_must_be_as_told(lie: dict[str, Any]):
    outcome, kit = await fetched(html(f"{TEXT} <a href=b.html>b</a>"))
    kit.put(b"something else")
    seen = html(f"{TEXT} <a href=c.html>c</a>")
    assert await found(outcome, seen, blobs=kit.blobs) == "same"
    assert await found(msgspec.structs.replace(outcome, **lie), seen, blobs=kit.blobs) == "differs"


async def test_a_declared_encoding_matters_where_the_text_reads_otherwise():
    greek = page(
        URL, "Ελλάδα ".encode("iso8859-7") * 9, headers={"content-type": "text/html; charset=iso-8859-7"}
    )
    outcome, kit = await fetched(greek)
    wrong = msgspec.structs.replace(outcome, encoding="koi8-r")
    assert await found(wrong, greek, blobs=kit.blobs) == "differs"
    outcome, kit = await fetched(html(TEXT))
    assert await found(outcome, page(URL, TEXT), blobs=kit.blobs) == "same"
