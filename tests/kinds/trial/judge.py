from optimai.kinds.trial.spec import Options, Result, Task

from optimai.core.ids import BlobId
from optimai.core.rows import Row, row_id
from optimai.kinds import exact
from optimai.kinds.contract import Case, Finding, More, Verdict


def agree(case: Case[Options, Task, Result]) -> Verdict[Result] | More:
    judge = case.options.judge
    if judge == "exact":
        return exact.agree(case)
    if judge == "raises":
        raise RuntimeError("this judge never works")
    first = case.answers[0]
    value = {"nul": 0, "misnames": -1}.get(judge, first.result.value)
    findings = {one.assignment: Finding(_units(case, one.result.value)) for one in case.answers}
    return Verdict(
        believed=Result(value),
        findings={} if judge == "forgets" else findings,
        reason="\0" if judge == "nul" else f"judged by {judge}",
    )


def _units(case: Case[Options, Task, Result], value: int) -> int:
    """As many as the value says, while its owner is trusted."""
    return min(value, case.units) if case.answers[0].trusted else case.units - min(value, case.units)


def rows(step: str, task: Task, believed: Result) -> BlobId | list[Row]:
    if believed.rows is not None:
        return believed.rows
    name = row_id(step, str(task.number)) if believed.value >= 0 else "misnamed"
    return [{"_row": name, "number": task.number, "value": believed.value, "text": ""}]
