"""A private network for one campaign file, in one process tree: what `run` and the demo start.

Its coordinator, one local node, and where the file is an example's also its site and
its simulated people. All of it are the same programs that a network of others runs;
nothing here takes a shorter way.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from optimai.cli import connect
from optimai.cli.children import Child, Children
from optimai.client.campaign_file import Written
from optimai.client.network import Client
from optimai.core.campaign import Campaign
from optimai.core.errors import BadCampaign, NobodyCan, NotEnough
from optimai.core.money import opi
from optimai.kinds.crawl import outcome, urls
from optimai.node.home import Home

PEOPLE = 8
LOCAL = "local"  # the one machine of `optimai run`


class Private:
    """The processes around a campaign. `start_…` each starts one thing and returns when it answers."""

    def __init__(
        self,
        written: Written,
        home: Path,
        children: Children,
        allowed: Mapping[str, str] | None = None,
        protocol: str = "",
    ) -> None:
        """`allowed`: what the operator lets its node fetch from besides public addresses; no campaign can.

        `protocol`: TOML of what differs in the network's numbers.

        Raises BadCampaign where something that is to stand beside the campaign's file does not, and where a crawl
        would leave out a part of its site without a word.
        """
        about = written.campaign.private
        _whole_site(written.campaign)
        _there(written, "private.site", about.site, "folder", Path.is_dir)
        _there(written, "private.people", about.people, "file", Path.is_file)
        self.written = written
        self.campaign = written.campaign
        self.home = home
        self.children = children
        self.allowed = allowed or {}
        self.protocol = protocol
        self.url = ""
        self.invite = ""
        self.hosts: Mapping[str, str] = {}  # the example's site: where its names lead
        self.control = ""  # of the example's site

    async def start_coordinator(self, port: int = 0) -> Child:
        seconds = int(self.campaign.private.epoch.total_seconds())
        more = []
        if self.protocol:
            path = self.home.with_name("protocol.toml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.protocol)
            more = ["--protocol", str(path)]
        said, child = await connect.start(
            self.children,
            self.home,
            *("--epoch", f"{seconds}s", "--seal", "1s", "--silence", "15s", *more),
            port=port,
        )
        self.url, self.invite = said.url, said.invite
        return child

    async def start_site(self) -> None:
        """Serve the example's pages under their hosts' names, which only nodes told so will find."""
        about = self.campaign.private
        if about.site is None:
            return
        arguments = [
            "optimai.sim.site",
            str(self.written.beside(about.site)),
            "--hosts",
            str(about.hosts),
            "--named",
        ]
        for known in self.written.files.values():
            arguments += ["--steady", str(known)]
        child = await self.children.start("site", *arguments)
        _, address = await child.says(2)
        self.control = f"http://{address}/_control"
        self.hosts = {f"{name}:80": address for name in _names(self.campaign)}

    def where(self) -> str:
        """To which address its site's names lead, for whoever runs this to see; "" where it has no site."""
        if not self.hosts:
            return ""
        first, last = next(iter(self.hosts)), list(self.hosts)[-1]
        names = f"{first} leads" if first == last else f"{first} to {last} lead"
        return f"Its site is served here: {names} to {self.hosts[first]}."

    async def start_node(self, name: str, *, kinds: Sequence[str] = ()) -> Child:
        arguments = [
            "optimai",
            "join",
            self.invite,
            "--home",
            str(self.home / "nodes" / name),
            "--name",
            name,
        ]
        for kind in kinds:
            arguments += ["--kinds", kind]
        for host, address in {**self.hosts, **self.allowed}.items():
            arguments += ["--allow", f"{host}={address}"]
        child = await self.children.start(name, *arguments)
        await child.says(1)
        return child

    def look(self) -> None:
        """Raises what makes waiting vain: a process that ended, a kind that the one machine can't do."""
        self.children.look()
        status = Home(self.home / "nodes" / LOCAL).status()
        for step in self.campaign.steps:
            if status and step.kind in status.unable:
                raise NobodyCan(step.kind, status.unable[step.kind])

    async def start_players(self, name: str, players: Sequence[tuple[str, str]]) -> Child:
        """Simulated nodes in one process: (name, habit) each."""
        label = next((step for step in self.campaign.steps if step.kind == "label"), None)
        people = self.campaign.private.people
        cast = {
            "invite": self.invite,
            "folder": str(self.home / "nodes"),
            "players": [{"name": one, "habit": habit} for one, habit in players],
            "choices": label.options["choices"] if label else [],
            "knows": str(self.written.beside(people)) if people else "",
            "known": str(self.written.files.get(f"{label.name}.known", "")) if label else "",
            "site": str(self.written.beside(self.campaign.private.site))
            if self.campaign.private.site
            else "",
            "hosts": dict(self.hosts),
        }
        path = self.home / f"{name}.json"
        path.write_bytes(msgspec.json.encode(cast))
        child = await self.children.start(name, "optimai.sim.players", str(path))
        await child.says(1)
        return child

    async def start_people(self) -> None:
        if self.campaign.people == "simulated":
            await self.start_players(
                "people", [(f"simulated-person-{n}", "person") for n in range(1, PEOPLE + 1)]
            )

    async def submit(self, client: Client) -> None:
        """In a network of your own you are the one who says what is on your account."""
        try:
            await client.submit(self.written.raw)
        except NotEnough:
            before = len(await client.get("/v1/campaigns", list[dict[str, object]]))
            amount = opi(self.campaign.budget).replace(",", "")
            await client.deposit(amount, f"{self.campaign.name}, campaign {before + 1}")
            await client.submit(self.written.raw)

    def client(self) -> Client:
        return connect.admin(self.url, self.home)


def _names(campaign: Campaign) -> list[str]:
    """Of the hosts among which the site's pages are dealt."""
    return [f"docs-{number}.localhost" for number in range(1, campaign.private.hosts + 1)]


def _whole_site(campaign: Campaign) -> None:
    """Raises BadCampaign where a crawl begins on one of the site's hosts, and its links may not lead to the others."""
    names = _names(campaign) if campaign.private.site else []
    for step in campaign.steps:
        seeds = [str(row.get("url", "")) for row in campaign.inputs.get(step.source, ())]
        within = step.options.get("within") or [outcome.host(seed) for seed in seeds]
        beyond = [name for name in names if not urls.inside(f"http://{name}/", within)]
        if step.kind == "crawl" and beyond and {outcome.host(seed) for seed in seeds} & set(names):
            raise BadCampaign(
                f"steps.{step.name}.within",
                f"private.hosts spreads the site's pages over {len(names)} hosts, "
                f"and links may not lead to {', '.join(beyond)}",
                'Write within: ["docs-*.localhost"], or private.hosts: 1',
            )


def _there(written: Written, word: str, name: str | None, what: str, found: Callable[[Path], bool]) -> None:
    if name is not None and not found(written.beside(name)):
        raise BadCampaign(
            word, f"there is no {what} {written.beside(name)}", f"Name one beside {written.path}"
        )
