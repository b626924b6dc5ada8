"""A bare loop to compare with: aiohttp, and one row of a log for each message. It is no product of anybody.

No lease, retry, template, preference, limit, tenant or trace: what is left when all is taken away that makes a message
certain. ``python -m tests.benchmarks.notifying.bare <postgres> <provider> <count>`` prints rate and CPU of one process.
"""

import asyncio
import json
import subprocess
import sys
from time import process_time, time
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import aiohttp
import asyncpg
import uvloop

from tests.benchmarks.notifying.house import House, open_provider

_AT_ONCE = 200
_TEXT = "Bench: Ada was marked absent on 01/12/2027. Please call the school if you did not expect this."


def bare(house: House, count: int, delay_ms: float) -> dict[str, Any]:
    """Return what one process of the bare loop does beside the same servers and provider."""
    with open_provider(delay_ms) as provider:
        command = [sys.executable, "-m", "tests.benchmarks.notifying.bare", house.postgres, provider.url, str(count)]
        figures: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return figures


async def send(postgres: str, provider: str, count: int) -> dict[str, Any]:
    """Send so many messages and log each; return rate and CPU."""
    pool = await asyncpg.create_pool(postgres, min_size=5, max_size=5)
    await pool.execute("CREATE UNLOGGED TABLE IF NOT EXISTS bare_log (id uuid PRIMARY KEY, at timestamptz, status int)")
    slots = asyncio.Semaphore(_AT_ONCE)
    connector = aiohttp.TCPConnector(limit=_AT_ONCE)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def one() -> None:
            key = uuid4()
            form = urlencode({"username": "sandbox", "to": "+2348030000001", "message": _TEXT}).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Idempotency-Key": str(key)}
            async with slots:
                async with session.post(f"{provider}/version1/messaging", data=form, headers=headers) as answer:
                    await answer.read()
                await pool.execute("INSERT INTO bare_log VALUES ($1, now(), $2)", key, answer.status)

        began, cpu = time(), process_time()
        await asyncio.gather(*(one() for _ in range(count)))
        took, cpu = time() - began, process_time() - cpu
    await pool.close()
    return {"per_s": round(count / took), "cpu_ms": round(1e3 * cpu / count, 3)}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(send(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
