"""Is it what the web said? Asked URL by URL, of the first owner's word and of the audits.

Each trusted owner has a voice: the first one says that an outcome is so, an auditor
confirms it (same), disputes it (differs, gone) or can't tell (changed, unreachable).
More voices decide. While a side leads by less than two, one more owner is asked, as
long as there is one: two liars who agree would else outvote one honest owner.
What nobody confirms or disputes stands on the first one's word alone.

How it could be cheated, and what stands against that:

    invent pages       an auditor finds other texts or none; three disputes against one word
    send old bytes     the page differs now, and its server says that it changed before, not
    under a new time   after the time that was signed; a time before the task existed is refused
    claim 404 or       audited like pages; other refusals pay nothing and the URL is asked again
    robots for ease
    copy               nobody sees a result while its task is open, but auditors see the first one's
    dispute for spite  one more owner is asked; who stands alone against the others has the fault

Not caught here: an auditor who says "same" without looking, alone or in league with
the first one (planted faults will tell); a page that no auditor can reach, that is
never twice the same, or that differs in less than three tenths of its text.
"""

from collections import Counter
from collections.abc import Sequence

from optimai.core.assignment import Role
from optimai.core.chance import Seed
from optimai.core.rows import Row, row_id
from optimai.kinds.contract import Answer, Case, Finding, More, Verdict
from optimai.kinds.crawl.ballot import Ballot
from optimai.kinds.crawl.outcome import Outcome, checkable, counts, host, is_page
from optimai.kinds.crawl.spec import Compare, Compared, Fetch, Fetched, Options, Result, Task
from optimai.kinds.refusals import counted
from optimai.kinds.sentence import sentence

MOST_AUDITS = 4  # then it is decided with what there is


def agree(case: Case[Options, Task, Result]) -> Verdict[Result] | More:
    """Page by page. Where two owners answered, the first is judged, for only he was audited."""
    ordered = sorted(case.answers, key=lambda answer: answer.assignment)
    answers = [one for one in ordered if one.role is Role.ANSWER]
    # They were checked at the door; here again, so that whoever recomputes a verdict sees it too.
    answers = [one for one in answers if not check(case.options, case.task, one.result, [])]
    if not answers:
        findings = {one.assignment: Finding(0, why="Nothing in it could be judged.") for one in ordered}
        return Verdict(believed=None, findings=findings, reason="nobody answered what was asked")

    first = answers[0]
    audits = [one for one in ordered if one.role is Role.AUDIT and one.trusted and _fits(first, one)]
    ballots = _ballots_of(first, audits)
    undecided = sum(ballot.open or ballot.close for ballot in ballots)
    if undecided and not case.last and len(audits) < MOST_AUDITS:
        return More(1, f"the owners do not agree on {undecided} of {len(ballots)} pages", Role.AUDIT)

    held = tuple(ballot.outcome for ballot in ballots if ballot.holds)
    findings = {one.assignment: _unheard(one) for one in ordered}
    findings |= {one.assignment: _of_auditor(at, ballots) for at, one in enumerate(audits)}
    findings[first.assignment] = _of_first(ballots)
    believed = Fetched(held) if held else None
    return Verdict(believed=believed, findings=findings, reason=_reason(ballots, audits))


def rows(step: str, task: Task, believed: Result) -> list[Row] | None:
    """A row for each page that can be read."""
    if not isinstance(believed, Fetched):
        return None
    return [
        {
            "_row": row_id(step, one.url),
            "url": one.url,
            "site": host(one.url),
            "status": one.status,
            "type": one.type,
            "encoding": one.encoding,
            "body": one.body,
            "length": one.length,
            "fetched_at": one.at,
            "last_modified": one.last_modified,
        }
        for one in believed.outcomes
        if is_page(one)
    ]


def audit(options: Options, task: Task, result: Result, seed: Seed) -> Task:
    """All of it again, by another owner."""
    if not isinstance(task, Fetch) or not isinstance(result, Fetched):
        return task
    return Compare(pages=result.outcomes, delay_ms=task.delay_ms, within=task.within)


