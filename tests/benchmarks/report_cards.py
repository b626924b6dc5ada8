"""A whole school's report cards: ``python -m tests.benchmarks.report_cards [--students 200] [--json]``.

Measured is all of it, as it runs: a batch is asked for in a migrated database with a demo school, two printers in
processes of their own finalise, lay out, print, part, check and store the cards, and one packs the archive. Peers in
the same run, rendering alone: the plain loop of one document for each of the same cards, with its font in it, on one
page of one browser; that loop over documents as they are made here; and WeasyPrint where it is installed.
"""

import argparse
import asyncio
import io
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Any

import psutil

from cluster.embedded.postgres import EmbeddedPostgres
from cluster.migrate import migrate
from cluster.settings import Settings
from cluster.wiring import open_replica
from cluster.wiring_objects import fonts_of
from core.access.principal import Principal, Role
from core.adapters.local_store import LocalObjectStore
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock, SystemClock
from core.ids import JobId, SessionId, StudentId, TermId
from core.reports.batches import Batches, OnBlocked, Wanted
from core.reports.card import Card
from core.reports.checking import check_card
from core.reports.fonts import Fonts
from core.reports.naming import archive_key
from core.reports.previews import Previews
from core.reports.snapshots import Snapshots
from core.school.simulator.service import DemoSchools
from tests.benchmarks.report_printing import plain_loop
from tests.benchmarks.reporting.printers import Memory, Printer, printers
from tests.benchmarks.reporting.weasyprint_peer import Peer, weasyprint
from tests.factories.http import make_principal, settings_for

