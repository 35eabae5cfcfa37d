"""The promises of how a robots.txt is read."""

from datetime import timedelta

import pytest

from optimai.node.robots import Rules

SITE = "http://docs.example"


def allows(text: str, path: str, agent: str = "OptimAI") -> bool:
    return Rules(text, agent).allows(SITE + path)


def test_without_rules_everything_is_allowed():
    assert allows("", "/x")
    assert allows("Sitemap: http://docs.example/map.xml\nnonsense\n<html>", "/x")


def test_a_group_of_our_own_is_the_only_one_that_counts():
    text = "User-agent: *\nDisallow: /\n\nUser-agent: OptimAI\nDisallow: /private\n"
    assert allows(text, "/x")
    assert not allows(text, "/private/x")
    assert not allows(text, "/x", agent="Other")


@pytest.mark.parametrize(
    "named", ["optimai", "OPTIMAI", "OptimAI/2.0", "OptimAI bot", "OptimAI  # the crawler"]
)
def test_we_are_named_by_our_product_token_whatever_stands_behind_it(named: str):
    assert not allows(f"User-agent: {named}\nDisallow: /\n", "/x")


@pytest.mark.parametrize("named", ["Opt", "OptimAI-News", "MyOptimAI", "AI", "o", "", "7"])
def test_who_has_another_token_is_somebody_else(named: str):
    assert allows(f"User-agent: {named}\nDisallow: /\n", "/x")


def test_groups_of_several_agents_and_of_the_same_agent_are_one():
    text = (
        "User-agent: Other\nUser-agent: OptimAI\nDisallow: /a\n"
        "User-agent: X\nDisallow: /b\n"
        "User-agent: OptimAI\nDisallow: /c\n"
    )
    assert [allows(text, path) for path in ("/a", "/b", "/c", "/d")] == [False, True, False, True]


def test_the_longest_rule_wins_and_allow_wins_a_tie():
    text = "User-agent: *\nDisallow: /x\nAllow: /x/page\nAllow: /y\nDisallow: /y\n"
    assert [allows(text, path) for path in ("/x/other", "/x/page", "/y")] == [False, True, True]


def test_stars_dollars_and_escapes_are_understood():
    text = "User-agent: *\nDisallow: /*.php$\nDisallow: /ö\n"
    assert [allows(text, path) for path in ("/a.php", "/a.php?x", "/%C3%B6/x", "/o")] == [
        False,
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_like_and_a_byte_order_mark_is_skipped(end: str):
    text = f"\ufeffUser-agent: *{end}disallow : /x{end}"
    assert not allows(text, "/x")


def test_a_comment_names_nobody():
    assert allows("# User-agent: OptimAI\nUser-agent: Other\nDisallow: /\n", "/x")


def test_the_file_itself_may_always_be_read():
    assert allows("User-agent: *\nDisallow: /\n", "/robots.txt")


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("0.2", 0.2), ("10", 10), ("1e9", 86_400), ("-1", 0), ("nan", 0), ("inf", 0), ("soon", 0)],
)
def test_a_crawl_delay_is_kept_within_reason(asked: str, seconds: float):
    assert Rules(f"User-agent: *\nCrawl-delay: {asked}\n", "OptimAI").delay == timedelta(seconds=seconds)


def test_a_delay_for_others_is_none_for_us():
    assert Rules("User-agent: Other\nCrawl-delay: 9\n", "OptimAI").delay == timedelta()


def test_a_robots_txt_that_was_made_to_be_slow_is_not():
    text = "User-agent: *\n" + "Disallow: /" + "*a" * 5_000 + "\n" + "Disallow: /*b*c*d$\n" * 5_000
    assert allows(text, "/" + "a" * 1_900)
