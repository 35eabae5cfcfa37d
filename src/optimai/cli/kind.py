"""`optimai kind`: begin a new kind of work, and see whether a kind keeps to the contract (docs/new-kind.md)."""

import asyncio
import keyword
import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path

from optimai import kinds
from optimai.cli import settings
from optimai.core.errors import BadValue, Missing, NoCheckout, Taken

MODEL = "word_count"
SOURCES = frozenset({".py", ".md", ".json"})
_OURS = re.compile(
    r"(^from optimai\..*\n)+", re.MULTILINE
)  # imports that stand sorted, whatever the kind is called


def new(name: str) -> None:
    """Begin a kind of work: a small whole folder that passes `optimai kind check` as it is.

    Parameters
    ----------
    name
        As campaigns will write it: word_count, clean.text.
    """
    home = write(name, Path(str(kinds.__file__)).parent)
    print(f"{home}: counts words so far. Change it by docs/new-kind.md, and run: optimai kind check {name}")


def check(name: str) -> None:
    """See whether a kind keeps to the contract: a line for each rule, and what to do where it does not hold.

    Parameters
    ----------
    name
        Of the kind, or of its folder.
    """
    if find_spec("asyncpg") is None:
        raise Missing("Checking a kind", "coordinator")
    settings.nothing_phones_home()
    from optimai.sim.proof.check import check as lines_of

    lines = asyncio.run(lines_of(name))
    print("\n".join(map(str, lines)))
    if any(line.why is not None for line in lines):
        sys.exit(1)


def write(name: str, among: Path) -> Path:
    """The folder of a new kind: a copy of the smallest one under its name.

    Raises BadValue, Taken, and NoCheckout where `among`, the folder of all kinds, is not one to write to.
    """
    folder = name.replace(".", "_")
    if (
        not re.fullmatch(r"[a-z][a-z0-9]*([._][a-z0-9]+)*", name)
        or len(name) > 40
        or keyword.iskeyword(folder)
    ):
        raise BadValue("a name for a kind (small letters, digits, _ and .)", name, "link_check")
    if (among / folder).exists() or (among / f"{folder}.py").exists():
        raise Taken("kind", name, "Give another name.")
    if not (among.parents[2] / "pyproject.toml").is_file() or not os.access(among, os.W_OK):
        raise NoCheckout(str(among))
    model = among / MODEL
    for path in sorted(model.rglob("*")):
        if path.is_file() and path.suffix in SOURCES:
            target = among / folder / path.relative_to(model)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_renamed(path.read_text("utf-8"), name, folder), "utf-8")
    return among / folder


def _renamed(text: str, name: str, folder: str) -> str:
    text = text.replace(f"optimai.kinds.{MODEL}.", f"optimai.kinds.{folder}.")
    text = text.replace(" The smallest kind there is: copy it.", "")
    return _OURS.sub(
        lambda ours: "".join(sorted(ours[0].splitlines(keepends=True))), text.replace(MODEL, name)
    )
