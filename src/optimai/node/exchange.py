"""One exchange from the node's side: sign what is ready, send it, keep what comes back.

Whatever goes wrong on the way, the envelope stays in the outbox and is sent again as it
is. Only where the coordinator says that it will never take it is it withdrawn, and what
it carried goes into another: under a higher serial, or in smaller parts.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from msgspec import Struct
from nacl.signing import SigningKey

from optimai.core.errors import BadMessage, OptimaiError, Replayed, TooLarge, UnknownNode, Unreachable
from optimai.core.ids import NetworkId, NodeId, fingerprint
from optimai.node.clock import Clock
from optimai.node.link import MOST_BYTES, Link
from optimai.node.outbox import Came, Outbox
from optimai.wire import envelope
from optimai.wire.exchange import EXCHANGE, Ask, Done, Met, Reply, Request, Signed, ask_hash

_replies = msgspec.json.Decoder(Reply)

Enrol = Callable[[], Awaitable[int]]  # joins again with the same keys; the last serial that was seen


class Identity(Struct, frozen=True):
    """Who signs, and for which network."""

    network: NetworkId
    key: SigningKey

    @property
    def node(self) -> NodeId:
        return NodeId(fingerprint(bytes(self.key.verify_key)))


def request(me: Identity, serial: int, results: Sequence[Done], answers: Sequence[Met], ask: Ask) -> bytes:
    """The exact bytes to send."""
    asked = msgspec.json.encode(ask).decode()
    signed = Signed(
        network=me.network,
        node=me.node,
        serial=serial,
        ask=ask_hash(asked),
        results=tuple(results),
        answers=tuple(answers),
    )
    return msgspec.json.encode(Request(envelope.sign(EXCHANGE, msgspec.json.encode(signed), me.key), asked))


async def exchange(me: Identity, link: Link, outbox: Outbox, ask: Ask, clock: Clock, enrol: Enrol) -> Came:
    """Raises Unreachable, or what the coordinator answered; calling it again is always right.

    While an earlier envelope waits for its answer, that one is sent, with the ask it was
    signed with.
    """
    pending = outbox.envelope(lambda serial, results, answers: request(me, serial, results, answers, ask))
    try:
        heard = await link.exchange(pending.request)
    except (Replayed, UnknownNode):
        outbox.withdraw(await enrol())
        raise
    except (BadMessage, TooLarge) as fault:
        if outbox.withdraw(pending.serial, halve=True) == 1:
            outbox.give_up_first(f"The coordinator can't take its result: {fault}")
        raise
    if heard.at:
        clock.hear(heard.at)
    return outbox.answer(_read(heard.body, pending.serial))


def _read(body: bytes, serial: int) -> Reply:
    try:
        reply = envelope.decode(body, _replies.decode, most=MOST_BYTES)
    except OptimaiError as fault:
        raise Unreachable("The coordinator", f"its answer makes no sense ({fault})") from None
    if reply.serial != serial:
        raise Unreachable("The coordinator", f"it answers exchange {reply.serial}, not {serial}")
    return reply
