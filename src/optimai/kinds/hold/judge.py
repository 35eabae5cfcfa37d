"""Counts right answers to the coordinator's own challenges, and nothing that the node says of itself.

A right answer says that its node could get at the bytes when asked. A wrong one is a
fault: it holds other bytes, or guesses. None at all is neither: it was off, or slow,
or has lost the bytes; it earns nothing and proves nothing. As each answer is held
against the coordinator's own bytes, it needs no trust, and nobody else's opinion.
"""

from collections.abc import Sequence

from optimai.kinds.contract import Case, Challenge, Finding, Verdict
from optimai.kinds.hold.spec import Options, Result, Task
from optimai.kinds.sentence import sentence


def agree(case: Case[Options, Task, Result]) -> Verdict[Result]:
    findings = {given.assignment: _finding(given.challenges, case.units) for given in case.answers}
    paid = sum(finding.units for finding in findings.values())
    return Verdict(
        believed=case.answers[0].result if paid else None,
        findings=findings,
        reason=f"{paid} challenges were answered rightly",
    )


def rows(step: str, task: Task, believed: Result) -> None:
    """What is held was published before."""


def _finding(asked: Sequence[Challenge], most: int) -> Finding:
    answered = [one for one in asked if one.answer is not None]
    right = sum(one.answer == one.expected for one in answered)
    silent, wrong = len(asked) - len(answered), len(answered) - right
    why = sentence(
        "" if asked else "It was asked nothing",
        f"{silent} of {len(asked)} challenges were not answered" if silent else "",
        f"{wrong} of {len(answered)} answers were wrong" if wrong else "",
    )
    return Finding(min(right, most), len(answered), wrong, why)
