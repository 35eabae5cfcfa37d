"""What a requester's program imports: a network behind a URL and a token.

    async with Client(url, token) as network:
        await network.submit(raw)
        manifest = await network.version("docs", 1)

Errors of the network come out as the same sentences with the same codes.
"""

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from msgspec import Struct
from nacl.signing import SigningKey, VerifyKey

from optimai.core.clock import Instant
from optimai.core.errors import BadSignature, OptimaiError, Unreachable, known, told
from optimai.core.ids import BlobId, NetworkId, blob_id, fingerprint
from optimai.core.version import VERSION, Version
from optimai.wire import envelope
from optimai.wire.envelope import Envelope
from optimai.wire.exchange import NETWORK, Network
from optimai.wire.leaving import LEAVING, Leaving
from optimai.wire.withdrawal import WITHDRAWAL, Withdrawal

T = TypeVar("T")


class Booked(Struct, frozen=True):
    """What a deposit or a withdrawal did."""

    available_nopi: int  # on the account afterwards
    again: bool  # the reference was booked before, so nothing moved


class Leaves(Struct, frozen=True):
    """What an owner who leaves still waits for."""

    waiting: int  # results without a verdict, and lines of pay that are not free yet
    bond_nopi: int  # that comes back then,
    owed_nopi: int  # less this
    lost_nopi: int  # of kinds for which it is suspended


class Client:
    def __init__(self, url: str, token: str = "", *, seconds: float = 60) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._seconds = seconds
        self._key: bytes | None = None

    async def __aenter__(self) -> "Client":
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._seconds),
            headers={"authorization": f"Bearer {self._token}"} if self._token else {},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Raises what the network refused it with, Unreachable."""
        try:
            async with self._session.request(method, self.url + path, data=body) as answer:
                data = await answer.read()
                if answer.status >= 400:
                    raise _refused(answer.status, data)
                return data
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            raise Unreachable(self.url, str(fault) or type(fault).__name__) from None

    async def get(self, path: str, kind: type[T]) -> T:
        return msgspec.json.decode(await self.call("GET", path), type=kind)

    async def submit(self, raw: dict[str, Any]) -> int:
        """Send a campaign; its number. One that runs and is word for word the same is not begun again."""
        answer = msgspec.json.decode(await self.call("POST", "/v1/campaigns", msgspec.json.encode(raw)))
        return int(answer["campaign"])

    async def cancel(self, name: str) -> None:
        """End a campaign before its time."""
        await self.call("POST", f"/v1/campaigns/{quote(name, safe='')}/cancel")

    async def deposit(self, amount: str, reference: str, owner: str = "") -> Booked:
        """For operators; the same reference counts once."""
        said = msgspec.json.encode({"amount": amount, "reference": reference, "owner": owner})
        return msgspec.json.decode(await self.call("POST", "/v1/deposits", said), type=Booked)

    async def token(self, owner: str, name: str, scopes: Sequence[str]) -> str:
        """A new token, shown this once. For operators."""
        said = msgspec.json.encode({"owner": owner, "name": name, "scopes": list(scopes)})
        return str(msgspec.json.decode(await self.call("POST", "/v1/tokens", said))["token"])

    async def withdraw(self, key: SigningKey, amount: int, reference: str) -> Booked:
        """Take out what is available to the owner of `key`; the same reference counts once."""
        payload = Withdrawal(
            network=(await self.network()).network,
            owner_key=bytes(key.verify_key),
            amount=amount,
            reference=reference,
        )
        signed = envelope.sign(WITHDRAWAL, msgspec.json.encode(payload), key)
        answer = await self.call("POST", "/v1/withdrawals", envelope.write(signed))
        return msgspec.json.decode(answer, type=Booked)

    async def leave(self, key: SigningKey, at: Instant) -> Leaves:
        """The owner of `key` leaves, and is told what it still waits for. `at`: the time now."""
        payload = Leaving(network=(await self.network()).network, owner_key=bytes(key.verify_key), at=at)
        signed = envelope.sign(LEAVING, msgspec.json.encode(payload), key)
        return msgspec.json.decode(
            await self.call("POST", "/v1/leavings", envelope.write(signed)), type=Leaves
        )

    async def network(self, expected: NetworkId | None = None) -> Network:
        """Who it is. Raises BadSignature where its key is not the one of `expected`."""
        said = envelope.read(await self.call("GET", "/network"))
        here = msgspec.json.decode(said.payload, type=Network)
        envelope.verify(said, NETWORK, here.key)
        if fingerprint(here.key) != (expected or here.network):
            raise BadSignature(fingerprint(here.key))
        self._key = bytes(VerifyKey(here.key))
        return here

    async def version(self, name: str, number: int = 0) -> Version:
        """The manifest, if the network signed it; number 0 is the newest."""
        signed = envelope.read(await self.call("GET", f"/v1/versions/{quote(name, safe='')}/{number}"))
        envelope.verify(signed, VERSION, (await self.network()).key)
        return msgspec.json.decode(signed.payload, type=Version)

    async def blob(self, blob: BlobId) -> bytes:
        data = await self.call("GET", f"/blobs/{blob}")
        if blob_id(data) != blob:
            raise Unreachable(f"Blob {blob[:12]}", "its bytes came damaged")
        return data

    async def epoch(self, number: int = 0) -> tuple[Envelope, bytes]:
        """Head and bundle of a closed epoch; number 0 is the newest."""
        head = envelope.read(await self.call("GET", f"/v1/epochs/{number}/head"))
        return head, await self.call("GET", f"/v1/epochs/{number}/bundle")


def _refused(status: int, data: bytes) -> OptimaiError:
    """What the network answered, as if it had been raised here."""
    try:
        said = msgspec.json.decode(data, type=dict[str, Any])
        code = str(said["code"])
        return told("not_found" if status == 404 and not known(code) else code, str(said["message"]))
    except (msgspec.DecodeError, KeyError):
        return told("", f"The network answered {status}, and nothing that explains it. Look at its log.")
