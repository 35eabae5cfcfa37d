"""What a page says in words: amounts, spans, and the sentence that each page opens with.

Everything returns text or `Markup`; whatever came from outside is escaped on its way in.
"""

from datetime import timedelta
from typing import Any

from markupsafe import Markup

from optimai.core.chance import MILLION
from optimai.core.clock import Instant
from optimai.core.money import OPI, Nano, opi
from optimai.core.version import Version
from optimai.network.queries.campaigns import Campaign
from optimai.network.queries.checks import Check
from optimai.network.queries.datasets import Shown
from optimai.network.queries.nodes import Node
from optimai.network.queries.steps import Step
from optimai.network.queries.trace import Hop, Made, Result, Trace
from optimai.network.queries.workers import Suspension, Worker

LONG = 80  # characters, from where on a value has lines of its own
SEEN = 400  # and so many of them are shown


def count(number: int, noun: str) -> str:
    """`1 row`, `1,204 rows`."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    return {"person": "people"}.get(noun, f"{noun}s")


def units(number: int, unit: str, step: str) -> str:
    """`214 rows of text`; `12 pages` where the step is called so too."""
    said = count(number, unit)
    return said if step in (unit, plural(unit)) else f"{said} of {step}"


def about(nano: int) -> str:
    """In OPI, to four decimals where it is not small: what is to be read, not added up."""
    return opi(Nano(nano // 100_000 * 100_000 if nano >= OPI // 100 else nano))


def amount(nano: int) -> str:
    return f"{about(nano)} OPI"


def share(part: int, whole: int) -> str:
    """In whole percents, but never 0 % or 100 % of what is not quite none or all."""
    percent = (200 * part + whole) // (2 * whole)
    if percent == 0 and part:
        return "under 1 %"
    if percent == 100 and part < whole:
        return "over 99 %"
    return f"{percent} %"


def quality(ppm: int | None) -> str:
    return "–" if ppm is None else share(ppm, MILLION)


def sentence(text: str) -> str:
    """With a capital and a full stop, whoever wrote it."""
    return text[:1].upper() + text[1:] + ("" if text[-1:] in (".", "!", "?", "") else ".")


def span(time: timedelta) -> str:
    """As somebody would say it: `40 s`, `14 min`, `2 h 5 min`, `3 days`."""
    seconds = max(0, round(time.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{round(hours / 24)} days"


def size(many: int) -> str:
    """Of bytes: `4.9 KB`."""
    amount = float(many)
    for unit in ("bytes", "KB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{many:,} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


def when(at: Instant, now: Instant) -> Markup:
    """The time of day, with the date where it is not today's."""
    text = f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at.day} {at:%b %H:%M}"
    return Markup('<time datetime="{}">{}</time>').format(f"{at:%Y-%m-%dT%H:%M:%SZ}", text)


def lead(campaign: Campaign) -> Markup:
    """What matters about a campaign."""
    money = campaign.money
    spent = Markup("<b>{} of {}</b> {} spent").format(
        opi(money.spent), amount(money.budget), "are" if campaign.state == "running" else "were"
    )
    if campaign.state == "running":
        left = campaign.time_left
        until = Markup(" At this rate it is done in <b>{}</b>.").format(span(left)) if left else ""
        return Markup("{} {}; the rest comes back.{}").format(_progress(campaign), spent, until)
    back = Markup("{}, <b>{}</b> came back.").format(spent, amount(money.returned))
    if campaign.state == "done" and campaign.ended:
        took = span(campaign.ended - campaign.created)
        return Markup("{} It took {}. {}").format(_progress(campaign), took, back)
    return Markup("It was cancelled before it was done. {} {}").format(_progress(campaign), back)


def _progress(campaign: Campaign) -> Markup:
    step = next(step for step in campaign.steps if step.name == campaign.target)
    if step.state == "sealed":
        if campaign.no_rows:
            return Markup("<b>No rows</b> of {} came out: {}").format(step.name, campaign.no_rows)
        rows = campaign.version.rows if campaign.version else step.rows
        return Markup("<b>{}</b> of {} {} done.").format(
            count(rows, "row"), step.name, "is" if rows == 1 else "are"
        )
    if step.wanted:
        return Markup("<b>{:,} of {}</b> of {} have a verdict.").format(
            step.done, count(step.wanted, "row"), step.name
        )
    if step.done:
        so_far = Markup("<b>{}</b> of {} have a verdict so far; how many there will be is not known yet.")
        return so_far.format(count(step.done, "row"), step.name)
    moving = next((other for other in campaign.steps if other.state == "flows"), None)
    if moving:
        return Markup("<b>{}</b> has no rows yet: {} comes first.").format(step.name, moving.name)
    first = next((other for other in campaign.steps if other.waits_for), step)
    why = f": {first.name} waits for {first.waits_for}" if first.waits_for else ""
    if any(other.done for other in campaign.steps):
        return Markup("<b>{}</b> has no rows yet{}.").format(step.name, why)
    return Markup("<b>Nothing is done yet</b>{}.").format(why)


