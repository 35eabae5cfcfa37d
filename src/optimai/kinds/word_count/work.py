from optimai.kinds.kit import Kit
from optimai.kinds.word_count.spec import Result, Task


async def work(task: Task, kit: Kit) -> Result:
    counts = [
        {
            "_row": kit.row_id(row["_row"]),
            "_from": [row["_row"]],
            "words": len((row[task.column] or "").split()),
        }
        for row in await kit.rows(task.shard, "_row", task.column)
    ]
    return Result(rows=await kit.write_rows(counts))
