"""Work of which a test says what comes back, and what its judge makes of that."""

from datetime import timedelta
from typing import Any, Literal

from msgspec import Struct

from optimai.core.chance import Ppm
from optimai.core.ids import BlobId
from optimai.kinds.contract import Kind, News, Piece, Plan

KIND = Kind(
    name="trial",
    version=1,
    hands=frozenset({"machine"}),
    reads="nothing",
    gives=("number", "value", "text"),
    unit="row",
    lease=timedelta(minutes=1),
    key=("number",),
    audit=Ppm(1),
)


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    tasks: int = 1
    units: int = 1
    answers: int = 1
    audited: bool = False
    judge: Literal["exact", "units", "raises", "nul", "forgets", "misnames"] = "exact"
    plan: Literal["", "raises", "waits"] = ""


class Task(Struct, frozen=True, forbid_unknown_fields=True):
    number: int


class Result(Struct, frozen=True, forbid_unknown_fields=True):
    """A value, or a blob of rows; `wrong` is what an auditor says of others."""

    value: int = 0
    rows: BlobId | None = None


def plan(options: Options, state: bytes, news: News[Task, Result]) -> Plan[Task]:
    if options.plan == "raises":
        raise ValueError("this plan never works")
    if state:
        return Plan([], state, finished=options.plan != "waits" or not news.open)
    pieces = [
        Piece(task=Task(number), units=options.units, answers=options.answers, audited=options.audited)
        for number in range(options.tasks)
    ]
    return Plan(pieces, b"planned", finished=options.plan != "waits")


def told(news: News[Any, Any]) -> list[Any]:
    return [accepted.task for accepted in news.accepted]