def figure(step: Step) -> str:
    """The large one on a step's card."""
    if not step.rows and not step.done and step.state == "waits":
        return "waits"
    return f"{step.held if step.standing else step.rows:,}"


def notes(step: Step, now: Instant) -> list[Markup]:
    """The small lines under it: what happens, then how it is checked, then what went wrong."""
    lines = [*_happens(step, now)]
    if checked := _checked(step):
        lines.append(Markup("{}").format(checked))
    if step.unproved:
        whose = "their nodes" if step.unproved > 1 else "its node"
        lines.append(
            Markup("{} ended before {} proved anything, unpaid").format(count(step.unproved, "task"), whose)
        )
    if broken := step.parked - step.unproved:
        lines.append(Markup('<span class="bad">{} parked, and not done</span>').format(count(broken, "task")))
    return lines


def _happens(step: Step, now: Instant) -> list[Markup]:
    if step.state == "sealed" and step.sealed:
        lost = step.rows_in - step.rows if step.rows_in and not step.standing else 0
        before = f"{step.rows_in:,} came in · " if lost > 0 else "right answers · " if step.standing else ""
        return [Markup("{}sealed {}").format(before, when(step.sealed, now))]
    lines = []
    if step.standing and step.closed:
        lines.append(Markup("right answers so far"))
    if step.state == "flows":
        rate = f"{step.per_second:.1f} {plural(step.unit)}/s · " if step.per_second else ""
        hand = f"{count(step.in_hand, 'task')} in hand" if step.in_hand else "being judged"
        lines.append(Markup("{}{}").format(rate, hand))
    if step.waits_for:
        lines.append(Markup("for {}").format(step.waits_for))
    if step.state == "flows" and step.done and not (step.rows or step.unsealed or step.standing):
        lines.append(Markup("what it has done so far makes no rows"))
    if step.unsealed and not step.standing:
        lines.append(Markup("{} more believed, not sealed yet").format(f"{step.unsealed:,}"))
    if step.state == "stopped":
        lines.append(Markup("stopped: the campaign was cancelled"))
    return lines


def _checked(step: Step) -> str:
    if step.waived:
        return f"checked by nobody else: {step.waived} of {count(step.drawn, 'task')}"
    if step.audited:
        return f"{share(step.audited, step.drawn)} of its tasks done twice"
    if step.closed and not step.standing and step.results > step.closed:
        tenths = step.results * 10 // step.closed
        return f"{tenths // 10}.{tenths % 10} opinions each"
    return ""


TAGS = {
    "refused": "Refused",
    "overturned": "Overturned",
    "uncounted": "Not counted",
    "lapsed": "Not answered",
    "declined": "Declined",
}


def key(check: Check) -> str:
    """What makes it the same line when its numbers have changed."""
    if check.what == "told":
        return f"{check.title} {check.at}"
    whose = f"{check.step} {check.audit} {check.node or check.name}"
    if check.what in ("lapsed", "declined"):
        return f"{check.what} {whose} {check.why}"
    return f"{check.what == 'overturned'} {whose}"


def what(check: Check) -> str:
    """`214 pages of crawl by fern`, without the name."""
    if check.what in ("lapsed", "declined"):
        return f"{count(check.units, 'task')} of {check.step} by"
    return f"{units(check.units, check.unit, check.step)}{', as a check,' if check.audit else ''} by"


def done_about(check: Check) -> str:
    """What was done about what went wrong, and how often it did."""
    said = []
    if len(check.reasons) > 1:
        said.append(f"That is the last of {check.tasks} such verdicts.")
    if check.what == "overturned":
        said.append(f"They were pending and are void now: {amount(check.returned)} went back to escrow.")
    elif check.returned:
        said.append(f"{amount(check.returned)} went back to escrow.")
    if check.paid:
        said.append(f"{amount(check.paid)} had been paid before; that is final.")
    if check.what in ("lapsed", "declined"):
        rest = check.units - check.done
        if not rest:
            said.append("Others have done " + ("it since." if check.units == 1 else "them since."))
        else:
            said.append("Nobody has done " + ("it yet." if check.units == 1 else f"{rest:,} of them yet."))
    return " ".join(said)


def cause(suspension: Suspension) -> str:
    """After the word that somebody is suspended: the numbers of the event that told it."""
    return (
        f": {suspension.faults:,} of {suspension.checked:,} checked were wrong then"
        if suspension.faults
        else ""
    )


def doing(worker: Worker) -> Markup:
    """The second line under a worker's name."""
    if worker.suspended:
        said = "; ".join(f"suspended for {one.kind}{cause(one)}" for one in worker.suspended)
        return Markup('<span class="soft bad">{}</span>').format(said)
    said = ", ".join(f"{count(tasks, 'task')} of {step} in hand" for step, tasks in worker.in_hand)
    if not said:
        said = "nothing in hand" if worker.alive else "not seen lately"
    if worker.probation and worker.alive:
        said += f"; on probation: all its {' and '.join(worker.probation)} is done twice"
    if worker.unchecked and worker.alive:
        said += f"; its {' and '.join(worker.unchecked)} is checked by nobody else: no other owner is here"
    return Markup('<span class="soft">{}</span>').format(said)


