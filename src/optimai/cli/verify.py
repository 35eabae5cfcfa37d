"""`optimai verify EPOCH`: recompute an epoch's verdicts and payouts from its public bundle."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from optimai.cli import children, connect
from optimai.cli.connect import Folder, Url
from optimai.core.errors import BadValue, NotFound
from optimai.kinds.bundle import Report
from optimai.kinds.bundle import verify as recompute
from optimai.wire import envelope


def verify(
    epoch: int = 0,
    /,
    *,
    bundle: Annotated[
        Path | None, Parameter(help="A folder with head.json, bundle.jsonl, network.key.hex.")
    ] = None,
    save: Annotated[Path | None, Parameter(help="Keep what was checked in this folder.")] = None,
    url: Url = "",
    home: Folder = None,
) -> None:
    """Recompute EPOCH (0: the newest closed one) with no access to the database. Status 1 where anything is wrong."""
    head, data, key = _from_files(bundle) if bundle else children.run(_from_network(epoch, url, home))
    if save:
        save.mkdir(parents=True, exist_ok=True)
        (save / "head.json").write_bytes(envelope.write(head))
        (save / "bundle.jsonl").write_bytes(data)
        (save / "network.key.hex").write_text(key.hex() + "\n")
    report = recompute(head, data, key)
    show(report)
    sys.exit(0 if report.ok else 1)


async def _from_network(epoch: int, url: str, home: Path | None) -> tuple[envelope.Envelope, bytes, bytes]:
    async with connect.network(url, home=home) as network:
        head, data = await network.epoch(epoch)
        return head, data, (await network.network()).key


def _from_files(folder: Path) -> tuple[envelope.Envelope, bytes, bytes]:
    try:
        head = envelope.read((folder / "head.json").read_bytes())
        key = (folder / "network.key.hex").read_text().strip()
        return head, (folder / "bundle.jsonl").read_bytes(), bytes.fromhex(key)
    except FileNotFoundError as fault:
        raise NotFound(
            "file", fault.filename, "`optimai verify EPOCH --save FOLDER` writes all three."
        ) from None
    except ValueError:
        raise BadValue("a network's public key", "network.key.hex", "64 hex digits") from None


def show(report: Report) -> None:
    out = Console()
    if not report.ok:
        out.print(f"[red b]Epoch {report.epoch or ''} does not hold.[/]")
        for line in report.wrong[:20]:
            out.print(f"  [red]·[/] {line}")
        if len(report.wrong) > 20:
            out.print(f"  and {len(report.wrong) - 20} more")
        return
    out.print(
        f"[green b]Epoch {report.epoch} holds.[/] Recomputed: {report.verdicts:,} verdicts on "
        f"{report.results:,} signed results, {report.earnings:,} earnings, "
        f"{report.transfers:,} transfers; the accounts add up to zero."
    )
    if report.waived or report.refused:
        out.print(
            f"Only claimed: {report.waived:,} verdicts had no audit because nobody else could be had; "
            f"{report.refused:,} results were refused for their rows."
        )
