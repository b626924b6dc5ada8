"""How long a class sheet of 40 students and 4 components takes, end to end: ``python -m tests.benchmarks.marks``.

One process, HTTP in process, real PostgreSQL, files on disk. ``--json`` prints the figures alone.
"""

import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from cluster.embedded.postgres import EmbeddedPostgres
from cluster.migrate import migrate
from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from tests.factories.http import make_client, settings_for
from tests.factories.marks import Desk, open_desk
from tests.factories.school import make_school

STUDENTS = 40
ROUNDS = 20


async def measure(url: str, folder: Path) -> dict[str, Any]:
    """Return the milliseconds of each step, median and worst of the rounds."""
    database = PostgresDatabase(url, application_name="benchmark")
    school = await make_school(database, students=STUDENTS)
    await database.close()
    async with make_client(settings_for(url, folder), rate_per_s=10_000) as client:
        desk = await open_desk(client, school)
        return {
            "students": STUDENTS,
            "marks": STUDENTS * 4,
            "download_ms": await _timed(lambda _: desk.workbook()),
            "upload_ms": await _uploads(desk),
            "dry_run_ms": await _uploads(desk, dryRun="true"),
            "refused_ms": await _refused(desk),
            "read_ms": await _timed(lambda _: desk.sheet()),
        }


async def _uploads(desk: Desk, **query: str) -> dict[str, float]:
    """Time uploads each of which changes three of four marks of everyone."""
    content = b""

    async def fill_in(number: int) -> None:
        nonlocal content
        content = await desk.filled(*[(number % 10, 5, 10 + number % 10, 30 + number % 30)] * STUDENTS)

    async def upload(_: int) -> None:
        answer = await desk.upload(content, Role.SUBJECT_TEACHER, **query)
        answer.raise_for_status()

    return await _timed(upload, before_each=fill_in)


async def _refused(desk: Desk) -> dict[str, float]:
    """Time a workbook in which every mark is wrong: 160 faults and the annotated copy."""
    content = await desk.filled(*[(99, "x", -1, 1.001)] * STUDENTS)
    return await _timed(lambda _: desk.upload(content))


async def _timed(
    act: Callable[[int], Awaitable[object]], before_each: Callable[[int], Awaitable[None]] | None = None
) -> dict[str, float]:
    taken: list[float] = []
    for number in range(ROUNDS + 1):
        if before_each is not None:
            await before_each(number)
        begun = perf_counter()
        await act(number)
        taken.append((perf_counter() - begun) * 1000)
    warm = taken[1:]
    return {"median": round(statistics.median(warm), 1), "worst": round(max(warm), 1), "first": round(taken[0], 1)}


def main() -> None:
    """Run and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        server = EmbeddedPostgres(folder / "postgres", durable=False, near_port=24_832)
        url = server.start()
        try:
            asyncio.run(migrate(url))
            figures = asyncio.run(measure(url, folder / "state"))
        finally:
            server.stop()
    if "--json" in sys.argv[1:]:
        print(json.dumps(figures))
        return
    for what, figure in figures.items():
        print(f"{what:<14}{figure}")


if __name__ == "__main__":
    main()