def able(node: Node) -> str:
    """What a node can do, as it last said."""
    if node.kinds:
        return ", ".join(node.kinds)
    return "takes nothing now: it is paused, or its code is another" if node.asked else "has not said yet"


def answered(result: Result) -> Markup:
    """What somebody's own result says of a row."""
    if len(result.said) == 1:
        return Markup("said <b>{}</b>").format(*result.said.values())
    each = (Markup("{} <b>{}</b>").format(name, value) for name, value in result.said.items())
    return Markup("said ") + Markup(", ").join(each)


DRAWN = {  # why somebody else had to do it too, or not; chance has two outcomes
    "always": "Work of this sort is always done twice.",
    "probation": "One of its owners is new, so another had to do it again.",
    "opinions": "Several were asked, and check each other.",
    "nobody else": "Nobody else could be asked to do it again.",
    "closing": "It had waited for later checks that did not come, so it was drawn to be done again.",
    "fault": "Something else of its owner's was found wrong, so all that was not paid yet was done again.",
}


def drawn(made: Made) -> str:
    """Whether somebody else had to do it too, and why."""
    if made.draw.why == "chance":
        return f"Chance {'had it' if made.draw.audit else 'did not ask for it to be'} done twice."
    if made.draw.why == "opinions" and len(made.results) == 1:
        return "It needs no second opinion: the network knew the right answers."
    return DRAWN[made.draw.why]


COLUMNS = {  # what the kinds' own columns say
    "body": "hash of the bytes that came",
    "duplicates": "how many rows with the same or nearly the same text it stands for, beside itself",
    "encoding": "of the bytes, as the server said",
    "fetched_at": "when it was fetched",
    "label": "the answer that most gave, or the requester's own where it was known",
    "language": "of the text, as a two-letter code",
    "last_modified": "when it was last changed, as the server said",
    "length": "in bytes",
    "moved_to": "where it leads now",
    "of": "how many people's answers counted",
    "refused": "why it was not asked for",
    "site": "the host that it is from",
    "state": "what became of the link",
    "status": "the server's answer, as a number of HTTP",
    "text": "the main text",
    "title": "the page's own",
    "type": "of the content, as the server said",
    "url": "its address",
    "votes": "how many of these people gave this label",
    "words": "how many the text has",
}


def said_of(name: str, step: str) -> str:
    """What a column of a dataset says, and who says it."""
    if not step:
        return "given by the requester"
    return f"{COLUMNS[name]}; from {step}" if name in COLUMNS else f"from {step}"


def first_rows(shown: Shown) -> list[tuple[str, list[tuple[str, str]], list[tuple[str, str]]]]:
    """The first rows to read: its name, its short values, its long ones; what says most of a row comes first."""
    names = sorted((name for name, _ in shown.columns), key=lambda name: name not in ("label", "title"))
    texts = [{name: _text(row[name]) for name in names} for row in shown.first]
    long = {name for name in names if any(len(text[name]) > LONG for text in texts)}
    return [
        (
            row["_row"],
            [(name, text[name]) for name in names if name not in long],
            [(name, text[name][:SEEN]) for name in names if name in long],
        )
        for row, text in zip(shown.first, texts, strict=True)
    ]


def _text(value: object) -> str:
    return "–" if value is None else str(value)


def splits(version: Version) -> Markup:
    """How its rows are divided."""
    sizes: dict[str, int] = {}
    for part in version.parts:
        sizes[part.split] = sizes.get(part.split, 0) + part.rows
    if len(sizes) < 2:
        return Markup("")
    each = [f"{name} with {count(rows, 'row')}" for name, rows in sizes.items()]
    return Markup(" It is split into <b>{}</b>.").format(" and ".join([", ".join(each[:-1]), each[-1]]))


def told(trace: Trace, hop: Hop) -> tuple[dict[str, Any], list[str]]:
    """The columns of a row on the way back, and the names of those that stand in the row above just so."""
    above = next((other.values for other in trace.hops if hop.row in other.made_of), {})
    same = [name for name, value in hop.values.items() if name in above and above[name] == value]
    return {name: value for name, value in hop.values.items() if name not in same}, same


def behind(trace: Trace) -> Markup:
    """Who stands behind a row, in one sentence."""
    results = [one for hop in trace.hops if hop.made for one in hop.made.results if one.held]
    owners = len({one.owner for one in results})
    paid = sum(pay.amount for one in results for pay in one.pay)
    given = sum(hop.made is None for hop in trace.hops)
    made = len(trace.hops) - given
    said = Markup("<b>{} and {}</b> of {} stand behind it; the tasks it came from earned them <b>{}</b>.")
    return said.format(
        count(made, "verdict"), count(len(results), "signed result"), count(owners, "owner"), amount(paid)
    )
