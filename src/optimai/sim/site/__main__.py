"""The simulated site as a child process.

    python -m optimai.sim.site FOLDER [--port 0] [--hosts 8] [--steady known.jsonl] [--named]

The first line it prints is the URL to start from, the second the address it listens on; it serves until SIGTERM or
SIGINT. The pages named in `--steady` never change; the others do when told to by POST /_control/change (see `server`).
"""

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct, json

from optimai.sim.site.server import serve


class Steady(Struct, frozen=True):
    """A line of the file; what else it says is for others."""

    url: str


async def run(arguments: argparse.Namespace) -> None:
    lines = arguments.steady.read_bytes() if arguments.steady else b""
    steady = [urlsplit(line.url).path for line in json.Decoder(Steady).decode_lines(lines)]
    stopped = asyncio.Event()
    for number in signal.SIGTERM, signal.SIGINT:
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with serve(
        arguments.folder, hosts=arguments.hosts, port=arguments.port, named=arguments.named, steady=steady
    ) as site:
        sys.stdout.write(f"{site.start}\n127.0.0.1:{site.port}\n")
        sys.stdout.flush()
        await stopped.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a folder of pages as a simulated site of some hosts.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--hosts", type=int, default=8)
    parser.add_argument(
        "--named", action="store_true", help="URLs without the port: visitors know where names lead"
    )
    parser.add_argument("--steady", type=Path, help="JSON lines with a url each: pages that never change")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
