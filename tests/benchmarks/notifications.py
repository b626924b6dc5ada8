"""How fast, how soon and how steadily messages go out: ``python -m tests.benchmarks.notifications [--json]``.

Everything a production send does is in it: the stream, row-level security, preferences, templates, the rate limit,
traces (one in a hundred is kept), figures, and commits that reach the disk. Servers, provider and workers are
processes of its own.
"""

import argparse
import asyncio
import json
import os
from importlib.util import find_spec
from typing import Any

from cluster.migrate import migrate
from core.adapters.postgres import PostgresDatabase
from core.adapters.telemetry import TelemetryOptions, start_telemetry
from tests.benchmarks.notifying.bare import bare
from tests.benchmarks.notifying.house import House, open_house
from tests.benchmarks.notifying.latency import beside_bulk, latency
from tests.benchmarks.notifying.limiter import steadiness
from tests.benchmarks.notifying.school import Register, found_school
from tests.benchmarks.notifying.throughput import DELAY_MS, throughput

_STUDENTS = 3_000
_PEERS = ("taskiq", "arq", "dramatiq", "celery")


async def measure(house: House, wanted: argparse.Namespace) -> dict[str, Any]:
    """Return all figures."""
    await migrate(house.postgres)
    db = PostgresDatabase(house.postgres, application_name="bench")
    school = await found_school(house, db, _STUDENTS)
    register = Register(house, db, school)
    await register.start()
    figures: dict[str, Any] = {}
    await throughput(house, db, register, 1, wanted.count // 10)
    for workers in (1, 2):
        figures[f"throughput_{workers}"] = await throughput(house, db, register, workers, wanted.count)
    await register.switch_bell(on=False)
    for workers in (1, 2):
        figures[f"sms_alone_{workers}"] = await throughput(house, db, register, workers, wanted.count)
    await register.switch_bell(on=True)
    figures["bare_loop"] = bare(house, wanted.count, DELAY_MS)
    if wanted.only_throughput:
        return await closed(register, db, figures)
    figures["latency"] = await latency(house, db, register, wanted.seconds)
    figures["limiter"] = steadiness(house, 30, wanted.seconds)
    figures["beside_bulk"] = await beside_bulk(
        house, db, register, school=school, rows=wanted.bulk, seconds=wanted.seconds
    )
    figures["peers"] = {name: "installed, not measured" if find_spec(name) else "not installed" for name in _PEERS}
    return await closed(register, db, figures)


async def closed(register: Register, db: PostgresDatabase, figures: dict[str, Any]) -> dict[str, Any]:
    """Close what is open and return the figures with the machine's load."""
    await register.stop()
    await db.close()
    return figures | {"load": [round(each, 2) for each in os.getloadavg()]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--count", type=int, default=20_000, help="SMS of the throughput's runs")
    parser.add_argument("--seconds", type=int, default=60, help="length of the runs at a steady rate")
    parser.add_argument("--bulk", type=int, default=1_000_000, help="reminders that wait beside the urgent messages")
    parser.add_argument("--only-throughput", action="store_true", help="leave out what runs at a steady rate")
    wanted = parser.parse_args()
    start_telemetry("bench", TelemetryOptions(log_level="WARNING"))
    with open_house() as house:
        figures = asyncio.run(measure(house, wanted))
    print(json.dumps(figures, indent=None if wanted.json else 2))


if __name__ == "__main__":
    main()
