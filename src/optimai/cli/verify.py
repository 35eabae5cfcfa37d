"""`optimai verify EPOCH`: recompute an epoch's verdicts and payouts from its public bundle."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console

from optimai.cli import children, connect
from optimai.cli.connect import Folder, Url
from optimai.core.errors import BadValue, NotFound
from optimai.kinds.bundle import Report
from optimai.kinds.bundle import verify as recompute
from optimai.kinds.lines import Head
from optimai.wire import envelope

MOST_EMPTY = 100  # epochs that are looked at for one with a verdict


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
    """Recompute EPOCH with no access to the database. Status 1 where anything is wrong.

    Without EPOCH: the newest closed one that has a verdict.
    """
    if bundle:
        head, data, key = _from_files(bundle)
        if epoch and epoch != _number(head):
            says = f"the epoch of {bundle}: that is {_number(head) or 'none that can be read'}"
            raise BadValue(says, epoch, f"optimai verify {_number(head) or ''} --bundle {bundle}")
    else:
        head, data, key = children.run(_from_network(epoch, url, home))
    if save:
        save.mkdir(parents=True, exist_ok=True)
        (save / "head.json").write_bytes(envelope.write(head))
        (save / "bundle.jsonl").write_bytes(data)
        (save / "network.key.hex").write_text(key.hex() + "\n")
    report = recompute(head, data, key)
    show(report, _number(head))
    sys.exit(0 if report.ok else 1)


async def _from_network(epoch: int, url: str, home: Path | None) -> tuple[envelope.Envelope, bytes, bytes]:
    async with connect.network(url, home=home) as network:
        head, data = await network.epoch(epoch)
        key = (await network.network()).key
        newest = _number(head)
        while not epoch and _empty(head, data, key) and newest - MOST_EMPTY < _number(head) > 1:
            head, data = await network.epoch(_number(head) - 1)
        if skipped := newest - _number(head):
            print(f"Nothing was judged in the last {skipped:,} epochs: this is the newest with a verdict.")
        return head, data, key


def _empty(head: envelope.Envelope, data: bytes, key: bytes) -> bool:
    report = recompute(head, data, key)
    return report.ok and not report.verdicts


def _number(head: envelope.Envelope) -> int:
    """What the head says, signed or not; 0 where it says nothing."""
    try:
        return msgspec.json.decode(head.payload, type=Head).epoch
    except msgspec.DecodeError:
        return 0


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


def show(report: Report, number: int) -> None:
    out = Console()
    if not report.ok:
        out.print(f"[red b]{f'Epoch {number}' if number else 'This bundle'} does not hold.[/]")
        for line in report.wrong[:20]:
            out.print(f"  [red]·[/] {line}")
        if len(report.wrong) > 20:
            out.print(f"  and {len(report.wrong) - 20} more")
        return
    out.print(
        f"[green b]Epoch {report.epoch} holds.[/] Recomputed: {report.verdicts:,} verdicts on "
        f"{report.results:,} signed results, {report.proofs:,} signed answers to challenges, "
        f"{report.earnings:,} earnings, "
        f"{report.transfers:,} transfers; the accounts add up to zero."
    )
    if report.waived or report.refused:
        out.print(
            f"Only claimed: {report.waived:,} verdicts had no audit because nobody else could be had; "
            f"{report.refused:,} results were refused for their rows."
        )
