"""Teaching loads and who takes an elective, of an import."""

from core.school.importing import tables
from core.school.importing.cells import shown
from core.school.importing.drafting import RowDiff
from core.school.importing.planning import Planning
from core.school.importing.rows import LoadRow
from core.school.importing.tables import Record


def plan_loads(planning: Planning) -> None:
    """Plan who teaches what to which class."""
    arms = planning.arms()
    for row in planning.book.loads:
        _plan_load(planning, row, arms)


def _plan_load(planning: Planning, row: LoadRow, arms: dict[str, Record]) -> None:
    session = planning.find_session(row.place, row.session)
    arm = planning.find_arm(row.place, "class_name", row.class_name, arms)
    subject = planning.find_subject(row.place, "subject", row.subject)
    teacher = planning.find_staff(row.place, "staff_no", row.staff_no)
    if not (session and arm and subject and teacher):
        return
    keys = {"session_id": session["id"], "class_arm_id": arm["id"], "subject_id": subject["id"]}
    if planning.is_first(row.place, "subject", " ".join(keys.values())):
        diff = planning.draft.row(row.place, f"{row.class_name}, {subject['name']}")
        values = {**keys, "staff_id": teacher["id"], "periods_per_week": row.periods, "elective": row.elective}
        load = planning.draft.put(tables.LOADS, diff, values, main=True, defaults={"elective": False})
        _plan_takers(planning, row, diff, load)


def _plan_takers(planning: Planning, row: LoadRow, diff: RowDiff, load: Record) -> None:
    if row.takers and not load["elective"]:
        what = "Elective takers: the subject is no elective here, so the whole class takes it"
        planning.findings.fault(row.place.of("takers"), what, "contradiction")
        return
    for number in row.takers or ():
        student = planning.find_student(row.place, "takers", number)
        if student is None:
            continue
        place = planning.draft.find(tables.ENROLMENTS, load["session_id"], student["id"])
        if place is None or place["class_arm_id"] != load["class_arm_id"]:
            what = f"Elective takers: {shown(number)} is not in this class in this session"
            planning.findings.fault(row.place.of("takers"), what, "wrong_class")
            continue
        values = {name: load[name] for name in ("session_id", "subject_id")} | {"student_id": student["id"]}
        planning.draft.put(tables.ELECTIVES, diff, values)
