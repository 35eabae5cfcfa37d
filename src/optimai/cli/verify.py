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
from optimai.core.ids import fingerprint
from optimai.kinds.bundle import Report
from optimai.kinds.bundle import verify as recompute
from optimai.kinds.lines import Head
from optimai.wire import envelope
from optimai.wire.envelope import Envelope

MOST_EMPTY = 100  # epochs that are looked at for one with a verdict
SAVES = "--save FOLDER"
BEFORE = "before"  # the folder inside of an epoch's with that of the epoch before

Epoch = tuple[Envelope, bytes]  # its head, its bundle
Shown = tuple[Envelope, bytes, bytes, Epoch | None]  # with the network's key and the epoch before


def verify(
    epoch: int = 0,
    /,
    *,
    bundle: Annotated[Path | None, Parameter(help="A folder that --save has written.")] = None,
    into: Annotated[Path | None, Parameter("--save", help="Keep what was checked in this folder.")] = None,
    url: Url = "",
    home: Folder = None,
) -> None:
    """Recompute EPOCH with no access to the database, and whether it goes on where the one before it ended.

    Status 1 where anything is wrong. Without EPOCH: the newest closed one that has a verdict.
    """
    if epoch < 0:
        raise BadValue("the number of an epoch", epoch, "optimai verify 7, or optimai verify for the newest")
    if bundle:
        head, data, key, before = read(bundle)
        number = _number(head)
        if epoch and epoch != number:
            says = f"the epoch of {bundle}: that is {number or 'none that can be read'}"
            raise BadValue(says, epoch, f"optimai verify {number or ''} --bundle {bundle}")
    else:
        head, data, key, before = children.run(_from_network(epoch, url, home))
    if into:
        save(into, (head, data), before, key)
    report = recompute(head, data, key, before)
    show(report, _number(head), fingerprint(key))
    sys.exit(0 if report.ok else 1)


async def _from_network(epoch: int, url: str, home: Path | None) -> Shown:
    async with connect.network(url, home=home) as network:
        this = await network.epoch(epoch)
        key = (await network.network()).key
        newest = number = _number(this[0])
        while not epoch and _empty(*this, key) and newest - MOST_EMPTY < number > 1:
            this = await network.epoch(number - 1)
            number -= 1
        if skipped := newest - number:
            print(f"Nothing was judged in the last {skipped:,} epochs: this is the newest with a verdict.")
        return *this, key, await network.epoch(number - 1) if number > 1 else None


def _empty(head: Envelope, data: bytes, key: bytes) -> bool:
    report = recompute(head, data, key)
    return report.ok and not report.verdicts


def _number(head: Envelope) -> int:
    """What the head says, signed or not; 0 where it says nothing."""
    try:
        return msgspec.json.decode(head.payload, type=Head).epoch
    except msgspec.DecodeError:
        return 0


def save(folder: Path, this: Epoch, before: Epoch | None, key: bytes) -> None:
    """As `read` wants it."""
    for into, (head, data) in ((folder, this), *(((folder / BEFORE, before),) if before else ())):
        into.mkdir(parents=True, exist_ok=True)
        (into / "head.json").write_bytes(envelope.write(head))
        (into / "bundle.jsonl").write_bytes(data)
    (folder / "network.key.hex").write_bytes(_hex(key))


def read(folder: Path) -> Shown:
    """What `save` has written; raises BadValue, NotFound or BadMessage for anything else."""
    before = folder / BEFORE
    return *_files(folder), _key(folder), _files(before) if before.exists() else None


def _hex(key: bytes) -> bytes:
    return key.hex().encode() + b"\n"


def _files(folder: Path) -> Epoch:
    """What is in them to the last bit: base64 and JSON could be written otherwise and mean the same."""
    written = _read(folder / "head.json")
    head = envelope.read(written)
    if envelope.write(head) != written:
        raise BadValue(
            "a head as its network wrote it", str(folder / "head.json"), f"optimai verify EPOCH {SAVES}"
        )
    return head, _read(folder / "bundle.jsonl")


def _key(folder: Path) -> bytes:
    written = _read(folder / "network.key.hex")
    try:
        key = bytes.fromhex(written.decode())
    except ValueError:
        key = b""
    if len(key) != 32 or _hex(key) != written:
        raise BadValue(
            "a network's public key", "network.key.hex", "64 hex digits, small letters, and a line's end"
        )
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound("file", str(path), f"`optimai verify EPOCH {SAVES}` writes all of them.") from None


def show(report: Report, number: int, network: str) -> None:
    """`network`: the fingerprint of its key."""
    out = Console()
    out.print(
        f"Checked with the key of network {network}: what stands after # in its invite is to be the same.",
        soft_wrap=True,
    )
    if not report.ok:
        out.print(f"[red b]{f'Epoch {number}' if number else 'This bundle'} does not hold.[/]")
        for line in report.wrong[:20]:
            out.print(f"  [red]·[/] {line}")
        if len(report.wrong) > 20:
            out.print(f"  and {len(report.wrong) - 20} more")
        return
    parts = [
        f"{_count(report.verdicts, 'verdict')} on {_count(report.results, 'signed result')}",
        f"{_count(report.proofs, 'signed answer')} to challenges",
        _count(report.earnings, "earning"),
        _count(report.transfers, "transfer"),
    ]
    out.print(
        f"[green b]Epoch {report.epoch} holds.[/] Recomputed: {', '.join(parts)}; the accounts add up to zero."
    )
    claims = [
        (report.waived, "verdict", "nobody else was there to check"),
        (report.refused, "result", "the rows could not be taken"),
    ]
    for count, thing, why in claims:
        if count:
            out.print(f"No proof, only the network's word, is for {_count(count, thing)}: that {why}.")


def _count(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
