"""Work that goes wrong in the way that its task says."""

from datetime import timedelta

from msgspec import Struct

from optimai.kinds.contract import Kind, News, Plan

KIND = Kind(
    name="odd",
    version=1,
    hands=frozenset({"machine"}),
    reads="nothing",
    gives=("said",),
    unit="row",
    lease=timedelta(minutes=1),
)


class Options(Struct, frozen=True): ...


class Task(Struct, frozen=True):
    do: str
    argument: str = ""


class Result(Struct, frozen=True):
    said: str


def plan(options: Options, state: bytes, news: News[Task, Result]) -> Plan[Task]:
    return Plan([])
