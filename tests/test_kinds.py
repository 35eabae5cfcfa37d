"""What every kind keeps to, and that whoever breaks it is told so by the right rule."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from msgspec import NODEFAULT
from msgspec.structs import fields

from optimai import kinds
from optimai.cli import kind as command
from optimai.core.errors import BadValue, NoCheckout, NotFound, Taken
from optimai.kinds import catalog
from optimai.sim.proof.check import NOT_REACHED, RULES, check
from optimai.sim.proof.example import files, read, staged

HOME = Path(str(kinds.__file__)).parent
EXACT = "    return exact.agree(case)\n"
REPLACE = "from msgspec.structs import replace\n"


@pytest.fixture(autouse=True)
def not_tracked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the node starts a worker, and `optimai kind check` itself."""
    monkeypatch.setenv("DO_NOT_TRACK", "1")


@pytest.fixture
def among(tmp_path: Path) -> Iterator[Path]:
    """A source checkout's folder of kinds, with the smallest one in it, and known to the catalog."""
    home = tmp_path / "src" / "optimai" / "kinds"
    shutil.copytree(HOME / "word_count", home / "word_count", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pyproject.toml").touch()
    kinds.__path__.append(str(home))
    catalog.there.cache_clear()
    yield home
    kinds.__path__.remove(str(home))
    catalog.there.cache_clear()


async def failing(name: str) -> dict[str, str]:
    """Rules that do not hold, and what is said of them."""
    return {line.rule: line.why for line in await check(name) if line.why is not None}


@pytest.mark.parametrize("name", catalog.names())
async def test_every_kind_keeps_all_rules(name: str):
    assert await failing(name) == {}


async def test_a_new_kind_keeps_all_rules_as_it_is_written(among: Path):
    home = command.write("fresh.start", among)
    assert home == among / "fresh_start"
    assert await failing("fresh.start") == {}
    ours = [line for line in (home / "work.py").read_text().splitlines() if line.startswith("from optimai.")]
    assert ours == sorted(ours)


async def test_the_kind_of_the_page_for_strangers_keeps_all_rules(among: Path):
    page = (HOME.parents[2] / "docs" / "new-kind.md").read_text("utf-8")
    name, checked = re.findall(r"^    \.venv/bin/optimai kind (?:new|check) (\S+)", page, re.MULTILINE)
    assert name == checked == "longest_word"
    home = command.write(name, among)
    for part in ("spec.py", "work.py", "judge.py", "examples/first.json"):
        _, _, shown = page.partition(f"`{part}`\n\n```")
        (home / part).write_text(shown.partition("\n")[2].partition("```")[0])
    readme = page.partition("`README.md`\n\n")[2].partition("\n## ")[0]
    (home / "README.md").write_text(dedent(readme))
    assert await failing("longest_word") == {}


def edit(part: str, *changes: tuple[str, str]) -> Callable[[Path], None]:
    """Each pair is a text of that part, and what it becomes."""

    def change(home: Path) -> None:
        text = (home / part).read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (home / part).write_text(text)

    return change


def judge(*lines: str, imports: str = REPLACE) -> Callable[[Path], None]:
    """What agree does instead."""
    body = "".join(f"    {line}\n" for line in lines)
    return edit("judge.py", ("from optimai.core.ids", f"{imports}from optimai.core.ids"), (EXACT, body))


VERDICT = ("found = exact.agree(case)", "if isinstance(found, More):", "    return found")
SEVERAL = (
    *VERDICT,
    "findings = dict(found.findings)",
)
COUNTER = (
    "from optimai.kinds.kit",
    "from itertools import count\n\nTIMES = count()\n\nfrom optimai.kinds.kit",
)

BROKEN = [
    ("parts", "has no examples", lambda home: shutil.rmtree(home / "examples")),
    ("parts", "is not called like its folder", edit("spec.py", ('name="', 'name="other_'))),
    ("parts", "does not load", edit("judge.py", ("def agree", "def agree(:"))),
    (
        "types",
        "has a task that can change",
        edit("spec.py", ("class Task(Struct, frozen=True,", "class Task(Struct,")),
    ),
    (
        "types",
        "takes what nobody asked for",
        edit(
            "spec.py",
            (
                "class Result(Struct, frozen=True, forbid_unknown_fields=True)",
                "class Result(Struct, frozen=True)",
            ),
        ),
    ),
    ("pure", "has a judge with a clock", judge(EXACT.strip(), imports="import time\n")),
    ("pure", "has a judge that draws", judge("from random import random", EXACT.strip())),
    (
        "pure",
        "hashes otherwise in each process",
        edit("spec.py", ("units=shard.rows", "units=shard.rows + 0 * hash('a')")),
    ),
    (
        "work",
        "opens a socket",
        edit("work.py", ("from optimai.kinds.kit", "import socket\n\nfrom optimai.kinds.kit")),
    ),
    (
        "work",
        "reads a file",
        edit("work.py", ("    counts =", "    open('/dev/null').close()\n    counts =")),
    ),
    (
        "plan",
        "plans otherwise each time",
        edit(
            "spec.py",
            ("class Options", "TIMES: list[int] = []\n\n\nclass Options"),
            ("    return Plan(", "    TIMES.append(1)\n    return Plan("),
            ("units=shard.rows", "units=shard.rows + len(TIMES)"),
        ),
    ),
    (
        "plan",
        "never ends",
        edit(
            "spec.py",
            ("finished=news.ended", "finished=False"),
            ("for shard in news.sealed]", "for shard in news.sealed if not state]"),
        ),
    ),
    ("examples", "promises what does not come", edit("examples/first.json", ('"words": 4', '"words": 5'))),
    (
        "examples",
        "has an example with a word that nobody knows",
        edit("examples/first.json", ('"options"', '"optoins"')),
    ),
    ("examples", "gives nothing to judge", lambda home: (home / "examples/first.json").write_text("{}")),
    ("examples", "asks people and tells nothing of them", edit("spec.py", ('{"machine"}', '{"person"}'))),
    (
        "honest",
        "pays less than all",
        judge(
            *SEVERAL,
            "paid = {key: replace(one, units=one.units // 2) for key, one in findings.items()}",
            "return replace(found, findings=paid)",
        ),
    ),
    (
        "honest",
        "has work that is never twice the same",
        edit("work.py", COUNTER, ("len(", "next(TIMES) * 0 + (next(TIMES) > 3) + len(")),
    ),
    (
        "deviating",
        "pays liars",
        judge(
            *SEVERAL,
            "paid = {key: replace(one, units=case.units) for key, one in findings.items()}",
            "return replace(found, findings=paid)",
        ),
    ),
    (
        "order",
        "tells the first one something else",
        judge(
            *SEVERAL,
            "first = case.answers[0].assignment",
            "findings[first] = replace(findings[first], why='First.')",
            "return replace(found, findings=findings)",
        ),
    ),
    ("last", "asks for more when there is nobody", judge("return exact.agree(replace(case, last=False))")),
    (
        "units",
        "counts faults in what was not checked",
        judge(
            *SEVERAL,
            "wrong = {key: replace(one, checked=0) for key, one in findings.items()}",
            "return replace(found, findings=wrong)",
        ),
    ),
    (
        "units",
        "forgets the suspended",
        judge(
            *SEVERAL,
            "for one in case.answers:",
            "    if not one.trusted:",
            "        del findings[one.assignment]",
            "return replace(found, findings=findings)",
        ),
    ),
    (
        "rows",
        "names its rows otherwise",
        edit("work.py", ('kit.row_id(row["_row"])', 'kit.row_id("my", row["_row"])')),
    ),
    ("rows", "makes rows of nothing", edit("work.py", ('"_from": [row["_row"]]', '"_from": []'))),
    ("readme", "does not say what is paid", edit("README.md", ("## Paid", "## Given"))),
]


@pytest.mark.parametrize(
    ("rule", "change", "name"),
    [
        pytest.param(rule, change, f"broken_{number}", id=f"{rule}: a kind that {what}")
        for number, (rule, what, change) in enumerate(BROKEN)
    ],
)
async def test_a_broken_kind_fails_the_rule_that_it_breaks_and_no_other(
    among: Path, rule: str, change: Callable[[Path], None], name: str
):
    change(command.write(name, among))
    found = await failing(name)
    assert {one for one, why in found.items() if why != NOT_REACHED} == {rule}


def test_each_rule_is_broken_by_somebody():
    assert {rule for rule, _, _ in BROKEN} == set(RULES)


# Pages


SECTIONS = ["In and out", "How", "Refused", "Checked", "Paid", "Limits"]


def readme(name: str) -> str:
    return (HOME / name.replace(".", "_") / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", catalog.names())
def test_every_readme_has_the_same_parts_in_the_same_order(name: str):
    parts = re.findall(r"(?m)^## (.*)$", readme(name))
    assert parts == [one for one in SECTIONS if one != "How" or one in parts]


@pytest.mark.parametrize("name", catalog.names())
def test_every_option_stands_in_its_readme_and_on_the_page_of_campaigns_with_its_default(name: str):
    campaigns = (HOME.parents[2] / "docs" / "campaign.md").read_text("utf-8")
    section = campaigns.partition(f"\n### `{name}`\n")[2].partition("\n#")[0]
    options = {field.encode_name: field.default for field in fields(catalog.load(name).options)}
    told = options_told(readme(name).partition("## In and out")[0], 1)
    listed = options_told(section, 2)
    assert list(told) == list(listed) == list(options)
    for option, default in options.items():
        if default is NODEFAULT:
            assert (told[option], listed[option]) == ("must be given", "must stand there")
        elif default:
            shown = f"`{default}`" if isinstance(default, str) else str(default)
            assert told[option] == listed[option] == shown


def options_told(text: str, place: int) -> dict[str, str]:
    """Of each row of a table, its first cell and the one that says the default."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| `")]
    return {row[0].strip("`"): row[place] for row in rows}


@pytest.mark.parametrize("name", catalog.names())
def test_the_step_that_a_readme_shows_is_one_that_a_campaign_may_have(name: str):
    shown = yaml.safe_load(dedent(re.findall(r"(?m)(?:^    .*\n)+", readme(name))[0]))
    [step] = [one for one in shown.get("steps", shown).values() if one["kind"] == name]
    kind = catalog.load(name)
    words = {"kind", "from", "price", "validate", *kind.kind.files}
    catalog.options_of("it", kind, {word: value for word, value in step.items() if word not in words})
    assert step["price"].endswith(f"/{kind.kind.unit}")


# The commands


@pytest.mark.parametrize("name", ["", "Big", "two words", "../up", "class", "a" * 41, "1st", "end."])
def test_a_name_that_no_campaign_could_write_is_refused(among: Path, name: str):
    with pytest.raises(BadValue):
        command.write(name, among)


def test_a_kind_that_is_there_is_not_written_over(among: Path):
    with pytest.raises(Taken):
        command.write("word.count", among)


def test_a_kind_is_begun_in_a_source_checkout_only(among: Path):
    (among.parents[2] / "pyproject.toml").unlink()
    with pytest.raises(NoCheckout):
        command.write("fresh", among)
    assert not (among / "fresh").exists()


def test_check_ends_with_1_where_a_rule_does_not_hold(among: Path, capsys: pytest.CaptureFixture[str]):
    edit("README.md", ("## Paid", "## Given"))(command.write("unpaid", among))
    with pytest.raises(SystemExit) as ended:
        command.check("unpaid")
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert said.count("✓") == len(RULES) - 1
    assert "✗ README says" in said
    assert "it says what is paid" in said


def test_check_says_which_kinds_there_are():
    with pytest.raises(NotFound, match="word_count"):
        command.check("nonesuch")


# Examples


def test_a_blobs_name_stands_for_its_id_wherever_it_is_found():
    stage = staged(read(files(HOME / "hold")[0]))
    ids = [shard.blob for shard in stage.shards]
    assert stage.named({"a": ["blob:a", ("blob:b",)], "x": "blob:none"}) == {
        "a": [ids[0], [ids[1]]],
        "x": "blob:none",
    }
