"""How fast, how soon and how steadily messages go out: ``python -m tests.benchmarks.notifications [--json]``.

Everything a production send does is in it: the stream, row-level security, preferences, templates, the rate limit,
traces (one in a hundred is kept), figures, and commits that reach the disk. Servers, provider and workers are
processes of its own.
"""

import argparse
import asyncio
import json
from typing import Any

from cluster.migrate import migrate
from core.adapters.postgres import PostgresDatabase
from tests.benchmarks.notifying.house import House, open_house
from tests.benchmarks.notifying.school import Register, found_school
from tests.benchmarks.notifying.throughput import throughput

_STUDENTS = 3_000


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
    await register.stop()
    await db.close()
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--count", type=int, default=20_000, help="SMS of the throughput's runs")
    wanted = parser.parse_args()
    with open_house() as house:
        figures = asyncio.run(measure(house, wanted))
    print(json.dumps(figures, indent=None if wanted.json else 2))


if __name__ == "__main__":
    main()
