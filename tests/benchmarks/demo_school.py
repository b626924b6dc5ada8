"""Seconds to make demo schools: ``python -m tests.benchmarks.demo_school [--schools N] [--students N]``."""

import argparse
import asyncio
import json
import resource
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from cluster.embedded.postgres import EmbeddedPostgres
from cluster.migrate import migrate
from core.access.passwords import Passwords
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.school.simulator.service import DemoSchools

LAST_TERM = datetime(2028, 7, 10, 8, tzinfo=UTC)
"""Near the end of the third session, when there is most history."""


async def measure(url: str, *, schools: int, students: int) -> dict[str, object]:
    """Return the seconds of each school, the rows of one, and the largest memory this process had."""
    await migrate(url)
    passwords, db = Passwords(), PostgresDatabase(url, application_name="benchmark")
    maker = DemoSchools(db, FakeClock(LAST_TERM), passwords.hash)
    made = [await maker.create(code=f"bench-{number}", students=students) for number in range(schools)]
    await db.close()
    passwords.close()
    return {
        "students": students,
        "seconds": [demo.seconds for demo in made],
        "rows": dict(made[0].counts),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    """Measure on a server of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schools", type=int, default=1)
    parser.add_argument("--students", type=int, default=600)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        server = EmbeddedPostgres(Path(folder) / "postgres", near_port=25_432)
        try:
            figures = asyncio.run(measure(server.start(), schools=options.schools, students=options.students))
        finally:
            server.stop()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
