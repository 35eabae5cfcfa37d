"""`optimai up`: a coordinator, until it is told to stop."""

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from optimai.cli import settings
from optimai.core.errors import Missing


def up(
    *,
    home: Annotated[Path | None, Parameter(help="Its folder (default: OPTIMAI_HOME/network).")] = None,
    host: str = "127.0.0.1",
    port: int = 8700,
    url: Annotated[str, Parameter(help="How others reach it, where that is not HOST:PORT.")] = "",
    database: Annotated[str, Parameter(help="A PostgreSQL DSN (default: embedded, in the folder).")] = "",
    name: str = "optimai",
    public: Annotated[
        bool, Parameter(help="Owners may not know each other: no audit is ever waived.", negative="")
    ] = False,
    epoch: Annotated[str, Parameter(help="How often pay is closed and shown, for a new network.")] = "1h",
    silence: Annotated[str, Parameter(help="After so long without a word a machine counts as gone.")] = "2m",
    protocol: Annotated[
        Path | None, Parameter(help="TOML of what differs in the protocol's numbers; from the next epoch on.")
    ] = None,
    seal: Annotated[str, Parameter(help="How long a finished row waits for others at most.")] = "30s",
) -> None:
    """Run a network's coordinator. Prints an invite for nodes."""
    if find_spec("litestar") is None or find_spec("asyncpg") is None:
        raise Missing("A coordinator", "coordinator")
    import uvloop

    from optimai.cli.coordinator import serve
    from optimai.core.period import parse_period
    from optimai.network import parameters
    from optimai.network.home import Home, Numbers

    numbers = Numbers(
        name=name,
        private=not public,
        epoch_seconds=int(parse_period(epoch).total_seconds()),
        silence_seconds=parse_period(silence).total_seconds(),
        seal_seconds=parse_period(seal).total_seconds(),
        protocol=parameters.read(protocol, not public) if protocol else None,
    )
    folder = home or settings.home() / "network"
    with suppress(KeyboardInterrupt):
        uvloop.run(serve(Home(folder), numbers, host, port, url, database))
    print("The coordinator has stopped; what it acknowledged is kept.")
