"""The SQL of levels, class arms, departments and subjects."""

from uuid import UUID

from core.ids import ClassArmId, DepartmentId, LevelId, StaffId, SubjectId
from core.ports import Row
from core.school.model import ClassArm, Department, Level, Stage, Subject
from core.school.records.table import SortKey, Table

_ID = SortKey("r.id", "id", UUID)
_BY_NAME = (SortKey("r.name", "name", str), _ID)


def _level(row: Row) -> Level:
    return Level(
        id=LevelId(row["id"]),
        name=row["name"],
        stage=Stage(row["stage"]),
        rank=row["rank"],
        version=row["version"],
    )


def _class_arm(row: Row) -> ClassArm:
    return ClassArm(
        id=ClassArmId(row["id"]),
        level_id=LevelId(row["level_id"]),
        level_name=row["level_name"],
        stage=Stage(row["stage"]),
        name=row["name"],
        class_teacher_id=StaffId(row["class_teacher_id"]) if row["class_teacher_id"] else None,
        version=row["version"],
    )


def _department(row: Row) -> Department:
    return Department(
        id=DepartmentId(row["id"]),
        name=row["name"],
        head_id=StaffId(row["head_id"]) if row["head_id"] else None,
        version=row["version"],
    )


def _subject(row: Row) -> Subject:
    return Subject(
        id=SubjectId(row["id"]),
        code=row["code"],
        name=row["name"],
        department_id=DepartmentId(row["department_id"]) if row["department_id"] else None,
        version=row["version"],
    )


LEVELS = Table(
    name="levels",
    noun="level",
    select="SELECT r.* FROM levels r",
    order=(SortKey("r.rank", "rank", int), _ID),
    build=_level,
)
CLASS_ARMS = Table(
    name="class_arms",
    noun="class arm",
    select="SELECT r.*, l.name AS level_name, l.stage FROM class_arms r JOIN levels l ON l.id = r.level_id",
    order=(SortKey("l.name", "level_name", str), SortKey("r.name", "name", str), _ID),
    build=_class_arm,
)
DEPARTMENTS = Table(
    name="departments",
    noun="department",
    select="SELECT r.* FROM departments r",
    order=_BY_NAME,
    build=_department,
)
SUBJECTS = Table(
    name="subjects",
    noun="subject",
    select="SELECT r.* FROM subjects r",
    order=_BY_NAME,
    build=_subject,
)
