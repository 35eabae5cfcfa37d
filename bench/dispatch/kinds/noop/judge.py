from optimai.kinds.noop.spec import Options, Result, Task

from optimai.kinds import exact
from optimai.kinds.contract import Case, More, Verdict


def agree(case: Case[Options, Task, Result]) -> Verdict[Result] | More:
    return exact.agree(case)


def rows(step: str, task: Task, believed: Result) -> None:
    """Nothing is published."""
