"""Accounts of staff, guardians and students: whoever is recorded gets one, because messages go to accounts.

Whatever makes a member of staff, a guardian or a student - a route, an import, the simulator - calls ``open_accounts``
in the same transaction, after the record's row is there::

    await open_accounts(tx, school_id, [guardian_account(guardian_id, name=..., email=..., phone=...)])

An account opened so has no password; the school invites its people to set one. Its name follows the record's; its
username stays what it was when it was opened, so that nobody's login changes because a phone number did.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from core.access.principal import Role
from core.errors import Fault, InvalidInput
from core.ids import GuardianId, SchoolId, StaffId, StudentId, UserId
from core.ports import Transaction
from core.school import account_store
from core.school.model import STAFF_ROLES


class Owner(StrEnum):
    """Whose account it is."""

    STAFF = "staff"
    GUARDIAN = "guardian"
    STUDENT = "student"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """An account to be opened."""

    owner: Owner
    owner_id: UUID
    name: str
    roles: tuple[Role, ...]
    usernames: tuple[str, ...]
    """What the username may be, best first."""


def staff_account(
    staff_id: StaffId, *, name: str, staff_no: str, email: str | None, phone: str | None, roles: Sequence[Role] = ()
) -> NewAccount:
    """Return the account of a member of staff: by email, phone or number; a subject teacher where no role is given."""
    given = tuple(sorted(roles)) or (Role.SUBJECT_TEACHER,)
    check_staff_roles(given)
    usernames = _usernames(email, phone, staff_no)
    return NewAccount(owner=Owner.STAFF, owner_id=staff_id, name=name, roles=given, usernames=usernames)


def check_staff_roles(roles: Iterable[Role]) -> None:
    """Raise ``InvalidInput`` for a role that is not for staff."""
    strangers = sorted(set(roles) - STAFF_ROLES)
    if strangers:
        fault = Fault("/roles", f"allowed: {', '.join(sorted(STAFF_ROLES))}", "unknown")
        raise InvalidInput(f"staff can't be {', '.join(strangers)}", [fault])


def guardian_account(guardian_id: GuardianId, *, name: str, email: str | None, phone: str | None) -> NewAccount:
    """Return the account of a guardian: by email or phone."""
    usernames = _usernames(email, phone, "guardian")
    return NewAccount(
        owner=Owner.GUARDIAN, owner_id=guardian_id, name=name, roles=(Role.GUARDIAN,), usernames=usernames
    )


def student_account(student_id: StudentId, *, name: str, student_no: str) -> NewAccount:
    """Return the account of a student: by number."""
    usernames = _usernames(student_no)
    return NewAccount(owner=Owner.STUDENT, owner_id=student_id, name=name, roles=(Role.STUDENT,), usernames=usernames)


async def open_accounts(tx: Transaction, school_id: SchoolId, accounts: Sequence[NewAccount]) -> Mapping[UUID, UserId]:
    """Open accounts by two statements, however many, and return each owner's user id."""
    wanted = {username for account in accounts for username in account.usernames}
    taken = await account_store.taken_usernames(tx, sorted(wanted))
    names = choose_usernames(accounts, taken)
    return await account_store.insert(
        tx,
        school_id,
        [
            account_store.AccountRow(
                account.owner.value, account.owner_id, names[account.owner_id], account.name, roles
            )
            for account in accounts
            for roles in [[role.value for role in account.roles]]
        ],
    )


def choose_usernames(accounts: Iterable[NewAccount], taken: Iterable[str]) -> dict[UUID, str]:
    """Return a free username for each owner: the first of its own that is free, else the last with an ending.

    Parents who share a mailbox are the common case: the second logs in by phone.
    """
    used = set(taken)
    chosen: dict[UUID, str] = {}
    for account in accounts:
        ending = account.owner_id.hex[-8:]
        fallback = f"{account.usernames[-1]}-{ending}"
        chosen[account.owner_id] = next((name for name in account.usernames if name not in used), fallback)
        used.add(chosen[account.owner_id])
    return chosen


def _usernames(*candidates: str | None) -> tuple[str, ...]:
    return tuple(candidate.lower() for candidate in candidates if candidate)
