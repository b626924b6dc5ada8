"""One notifier in a process of its own, opened as its actor opens it, on the loop that its actor has.

It prints a line when everything is open, starts at the first line it reads, and drains at the second.
"""

import asyncio
import sys

import uvloop

from cluster import wiring_workers as wiring
from cluster.settings import Settings


async def work(name: str) -> None:
    """Open, start and drain on demand."""
    async with wiring.open_notifier(Settings.from_environment(), name) as worker:
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await worker.start()
        await asyncio.to_thread(sys.stdin.readline)
        await worker.drain(20)


if __name__ == "__main__":
    uvloop.run(work(sys.argv[1]))
