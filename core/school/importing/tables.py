"""The tables an import writes: their keys, the columns it sets, and by what a row of a file finds its record again."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from core.school.importing.cells import class_key, fold, fold_number

Record = dict[str, Any]
"""One row of a table as JSON has it: ids and dates are text."""
Key = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table."""

    name: str
    columns: tuple[str, ...]
    """What an import sets, besides the key."""
    found_by: Callable[[Record], tuple[Key, ...]]
    """By what a row finds its record; the first of the keys is never changed by an import."""
    fixed: tuple[str, ...] = ()
    """Columns of the first of those keys: a file may spell them otherwise, the record keeps its own spelling."""
    key: tuple[str, ...] = ("id",)
    versioned: bool = True
    captured: str = "to_jsonb(t) - 'school_id' - 'version'"
    """The record as JSON, in SQL, of the row ``t``: what undo compares."""
    present: str = ""
    """Where not every row of the table is of the present: the SQL of those that are."""
    quiet: tuple[str, ...] = ()
    """Columns that follow another record's, whose change is told there."""
    touch: str = ""
    """What a change sets besides, in SQL."""
    append_only: bool = False
    """A change is a new row; the old one stays."""

    def key_of(self, record: Mapping[str, Any]) -> Key:
        """Return a record's primary key."""
        return tuple(record[column] for column in self.key)


def _person_keys(record: Record) -> tuple[Key, ...]:
    who = fold(record["family_name"] + record["given_names"])
    return tuple((kind, record[kind], who) for kind in ("phone", "email") if record.get(kind))


_USER = (
    "jsonb_build_object('id', t.id, 'username', t.username, 'display_name', t.display_name, 'roles', t.roles,"
    " 'staff_id', t.staff_id, 'guardian_id', t.guardian_id, 'student_id', t.student_id, 'active', t.active,"
    " 'claimed', t.password_hash IS NOT NULL OR t.oidc_subject IS NOT NULL)"
)
_NEWEST_CONSENTS = (
    "(SELECT DISTINCT ON (guardian_id, channel) * FROM consents"
    " ORDER BY guardian_id, channel, recorded_at DESC, id DESC)"
)

SESSIONS = Table(
    name="academic_sessions",
    columns=("name", "starts_on", "ends_on"),
    fixed=("name",),
    found_by=lambda r: ((r["name"],),),
)
TERMS = Table(
    name="terms",
    columns=("session_id", "number", "name", "starts_on", "ends_on"),
    fixed=("session_id", "number"),
    found_by=lambda r: ((r["session_id"], r["number"]),),
)
LEVELS = Table(
    name="levels",
    columns=("name", "stage", "rank"),
    fixed=("name", "stage", "rank"),
    found_by=lambda r: ((class_key(r["name"]),),),
)
STAFF = Table(
    name="staff",
    columns=("staff_no", "title", "family_name", "given_names", "email", "phone"),
    fixed=("staff_no",),
    found_by=lambda r: ((fold_number(r["staff_no"]),),),
)
DEPARTMENTS = Table(
    name="departments", columns=("name", "head_id"), fixed=("name",), found_by=lambda r: ((fold(r["name"]),),)
)
SUBJECTS = Table(
    name="subjects",
    columns=("code", "name", "department_id"),
    fixed=("code",),
    found_by=lambda r: (("code", fold(r["code"])), ("name", fold(r["name"]))),
)
CLASS_ARMS = Table(
    name="class_arms",
    columns=("level_id", "name", "class_teacher_id"),
    fixed=("level_id", "name"),
    found_by=lambda r: ((r["level_id"], fold(r["name"])),),
)
STUDENTS = Table(
    name="students",
    columns=("student_no", "family_name", "given_names", "gender", "date_of_birth"),
    fixed=("student_no",),
    found_by=lambda r: ((fold_number(r["student_no"]),),),
)
ENROLMENTS = Table(
    name="enrolments",
    key=("session_id", "student_id"),
    columns=("class_arm_id",),
    found_by=lambda r: ((r["session_id"], r["student_id"]),),
    versioned=False,
)
LOADS = Table(
    name="teaching_loads",
    columns=("session_id", "class_arm_id", "subject_id", "staff_id", "periods_per_week", "elective"),
    fixed=("session_id", "class_arm_id", "subject_id"),
    found_by=lambda r: ((r["session_id"], r["class_arm_id"], r["subject_id"]),),
)
ELECTIVES = Table(
    name="elective_choices",
    key=("session_id", "student_id", "subject_id"),
    columns=(),
    found_by=lambda r: ((r["session_id"], r["student_id"], r["subject_id"]),),
    versioned=False,
)
GUARDIANS = Table(
    name="guardians",
    columns=("title", "family_name", "given_names", "language", "phone", "email", "channel_order"),
    found_by=_person_keys,
)
GUARDIANSHIPS = Table(
    name="guardianships",
    key=("guardian_id", "student_id"),
    columns=("relationship", "receives_messages"),
    found_by=lambda r: ((r["guardian_id"], r["student_id"]),),
    versioned=False,
)
CONSENTS = Table(
    name="consents",
    columns=("guardian_id", "channel", "granted", "source", "recorded_by"),
    found_by=lambda r: ((r["guardian_id"], r["channel"]),),
    versioned=False,
    present=_NEWEST_CONSENTS,
    append_only=True,
)
USERS = Table(
    name="users",
    columns=("username", "display_name", "roles", "staff_id", "guardian_id", "student_id"),
    fixed=("username", "staff_id", "guardian_id", "student_id"),
    found_by=lambda r: tuple((owner, r[owner]) for owner in ("staff_id", "guardian_id", "student_id") if r.get(owner)),
    captured=_USER,
    quiet=("display_name",),
    touch="updated_at = now()",
)

TABLES: tuple[Table, ...] = (
    SESSIONS, TERMS, LEVELS, STAFF, DEPARTMENTS, SUBJECTS, CLASS_ARMS, STUDENTS, ENROLMENTS, LOADS, ELECTIVES,
    GUARDIANS, GUARDIANSHIPS, CONSENTS, USERS,
)  # fmt: skip
"""In the order of their references: what a table refers to comes before it."""
