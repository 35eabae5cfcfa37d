"""What import-linter can't see of the house: where SQL stands, and who loads what by name."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "optimai"
SQL = re.compile(
    r"\s*(with \w+ as\b|select\b.*\b(from|exists)\b|select pg_\w+\(|insert into\b|update \w+ set\b|delete from\b)",
    re.DOTALL,
)
DOORS = ("network/store/*.py", "kinds/*/store.py", "node/outbox.py")
STILL_OUTSIDE = {"network/stages.py", "sim/world.py"}  # a stage's lock; two questions of the simulated world


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
    assert {name for name in found if not any(fnmatch(name, door) for door in DOORS)} == STILL_OUTSIDE
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
