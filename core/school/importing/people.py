"""Students, guardians and everyone's accounts of an import."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import SequenceMatcher
from uuid import UUID

from core.access.principal import Role
from core.ids import GuardianId, StaffId, StudentId
from core.school import accounts
from core.school.accounts import NewAccount, choose_usernames
from core.school.importing import tables
from core.school.importing.cells import fold, fold_number
from core.school.importing.drafting import RowDiff
from core.school.importing.planning import Planning
from core.school.importing.rows import GuardianRow, StaffRow, StudentRow
from core.school.importing.tables import Record
from core.school.model import DEFAULT_CHANNEL_ORDER, Channel, Language, display_name

_SAME_NAME = 0.85
"""Likeness of two names at one phone past which a spelling was mended; 'Ngozi' and 'Ngozzi' Obi are .95 alike."""
_MOST_AT_ONE_ADDRESS = 10
"""Guardians at one phone or email that are looked at; a column filled with one number must not cost the square."""
_YOUNGEST = timedelta(days=3 * 365)


def plan_students(planning: Planning) -> list[tuple[Record, RowDiff]]:
    """Plan students and the class each is in; return each with its row, for the accounts."""
    arms, planned = planning.arms(), []
    for row in planning.book.students:
        if not planning.is_first(row.place, "student_no", fold_number(row.student_no)):
            continue
        diff = planning.draft.row(row.place, f"{row.student_no} {row.family_name} {row.given_names}")
        planned.append((_plan_student(planning, row, diff), diff))
        _plan_enrolment(planning, row, diff, arms)
    return planned


def _plan_student(planning: Planning, row: StudentRow, diff: RowDiff) -> Record:
    born = row.date_of_birth
    if born is not None and born > planning.today - _YOUNGEST:
        what = "Date of birth: this student would be under three years old"
        planning.findings.fault(row.place.of("date_of_birth"), what, "out_of_range")
    values = {
        "student_no": row.student_no,
        "family_name": row.family_name,
        "given_names": row.given_names,
        "gender": row.gender.value,
        "date_of_birth": born and born.isoformat(),
    }
    return planning.draft.put(tables.STUDENTS, diff, values, main=True)


def _plan_enrolment(planning: Planning, row: StudentRow, diff: RowDiff, arms: dict[str, Record]) -> None:
    arm = planning.find_arm(row.place, "class_name", row.class_name, arms)
    session = planning.find_session(row.place, row.session)
    student = planning.draft.find(tables.STUDENTS, fold_number(row.student_no))
    if arm and session and student:
        values = {"session_id": session["id"], "student_id": student["id"], "class_arm_id": arm["id"]}
        planning.draft.put(tables.ENROLMENTS, diff, values)


@dataclass(slots=True)
class _KnownGuardians:
    """By what a guardian of the file is found among those that are there: phone, email or a child, and the name."""

    by_key: dict[tuple[str, str, str], Record] = field(default_factory=dict)
    by_address: dict[str, list[Record]] = field(default_factory=lambda: defaultdict(list))

    def enter(self, guardian: Record, children: Sequence[str]) -> None:
        """Add a guardian with children."""
        who = _folded_name(guardian)
        for kind in ("phone", "email"):
            if guardian[kind]:
                self.by_key.setdefault((kind, guardian[kind].casefold(), who), guardian)
                there = self.by_address[guardian[kind].casefold()]
                if len(there) < _MOST_AT_ONE_ADDRESS and all(other is not guardian for other in there):
                    there.append(guardian)
        for child in children:
            self.by_key.setdefault(("child", child, who), guardian)

    def find(self, wanted: Record, children: Sequence[str]) -> Record | None:
        """Return who is meant: the same name with the phone, the email or a child; else nearly the same name there."""
        who = _folded_name(wanted)
        places = [(kind, wanted[kind].casefold()) for kind in ("phone", "email") if wanted[kind]]
        for kind, value in [*places, *(("child", child) for child in children)]:
            if found := self.by_key.get((kind, value, who)):
                return found
        near = (other for _, value in places for other in self.by_address.get(value, ()) if _is_respelt(other, wanted))
        return next(near, None)


def _folded_name(guardian: Record) -> str:
    return fold(guardian["family_name"] + guardian["given_names"])


def _is_respelt(one: Record, other: Record) -> bool:
    return SequenceMatcher(None, _folded_name(one), _folded_name(other)).ratio() >= _SAME_NAME


def plan_guardians(planning: Planning) -> list[tuple[Record, RowDiff]]:
    """Plan guardians, their children and consents; return each with its row, for the accounts."""
    known = _KnownGuardians()
    children: dict[str, list[str]] = defaultdict(list)
    for link in planning.draft.all(tables.GUARDIANSHIPS):
        children[link["guardian_id"]].append(link["student_id"])
    for guardian in planning.draft.all(tables.GUARDIANS):
        known.enter(guardian, children[guardian["id"]])
    return [_plan_guardian(planning, row, known) for row in planning.book.guardians]


def _plan_guardian(planning: Planning, row: GuardianRow, known: _KnownGuardians) -> tuple[Record, RowDiff]:
    diff = planning.draft.row(row.place, f"{row.family_name} {row.given_names}")
    found = [planning.find_student(row.place, "students", number) for number in row.students]
    children = [student["id"] for student in found if student]
    values = _guardian_values(row)
    current = known.find(values, children)
    _warn_of_shared_phone(planning, row, current, known)
    defaults = {"title": "", "language": Language.EN.value, "channel_order": [*map(str, DEFAULT_CHANNEL_ORDER)]}
    guardian = planning.draft.put_at(tables.GUARDIANS, current, diff, values, main=True, defaults=defaults)
    known.enter(guardian, children)
    for child in children:
        _plan_child(planning, row, diff, guardian, child)
    for channel in Channel:
        _plan_consent(planning, row, diff, guardian, channel)
    return guardian, diff


def _guardian_values(row: GuardianRow) -> Record:
    return {
        "title": row.title,
        "family_name": row.family_name,
        "given_names": row.given_names,
        "phone": row.phone,
        "email": row.email,
        "language": row.language and row.language.value,
        "channel_order": [channel.value for channel in row.channel_order] if row.channel_order else None,
    }


def _warn_of_shared_phone(planning: Planning, row: GuardianRow, current: Record | None, known: _KnownGuardians) -> None:
    if row.phone is None and row.email is None and current is None:
        what = "neither phone nor email: this guardian can be reached in the app alone"
        planning.findings.warn(row.place.of("phone"), what, "unreachable")
    others = [other for other in known.by_address.get(row.phone or "", ()) if other is not current]
    if others:
        names = ", ".join(display_name(other["family_name"], other["given_names"]) for other in others[:3])
        what = f"this phone is {names}'s too; that is fine where they share it"
        planning.findings.warn(row.place.of("phone"), what, "shared_phone")


def _plan_child(planning: Planning, row: GuardianRow, diff: RowDiff, guardian: Record, child: str) -> None:
    values = {"guardian_id": guardian["id"], "student_id": child, "relationship": row.relationship}
    defaults = {"relationship": "guardian", "receives_messages": True}
    planning.draft.put(tables.GUARDIANSHIPS, diff, values, defaults=defaults)


def _plan_consent(planning: Planning, row: GuardianRow, diff: RowDiff, guardian: Record, channel: Channel) -> None:
    granted: bool | None = getattr(row, f"consent_{channel.value}")
    if granted is not None:
        values = {"guardian_id": guardian["id"], "channel": channel.value, "granted": granted}
        defaults = {"source": "import", "recorded_by": str(planning.actor)}
        planning.draft.put(tables.CONSENTS, diff, values, defaults=defaults)


def plan_accounts(
    planning: Planning,
    staff: Sequence[tuple[StaffRow, Record, RowDiff]],
    guardians: Sequence[tuple[Record, RowDiff]],
    students: Sequence[tuple[Record, RowDiff]],
) -> None:
    """Plan an account for everyone who has none; keep names, and the roles of staff, in step with the rest."""
    wanted: list[tuple[NewAccount, RowDiff, tuple[Role, ...] | None]] = [
        *((_staff_account(record, row), diff, row.roles) for row, record, diff in staff),
        *((_guardian_account(record), diff, None) for record, diff in guardians),
        *((_student_account(record), diff, None) for record, diff in students),
    ]
    fresh = {account.owner_id: account for account, _, _ in wanted if not _user_of(planning, account)}
    taken = [user["username"] for user in planning.draft.all(tables.USERS)]
    usernames = choose_usernames(fresh.values(), taken)
    for account, diff, roles in wanted:
        values = {
            f"{account.owner.value}_id": str(account.owner_id),
            "display_name": account.name,
            "roles": _changed_roles(_user_of(planning, account), roles),
        }
        defaults = {"username": usernames.get(account.owner_id), "roles": [role.value for role in account.roles]}
        planning.draft.put(tables.USERS, diff, values, defaults=defaults)


def _changed_roles(user: Record | None, roles: tuple[Role, ...] | None) -> list[str] | None:
    """Return the roles to be set, in order; None where the account has just these, or none are given."""
    given = sorted(role.value for role in roles or ())
    return None if not given or (user and sorted(user["roles"]) == given) else given


def _user_of(planning: Planning, account: NewAccount) -> Record | None:
    return planning.draft.find(tables.USERS, f"{account.owner.value}_id", str(account.owner_id))


def _staff_account(record: Record, row: StaffRow) -> NewAccount:
    return accounts.staff_account(
        StaffId(UUID(record["id"])),
        name=display_name(record["family_name"], record["given_names"]),
        staff_no=record["staff_no"],
        email=record["email"],
        phone=record["phone"],
        roles=row.roles or (),
    )


def _guardian_account(record: Record) -> NewAccount:
    name = display_name(record["family_name"], record["given_names"])
    return accounts.guardian_account(
        GuardianId(UUID(record["id"])), name=name, email=record["email"], phone=record["phone"]
    )


def _student_account(record: Record) -> NewAccount:
    name = display_name(record["family_name"], record["given_names"])
    return accounts.student_account(StudentId(UUID(record["id"])), name=name, student_no=record["student_no"])
