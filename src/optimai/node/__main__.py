"""The agent of one folder, as a process of its own: `python -m optimai.node FOLDER`.

Lighter than the command line, which loads more; `optimai run` starts its nodes like this.
Ends by itself at SIGTERM or SIGINT.
"""

import asyncio
import logging
import sys
from pathlib import Path

from optimai.core.errors import OptimaiError
from optimai.node.home import Home
from optimai.node.life import live, until_told


async def run(folder: Path) -> None:
    await live(Home(folder), until_told())


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        asyncio.run(run(Path(sys.argv[1])))
    except OptimaiError as fault:
        sys.exit(str(fault))


if __name__ == "__main__":
    main()
