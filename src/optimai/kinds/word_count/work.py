from optimai.kinds.kit import Kit
from optimai.kinds.word_count.spec import Result, Task
from optimai.kinds.words import text_of


async def work(task: Task, kit: Kit) -> Result:
    counts = [
        {
            "_row": kit.row_id(row["_row"]),
            "_from": [row["_row"]],
            "words": len(text_of(row[task.column]).split()),
        }
        for row in await kit.rows(task.shard, "_row", task.column)
    ]
    return Result(rows=await kit.write_rows(counts))
