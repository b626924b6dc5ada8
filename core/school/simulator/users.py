"""Accounts of everyone in a simulated school, and the few that a demo logs in with."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from core.access.principal import Role
from core.ids import GuardianId, StaffId, StudentId
from core.school.accounts import NewAccount, Owner, choose_usernames, guardian_account, staff_account, student_account
from core.school.simulator.batches import Batch, Kind, batch
from core.school.simulator.catalogue import DEMO_ARM, DEMO_SUBJECT, DEPARTMENTS, SUBJECTS
from core.school.simulator.identity import Identity, parent_name, student_name
from core.school.simulator.staffroom import Load

_USER_KINDS = {Owner.STAFF: Kind.STAFF_USER, Owner.GUARDIAN: Kind.GUARDIAN_USER, Owner.STUDENT: Kind.STUDENT_USER}


@dataclass(frozen=True, slots=True)
class Login:
    """A person of the demo one can log in as."""

    role: Role
    username: str
    name: str


def accounts(identity: Identity) -> list[NewAccount]:
    """Return the account of each member of staff, guardian and student."""
    return _staff(identity) + _guardians(identity) + _students(identity)


def user_batch(identity: Identity, opened: list[NewAccount], password_hash: str | None) -> Batch:
    """Return the accounts as rows; those of the demo's role holders have the password, the others none."""
    usernames = choose_usernames(opened, [])
    holders = set(role_holders(identity).values())
    rows = [
        (
            user_id(identity, account),
            usernames[account.owner_id],
            account.name,
            "{" + ",".join(account.roles) + "}",
            password_hash if account.owner_id in holders else None,
            *(account.owner_id if account.owner is owner else None for owner in _USER_KINDS),
        )
        for account in opened
    ]
    return batch("users", "id username display_name roles password_hash staff_id guardian_id student_id", rows)


def user_id(identity: Identity, account: NewAccount) -> UUID:
    """Return the id of an account: its number is its owner's."""
    return identity.ids.of(_USER_KINDS[account.owner], account.owner_id.int & 0xFFFF_FFFF)


def logins(identity: Identity) -> tuple[Login, ...]:
    """Return a person for each role, who has to do with the demo's open sheet."""
    opened = accounts(identity)
    usernames = choose_usernames(opened, [])
    names = {account.owner_id: account.name for account in opened}
    return tuple(Login(role, usernames[owner], names[owner]) for role, owner in role_holders(identity).items())


def role_holders(identity: Identity) -> Mapping[Role, UUID]:
    """Return the record of the person who stands for each role."""
    ids, room = identity.ids, identity.school.staffroom
    demo = demo_load(identity)
    staff = {
        Role.SCHOOL_ADMIN: room.admin,
        Role.PRINCIPAL: room.principal,
        Role.BURSAR: room.bursar,
        Role.HEAD_OF_DEPARTMENT: room.heads[DEPARTMENTS.index(SUBJECTS[demo.subject].department)],
        Role.CLASS_TEACHER: room.class_teachers[demo.arm.number],
        Role.SUBJECT_TEACHER: demo.teacher,
    }
    year = identity.school.years[-1]
    child = identity.school.town.students[int(year.roll[identity.school.arms_of(year) == demo.arm.number][0])]
    return {
        **{role: ids.of(Kind.STAFF, number) for role, number in staff.items()},
        Role.GUARDIAN: ids.of(Kind.GUARDIAN, child.home.parents[0].number),
        Role.STUDENT: ids.of(Kind.STUDENT, child.number),
    }


def demo_load(identity: Identity) -> Load:
    """Return the lessons whose sheet the demo fills."""
    return next(
        load
        for load in identity.school.staffroom.loads
        if (load.arm.full_name, SUBJECTS[load.subject].code) == (DEMO_ARM, DEMO_SUBJECT)
    )


def _staff(identity: Identity) -> list[NewAccount]:
    return [
        staff_account(
            StaffId(identity.ids.of(Kind.STAFF, each.number)),
            name=each.display_name,
            staff_no=identity.staff_no(each),
            email=identity.staff_email(each),
            phone=identity.staff_phone(each),
            roles=[Role(role) for role in each.roles],
        )
        for each in identity.school.staffroom.staff
    ]


def _guardians(identity: Identity) -> list[NewAccount]:
    return [
        guardian_account(
            GuardianId(identity.ids.of(Kind.GUARDIAN, each.number)),
            name=parent_name(each),
            email=identity.parent_email(each),
            phone=identity.parent_phone(each),
        )
        for each in identity.school.town.parents
    ]


def _students(identity: Identity) -> list[NewAccount]:
    return [
        student_account(
            StudentId(identity.ids.of(Kind.STUDENT, each.number)), name=student_name(each), student_no=student_no
        )
        for each, student_no in zip(identity.school.town.students, identity.student_nos, strict=True)
    ]
