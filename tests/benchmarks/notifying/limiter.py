"""How steady the rate limit is over four processes that ask for all they can get.

``python -m tests.benchmarks.notifying.limiter <redis> <rate> <seconds>`` is one of them: it prints when each left.
"""

import asyncio
import json
import subprocess
import sys
from bisect import bisect_left
from time import CLOCK_MONOTONIC, clock_gettime, monotonic
from typing import Any

import uvloop

from core.adapters.redis_limiter import RedisRateLimiter
from core.notifications.limits import Gate
from tests.benchmarks.notifying.house import House

_PROCESSES = 4
_BATCH = 10


def steadiness(house: House, rate: float, seconds: float) -> dict[str, Any]:
    """Return mean, worst sliding second and shares of four processes."""
    command = [sys.executable, "-m", "tests.benchmarks.notifying.limiter", house.redis, str(rate), str(seconds)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(_PROCESSES)]
    left = [json.loads(process.communicate()[0]) for process in running]
    # The first second of the last to start and all after: before it fewer than four asked.
    since = max(each[0] for each in left)
    until = min(each[-1] for each in left)
    every = sorted(moment for each in left for moment in each)
    steady = [moment for moment in every if since <= moment <= until]
    return {
        "rate_per_s": rate,
        "processes": _PROCESSES,
        "mean_per_s": round((len(steady) - 1) / (steady[-1] - steady[0]), 3),
        "worst_second": max(bisect_left(every, start + 1) - place for place, start in enumerate(every)),
        "shares": sorted(len(each) for each in left),
    }


async def ask(redis: str, rate: float, seconds: float) -> list[float]:
    """Let through what may, for so long; return the moments, by the machine's clock."""
    limiter = RedisRateLimiter(redis, f"bench:{rate}", rate)
    gate, moments = Gate(limiter), list[float]()
    until = monotonic() + seconds
    while monotonic() < until:
        permits, wait_s = await gate.admit(_BATCH)
        for moment in permits:
            await gate.enter(moment)
            moments.append(clock_gettime(CLOCK_MONOTONIC))
        if not permits:
            await asyncio.sleep(wait_s)
    await limiter.close()
    return moments


if __name__ == "__main__":
    print(json.dumps(uvloop.run(ask(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))))
