"""Judging deterministic work: owners who did it have the same result, to the byte.

One that copies another's answer also has it. That is why an audit is asked only
on a sample that nobody can foresee, and nobody sees a result of an open task.
"""

from collections import Counter
from typing import TypeVar

from optimai.kinds.contract import Case, Finding, More, Verdict

O = TypeVar("O")  # noqa: E741
T = TypeVar("T")
R = TypeVar("R")


def agree(case: Case[O, T, R]) -> Verdict[R] | More:
    """More than half of the trusted decide; a tie asks one more owner. An answer holds whole or not at all.

    Where nobody more can be had, a tie believes nobody: better no row than one that is disputed.
    """
    trusted = [answer for answer in case.answers if answer.trusted]
    counted = Counter(answer.result for answer in trusted).most_common(1)
    first, votes = counted[0] if counted else (None, 0)
    if 2 * votes <= len(trusted):
        if not case.last:
            return More(1, "the owners do not agree" if trusted else "nobody trusted has answered")
        unsure = Finding(0, why="It was not confirmed, and nobody else could be asked.")
        findings = {answer.assignment: unsure for answer in case.answers}
        return Verdict(believed=None, findings=findings, reason="nobody's result was confirmed")

    findings = {}
    for answer in case.answers:
        checked = (
            case.units if len(trusted) > answer.trusted else 0
        )  # somebody else who is trusted answered too
        if answer.result == first:
            findings[answer.assignment] = Finding(case.units, checked)
        else:
            why = f"{votes} of {len(trusted)} have the same result, and it is not this one."
            findings[answer.assignment] = Finding(0, checked, checked, why)
    alone = len(trusted) == 1
    reason = "checked by nobody else" if alone else f"{votes} of {len(trusted)} have the same result"
    return Verdict(believed=first, findings=findings, reason=reason)
