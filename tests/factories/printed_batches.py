"""Batches whose printing is over, put straight into the records: what archives and publishing begin with."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.access.principal import Role
from core.clock import Clock
from core.ids import JobId, StudentId, new_id
from core.jobs import store as job_store
from core.ports import Database, ObjectStore
from core.reports.snapshot_store import Snapshot
from core.reports.snapshots import Snapshots
from tests.factories.report_records import give_marks
from tests.factories.school import MadeSchool, insert_rows


@dataclass(frozen=True, slots=True)
class PrintedBatch:
    """A batch and what was printed in it."""

    job: JobId
    printed: Mapping[StudentId, bytes]
    keys: Mapping[StudentId, str]


async def marked(db: Database, school: MadeSchool) -> None:
    """Give every student of a school marks in its subjects."""
    for arm, arm_id in enumerate(school.arms):
        own = [student for student in school.students if school.arm_of[student] == arm_id]
        marks = {0: dict.fromkeys(own, (9, 8, 17, 52)), 1: dict.fromkeys(own, (8, 8, 15, 45))}
        await give_marks(db, school, marks, arm=arm)


async def printed_batch(
    db: Database,
    objects: ObjectStore,
    school: MadeSchool,
    clock: Clock,
    *,
    unprinted: Mapping[StudentId, tuple[str, str]] | None = None,
    students: tuple[StudentId, ...] | None = None,
    naming: str = "id",
    state: str = "packing",
) -> PrintedBatch:
    """Return a batch in which all cards are printed but ``unprinted``, each with its state and reason.

    What is stored is not printed by a browser: it only has to be told from the next.
    """
    unprinted, job, chosen = unprinted or {}, JobId(new_id()), students or school.students
    finalised = await Snapshots(db, clock).finalise(
        school.as_(Role.PRINCIPAL),
        student_ids=chosen,
        session_id=school.session,
        term_id=school.terms[0],
        even_if_blocked=True,
    )
    printed: dict[StudentId, bytes] = {}
    rows = [
        _row(school, job, student, position, clock) | dict(zip(("state", "reason"), unprinted[student], strict=True))
        if student in unprinted
        else _row(school, job, student, position, clock) | await _stored(objects, school, job, snapshot, printed)
        for position, (student, snapshot) in enumerate(zip(chosen, finalised.snapshots, strict=True))
    ]
    who = school.as_(Role.PRINCIPAL).user_id
    head = {
        "school_id": school.id,
        "job_id": job,
        "session_id": school.session,
        "term_id": school.terms[0],
        "naming": naming,
        "state": state,
        "created_by": who,
        "created_at": clock.now(),
    }
    async with db.tenant(school.id, actor=who) as tx:
        await job_store.insert(
            tx, school.id, job, "report_cards", total=len(rows), detail={}, created_by=who, now=clock.now()
        )
        await insert_rows(tx, "report_batches", [head])
        await insert_rows(tx, "report_batch_items", rows)
    return PrintedBatch(job, printed, {row["student_id"]: row["object_key"] for row in rows if row["object_key"]})


def _row(school: MadeSchool, job: JobId, student: StudentId, position: int, clock: Clock) -> dict[str, Any]:
    return {
        "school_id": school.id,
        "job_id": job,
        "student_id": student,
        "position": position,
        "class_arm_id": school.arm_of[student],
        "updated_at": clock.now(),
        **dict.fromkeys(("snapshot_id", "serial", "object_key", "bytes", "sha256", "pages")),
    }


async def _stored(
    objects: ObjectStore, school: MadeSchool, job: JobId, snapshot: Snapshot, printed: dict[StudentId, bytes]
) -> dict[str, Any]:
    """Store what stands for a printed card, and return what a batch keeps of it."""
    printed[snapshot.student_id] = content = b"%PDF-" + snapshot.serial.encode() * 100
    key = f"{school.id}/reports/{job}/{snapshot.student_id}-report-card.pdf"
    await objects.put(key, content, "application/pdf")
    return {
        "state": "done",
        "reason": "",
        "snapshot_id": snapshot.id,
        "serial": snapshot.serial,
        "object_key": key,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "pages": 1,
    }
