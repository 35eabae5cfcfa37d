"""Each phase is deterministic, so owners who did a task have the same result, to the byte.

A false signature hides a duplicate or brings a candidate that is then verified; a false
similarity hides one or drops a row; both are found by chance, by audits. The join and the
groups, where one lie would reach the whole data set, are always done twice.
"""

from optimai.core.ids import BlobId
from optimai.core.rows import Row
from optimai.kinds import exact
from optimai.kinds.contract import Case, More, Verdict
from optimai.kinds.dedup.candidates import MOST_PAIRS, MOST_SHARDS
from optimai.kinds.dedup.spec import Options
from optimai.kinds.dedup.tasks import ANSWERS, Group, Grouped, Join, Joined, Keep, Kept, Result, Task


def agree(case: Case[Options, Task, Result]) -> Verdict[Result] | More:
    return exact.agree(case)


def rows(step: str, task: Task, believed: Result) -> BlobId | None:
    return believed.rows if isinstance(believed, Kept) else None


def check(options: Options, task: Task, result: Result, rows: list[Row]) -> str:
    """The right kind of result, and one that the next phase can work with."""
    if not isinstance(result, ANSWERS[type(task)]):
        return (
            f"A task to {type(task).__name__.lower()} can't be answered by {type(result).__name__.lower()}."
        )
    match task, result:
        case Join(), Joined():
            for chunk in result.chunks:
                if not (0 < chunk.count <= MOST_PAIRS and 0 < len(chunk.shards) <= MOST_SHARDS):
                    return f"A chunk has 1 to {MOST_PAIRS} pairs of 1 to {MOST_SHARDS} shards."
                if not set(chunk.shards) <= set(range(len(task.shards))):
                    return "A chunk names a shard that the task has not."
        case Group(), Grouped():
            if len(result.fates) != task.shards:
                return f"It tells the fates of {len(result.fates)} shards of {task.shards}."
        case Keep(), Kept():
            if not task.fates and len(rows) != task.shard.rows:
                return f"All {task.shard.rows} rows are unique, and it keeps {len(rows)}."
        case _:
            pass
    return ""
