"""docs/walk.md shows what really happens."""

from tests.walk import BLOCK, PAGE, fresh, rewritten, walk


async def test_every_block_of_the_walk_is_what_happens_to_that_task(dsn: str):
    database = await fresh(dsn)
    said = await walk(database)
    await database.close()

    page = PAGE.read_text("utf-8")
    shown = {name: text for _, name, text, _ in BLOCK.findall(page)}
    assert shown == said, "run `python -m tests.walk --write`, and read whether the words still fit"
    assert rewritten(page, said) == page


def test_the_walk_is_a_page_to_read_in_one_go():
    assert len(PAGE.read_text("utf-8").splitlines()) <= 120