_PRINTERS = 2
_SEED = 7
_MARKS = (1, 200, 1000, 2000)
_LOOKS_A_COUNT = 20
_WARM_PREVIEWS = 40
_SINGLES, _WEASYPRINTED = 40, 20
_NOW = datetime(2028, 7, 10, 8, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What it took. CPU is that of the printers with browsers and drivers; the database's stands apart."""

    cards: int
    pages: int
    wrong: int
    ended: str
    wall_s: float
    cards_per_s: float
    plain_wall_s: float
    wall_ratio: float
    cpu_ms_per_card: float
    plain_cpu_ms_per_card: float
    cpu_ratio: float
    single_cpu_ms_per_card: float
    """One document a card, as they are made here."""
    weasyprint: Peer
    weasyprint_cpu_ratio: float | None
    database_cpu_ms_per_card: float
    archive_s: float
    archive_mb: float
    memory_mb: dict[str, list[tuple[int, int]]]
    """How far the batch is -> each printer's actor and browser, proportional set size."""
    preview_ms_p50: float
    preview_ms_p95: float
    preview_cold_ms: float
    """The first print after the browsers were killed."""
    load: float
    """The machine's load average before the run."""


@dataclass(frozen=True, slots=True)
class Peers:
    """What a card takes others, in seconds."""

    plain_wall_s: float
    plain_cpu_s: float
    single_cpu_s: float
    weasyprint: Peer


@dataclass(frozen=True, slots=True)
class School:
    """A demo school and the term whose cards are printed."""

    principal: Principal
    session: SessionId
    term: TermId
    students: tuple[StudentId, ...]


async def measure(url: str, folder: Path, students: int, plain: int) -> Figures:
    """Print a school's cards, and some of them by the plain loop."""
    await migrate(url)
    db = PostgresDatabase(url, application_name="benchmark")
    try:
        school = await _school(db, students)
        load = os.getloadavg()[0]
        environment = {
            "SCHOOLOS_DATABASE_URL": url,
            "SCHOOLOS_STATE_DIR": str(folder / "state"),
            "SCHOOLOS_REPORTS_BROWSER_IDLE_S": "0",
        }
        settings = settings_for(url, folder / "state")
        fonts = fonts_of(settings)
        await asyncio.to_thread(fonts.files)  # once a machine, not by each printer at the same moment
        async with printers(_PRINTERS, environment) as found, _previews(settings) as previews:
            batch = await _batch(db, school, found)
            _tell("batch", {name: value for name, value in batch.items() if name != "job"})
            warm = await _warm(previews, school, _WARM_PREVIEWS)
            _tell("previews", warm)
            cold = await _cold(previews, school, found)
        checked = await _checked(db, settings, school, batch["job"])
        _tell("wrong", checked["wrong"])
        peers = await _peers(checked["cards"], fonts, folder, plain)
    finally:
        await db.close()
    return _figures(batch, checked, peers, warm=warm, cold=cold, load=load)


async def _peers(cards: list[Card], fonts: Fonts, folder: Path, plain: int) -> Peers:
    wall_s, cpu_s = await plain_loop(cards[:plain], fonts)
    _tell("plain loop", (wall_s, cpu_s))
    single = cards[: min(plain, _SINGLES)]
    _, single_cpu_s = await plain_loop(single, fonts, as_made=True)
    other = await weasyprint(cards[:_WEASYPRINTED], fonts, folder)
    return Peers(wall_s / plain, cpu_s / plain, single_cpu_s / len(single), other)


def _tell(what: str, found: object) -> None:
    """Say what is known so far: a run on a busy machine may be cut off."""
    print(what, found, file=sys.stderr, flush=True)


async def _school(db: PostgresDatabase, students: int) -> School:
    """Return a demo school's last whole term, with exactly so many of its students."""

    async def unhashed(password: str) -> str:
        return password

    demo = await DemoSchools(db, FakeClock(_NOW), unhashed).create(seed=_SEED, students=max(36, int(students * 1.1)))
    async with db.tenant(demo.school_id) as tx:
        rows = await tx.fetch(
            "SELECT t.session_id, t.id, (SELECT array_agg(e.student_id ORDER BY e.class_arm_id, e.student_id)"
            " FROM enrolments e JOIN students s ON s.id = e.student_id"
            " WHERE e.session_id = t.session_id AND (s.left_on IS NULL OR s.left_on > t.ends_on)) AS students"
            " FROM terms t WHERE EXISTS (SELECT FROM mark_sheets m WHERE m.term_id = t.id)"
            " ORDER BY t.starts_on DESC LIMIT 2"
        )
        await tx.execute("ANALYZE")
    chosen = tuple(rows[-1]["students"][:students])
    assert len(chosen) == students, f"the demo school has {len(chosen)} students"
    return School(make_principal(demo.school_id, Role.PRINCIPAL), rows[-1]["session_id"], rows[-1]["id"], chosen)


@asynccontextmanager
async def _previews(settings: Settings) -> AsyncIterator[Previews]:
    """Open what the replica opens."""
    async with open_replica(settings) as services:
        yield services.previews


async def _warm(previews: Previews, school: School, count: int) -> list[float]:
    """Return the milliseconds of previews once everything is warm."""
    for _ in range(2 * _PRINTERS):
        await _preview(previews, school, 0)
    return [await _preview(previews, school, number) for number in range(count)]


async def _cold(previews: Previews, school: School, found: Sequence[Printer]) -> float:
    """Return the milliseconds of a preview that finds no browser."""
    for printer in found:
        browser = printer.browser()
        if browser is not None:
            os.killpg(browser.pid, 9)
    return await _preview(previews, school, 0)


async def _preview(previews: Previews, school: School, number: int) -> float:
    began = perf_counter()
    pdf = await previews.single(
        school.principal,
        student_id=school.students[number % len(school.students)],
        session_id=school.session,
        term_id=school.term,
    )
    assert pdf.startswith(b"%PDF")
    return 1000 * (perf_counter() - began)


async def _batch(db: PostgresDatabase, school: School, found: list[Printer]) -> dict[str, Any]:
    """Ask for all cards and wait for the end."""
    batches, memory = Batches(db, SystemClock()), Memory()
    database = _database_cpu_s()
    before = sum(printer.cpu_s() for printer in found)
    began = perf_counter()
    wanted = Wanted(
        session_id=school.session,
        term_id=school.term,
        student_ids=school.students,
        on_blocked=OnBlocked.PRINT,
    )
    job = (await batches.generate(school.principal, wanted)).job.id
    printed_s, looks = 0.0, 0
    while True:
        told = await batches.get(school.principal, job=job)
        memory.note(told.counts.done, found, _MARKS)
        looks += 1
        if looks % _LOOKS_A_COUNT == 0:  # browsers are replaced in between, and their time could not be read any more
            _ = [printer.cpu_s() for printer in found]
        if not printed_s and told.counts.over == told.counts.total:
            printed_s = perf_counter() - began
        if told.job.is_finished:
            break
        await asyncio.sleep(0.1)
    wall_s = perf_counter() - began
    memory.look("packed", found)
    return {
        "job": job,
        "ended": told.job.state.value,
        "wall_s": wall_s,
        "archive_s": wall_s - printed_s,
        "cpu_s": sum(printer.cpu_s() for printer in found) - before,
        "database_cpu_s": _database_cpu_s() - database,
        "memory": memory.at,
    }


def _database_cpu_s() -> float:
    """Return the processor time of all database servers on this machine that this benchmark started."""
    total = 0.0
    for process in psutil.process_iter(["name", "cpu_times"]):
        if process.info["name"] == "postgres":
            times = process.info["cpu_times"]
            total += times.user + times.system
    return total


async def _checked(db: PostgresDatabase, settings: Settings, school: School, job: JobId) -> dict[str, Any]:
    """Read every card of the archive as a guardian would, and count what is wrong with it."""
    store = LocalObjectStore(settings.state_dir / "objects", links_url="", clock=SystemClock())
    content = await store.get(archive_key(school.principal.school, job))
    items = await Batches(db, SystemClock()).items(school.principal, job=job, state=None, after=None, limit=100_000)
    async with db.tenant(school.principal.school, read_only=True) as tx:
        cards = await Snapshots(db, SystemClock()).load(tx, [item.snapshot_id for item in items if item.snapshot_id])
    pages, wrong = 0, len(school.students) - len(cards)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for card in cards:
            try:
                pages += check_card(archive.read(f"{card.student.id}-report-card.pdf"), card)
            except Exception as error:  # noqa: BLE001 - each is counted, and told
                print(error)
                wrong += 1
    return {"cards": cards, "pages": pages, "wrong": wrong, "archive_bytes": len(content)}


def _figures(
    batch: dict[str, Any],
    checked: dict[str, Any],
    peers: Peers,
    *,
    warm: list[float],
    cold: float,
    load: float,
) -> Figures:
    cards: list[Card] = checked["cards"]
    count = len(cards)
    plain_wall_s, plain_cpu_s = peers.plain_wall_s * count, peers.plain_cpu_s * count
    other = peers.weasyprint.cpu_ms_per_card
    return Figures(
        cards=count,
        pages=checked["pages"],
        wrong=checked["wrong"],
        ended=batch["ended"],
        wall_s=round(batch["wall_s"], 2),
        cards_per_s=round(count / batch["wall_s"], 1),
        plain_wall_s=round(plain_wall_s, 2),
        wall_ratio=round(batch["wall_s"] / plain_wall_s, 3),
        cpu_ms_per_card=round(1000 * batch["cpu_s"] / count, 1),
        plain_cpu_ms_per_card=round(1000 * plain_cpu_s / count, 1),
        cpu_ratio=round(batch["cpu_s"] / plain_cpu_s, 3),
        single_cpu_ms_per_card=round(1000 * peers.single_cpu_s, 1),
        weasyprint=peers.weasyprint,
        weasyprint_cpu_ratio=round(1000 * batch["cpu_s"] / count / other, 3) if other else None,
        database_cpu_ms_per_card=round(1000 * batch["database_cpu_s"] / count, 1),
        archive_s=round(batch["archive_s"], 2),
        archive_mb=round(checked["archive_bytes"] / 1024 / 1024, 1),
        memory_mb=batch["memory"],
        preview_ms_p50=round(quantiles(warm, n=20)[9], 1),
        preview_ms_p95=round(quantiles(warm, n=20)[18], 1),
        preview_cold_ms=round(cold, 1),
        load=round(load, 2),
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--students", type=int, default=200)
    parser.add_argument("--plain", type=int, default=200, help="cards of the plain loop")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o711)
        server = EmbeddedPostgres(folder / "postgres", near_port=25_432)
        try:
            figures = asdict(
                asyncio.run(measure(server.start(), folder, asked.students, min(asked.students, asked.plain)))
            )
        finally:
            server.stop()
    if asked.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:>26}  {value}")


if __name__ == "__main__":
    main()
