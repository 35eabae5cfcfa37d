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
    counted = Counter(answer.result for answer in trusted).most_common()
    first, votes = counted[0] if counted else (None, 0)
    if 2 * votes <= len(trusted):
        if not case.last:
            return More(1, "the owners do not agree" if trusted else "nobody trusted has answered")
        first = None

    alone = len(case.answers) < 2
    findings = {}
    for answer in case.answers:
        if answer.result == first:
            findings[answer.assignment] = Finding(case.units, 0 if alone else case.units)
        elif first is None:
            findings[answer.assignment] = Finding(0, why="No two owners had the same result.")
        else:
            findings[answer.assignment] = Finding(
                0, case.units, case.units, f"{votes} others have the same result, and it is not this one."
            )
    if first is None:
        return Verdict(believed=None, findings=findings, reason="nobody's result was confirmed")
    reason = "checked by nobody else" if alone else f"{votes} of {len(trusted)} have the same result"
    return Verdict(believed=first, findings=findings, reason=reason)
