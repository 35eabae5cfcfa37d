"""Work that is done when it is offered: what is left is what the road itself costs."""

from datetime import timedelta

from msgspec import Struct

from optimai.core.chance import Ppm
from optimai.kinds.contract import Kind, News, Plan

KIND = Kind(
    name="noop",
    version=1,
    hands=frozenset({"machine"}),
    reads="nothing",
    gives=("number",),
    unit="task",
    lease=timedelta(minutes=5),
    key=("number",),
    audit=Ppm(0),
)


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """None: the bench writes the tasks itself, as many as are done."""


class Task(Struct, frozen=True, forbid_unknown_fields=True):
    number: int
    payload: str


class Result(Struct, frozen=True, forbid_unknown_fields=True):
    number: int
    payload: str


def plan(options: Options, state: bytes, news: News[Task, Result]) -> Plan[Task]:
    return Plan([])
