"""How long a school's import takes: ``python -m tests.benchmarks.importing [--students 600] [--json]``."""

import argparse
import asyncio
import json
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

from cluster.embedded.postgres import EmbeddedPostgres
from cluster.migrate import migrate
from core.access.principal import Role
from core.adapters.local_store import LocalObjectStore
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.ids import SchoolId
from core.school.importing.service import Imports, UploadedFile
from tests.factories.http import make_principal
from tests.factories.spreadsheets import workbook

_SUBJECTS = 12
_LEVELS = ("JSS 1", "JSS 2", "JSS 3", "SSS 1", "SSS 2", "SSS 3")
_ARMS = ("Ruby", "Emerald", "Sapphire")


def school_of(students: int) -> dict[str, list[list[Any]]]:
    """Return the sheets of a school with three guardians to two students, 18 classes and 12 subjects in each."""
    classes = [f"{level} {arm}" for level in _LEVELS for arm in _ARMS]
    staff = [[f"T/{n:03}", "Mrs", "Òkúnadé", "Bọ́lá", f"t{n}@kcl.example", 8035000000 + n, None] for n in range(45)]
    return {
        "Sessions": [["Session", "Term", "Starts", "Ends"], ["2027/2028", 1, date(2027, 9, 13), date(2027, 12, 17)]],
        "Classes": [["Level", "Arm"], *([level, arm] for level in _LEVELS for arm in _ARMS)],
        "Subjects": [["Code", "Name", "Department"], *([f"S{n}", f"Subject {n}", "All"] for n in range(_SUBJECTS))],
        "Staff": [["Staff number", "Title", "Surname", "First name", "Email", "Phone", "Roles"], *staff],
        "Students": [
            ["Student number", "Surname", "First name", "Sex", "DOB", "Class", "Session"],
            *(
                [f"K/{n:05}", "Adébáyọ̀", "Fọlákẹ́ Grace", "FM"[n % 2], date(2014, 1 + n % 12, 1 + n % 28),
                 classes[n % len(classes)], "2027/2028"]
                for n in range(students)
            ),
        ],
        "Guardians": [
            ["Title", "Surname", "First name", "Relationship", "Student numbers", "Phone", "Email", "Language",
             "Consent SMS", "Consent email", "Consent push"],
            *(
                ["Mr", "Adébáyọ̀", "Táíwò" if n < students else "Kẹ́hìndé", "father", f"K/{n % students:05}",
                 f"0803{1000000 + n}",
                 f"g{n}@kcl.example", "Yoruba", "yes", "yes", "no"]
                for n in range(students * 3 // 2)
            ),
        ],
        "Teaching loads": [
            ["Session", "Class", "Subject", "Staff number", "Periods per week"],
            *(
                ["2027/2028", name, f"S{n}", f"T/{(n * 7 + m) % 45:03}", 4]
                for m, name in enumerate(classes)
                for n in range(_SUBJECTS)
            ),
        ],
    }  # fmt: skip


async def measure(url: str, folder: Path, students: int) -> dict[str, float]:
    """Return the seconds of a dry run, an import, the same again and an undo."""
    await migrate(url)
    db, clock, school = PostgresDatabase(url, application_name="benchmark"), FakeClock(), SchoolId(uuid4())
    async with db.tenant(school) as tx:
        await tx.execute("INSERT INTO schools (id, code, name) VALUES ($1, 'kcl', 'School')", school)
    imports = Imports(db, clock, LocalObjectStore(folder, links_url="http://x", clock=clock))
    admin = make_principal(school, Role.SCHOOL_ADMIN)
    files = [UploadedFile("school.xlsx", workbook(school_of(students)))]
    seconds: dict[str, float] = {"students": students, "kilobytes": len(files[0].content) // 1024}
    for name, dry_run in (("dry_run_s", True), ("import_s", False), ("again_s", False)):
        started = time.perf_counter()
        report = await imports.run(admin, files=files, dry_run=dry_run)
        seconds[name] = round(time.perf_counter() - started, 2)
        assert not report.faults, report.faults[:3]
        if name == "import_s":
            made = report.id
    started = time.perf_counter()
    await imports.undo(admin, import_id=made)
    seconds["undo_s"] = round(time.perf_counter() - started, 2)
    await db.close()
    return seconds


def main() -> None:
    """Start a database of its own, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=600)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        server = EmbeddedPostgres(Path(folder) / "pg", durable=False, near_port=25_432)
        try:
            seconds = asyncio.run(measure(server.start(), Path(folder) / "objects", given.students))
        finally:
            server.stop()
    print(json.dumps(seconds) if given.json else "\n".join(f"{name:12} {value:>8}" for name, value in seconds.items()))


if __name__ == "__main__":
    main()
