"""A coordinator's folder: the network's key, its name and numbers, its database and blobs.

network.key    the key, readable by its owner only; whoever has it is the network
network.json   name, private or not, length of an epoch: as they were when it was made; the protocol as it is now
admin.token    the first token, with every scope
postgres/      the embedded database, where no other is named
blobs/         bytes by hash
"""

from datetime import timedelta
from pathlib import Path

import msgspec
from blake3 import blake3
from msgspec import Struct
from msgspec.structs import replace
from nacl.signing import SigningKey
from nacl.utils import random as fresh

from optimai.core.protocol import OPEN, PRIVATE, Protocol
from optimai.network.identity import Identity
from optimai.network.store import tokens
from optimai.network.store.sql import Database

SCOPES = ("admin", "campaign", "read")


class Numbers(Struct, frozen=True, kw_only=True):
    """What a network is made with."""

    name: str = "optimai"
    private: bool = True
    epoch_seconds: int = 3600
    seal_seconds: float = 30
    silence_seconds: float = 120
    patience_seconds: float = 60
    protocol: Protocol | None = (
        None  # None: the one that it has, at first what suits a private network or another
    )


class Home:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.postgres = folder / "postgres"
        self.blobs = folder / "blobs"
        self.token = folder / "admin.token"

    def identity(self, numbers: Numbers) -> Identity:
        """The network of this folder; a new one with these numbers where there is none yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        key, about = self.folder / "network.key", self.folder / "network.json"
        if not key.exists():
            about.write_bytes(msgspec.json.encode(numbers))
            secret(key, bytes(SigningKey.generate()).hex())
        kept = msgspec.json.decode(about.read_bytes(), type=Numbers)
        if numbers.protocol:
            kept = replace(kept, protocol=numbers.protocol)
            about.write_bytes(msgspec.json.encode(kept))
        numbers = kept
        return Identity(
            key=SigningKey(bytes.fromhex(key.read_text().strip())),
            name=numbers.name,
            private=numbers.private,
            epoch=timedelta(seconds=numbers.epoch_seconds),
            seal_after=timedelta(seconds=numbers.seal_seconds),
            silence=timedelta(seconds=numbers.silence_seconds),
            patience=timedelta(seconds=numbers.patience_seconds),
            protocol=numbers.protocol or (PRIVATE if numbers.private else OPEN),
        )

    async def admin(self, database: Database) -> str:
        """The first token; made, and kept in its file, where there is none yet."""
        if not self.token.exists():
            token = await make_token(database, "operator", "admin", SCOPES)
            secret(self.token, token)
        return self.token.read_text().strip()


async def make_token(database: Database, owner: str, name: str, scopes: tuple[str, ...]) -> str:
    """A token for a requester or operator. The database keeps its hash only: it can't be shown again."""
    token = "opi_" + fresh(24).hex()
    async with database.begin() as (tx, now):
        await tokens.add(tx, token_hash(token), owner, name, scopes, now)
    return token


def token_hash(token: str) -> str:
    return blake3(token.encode()).hexdigest()


def secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(text + "\n")
    part.rename(path)
