"""A coordinator as `optimai up` runs it, on a database that is there already: exchange over HTTP, stages if asked for.

`python -m bench.dispatch.coordinator DSN FOLDER [stages]` prints its port, and runs until it is told to stop.
"""

import asyncio
import sys
from pathlib import Path

import uvicorn
import uvloop

from bench.dispatch import setting
from optimai.blobs.disk import DiskBlobs
from optimai.network import stages
from optimai.network.api import app
from optimai.network.batch import Batcher
from optimai.network.drive import Driver
from optimai.network.store.sql import Database


async def serve(dsn: str, folder: Path, with_stages: bool) -> None:
    database = await Database.connect(dsn, DiskBlobs(folder), setting.NETWORK)
    driver = Driver(database)
    batcher = Batcher(database, lambda: driver.wake(stages.TAKEN_IN))
    config = app.serving(database, batcher, port=0, log_level="warning")
    work = [asyncio.create_task(batcher.run())]
    work += [asyncio.create_task(driver.forever())] if with_stages else []
    socket = config.bind_socket()
    print(socket.getsockname()[1], flush=True)
    await uvicorn.Server(config).serve(sockets=[socket])
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    await database.close()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], Path(sys.argv[2]), "stages" in sys.argv))
