"""The numbers by which a network checks, fines and pays: one value, named by its hash wherever it was used.

A kind of work is checked in one of three ways, and each has terms of its own; to audit has, too:

    again        another owner does it again: exactly, with tolerance, or what the kind asks of him
    opinions     several are asked, and known answers stand among the questions
    challenges   who holds something proves it when asked

`OPEN` is what the laboratory justifies, for networks of strangers. In a private network a bond protects from nobody,
and what all do is little: `PRIVATE` asks for no bond, trusts after a few audits, and anybody may take any task.
"""

from functools import cached_property
from typing import Annotated, Literal

import msgspec
from blake3 import blake3
from msgspec import Meta, Struct
from msgspec.structs import replace

from optimai.core.assignment import Role
from optimai.core.chance import MILLION, Ppm
from optimai.core.conduct import AUDITING, CHALLENGES, OPINIONS, TERMS, Rate, Some, Terms

Checks = Literal["again", "opinions", "challenges"]


class Protocol(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    again: Terms = TERMS
    opinions: Terms = OPINIONS
    challenges: Terms = CHALLENGES
    auditing: Terms = AUDITING
    away: Annotated[int, Meta(ge=0)] = 86_400  # seconds until who was suspended may begin again
    # the share of owners who may take a task that has just come (core/eligibility.py); it doubles while the task waits
    first: Rate = Ppm(100_000)
    doubling: Some = 2  # seconds

    @cached_property
    def hash(self) -> str:
        """64 hex digits, over canonical JSON."""
        return blake3(msgspec.json.encode(self, order="sorted")).hexdigest()

    def terms(self, checks: Checks, role: Role) -> Terms:
        return self.auditing if role is Role.AUDIT else getattr(self, checks)


OPEN = Protocol()
PRIVATE = Protocol(
    again=replace(TERMS, probation=5, bond=0),
    opinions=replace(OPINIONS, bond=0),
    challenges=replace(CHALLENGES, bond=0),
    auditing=replace(AUDITING, probation=5, bond=0),
    first=Ppm(MILLION),
)
