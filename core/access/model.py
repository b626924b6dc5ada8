"""Accounts, and what logging in gives."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from core.access.principal import Principal, Role, scopes_of
from core.access.tokens import AccessToken
from core.ids import GuardianId, SchoolId, StaffId, StudentId, UserId

LOCK_AFTER = 10
"""Failures in a row after which an account is locked."""
LOCKED_FOR = timedelta(minutes=15)
INVITATION_HOLDS = timedelta(days=7)
PLATFORM_ROLES = frozenset({Role.PLATFORM_ADMIN, Role.OPS, Role.ML})
"""Roles that no school can give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Someone who can log in or be written to."""

    id: UserId
    school_id: SchoolId | None
    username: str
    display_name: str = field(repr=False)
    roles: frozenset[Role]
    staff_id: StaffId | None
    guardian_id: GuardianId | None
    student_id: StudentId | None
    active: bool
    has_password: bool
    version: int

    def principal(self) -> Principal:
        """Return the account's person as one who asks, with everything the roles allow."""
        return Principal(
            user_id=self.id,
            school_id=self.school_id,
            roles=self.roles,
            scopes=scopes_of(self.roles),
            staff_id=self.staff_id,
            guardian_id=self.guardian_id,
            student_id=self.student_id,
            name=self.display_name,
        )


@dataclass(frozen=True, slots=True)
class Login:
    """An account as logging in sees it."""

    account: Account
    password_hash: str | None = field(repr=False)
    locked_until: datetime | None

    def is_open(self, now: datetime) -> bool:
        """Tell whether the account may log in at all."""
        return self.account.active and (self.locked_until is None or self.locked_until <= now)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What logging in gives: a short-lived access token and the means to renew it once."""

    access: AccessToken
    refresh_token: str = field(repr=False)
    refresh_expires_at: datetime
    account: Account


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time code by which a person sets the password."""

    user_id: UserId
    code: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """What an account is made of."""

    id: UserId
    school_id: SchoolId | None
    username: str
    display_name: str = field(repr=False)
    roles: frozenset[Role]
    staff_id: UUID | None = None
    guardian_id: UUID | None = None
    student_id: UUID | None = None
    oidc_subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """What is to change; None leaves it."""

    roles: frozenset[Role] | None = None
    active: bool | None = None
    display_name: str | None = None
    oidc_subject: str | None = None

    def columns(self) -> dict[str, Any]:
        """Return what changes, by column."""
        values = {
            "roles": None if self.roles is None else sorted(self.roles),
            "active": self.active,
            "display_name": self.display_name,
            "oidc_subject": self.oidc_subject,
        }
        return {name: value for name, value in values.items() if value is not None}
