"""`optimai truth infer` on files as people have them."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

VOTES = """item,worker,label
cat,ann,yes
cat,bob,yes
cat,eve,no
dog,ann,no
dog,bob,no
dog,eve,yes
"""


def infer(*words: str | Path) -> subprocess.CompletedProcess[str]:
    said = [sys.executable, "-m", "optimai", "truth", "infer", *map(str, words)]
    return subprocess.run(said, capture_output=True, text=True, env=os.environ | {"COLUMNS": "100"})


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_it_writes_a_label_for_each_item_in_the_order_in_which_they_came(tmp_path: Path):
    votes, labels, workers = tmp_path / "votes.csv", tmp_path / "labels.csv", tmp_path / "workers.csv"
    votes.write_text(VOTES)
    ran = infer(votes, "--out", labels, "--workers", workers)
    assert ran.returncode == 0
    assert "6 votes of 3 workers on 2 items with 2 labels" in ran.stdout
    assert "eve" in ran.stdout
    header, *found = rows(labels)
    assert header == ["item", "label", "confidence"]
    assert [line[:2] for line in found] == [["cat", "yes"], ["dog", "no"]]
    assert all(0.5 < float(line[2]) <= 1 for line in found)
    header, ann, _, eve = rows(workers)
    assert header == ["worker", "votes", "right"]
    assert ann[:2] == ["ann", "2"]
    assert float(ann[2]) > 0.5 > float(eve[2])


def test_columns_may_stand_in_any_order_among_others_and_hold_any_text(tmp_path: Path):
    votes, labels = tmp_path / "votes.csv", tmp_path / "labels.csv"
    votes.write_text('when,label,item,worker\n1,"ja, ü",a b,[x]\n2,"ja, ü",a b,7\n3,,a b,8\n')
    assert infer(votes, "--out", labels).returncode == 0
    assert rows(labels)[1][:2] == ["a b", "ja, ü"]


def test_the_order_of_lines_changes_no_label(tmp_path: Path):
    header, *lines = VOTES.splitlines()
    found = []
    for name, order in ("one", lines), ("two", lines[::-1] + lines[:2]):
        (tmp_path / name).write_text("\n".join([header, *order]) + "\n")
        infer(tmp_path / name, "--out", tmp_path / f"{name}.csv")
        found.append(sorted(rows(tmp_path / f"{name}.csv")))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("item,worker\n1,2\n", "label"),
        ("item,worker,label\n", "no votes"),
        ("", "Empty"),
        ("item,worker,label\n1,2\n", "Expected 3 columns"),
        ("item,worker,label\n" + "".join(f"{n},w,{n}\n" for n in range(300)), "300 labels"),
        (None, "No such file"),
    ],
)
def test_what_is_no_table_of_votes_is_refused_in_a_sentence(tmp_path: Path, text: str | None, says: str):
    votes = tmp_path / "votes.csv"
    if text is not None:
        votes.write_text(text)
    ran = infer(votes)
    assert ran.returncode == 2
    assert ran.stderr.startswith("bad_table: ")
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr


def test_where_it_can_not_write_it_says_so(tmp_path: Path):
    votes = tmp_path / "votes.csv"
    votes.write_text(VOTES)
    ran = infer(votes, "--out", tmp_path / "nowhere" / "labels.csv")
    assert (ran.returncode, "can't be written" in ran.stderr) == (2, True)
