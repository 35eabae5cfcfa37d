"""What can be seen of a kind without running it: its parts, its types, what its sources touch.

Spec and judge run at the coordinator and again at whoever recomputes a verdict, so they
are pure. Work is a stranger's program on somebody's machine, so its only way out is the kit.
Both are read from the sources of the kind, those of its own modules that they import too.
This finds mistakes; a worker's process is what holds bad faith.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from optimai.kinds.catalog import Loaded
from optimai.sim.proof.drive import Broken
from optimai.sim.proof.example import files

_PURE = """
    __future__ abc ada_url base64 bisect blake3 collections dataclasses datetime decimal difflib enum fnmatch
    fractions functools hashlib heapq html ipaddress itertools json math msgspec numbers operator re string
    struct textwrap types typing unicodedata urllib.parse zlib
    optimai.core optimai.kinds.contract optimai.kinds.exact optimai.kinds.refusals
    optimai.kinds.sentence optimai.kinds.words
"""
_WAYS_OUT = """
    aiohttp asyncpg ctypes ftplib http httpx io mmap multiprocessing os pickle requests secrets shutil smtplib
    socket sqlite3 ssl subprocess sys tempfile urllib.request urllib3
    optimai.network optimai.node optimai.client optimai.blobs
"""
PURE = frozenset(_PURE.split())
WAYS_OUT = frozenset(_WAYS_OUT.split())
IMPURE_CALLS = frozenset(["open", "input", "print", "eval", "exec", "compile", "__import__", "hash", "id"])
CLOCKS = frozenset(["now", "today", "utcnow"])
FILE_CALLS = frozenset(["open", "read_bytes", "read_text", "unlink", "write_bytes", "write_text"])


def parts(home: Path) -> None:
    needed = ["__init__.py", "spec.py", "judge.py", "README.md"]
    if missing := [part for part in needed if not (home / part).is_file()]:
        raise Broken(
            "parts", f"there is no {missing[0]} in {home.name}/: write it, as kinds/word_count has it"
        )
    if not files(home):
        raise Broken("parts", "there is no examples/*.json: write one task's input and what comes of it")
    for path in sorted(home.glob("*.py")):
        try:
            ast.parse(path.read_bytes(), path.name)
        except SyntaxError as fault:
            raise Broken("parts", f"{path.name}:{fault.lineno} is no Python: {fault.msg}") from None


def complete(kind: Loaded, home: Path) -> None:
    if "machine" in kind.kind.hands and not (home / "work.py").is_file():
        raise Broken("parts", "hands has 'machine' and there is no work.py")
    if kind.kind.reads == "nothing" and not kind.kind.key:
        raise Broken("parts", "a kind that reads nothing names its rows by columns: say which in KIND.key")


def types(kind: Loaded, home: Path) -> None:
    """Options, Task, Result, and what of the kind's own stands in them."""
    for shape in (kind.options, kind.task, kind.result):
        for struct in _structs(msgspec.inspect.type_info(shape)):
            if struct.cls.__module__.split(".")[2:3] != [home.name]:
                continue
            if not struct.cls.__struct_config__.frozen:
                raise Broken("types", f"{struct.cls.__name__} is not frozen: class …(Struct, frozen=True, …)")
            if not struct.forbid_unknown_fields:
                raise Broken(
                    "types", f"{struct.cls.__name__} takes unknown fields: add forbid_unknown_fields=True"
                )


def pure(home: Path) -> None:
    for path, tree in _reached(home, "spec", "judge"):
        for name, line in _imports(tree):
            if not _within(name, PURE | {f"optimai.kinds.{home.name}"}):
                raise Broken("pure", f"{path.name}:{line} imports {name}: spec and judge take values only")
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (called := _impure(node)):
                raise Broken("pure", f"{path.name}:{node.lineno} calls {called}(): take it as an argument")


def work(home: Path) -> None:
    for path, tree in _reached(home, "work"):
        for name, line in _imports(tree):
            if _within(name, WAYS_OUT):
                raise Broken("work", f"{path.name}:{line} imports {name}: go through the kit")
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (called := _opens(node)):
                raise Broken("work", f"{path.name}:{node.lineno} calls {called}: read and write by the kit")


def readme(home: Path, name: str) -> None:
    text = (home / "README.md").read_text("utf-8")
    wanted = {
        rf"\A# {re.escape(name)}\n\n\w": f"it begins with '# {name}' and a sentence that says what it does",
        rf"(?m)kind: {re.escape(name)}\b": f"it shows the step in a campaign: kind: {name}",
        r"(?i)refuse": "it says what it refuses",
        r"(?i)\bchecked\b": "it says how it is checked",
        r"(?i)\bpaid\b": "it says what is paid",
    }
    for pattern, says in wanted.items():
        if not re.search(pattern, text):
            raise Broken("readme", f"README.md must be so: {says}")


def _structs(info: Any) -> Iterator[Any]:
    seen: set[type] = set()
    waiting = [info]
    while waiting:
        one = waiting.pop()
        if isinstance(one, msgspec.inspect.StructType):
            if one.cls in seen:
                continue
            seen.add(one.cls)
            yield one
        for field in getattr(one, "__struct_fields__", ()):
            value = getattr(one, field)
            waiting += [
                part
                for part in (value if isinstance(value, tuple) else (value,))
                if isinstance(part, msgspec.inspect.Type | msgspec.inspect.Field)
            ]


def _reached(home: Path, *parts: str) -> Iterator[tuple[Path, ast.Module]]:
    """The sources of these modules, and of those of the kind that they import."""
    own = f"optimai.kinds.{home.name}"
    waiting, seen = list(parts), set[str]()
    while waiting:
        part = waiting.pop(0)
        path = home / f"{part}.py"
        if part in seen or not path.is_file():
            continue
        seen.add(part)
        tree = ast.parse(path.read_bytes(), str(path))
        yield path, tree
        waiting += [name.removeprefix(f"{own}.").split(".")[0] for name, _ in _imports(tree) if own in name]


def _imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """`from a import b` is both a.b and a: b may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((one.name, node.lineno) for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((f"{node.module or ''}.{one.name}", node.lineno) for one in node.names)


def _within(name: str, roots: frozenset[str] | set[str]) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in roots)


def _impure(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) if name in IMPURE_CALLS:
            return name
        case ast.Attribute(
            attr=name, value=ast.Name(id="date" | "datetime") | ast.Attribute(attr="datetime")
        ):
            return f"datetime.{name}" if name in CLOCKS else ""
        case _:
            return ""


def _opens(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id="open" | "eval" | "exec" | "__import__" as name):
            return f"{name}()"
        case ast.Attribute(attr=name, value=ast.Call(func=ast.Name(id="Path"))) if name in FILE_CALLS:
            return f"Path(…).{name}()"
        case _:
            return ""
