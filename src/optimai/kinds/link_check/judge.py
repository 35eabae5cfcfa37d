"""The web changes between two looks, so owners are compared link by link and with tolerance.

Of each link that anybody knows something of, more than half of the trusted who know
something decide; where they are split, one more owner is asked. Whom the majority
refutes is not paid for this link. He may have been honest, and the page changed: that
is what `KIND.tolerates` is for, one link in ten. Where all see different things, the
page is never twice the same: no row, and nobody's fault.

What nobody knows (`unknown`) is published as the first one's word and pays nobody, so
saying it of a link that works gains nothing. It also hides nothing for long: whoever
checks it and knows better is believed.
"""

from collections.abc import Sequence

from optimai.core.rows import Row, row_id
from optimai.kinds.contract import Answer, Case, Finding, More, Verdict
from optimai.kinds.link_check.seen import Seen, alike, is_address, state
from optimai.kinds.link_check.spec import Options, Result, Task
from optimai.kinds.refusals import counted
from optimai.kinds.sentence import sentence

MOST_OWNERS = 5  # then it is decided with what there is


def agree(case: Case[Options, Task, Result]) -> Verdict[Result] | More:
    """Link by link. The order of assignments, not that of arrival, says who was first."""
    ordered = sorted(case.answers, key=lambda answer: answer.assignment)
    trusted = [one for one in ordered if one.trusted]
    if not trusted and not case.last:
        return More(1, "nobody trusted has answered")

    links = range(len(case.task.links))
    said = [[one.result.seen[at] for one in trusted] for at in links]
    held = [_majority(each) for each in said]
    split = sum(one is None for one in held)
    if split and not case.last and len(trusted) < MOST_OWNERS:
        return More(1, f"the owners do not agree on {split} of {len(held)} links")

    believed = tuple(one for one in held if one is not None)
    by = {0: "nobody", 1: "one owner"}.get(len(trusted), f"{len(trusted)} owners")
    return Verdict(
        believed=Result(believed) if believed else None,
        findings={one.assignment: _finding(one, held, trusted) for one in ordered},
        reason=f"{len(believed)} of {len(held)} links decided by {by}",
    )


def rows(step: str, task: Task, believed: Result) -> list[Row]:
    urls = {link.row: link.url for link in task.links}
    return [
        {
            "_row": row_id(step, one.row),
            "_from": [one.row],
            "url": urls[one.row] or None,
            "state": state(one),
            "status": one.status or None,
            "moved_to": one.moved_to or None,
            "length": one.length if state(one) in ("works", "moved") else None,
            "refused": one.refused or None,
        }
        for one in believed.seen
    ]


def check(options: Options, task: Task, result: Result, rows: list[Row]) -> str:
    if [one.row for one in result.seen] != [link.row for link in task.links]:
        return "It does not tell of each of the task's links, in its order."
    for link, one in zip(task.links, result.seen, strict=True):
        if is_address(link.url) == (one.refused == "no_address"):
            return f"The link of {one.row} is {'an' if is_address(link.url) else 'no'} address."
        if bool(one.status) == bool(one.refused):
            return f"The link of {one.row} has to have a status or to say why there is none."
        if one.length and not 200 <= one.status < 300:
            return f"The link of {one.row} can't have a page with the status {one.status}."
    return ""


def _majority(said: Sequence[Seen]) -> Seen | None:
    """What is believed of a link; None where the owners are split, or nobody was there."""
    known = [one for one in said if state(one) != "unknown"]
    if not known:
        return said[0] if said else None
    best = max(known, key=lambda one: sum(alike(one, other) for other in known))
    return best if 2 * sum(alike(best, other) for other in known) > len(known) else None


def _finding(
    answer: Answer[Result], held: Sequence[Seen | None], trusted: Sequence[Answer[Result]]
) -> Finding:
    """Checked is what another trusted owner knows something of as well."""
    units = checked = faults = undecided = 0
    unknown: list[Seen] = []
    others = [one for one in trusted if one.assignment != answer.assignment]
    for at, one in enumerate(answer.result.seen):
        believed = held[at]
        if state(one) == "unknown":
            unknown.append(one)
        elif believed is None or state(believed) == "unknown":
            undecided += 1
        else:
            right = alike(believed, one)
            units += right
            faults += not right
            checked += any(state(other.result.seen[at]) != "unknown" for other in others)
    of = f"of {len(held)} links"
    why = sentence(
        f"{faults} {of} are otherwise by the word of most" if faults else "",
        f"{undecided} {of} could not be decided" if undecided else "",
        f"{len(unknown)} {of} gave no answer that counts: {_reasons(unknown)}" if unknown else "",
    )
    return Finding(units, checked, faults, why)


def _reasons(unknown: Sequence[Seen]) -> str:
    return counted((one.status, one.refused) for one in unknown)
