"""Accounts, tokens and schools on the wire."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, SecretStr, StringConstraints

from core.access.model import Invitation, TokenPair
from core.access.passwords import MAX_LENGTH, MIN_LENGTH
from core.access.principal import Role
from core.ids import SchoolId, UserId
from deployments.ground.wire import Wire, WireRequest

Username = Annotated[
    str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\s\x00-\x1f\x7f]+$", to_lower=True)
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
SchoolCode = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,30}$"), Field(examples=["kings-college-lagos"])
]
_Secret = Annotated[SecretStr, Field(min_length=1, max_length=MAX_LENGTH)]
_Roles = Annotated[tuple[Role, ...], Field(min_length=1, max_length=len(Role))]
_Subject = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]


class LoginRequest(WireRequest):
    """Who logs in."""

    school: SchoolCode | None = Field(None, description="The school's code; platform staff leave it out.")
    username: Username
    password: _Secret


class RefreshRequest(WireRequest):
    """A session, by its refresh token."""

    refresh_token: _Secret


class ActivateRequest(WireRequest):
    """An invitation and the password to set."""

    code: str = Field(min_length=12, max_length=40, examples=["K7QX-2MHD-RW9P"])
    password: SecretStr = Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH)


class AccountOut(Wire):
    """Someone who can log in or be written to."""

    id: UserId
    username: str
    display_name: str
    roles: frozenset[Role]
    staff_id: UUID | None
    guardian_id: UUID | None
    student_id: UUID | None
    active: bool
    has_password: bool = Field(description="False until the invitation was used.")
    version: int


class TokenOut(Wire):
    """What logging in gives."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name (RFC 6750)
    expires_in: int = Field(description="Seconds the access token holds.")
    refresh_token: str = Field(description="Renews the tokens once.")
    refresh_expires_at: datetime
    user: AccountOut


class Activated(Wire):
    """Whose password was set."""

    username: str


class Me(AccountOut):
    """Who I am and what my token allows."""

    school: str | None
    scopes: list[str]


class JwksOut(Wire):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, Any]]


class InvitationOut(Wire):
    """A one-time code."""

    code: str
    expires_at: datetime


class InvitedAccount(AccountOut):
    """An account with the code that lets its person in."""

    invitation: InvitationOut


class NewAccountRequest(WireRequest):
    """An account to add. Guardians and students name their record, staff may."""

    username: Username
    display_name: Name
    roles: _Roles
    staff_id: UUID | None = None
    guardian_id: UUID | None = None
    student_id: UUID | None = None
    oidc_subject: _Subject | None = Field(
        None, description="How the identity provider knows the person, if one is used."
    )


class AccountPatch(WireRequest):
    """What to change; what is left out stays."""

    roles: _Roles | None = None
    active: bool | None = None
    display_name: Name | None = None
    oidc_subject: _Subject | None = None


class SchoolOut(Wire):
    """A school of this installation."""

    id: SchoolId
    code: str
    name: str
    time_zone: str
    created_at: datetime


class FirstAdmin(WireRequest):
    """The first administrator of a new school."""

    username: Username
    display_name: Name


class NewSchoolRequest(WireRequest):
    """A school to add."""

    code: SchoolCode
    name: Name
    time_zone: Annotated[str, StringConstraints(max_length=64)] = "Africa/Lagos"
    admin: FirstAdmin


class NewSchoolOut(SchoolOut):
    """A new school and its first administrator."""

    admin: InvitedAccount


def token_out(pair: TokenPair) -> TokenOut:
    """Return a pair of tokens as it is shown."""
    return TokenOut(
        access_token=pair.access.token,
        expires_in=pair.access.expires_in_s,
        refresh_token=pair.refresh_token,
        refresh_expires_at=pair.refresh_expires_at,
        user=AccountOut.model_validate(pair.account),
    )


def invitation_out(invitation: Invitation) -> InvitationOut:
    """Return an invitation as it is shown."""
    return InvitationOut(code=invitation.code, expires_at=invitation.expires_at)
