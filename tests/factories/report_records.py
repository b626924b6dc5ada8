"""What cards are made of, put straight into the records: sheets with marks, registers, remarks, ratings, fees."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from core.ids import ClassArmId, FeeId, StudentId, new_id
from core.ports import Database
from core.school import policy_store
from core.school.model import PolicyKind, Stage
from core.school.policy_store import NewPolicy
from tests.factories.school import MadeSchool, insert_rows

COMPONENTS = ("assignment", "note", "ca", "exam")
Given = Sequence[float | str | None]
"""Marks by component: a value, ``"A"`` for absent, ``"X"`` for exempt, None for missing."""


async def give_marks(
    db: Database,
    school: MadeSchool,
    marks: Mapping[int, Mapping[StudentId, Given]],
    *,
    arm: int = 0,
    term: int = 0,
    state: str = "approved",
) -> None:
    """Open the sheets of subjects, by their place in the school, and write marks into them."""
    sheets, rows = [], []
    for subject, by_student in marks.items():
        sheet = _sheet(school, subject, arm, term, state)
        sheets.append(sheet)
        for student, given in by_student.items():
            rows += [
                {"sheet_id": sheet["id"], "student_id": student, "component": code, **_mark(value)}
                for code, value in zip(COMPONENTS, given, strict=True)
                if value is not None
            ]
    async with db.tenant(school.id) as tx:
        await insert_rows(tx, "mark_sheets", sheets)
        await insert_marks(tx, school, rows)


async def insert_marks(tx: Any, school: MadeSchool, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert marks by one statement."""
    await tx.execute(
        "INSERT INTO marks (school_id, sheet_id, student_id, component, status, value)"
        " SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::float8[])",
        school.id,
        *([row[name] for row in rows] for name in ("sheet_id", "student_id", "component", "status", "value")),
    )


def _sheet(school: MadeSchool, subject: int, arm: int, term: int, state: str) -> dict[str, Any]:
    return {
        "school_id": school.id,
        "id": new_id(),
        "term_id": school.terms[term],
        "class_arm_id": school.arms[arm],
        "subject_id": school.subjects[subject],
        "assessment_policy_id": school.policies[PolicyKind.ASSESSMENT, None],
        "grading_policy_id": school.policies[PolicyKind.GRADING, Stage.JSS],
        "approval_policy_id": school.policies[PolicyKind.APPROVAL, None],
        "state": state,
    }


def _mark(value: float | str | None) -> dict[str, Any]:
    if isinstance(value, str):
        return {"status": {"A": "absent", "X": "exempt"}[value], "value": None}
    return {"status": "scored", "value": value}


async def settle(db: Database, school: MadeSchool, kind: PolicyKind, **body: Any) -> None:
    """Make a policy the school's newest of its kind."""
    async with db.tenant(school.id) as tx:
        await policy_store.add(tx, school.id, [NewPolicy(kind=kind, stage=None, name="of the test", body=body)])


async def call_registers(
    db: Database, school: MadeSchool, arm: ClassArmId, days: Mapping[date, Mapping[StudentId, str]]
) -> None:
    """Write registers of a class."""
    registers = {day: new_id() for day in days}
    async with db.tenant(school.id) as tx:
        await insert_rows(
            tx,
            "attendance_registers",
            [{"school_id": school.id, "id": made, "class_arm_id": arm, "day": day} for day, made in registers.items()],
        )
        entries = [
            {"school_id": school.id, "register_id": registers[day], "student_id": student, "status": status}
            for day, line in days.items()
            for student, status in line.items()
        ]
        await tx.execute(
            "INSERT INTO attendance (school_id, register_id, student_id, status)"
            " SELECT school_id, register_id, student_id, status FROM jsonb_populate_recordset(NULL::attendance, $1)",
            [{name: str(value) for name, value in entry.items()} for entry in entries],
        )


async def charge(db: Database, school: MadeSchool, amount_kobo: int, due_on: date, *, term: int = 0) -> FeeId:
    """Charge a fee to everyone in a term."""
    made = FeeId(new_id())
    async with db.tenant(school.id) as tx:
        await tx.execute(
            "INSERT INTO fees (school_id, id, term_id, name, amount_kobo, due_on) VALUES ($1, $2, $3, $4, $5, $6)",
            school.id,
            made,
            school.terms[term],
            f"Fee {made}",
            amount_kobo,
            due_on,
        )
    return made
