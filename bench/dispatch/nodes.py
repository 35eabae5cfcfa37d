"""A hundred nodes in one process, each with a connection of its own, as lean as Python allows.

`python -m bench.dispatch.nodes PORT ROOM SERIAL WARM SECONDS`: each node hands in ROOM signed results a request
and asks for as many tasks. Prints a JSON object: tasks whose results were acknowledged in SECONDS, after WARM.
"""

import asyncio
import sys
from time import perf_counter
from typing import cast

import msgspec
import uvloop
from msgspec import Raw, Struct

from bench.dispatch import setting
from optimai.core.ids import NodeId, fingerprint
from optimai.kinds import catalog
from optimai.wire import envelope
from optimai.wire.exchange import EXCHANGE, Ask, Done, Request, Signed, ask_hash


class Task(Struct):
    number: int


class Offer(Struct):
    assignment: int
    task: Task


class Reply(Struct):
    offers: list[Offer]
    taken: list[int]


_replies = msgspec.json.Decoder(Reply)


class Tally:
    def __init__(self, begin: float, end: float) -> None:
        self.begin = begin
        self.end = end
        self.tasks = 0
        self.waits: list[float] = []
        self.faults: list[str] = []

    def count(self, tasks: int, sent: float) -> None:
        now = perf_counter()
        if self.begin <= now < self.end:
            self.tasks += tasks
            self.waits.append(now - sent)


class Node(asyncio.Protocol):
    def __init__(self, number: int, room: int, serial: int, tally: Tally) -> None:
        self.key = setting.node_key(number)
        self.id = NodeId(fingerprint(bytes(self.key.verify_key)))
        self.serial = serial
        self.tally = tally
        self.ask = msgspec.json.encode(Ask(room=room, kinds={"noop": catalog.load("noop").hash})).decode()
        self.asked = ask_hash(self.ask)
        self.sent = 0.0
        self.heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.say([])

    def say(self, offers: list[Offer]) -> None:
        self.serial += 1
        results = tuple(
            Done(
                offer.assignment,
                Raw(b'{"number":%d,"payload":"%s"}' % (offer.task.number, setting.ANSWER.encode())),
            )
            for offer in offers
        )
        signed = Signed(
            network=setting.NETWORK.id, node=self.id, serial=self.serial, ask=self.asked, results=results
        )
        body = msgspec.json.encode(
            Request(envelope.sign(EXCHANGE, msgspec.json.encode(signed), self.key), self.ask)
        )
        self.sent = perf_counter()
        self.transport.write(
            b"POST /exchange HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        )

    def data_received(self, data: bytes) -> None:
        self.heard += data
        head, end, body = self.heard.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        self.heard = b""
        if b" 200 " not in head[:16]:
            self.tally.faults.append(body.decode())
            return
        reply = _replies.decode(body)
        self.tally.count(len(reply.taken), self.sent)
        if reply.offers:
            self.say(reply.offers)
        elif perf_counter() < self.tally.end:
            asyncio.get_running_loop().call_later(0.005, self.say, [])


async def run(port: int, room: int, serial: int, warm: float, seconds: float) -> None:
    tally = Tally(perf_counter() + warm, perf_counter() + warm + seconds)
    loop = asyncio.get_running_loop()
    for number in range(setting.NODES):
        await loop.create_connection(
            lambda number=number: Node(number, room, serial, tally), "127.0.0.1", port
        )
    await asyncio.sleep(tally.end - perf_counter())
    waits = sorted(tally.waits) or [0.0]
    said = {
        "tasks": tally.tasks,
        "p50": 1000 * waits[len(waits) // 2],
        "p99": 1000 * waits[len(waits) * 99 // 100],
        "faults": tally.faults[:3],
    }
    print(msgspec.json.encode(said).decode(), flush=True)


if __name__ == "__main__":
    port, room, serial = (int(word) for word in sys.argv[1:4])
    uvloop.run(run(port, room, serial, float(sys.argv[4]), float(sys.argv[5])))
