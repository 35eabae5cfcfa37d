"""Cleaning is deterministic and rows are canonical, so owners who did the work have the same result.

A cheat can only hope not to be audited: made-up text is what no other owner makes.
"""

from optimai.core.ids import BlobId
from optimai.core.rows import Row
from optimai.kinds import exact
from optimai.kinds.clean_text.rules import REASONS
from optimai.kinds.clean_text.spec import Options, Result, Task
from optimai.kinds.contract import Case, More, Verdict


def agree(case: Case[Options, Task, Result]) -> Verdict[Result] | More:
    return exact.agree(case)


def rows(step: str, task: Task, believed: Result) -> BlobId:
    return believed.rows


def check(options: Options, task: Task, result: Result, rows: list[Row]) -> str:
    """Each row of the task must have passed or have been dropped, for a reason that there is."""
    given = task.stop - task.start
    told = len(rows) + sum(dropped.rows for dropped in result.dropped)
    if told != given:
        return f"It accounts for {told} rows of {given}."
    if unknown := {dropped.reason for dropped in result.dropped} - set(REASONS):
        return f"There is no rule {min(unknown)!r}."
    if any(dropped.rows < 1 for dropped in result.dropped):
        return "A rule that drops nothing is left out."
    return ""
