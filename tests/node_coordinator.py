"""A coordinator that a test can look into and spoil: it speaks the wire and decides nothing.

`work` is what it will offer, in order; `faults` is what befalls its next exchanges:

    "lost"     it does all, but its answer never arrives
    "down"     it answers with HTTP 500 and does nothing
    "gateway"  something before it answers, in HTML
    "twice"    it offers again what it has offered and has no result of
    "silent"   it does not answer at all
    an error   it answers with that, and does nothing
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
import zstandard
from aiohttp import web
from nacl.signing import SigningKey

from optimai.core.assignment import Role
from optimai.core.errors import NotFound, NoToken, OptimaiError, Replayed, UnknownNode, WrongBytes
from optimai.core.ids import AssignmentId, BlobId, NetworkId, blob_id, fingerprint
from optimai.node import clock
from optimai.wire import envelope
from optimai.wire.exchange import (
    ENROL,
    EXCHANGE,
    NETWORK,
    Ask,
    Asked,
    Done,
    Enrol,
    Enrolled,
    Met,
    Network,
    Offer,
    Refusal,
    Reply,
    Signed,
    read_enrol,
    read_request,
)


class FakeCoordinator:
    def __init__(self) -> None:
        self.key = SigningKey.generate()
        self.id = NetworkId(fingerprint(bytes(self.key.verify_key)))
        self.url = ""
        self.nodes: dict[str, bytes] = {}  # node -> key
        self.enrols: list[Enrol] = []
        self.last: dict[str, tuple[int, bytes, bytes]] = {}  # node -> serial, envelope's payload, reply
        self.work: deque[Offer] = deque()
        self.faults: deque[str | OptimaiError] = deque()
        self.refuse: dict[AssignmentId, Refusal] = {}
        self.ignore: set[AssignmentId] = set()  # results that its answer does not mention
        self.challenges: list[Asked] = []
        self.blobs: dict[BlobId, bytes] = {}
        self.blob_faults = 0  # so many calls for blobs fail
        self.wait = 0.2
        self.offered: list[Offer] = []
        self.results: list[Done] = []  # each as often as it was taken in
        self.answers: list[Met] = []
        self.asks: list[Ask] = []
        self.requests: list[bytes] = []  # bodies of all exchanges, as they came
        self.serials: list[int] = []  # of new envelopes
        self.heard = asyncio.Event()
        self._next = 100

    def add(self, kind: str, task: object, lease: float = 60.0) -> AssignmentId:
        self._next += 1
        offer = Offer(
            assignment=AssignmentId(self._next),
            kind=kind,
            step="test/step",
            task=msgspec.Raw(msgspec.json.encode(task)),
            role=Role.ANSWER,
            units=1,
            price=1,
            quality=1_000_000,
            rate=0,
            protocol="",
            lease_until=clock.now() + timedelta(seconds=lease),
            token=f"token-{self._next}",
        )
        self.work.append(offer)
        return offer.assignment

    async def until(self, condition: object, seconds: float = 30.0) -> None:
        """Wait until `condition()` is true; it is looked at after each exchange and now and then."""
        async with asyncio.timeout(seconds):
            while not condition():  # type: ignore[operator]
                self.heard.clear()
                try:
                    await asyncio.wait_for(self.heard.wait(), 0.05)
                except TimeoutError:
                    continue

    def result(self, assignment: AssignmentId) -> Done | None:
        return next((done for done in self.results if done.assignment == assignment), None)

    async def network(self, request: web.Request) -> web.Response:
        said = Network(network=self.id, key=bytes(self.key.verify_key), name="test", private=True)
        return _json(envelope.write(envelope.sign(NETWORK, msgspec.json.encode(said), self.key)))

    async def enrol(self, request: web.Request) -> web.Response:
        signed = envelope.read(await request.read())
        wanted = read_enrol(signed)
        envelope.verify(signed, ENROL, wanted.owner_key, wanted.node_key)
        node = fingerprint(wanted.node_key)
        self.nodes[node] = wanted.node_key
        self.enrols.append(wanted)
        serial = self.last[node][0] if node in self.last else 0
        return _json(msgspec.json.encode(Enrolled(node=node, name=wanted.name, serial=serial)))  # type: ignore[arg-type]

    async def exchange(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.requests.append(body)
        self.heard.set()
        fault = self.faults.popleft() if self.faults else ""
        if isinstance(fault, OptimaiError):
            return _error(fault)
        if fault == "down":
            return web.json_response({"code": "internal", "message": "Something of ours broke."}, status=500)
        if fault == "gateway":
            return web.Response(status=502, text="<html>bad gateway</html>", content_type="text/html")
        if fault == "silent":
            await asyncio.sleep(60)
        try:
            reply = self._exchange(body, twice=fault == "twice")
        except OptimaiError as refused:
            return _error(refused)
        if fault == "lost":
            assert request.transport
            request.transport.abort()
        return _json(reply)

    def _exchange(self, body: bytes, *, twice: bool) -> bytes:
        signed_by, signed, ask = read_request(body)
        if signed.node not in self.nodes:
            raise UnknownNode(signed.node)
        envelope.verify(signed_by, EXCHANGE, self.nodes[signed.node])
        serial, payload, reply = self.last.get(signed.node, (0, b"", b""))
        if payload == signed_by.payload:
            return reply
        if signed.serial <= serial:
            raise Replayed(signed.serial, serial)
        reply = msgspec.json.encode(self._reply(signed, ask, twice=twice))
        self.last[signed.node] = (signed.serial, signed_by.payload, reply)
        self.serials.append(signed.serial)
        return reply

    def _reply(self, signed: Signed, ask: Ask, *, twice: bool) -> Reply:
        self.asks.append(ask)
        taken, refused = [], []
        for done in signed.results:
            if done.assignment in self.refuse:
                refused.append(self.refuse[done.assignment])
            elif done.assignment not in self.ignore:
                self.results.append(done)
                taken.append(done.assignment)
        self.answers += signed.answers
        answered = {met.challenge for met in self.answers}
        offers = [one for one in self.offered[-2:] if twice and not self.result(one.assignment)]
        room = ask.room
        while room > 0 and self.work and self.work[0].kind.partition("+")[0] in ask.kinds:
            offers.append(self.work.popleft())
            room -= 1
        self.offered += offers
        return Reply(
            serial=signed.serial,
            taken=tuple(taken),
            refused=tuple(refused),
            offers=tuple(offers),
            challenges=tuple(asked for asked in self.challenges if asked.id not in answered),
            wait=self.wait,
        )

    async def put(self, request: web.Request) -> web.Response:
        fault = self._blob_fault(request)
        if fault:
            return fault
        data = await request.read()
        if request.headers.get("Content-Encoding") == "zstd":
            data = zstandard.decompress(data)
        if blob_id(data) != request.match_info["blob"]:
            return _error(WrongBytes(request.match_info["blob"]))
        self.blobs[blob_id(data)] = data
        return web.Response(status=201)

    async def get(self, request: web.Request) -> web.Response:
        fault = self._blob_fault(request)
        if fault:
            return fault
        data = self.blobs.get(BlobId(request.match_info["blob"]))
        if data is None:
            return _error(NotFound("blob", request.match_info["blob"], "Put it first."))
        if "zstd" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=zstandard.compress(data), headers={"Content-Encoding": "zstd"})
        return web.Response(body=data)

    def _blob_fault(self, request: web.Request) -> web.Response | None:
        if self.blob_faults:
            self.blob_faults -= 1
            return web.Response(status=503)
        tokens = {f"Bearer {offer.token}" for offer in self.offered}
        return None if request.headers.get("Authorization") in tokens else _error(NoToken())


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def _error(error: OptimaiError) -> web.Response:
    return web.json_response({"code": error.code, "message": str(error)}, status=error.status)


@asynccontextmanager
async def coordinating(fake: FakeCoordinator, port: int = 0) -> AsyncIterator[FakeCoordinator]:
    app = web.Application(client_max_size=1 << 28)
    app.router.add_get("/network", fake.network)
    app.router.add_post("/enrol", fake.enrol)
    app.router.add_post("/exchange", fake.exchange)
    app.router.add_put("/blobs/{blob}", fake.put)
    app.router.add_get("/blobs/{blob}", fake.get)
    runner = web.AppRunner(app, shutdown_timeout=0.1, auto_decompress=False)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()
