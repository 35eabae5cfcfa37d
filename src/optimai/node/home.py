"""A node's folder: all that a node is, in one place that only its owner can read.

    node.json     where it belongs and what its operator allows; edit it, then start the node again
    owner.key     the owner's secret key,
    node.key      and the node's own
    outbox.db     work taken on, results that nobody has acknowledged yet, and which ones were
    cache/        blobs by their hash; may be deleted at any time
    scratch/      a folder for each task in hand
    paused        stands here while the node is paused
    status.json   what the agent does just now
    agent.lock    held by the one agent that runs here

Every other process (`optimai pause`, `optimai node status`) speaks with the agent
through this folder alone.
"""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from optimai.core.clock import Instant
from optimai.core.errors import BadValue, NotFound
from optimai.core.ids import AssignmentId, NetworkId
from optimai.node import lock

HandsName = Literal["machine", "browser", "person"]

_ANOTHER = "Stop it, or give this one a folder of its own with --home."


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `node.json` says."""

    url: str  # the coordinator's
    network: NetworkId  # fingerprint of its key: any other network is refused
    name: str
    cores: int = 1  # tasks that may keep a core busy at once
    kinds: tuple[str, ...] | None = None  # the only ones this machine does; None: all that it can
    hosts: Mapping[str, str] = {}  # private HOST:PORT that tasks may fetch from, and its address
    cache_mb: int = 1_024  # the most that cache/ may keep
    hands: HandsName = "machine"
    simulated: bool = False  # then it is said wherever the node shows


class Running(Struct, frozen=True, kw_only=True):
    """A task that is being done."""

    assignment: AssignmentId
    kind: str
    step: str
    since: Instant
    lease_until: Instant
    done: int = 0  # of how many parts, as the task itself counts; 0 of 0 where it says nothing
    of: int = 0


class Status(Struct, frozen=True, kw_only=True):
    """What an agent says of itself. Pay is the coordinator's to tell."""

    at: Instant
    pid: int
    name: str
    paused: bool
    running: tuple[Running, ...] = ()
    waiting: int = 0  # tasks taken on and not begun
    unsent: int = 0  # results that the coordinator has not acknowledged
    heard: Instant | None = None  # when the coordinator last answered
    trouble: str = ""  # why it did not, since then
    taken: int = 0  # results the coordinator took in, since this node joined
    refused: int = 0
    declined: int = 0  # tasks handed back undone
    unable: Mapping[str, str] = {}  # kinds that were to be done here and can't be, and why


class Home:
    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()  # workers live in another folder, and are told these paths

    def config(self) -> Config:
        """Raises NotFound before the node has joined, BadValue where the file was edited amiss."""
        path = self.folder / "node.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Config)
        except FileNotFoundError:
            raise NotFound("node in", self.folder, "Run `optimai join INVITE` first.") from None
        except msgspec.DecodeError as fault:
            example = '{"url": "http://127.0.0.1:8700", "network": "…", "name": "attic", "cores": 2}'
            raise BadValue(f"a node's settings (in {path})", str(fault), example) from None

    def keep(self, config: Config) -> None:
        text = msgspec.json.format(msgspec.json.encode(config), indent=2)
        _replace(self.folder / "node.json", text + b"\n")

    @property
    def outbox(self) -> Path:
        return self.folder / "outbox.db"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def scratch(self) -> Path:
        return self.folder / "scratch"

    def pause(self) -> None:
        """Within 2 s nothing runs and nothing is taken on, until `resume`: restarts do not end it."""
        self.config()
        (self.folder / "paused").touch()

    def resume(self) -> None:
        self.config()
        (self.folder / "paused").unlink(missing_ok=True)

    def paused(self) -> bool:
        return (self.folder / "paused").exists()

    def tell(self, status: Status) -> None:
        _replace(self.folder / "status.json", msgspec.json.encode(status))

    def status(self) -> Status | None:
        """What the agent that runs here said last; None where none runs."""
        if not self.has_agent():
            return None
        try:
            return msgspec.json.decode((self.folder / "status.json").read_bytes(), type=Status)
        except FileNotFoundError:
            return None

    def only_agent(self) -> AbstractContextManager[None]:
        """Holds the folder for one agent. Raises InUse."""
        return lock.held(self._lock, f"The node's folder {self.folder}", _ANOTHER)

    def has_agent(self) -> bool:
        return lock.holder(self._lock) is not None

    @property
    def _lock(self) -> Path:
        return self.folder / "agent.lock"


def _replace(path: Path, data: bytes) -> None:
    """The file is the old one or the new one, never half of either."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)
