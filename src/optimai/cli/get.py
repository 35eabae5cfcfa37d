"""`optimai get NAME@N`: a dataset, its card and its lineage, onto this machine."""

from pathlib import Path

from rich.console import Console

from optimai.cli import children, connect
from optimai.cli.connect import Folder, Url
from optimai.client.get import Form, parse_name
from optimai.client.get import get as fetch


def get(
    version: str, /, *, to: Form = "parquet", into: Path = Path(), url: Url = "", home: Folder = None
) -> None:
    """Download VERSION (docs@1, or docs for the newest) into the folder INTO/NAME@N."""
    name, number = parse_name(version)

    async def run() -> None:
        async with connect.network(url, home=home) as network:
            found, folder = await fetch(network, name, number, to, into)
        splits = ", ".join(
            f"{split or 'data'} {sum(part.rows for part in found.parts if part.split == split):,}"
            for split in dict.fromkeys(part.split for part in found.parts)
        )
        Console().print(f"[b]{found.name}@{found.number}[/b]: {found.rows:,} rows ({splits}) in {folder}/")

    children.run(run())
