"""The peer: procrastinate's worker, 16 jobs at once in one process.

`python -m bench.dispatch.peer DSN WARM SECONDS` prints how many jobs it finished in SECONDS, after WARM.
"""

import asyncio
import sys
from time import perf_counter

from procrastinate import App, PsycopgConnector


class Peer:
    """Its app with one task, which counts."""

    def __init__(self, dsn: str) -> None:
        self.app = App(connector=PsycopgConnector(conninfo=dsn, max_size=20))
        self.done = 0
        self.noop = self.app.task(name="noop")(self._noop)

    async def _noop(self, number: int, payload: str) -> None:
        self.done += 1


async def run(dsn: str, warm: float, seconds: float) -> None:
    peer = Peer(dsn)
    async with peer.app.open_async():
        worker = asyncio.create_task(
            peer.app.run_worker_async(
                concurrency=16, fetch_job_polling_interval=0.05, install_signal_handlers=False
            )
        )
        await asyncio.sleep(warm)
        before, began = peer.done, perf_counter()
        await asyncio.sleep(seconds)
        print((peer.done - before) / (perf_counter() - began), flush=True)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
