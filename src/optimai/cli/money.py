"""`optimai deposit`, `withdraw`, `leave` and `token`: money in, pay and bond out, who may speak with a network."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape

from optimai.cli import children, connect, settings
from optimai.cli.connect import Folder as NetworkFolder
from optimai.cli.connect import Url
from optimai.cli.join import Folder
from optimai.client.network import Booked, Client, Leaves
from optimai.core.errors import BadValue
from optimai.core.money import Nano, opi, parse_opi


def withdraw(
    amount: str,
    /,
    *,
    reference: Annotated[str, Parameter(help="Of your choice; the same one again withdraws nothing more.")],
    home: Folder = None,
) -> None:
    """Take AMOUNT of what is available to this machine's owner out of the network, signed by the owner's key."""
    from optimai.node import keys
    from optimai.node.home import Home

    place = Home(home or settings.home() / "node")
    config = place.config()

    nano = _some("an amount to withdraw", amount)

    async def run() -> Booked:
        async with Client(config.url) as network:
            return await network.withdraw(keys.key(place.folder, keys.OWNER), nano, reference)

    done = children.run(run())
    said = _again(reference, "withdrawn") if done.again else "Withdrawn."
    Console().print(f"{said} {opi(done.available_nopi)} OPI are left.", soft_wrap=True)


def _some(what: str, amount: str) -> Nano:
    """Raises BadValue for nothing, too."""
    nano = parse_opi(amount)
    if not nano:
        raise BadValue(what, amount, "0.5")
    return nano


def _again(reference: str, done: str) -> str:
    return f"Nothing was {done}: the reference {escape(reference)} was booked before."


def leave(*, home: Folder = None) -> None:
    """Leave the network, and have the bond back when all that this machine's owner did is paid out.

    Nothing more is offered from now on. Say it again to see how far it is; `optimai join` takes it back.
    """
    from optimai.node import keys
    from optimai.node.clock import now
    from optimai.node.home import Home

    place = Home(home or settings.home() / "node")
    config = place.config()

    async def run() -> Leaves:
        async with Client(config.url) as network:
            return await network.leave(keys.key(place.folder, keys.OWNER), now())

    told = children.run(run())
    out = Console(highlight=False)
    if told.waiting:
        out.print(
            f"{told.waiting:,} results of yours still wait for a verdict or for their time to be paid out."
        )
    if told.bond_nopi:
        less = f", less the {opi(Nano(told.owed_nopi))} that you owe" if told.owed_nopi else ""
        out.print(f"Your bond of {opi(Nano(told.bond_nopi))} OPI comes back when they are{less}.")
    if told.lost_nopi:
        out.print(f"{opi(Nano(told.lost_nopi))} OPI of it are lost: you are suspended for that work.")
    if not told.waiting and not told.bond_nopi:
        out.print(
            "Nothing waits any more. `optimai pay` says what you have, `optimai withdraw` takes it out."
        )
    out.print("You are offered nothing more; `optimai join` takes that back.", style="dim")


def deposit(
    amount: str,
    /,
    *,
    reference: Annotated[str, Parameter(help="Of your choice; the same one again deposits nothing more.")],
    owner: Annotated[str, Parameter(help="Whose account; default: your token's.")] = "",
    url: Url = "",
    home: NetworkFolder = None,
) -> None:
    """Put AMOUNT on a requester's account, as the network's operator."""

    _some("an amount to deposit", amount)

    async def run() -> Booked:
        async with connect.network(url, home=home) as network:
            return await network.deposit(amount, reference, owner)

    done = children.run(run())
    said = f"{_again(reference, 'deposited')} " if done.again else ""
    Console().print(f"{said}{opi(done.available_nopi)} OPI are on the account.", soft_wrap=True)


def token(
    owner: str,
    /,
    *,
    name: Annotated[str, Parameter(help="To know it by.")] = "token",
    scope: Annotated[
        list[Literal["admin", "campaign", "read"]] | None, Parameter(help="Default: campaign, read.")
    ] = None,
    into: Annotated[Path, Parameter(help="The file to keep it in; only you can read it.")],
    url: Url = "",
    home: NetworkFolder = None,
) -> None:
    """Make a token for requester OWNER. It goes into a file, not onto the screen."""

    async def run() -> str:
        async with connect.network(url, home=home) as network:
            return await network.token(owner, name, scope or ["campaign", "read"])

    try:
        into.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise BadValue("a new file, which only you can read", str(into), f"--into {into}.2") from None
    try:
        into.write_text(children.run(run()) + "\n")
    except BaseException:
        into.unlink()
        raise
    Console().print(f"A token of {owner} is in {into}. Use it by OPTIMAI_TOKEN, with --url.")
