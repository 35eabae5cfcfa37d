"""Makes what docs/ says of tables in the code: states.md and errors.md. `make docs` writes them anew.

With --check it writes nothing and says what is stale, and which links of any page lead nowhere.
"""

import inspect
import re
import sys
from collections.abc import Iterator, Mapping, Set
from enum import StrEnum
from pathlib import Path

from optimai.core import assignment, conduct, earning
from optimai.core.errors import OptimaiError

HERE = Path(__file__).parent
LONGEST = 150
NOTE = "<!-- Made by docs/make.py: change the code and run `make docs`. -->"


def pages() -> dict[str, str]:
    return {"states.md": states(), "errors.md": errors()}


def states() -> str:
    """A diagram of each table of moves."""
    return f"""{NOTE}
# States

Every move that there is; any other is refused as `wrong_move`.

## An assignment

One owner's try at a task (`core/assignment.py`).

{_diagram(assignment.MOVES, assignment.State.OFFERED)}

A lapsed try returns when nobody has taken its place yet, or by itself at the end of its epoch where it is standing
work and some of its challenges were answered. Accepted becomes rejected when a later audit overturns
the verdict, and back when the task is judged again without the one who lied.

## An earning

A line of pay (`core/earning.py`).

{_diagram(earning.MOVES, earning.State.RESERVED)}

What is available is final. What is void went back to escrow, and its line says why.

## An owner's conduct in a kind

By what his audits found, as who answers or as who audits (`core/conduct.py`; [in words](protocol.md)).

{_diagram(conduct.MOVES, conduct.State.PROBATION)}

Who was suspended begins again as a newcomer: his bond is lost, and a new name would have gained him nothing. Where a
later verdict takes back what had been found, he is where he would have been without it.
"""


def _diagram(moves: Mapping[StrEnum, Set[StrEnum]], first: StrEnum) -> str:
    lines = [f"    [*] --> {first}"]
    for state, to in moves.items():
        lines += [f"    {state} --> {other}" for other in moves if other in to]
        lines += [] if to else [f"    {state} --> [*]"]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def errors() -> str:
    """A line for each error, by its code."""
    kinds = sorted(OptimaiError.__subclasses__(), key=lambda kind: kind.code)
    lines = [
        f"| `{kind.code}` | {kind.status} | {kind.fault} | {'yes' if kind.retry else 'no'} | {_sentence(kind)} |"
        for kind in kinds
    ]
    table = "\n".join(
        ["| code | status | whose fault | again | what it says |", "|---|---|---|---|---|", *lines]
    )
    return f"""{NOTE}
# Errors

All that can go wrong and be told to someone (`core/errors.py`). A code is stable: programs may rely on it. The
API answers with the status; `again` says whether the same request may succeed later by itself.

{table}
"""


def _sentence(kind: type[OptimaiError]) -> str:
    """What it says, with the names of what it is given for what differs."""
    given = {
        name: 7 if one.annotation is int else Name(name)
        for name, one in inspect.signature(kind).parameters.items()
    }
    return re.sub(r"(?<!\w)([78])(?!\w)", "N", str(kind(**given))).replace("|", "\\|")


class Name(str):
    """A parameter, shown by its name."""

    __slots__ = ()

    def __new__(cls, name: str) -> "Name":
        return super().__new__(cls, name.upper())

    def __repr__(self) -> str:
        return str(self)


def wrong() -> Iterator[str]:
    for name, text in pages().items():
        if (HERE / name).read_text("utf-8") != text:
            yield f"docs/{name} is stale: run `make docs`"
    root = HERE.parent
    for page in [*root.glob("*.md"), *HERE.rglob("*.md"), *(root / "src").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if not (page.parent / link).exists():
                yield f"{page.relative_to(root)} links to {link}, which is not there"
    if (lines := (HERE / "architecture.md").read_text("utf-8").count("\n")) > LONGEST:
        yield f"docs/architecture.md has {lines} lines: at most {LONGEST} can be read in ten minutes"


if __name__ == "__main__":
    if "--check" in sys.argv:
        found = list(wrong())
        sys.exit("\n".join(found) if found else 0)
    for name, text in pages().items():
        (HERE / name).write_text(text, "utf-8")
