"""What a site's robots.txt says to us: https://www.rfc-editor.org/rfc/rfc9309

Parsed and matched by protego, which compares user agents more loosely than the RFC has
it. So the file is first told in two names: our product token, and `*`.
"""

import re
from datetime import timedelta

from protego import Protego

MOST_BYTES = 512 << 10  # of robots.txt; the rest is not read
MOST_HOPS = 5  # of its redirects

AGENT_LINE = re.compile(r"\s*user[ -]?agent(?:\s*:\s*|\s+)(.*)", re.IGNORECASE)
TOKEN = re.compile(r"\*(?=\s|\Z)|[A-Za-z_-]*")
NOBODY = "~"  # can't be a product token


class Rules:
    def __init__(self, text: str, agent: str) -> None:
        """`agent` is our product token, letters only."""
        self._agent = agent.lower()
        self._rules = Protego.parse(addressed(text, self._agent))

    def allows(self, url: str) -> bool:
        return self._rules.can_fetch(url, self._agent)

    @property
    def delay(self) -> timedelta:
        """What it asks for between two requests, at most a day."""
        return timedelta(seconds=min(self._rules.crawl_delay(self._agent) or 0.0, 86_400.0))


def addressed(text: str, agent: str) -> str:
    """The same rules, each group for `agent`, for everybody or for nobody we know."""
    lines = []
    for line in re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")):
        found = AGENT_LINE.match(line)
        if found and not line.lstrip().startswith("#"):
            token = TOKEN.match(found[1].partition("#")[0].strip())
            named = token[0].lower() if token else ""
            lines.append(f"user-agent: {named if named in {agent, '*'} else NOBODY}")
        else:
            lines.append(line)
    return "\n".join(lines)
