"""Who this network is: its key, its name, and the few numbers that hold for all of it.

The key signs what the network says of itself (versions, epochs) and derives the
tokens of assignments. It stays in the coordinator's folder; all replicas share it.
"""

from datetime import timedelta
from functools import cached_property

from blake3 import blake3
from msgspec import Struct
from nacl.signing import SigningKey

from optimai.core.errors import NoToken
from optimai.core.ids import AssignmentId, NetworkId, fingerprint
from optimai.core.protocol import PRIVATE, Protocol


class Commands(Struct, frozen=True):
    """How a command is written that speaks with this network; pages show them ready to be pasted."""

    program: str = "optimai"
    where: str = ""  # ` --home FOLDER` or ` --url URL`, where it needs one

    def __call__(self, command: str) -> str:
        return f"{self.program} {command}{self.where}"


class Identity(Struct, frozen=True, kw_only=True, dict=True):
    key: SigningKey
    name: str
    private: bool  # one operator's own: audits that nobody can do are waived by name
    epoch: timedelta = timedelta(hours=1)
    seal_rows: int = 5_000  # a shard is sealed at so many rows
    seal_after: timedelta = timedelta(seconds=30)  # or when its first row is so old
    silence: timedelta = timedelta(minutes=2)  # after so long without a word a machine's tasks go to others
    patience: timedelta = timedelta(minutes=1)  # how long a private network waits for another owner to audit
    protocol: Protocol = PRIVATE  # how it checks, fines and pays
    commands: Commands = Commands()

    @cached_property
    def id(self) -> NetworkId:
        return NetworkId(fingerprint(bytes(self.key.verify_key)))

    def token(self, assignment: AssignmentId) -> str:
        """For the blobs of one assignment; worth nothing when its lease is over."""
        return f"{assignment}.{self._seal(assignment)}"

    def token_owner(self, token: str) -> AssignmentId:
        """Whose token it is. Raises NoToken where it isn't one of ours."""
        number, _, seal = token.partition(".")
        if not number.isdecimal() or len(number) > 18:
            raise NoToken
        assignment = AssignmentId(int(number))
        if blake3(self._seal(assignment).encode()).digest() != blake3(seal.encode()).digest():
            raise NoToken
        return assignment

    def _seal(self, assignment: AssignmentId) -> str:
        return blake3(str(assignment).encode(), key=self._secret).hexdigest()[:32]

    @cached_property
    def _secret(self) -> bytes:
        return blake3(bytes(self.key), derive_key_context="optimai 2026-11-24 assignment tokens").digest()
