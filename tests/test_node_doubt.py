"""A node asks less and less for what it keeps failing at."""

from optimai.node.doubt import FORGIVEN, LONGEST, Doubts


def test_a_task_that_goes_undone_now_and_then_raises_no_doubt():
    doubts = Doubts()
    for now in range(10):
        for _ in range(FORGIVEN):
            doubts.went_undone("crawl", now)
        assert doubts.takes("crawl", now)
        doubts.went_well("crawl")


def test_doubt_grows_with_each_failure_in_a_row_up_to_a_minute():
    doubts = Doubts()
    waits = []
    for _ in range(FORGIVEN + 9):
        doubts.went_undone("crawl", 0.0)
        waits.append(next(wait for wait in (0, 1, 2, 4, 8, 16, 32, LONGEST) if doubts.takes("crawl", wait)))
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, LONGEST, LONGEST, LONGEST]


def test_doubt_is_about_one_kind_and_over_when_it_goes_well():
    doubts = Doubts()
    for _ in range(9):
        doubts.went_undone("crawl", 0.0)
    assert doubts.takes("label", 0.0)
    assert not doubts.takes("crawl", 1.0)
    doubts.went_well("crawl")
    assert doubts.takes("crawl", 1.0)


def test_what_can_not_be_done_is_never_asked_for():
    doubts = Doubts()
    doubts.unable["crawl"] = "A library is missing."
    assert not doubts.takes("crawl", 10**9)
