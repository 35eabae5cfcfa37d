"""`optimai join`, `pause`, `resume`: this machine as a node."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from optimai.cli import connect, settings

Folder = Annotated[Path | None, Parameter(help="The node's folder (default: OPTIMAI_HOME/node).")]
Allow = Annotated[
    list[str] | None, Parameter(help="A private host that tasks may fetch: NAME:PORT=ADDRESS:PORT.")
]


def join(
    invite: str = "",
    /,
    *,
    home: Folder = None,
    name: Annotated[str, Parameter(help="For people; default: from the machine's name.")] = "",
    cores: Annotated[int, Parameter(help="To lend at most; default: all.")] = 0,
    kinds: Annotated[list[str] | None, Parameter(help="Only these kinds of work.")] = None,
    allow: Allow = None,
) -> None:
    """Join a network and work for it until you stop this (Ctrl-C).

    Without INVITE: go on as before, but for what is given here; it is kept.
    """
    from optimai.node import invite as invites
    from optimai.node import join as joining
    from optimai.node import life
    from optimai.node.home import Home

    place = Home(home or settings.home() / "node")
    hosts = allowed(allow)
    only = tuple(kinds) if kinds else None

    async def run() -> str:
        if invite:
            to = invites.parse_invite(invite)
            config = await joining.join(place, to, name=name, cores=cores, kinds=only, hosts=hosts)
        else:
            config = joining.change(place, name=name, cores=cores, kinds=only, hosts=hosts)

        def ready() -> None:
            where = connect.named(home)
            print(
                f"{config.name} works for {config.url}. `optimai node status{where}` shows what it does.",
                *([f"Tasks may also fetch from {told(config.hosts)}."] if config.hosts else []),
                *(
                    [f"The network knows it by that name, not as {name}."]
                    if name not in ("", config.name)
                    else []
                ),
                sep="\n",
                flush=True,
            )

        await life.live(place, life.until_told(), ready=ready)
        return config.name

    print(f"{asyncio.run(run())} has stopped.")


def allowed(texts: list[str] | None) -> dict[str, str]:
    """What --allow says, as a node keeps it. Raises BadValue."""
    from optimai.core.errors import BadValue
    from optimai.node import addresses

    hosts = {}
    for text in texts or ():
        name, _, address = text.partition("=")
        try:
            addresses.allowed({name: address})
        except BadValue:
            raise BadValue("an allowed host", text, "docs-1.localhost:80=127.0.0.1:8080") from None
        hosts[name] = address
    return hosts


def told(hosts: Mapping[str, str]) -> str:
    return ", ".join(f"{name} (at {address})" for name, address in hosts.items())


def pause(*, home: Folder = None) -> None:
    """Stop working within two seconds, until `optimai resume`. What is done and not yet sent still goes out."""
    from optimai.node.home import Home

    place = Home(home or settings.home() / "node")
    place.pause()
    resumes = f"`optimai resume{connect.named(home)}` ends that."
    print(f"{place.config().name} is paused: within two seconds nothing runs. {resumes}")


def resume(*, home: Folder = None) -> None:
    """Work again."""
    from optimai.node.home import Home

    place = Home(home or settings.home() / "node")
    place.resume()
    does = (
        "works again"
        if place.has_agent()
        else f"may work again; `optimai join{connect.named(home)}` starts it"
    )
    print(f"{place.config().name} {does}.")
