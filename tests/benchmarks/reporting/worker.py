"""One printer as the pool runs it, in a process of its own: ``python -m tests.benchmarks.reporting.worker NAME``.

The settings come from the environment. It says ``ready`` when it is warm, and ends when its input is closed.
"""

import asyncio
import sys

from cluster.settings import Settings
from cluster.wiring_reports import open_printer


async def _print_until_told(name: str) -> None:
    async with open_printer(Settings.from_environment(), name) as worker:
        await worker.start()
        await asyncio.to_thread(sys.stdin.readline)
        await worker.drain(30.0)


if __name__ == "__main__":
    asyncio.run(_print_until_told(sys.argv[1]))
