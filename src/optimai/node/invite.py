"""An invite says where a network is and how to know it: `http://HOST:PORT#FINGERPRINT`.

The fingerprint is that of the network's key. An invite holds no secret: whoever reads
it can join, as with any open door, but can't be led to another network by whoever
stands between. (What follows `#` is never sent to a server.)
"""

import re

from msgspec import Struct

from optimai.core.errors import BadValue
from optimai.core.ids import NetworkId

_INVITE = re.compile(
    r"(https?://[A-Za-z0-9.\-]+(?::\d{1,5})?|https?://\[[0-9a-fA-F:.]+\](?::\d{1,5})?)/?#([0-9a-f]{32})"
)


class Invite(Struct, frozen=True):
    url: str  # without a slash at its end
    network: NetworkId

    def __str__(self) -> str:
        return f"{self.url}#{self.network}"


def parse_invite(text: str) -> Invite:
    found = _INVITE.fullmatch(text.strip())
    if not found:
        raise BadValue("an invite", text, f"http://192.168.1.5:8700#{'0123456789abcdef' * 2}")
    return Invite(found[1], NetworkId(found[2]))