def check(options: Options, task: Task, result: Result, rows: list[Row]) -> str:
    if isinstance(task, Fetch) and isinstance(result, Fetched):
        if [one.url for one in result.outcomes] != list(task.urls):
            return "It does not tell of each of the task's URLs, in its order."
        return next((why for one in result.outcomes if (why := _contradiction(one, task.since))), "")
    if isinstance(task, Compare) and isinstance(result, Compared):
        if [one.url for one in result.found] != [one.url for one in task.pages]:
            return "It does not tell of each of the task's pages, in its order."
        return ""
    return "It answers another kind of task."


def _ballots_of(first: Answer[Result], audits: Sequence[Answer[Result]]) -> list[Ballot]:
    """A ballot for each outcome. Of what nobody can check, audits say nothing."""
    found = [one.result.found for one in audits if isinstance(one.result, Compared)]
    return [
        Ballot(one, first.trusted, tuple(each[at].says for each in found) if checkable(one) else ())
        for at, one in enumerate(first.result.outcomes if isinstance(first.result, Fetched) else ())
    ]


def _of_first(ballots: Sequence[Ballot]) -> Finding:
    refuted = [ballot for ballot in ballots if ballot.refuted]
    confirmed = sum(ballot.holds and "same" in ballot.said for ballot in ballots)
    doubtful = sum(ballot.open for ballot in ballots)
    unpaid = [one.outcome for one in ballots if one.holds and not counts(one.outcome)]
    of = f"of {len(ballots)} pages"
    return Finding(
        units=sum(ballot.holds and counts(ballot.outcome) for ballot in ballots),
        checked=confirmed + len(refuted),
        faults=len(refuted),
        why=sentence(
            f"{len(refuted)} {of} refuted, among them {refuted[0].outcome.url}" if refuted else "",
            f"{doubtful} {of} disputed, and nobody else could be asked" if doubtful else "",
            f"{len(unpaid)} {of} without an answer that counts: {_reasons(unpaid)}" if unpaid else "",
        ),
    )


def _of_auditor(audit: int, ballots: Sequence[Ballot]) -> Finding:
    """Paid for each finding that the verdict bears out; checked where another auditor took a side as well."""
    asked = [ballot for ballot in ballots if ballot.said]
    fates = Counter(ballot.fate(audit) for ballot in asked)
    seen = [ballot for ballot in asked if ballot.tells_of(audit)]
    faults = sum(ballot.fate(audit) == "wrong" for ballot in seen)
    of = f"of {len(ballots)} pages"
    why = sentence(
        f"{faults} {of} judged against all others" if faults else "",
        f"{fates['unreachable']} {of} out of reach" if fates["unreachable"] else "",
        f"{fates['undecided']} {of} undecided" if fates["undecided"] else "",
    )
    return Finding(fates["right"], len(seen), faults, why)


def _unheard(answer: Answer[Result]) -> Finding:
    if answer.role is Role.ANSWER:
        return Finding(0, why="Another's answer came first.")
    if not answer.trusted:
        return Finding(0, why="Audits do not count while their owner is suspended for crawling.")
    return Finding(0, why="It does not answer what was asked.")


def _reason(ballots: Sequence[Ballot], audits: Sequence[Answer[Result]]) -> str:
    held = sum(ballot.holds for ballot in ballots)
    by = {0: "nobody else", 1: "one other owner"}.get(len(audits), f"{len(audits)} other owners")
    said = f"{held} of {len(ballots)} outcomes hold, checked by {by}"
    unpaid = [one.outcome for one in ballots if one.holds and not counts(one.outcome)]
    return f"{said}; without an answer that counts: {_reasons(unpaid)}" if unpaid else said


def _reasons(outcomes: Sequence[Outcome]) -> str:
    return counted((one.status, one.refused) for one in outcomes)


def _contradiction(one: Outcome, since: str) -> str:
    if one.at < since:
        return f"{one.url} was fetched at {one.at}, before it was asked for. Set the clock of your machine."
    if bool(one.status) == bool(one.refused):
        return f"{one.url} has to have a status or to say why there is none."
    if (one.body and not 200 <= one.status < 300) or (one.links and not one.body):
        return f"{one.url} can't have a body with the status {one.status}, or links without a body."
    return ""


def _fits(first: Answer[Result], audit: Answer[Result]) -> bool:
    """The audit speaks of each outcome of the first one, in order."""
    if not isinstance(first.result, Fetched) or not isinstance(audit.result, Compared):
        return False
    return [one.url for one in audit.result.found] == [one.url for one in first.result.outcomes]
