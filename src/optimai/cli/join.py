"""`optimai join`, `pause`, `resume`: this machine as a node."""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from optimai.cli import settings

Folder = Annotated[Path | None, Parameter(help="The node's folder (default: OPTIMAI_HOME/node).")]


def join(
    invite: str = "",
    /,
    *,
    home: Folder = None,
    name: Annotated[str, Parameter(help="For people; default: from the machine's name.")] = "",
    cores: Annotated[int, Parameter(help="To lend at most; default: all.")] = 0,
    kinds: Annotated[list[str] | None, Parameter(help="Only these kinds of work.")] = None,
    allow: Annotated[
        list[str] | None, Parameter(help="A private host that tasks may fetch: NAME:PORT=ADDRESS:PORT.")
    ] = None,
) -> None:
    """Join a network and work for it until you stop this (Ctrl-C). Without INVITE: go on as before."""
    from optimai.node import invite as invites
    from optimai.node import join as joining
    from optimai.node import life
    from optimai.node.home import Home

    place = Home(home or settings.home() / "node")
    hosts = dict(_allowed(one) for one in allow or ())

    async def run() -> None:
        if invite:
            await joining.join(
                place,
                invites.parse_invite(invite),
                name=name,
                cores=cores,
                kinds=tuple(kinds) if kinds else None,
                hosts=hosts,
            )
        config = place.config()

        def ready() -> None:
            where = f" --home {home}" if home else ""
            print(
                f"{config.name} works for {config.url}. `optimai node status{where}` shows what it does.",
                flush=True,
            )

        await life.live(place, life.until_told(), ready=ready)

    asyncio.run(run())


def _allowed(text: str) -> tuple[str, str]:
    from optimai.core.errors import BadValue

    name, equals, address = text.partition("=")
    if not equals or ":" not in name or ":" not in address:
        raise BadValue("an allowed host", text, "docs-1.localhost:80=127.0.0.1:8080")
    return name, address


def pause(*, home: Folder = None) -> None:
    """Stop working within two seconds, until `optimai resume`. What is done and not yet sent still goes out."""
    from optimai.node.home import Home

    place = Home(home or settings.home() / "node")
    place.pause()
    print(f"{place.config().name} is paused: within two seconds nothing runs. `optimai resume` ends that.")


def resume(*, home: Folder = None) -> None:
    """Work again."""
    from optimai.node.home import Home

    place = Home(home or settings.home() / "node")
    place.resume()
    does = "works again" if place.has_agent() else "may work again; `optimai join` starts it"
    print(f"{place.config().name} {does}.")
