"""Digests at the size of a large group of schools: ``python -m tests.benchmarks.digests [--classes 1000] [--json]``.

Every class publishes every subject within one window, a tenth of the events come twice, one sheet a class is published
again with a revision, and all in random order by several consumers at once. Counted is what each guardian gets.
"""

import argparse
import asyncio
import json
import logging
import random
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from time import perf_counter, process_time
from uuid import uuid4

import asyncpg
import structlog

from cluster.embedded.postgres import EmbeddedPostgres
from cluster.migrate import migrate
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.events.envelope import Event
from core.events.types import ScoresPublished
from core.ids import ClassArmId, MarkSheetId
from core.notifications.fanout import FanOut
from core.notifications.lane import DeliveryPolicy
from core.notifications.model import Channel
from tests.factories.notifications import ALL, delivering, emitted, scores_published, settled
from tests.factories.school import MadeSchool, make_school
from tests.factories.senders import FakeSender
from tests.factories.timing import settle

_ARMS = 40
"""Classes of a school."""
_CONSUMERS = 4
_SEED = 1_000
_FIRST = 20
_WINDOW = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What came of it, and what it took."""

    classes: int
    publications: int
    events_handled: int
    """With those that came twice."""
    contributions: int
    """Pairs of a student and a publication."""
    guardians_and_children: int
    sms_sent: int
    bell_entries: int
    more_than_one: int
    """Pairs of guardian and child with more than one SMS or bell entry."""
    without: int
    """Pairs with none."""
    results_wrong: int
    """Messages that do not tell every subject once, in its newest revision."""
    fan_out_s: float
    events_per_s: float
    cpu_ms_per_event: float


async def measure(database_url: str, *, classes: int, students: int, subjects: int) -> Figures:
    """Publish, fan out, deliver and count."""
    db, clock, chance = PostgresDatabase(database_url, application_name="bench"), FakeClock(), random.Random(_SEED)
    try:
        schools = [
            await make_school(db, arms=min(_ARMS, classes - start), students=students)
            for start in range(0, classes, _ARMS)
        ]
        await _analyze(database_url)
        events = []
        for school in schools:
            await settle(db, school)
            events += [await emitted(db, school, each, clock) for each in _publications(school, subjects)]
        arriving = events + chance.sample(events, len(events) // 10)
        chance.shuffle(arriving)
        began, cpu = perf_counter(), process_time()
        await _fan_out(db, clock, arriving[:_FIRST])
        await _analyze(database_url)  # an empty table's plans are not those of a full one
        await _fan_out(db, clock, arriving[_FIRST:])
        took, cpu = perf_counter() - began, process_time() - cpu
        clock.advance(_WINDOW)
        sender = FakeSender()
        async with delivering(db, {Channel.SMS: sender}, DeliveryPolicy(), clock=clock):
            for school in schools:
                await settled(db, school, within_s=600, look_every_s=0.2)
        counted = [await _count(db, school, subjects) for school in schools]
    finally:
        await db.close()
    return Figures(
        classes=classes,
        publications=len(events),
        events_handled=len(arriving),
        contributions=len(events) * students,
        guardians_and_children=classes * students,
        sms_sent=len(sender.taken),
        bell_entries=sum(each["bell"] for each in counted),
        more_than_one=sum(each["more"] for each in counted),
        without=classes * students * 2 - sum(each["pairs"] for each in counted),
        results_wrong=sum(each["wrong"] for each in counted),
        fan_out_s=round(took, 2),
        events_per_s=round(len(arriving) / took, 1),
        cpu_ms_per_event=round(1e3 * cpu / len(arriving), 2),
    )


def _publications(school: MadeSchool, subjects: int) -> list[ScoresPublished]:
    made = []
    for arm in school.arms:
        class_ = tuple(student for student, of in school.arm_of.items() if of == arm)
        sheets = [
            scores_published(school, class_).model_copy(
                update={
                    "class_arm_id": ClassArmId(arm),
                    "subject_name": f"Subject {number:02}",
                    "sheet_id": MarkSheetId(uuid4()),
                }
            )
            for number in range(subjects)
        ]
        made += [*sheets, sheets[0].model_copy(update={"subject_name": "Subject 00, mended", "revision": 2})]
    return made


async def _fan_out(db: PostgresDatabase, clock: FakeClock, events: list[Event]) -> None:
    waiting = iter(events)

    async def consume() -> None:
        handle = FanOut(db, clock, ALL)
        for event in waiting:
            await handle(event)

    await asyncio.gather(*(consume() for _ in range(_CONSUMERS)))


_COUNT = """
WITH told AS (
    SELECT recipient_id, student_id, channel, count(*) AS n,
           bool_and((SELECT count(*) = $1 AND count(*) FILTER (WHERE r.value ->> 'subject' = 'Subject 00, mended') = 1
                     FROM jsonb_each(content -> 'results') r)) AS right_
    FROM deliveries WHERE state <> 'skipped' GROUP BY 1, 2, 3
)
SELECT count(*) AS pairs, count(*) FILTER (WHERE n > 1) AS more, count(*) FILTER (WHERE NOT right_) AS wrong,
       (SELECT count(*) FROM notifications) AS bell
FROM told
"""


async def _count(db: PostgresDatabase, school: MadeSchool, subjects: int) -> Counter[str]:
    async with db.tenant(school.id) as tx:
        row = await tx.fetchrow(_COUNT, subjects)
    return Counter({} if row is None else {name: row[name] for name in ("pairs", "more", "wrong", "bell")})


async def _analyze(database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    await owner.execute("ANALYZE")  # what autovacuum does within a minute of a school's import
    await owner.close()


async def _run(url: str, classes: int) -> Figures:
    await migrate(url)
    return await measure(url, classes=classes, students=40, subjects=12)


def main() -> None:
    """Measure on a server of its own and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classes", type=int, default=1_000)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        postgres = EmbeddedPostgres(Path(folder, "postgres"), near_port=25_432)
        try:
            figures = asdict(asyncio.run(_run(postgres.start(), asked.classes)))
        finally:
            postgres.stop()
    print(json.dumps(figures) if asked.json else "\n".join(f"{name:24} {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
