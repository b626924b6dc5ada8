"""Logging in, accounts and invitations, schools of the platform."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from core.access.model import AccountChange
from core.access.principal import Role
from core.ids import SchoolId, UserId
from deployments.access_wire import (
    AccountOut,
    AccountPatch,
    Activated,
    ActivateRequest,
    InvitationOut,
    InvitedAccount,
    JwksOut,
    LoginRequest,
    Me,
    NewAccountRequest,
    NewSchoolOut,
    NewSchoolRequest,
    RefreshRequest,
    SchoolOut,
    TokenOut,
    invitation_out,
    token_out,
)
from deployments.ground.etags import IfMatch, require_match, set_etag
from deployments.ground.idempotency import Idempotent
from deployments.ground.pagination import Page, PageParams, page_of
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.services import ServicesDep

auth = APIRouter(prefix="/api/auth", tags=["access"], responses=PROBLEMS)
users = APIRouter(prefix="/api/school/users", tags=["access"], responses=PROBLEMS)
platform = APIRouter(prefix="/api/platform/schools", tags=["platform"], responses=PROBLEMS)


@auth.post("/token", operation_id="logIn", summary="Log in")
async def log_in(body: LoginRequest, services: ServicesDep) -> TokenOut:
    """Give tokens for a school's code, a user name and a password; platform staff name no school."""
    return token_out(
        await services.access.sessions.log_in(body.school, body.username, body.password.get_secret_value())
    )


@auth.post("/refresh", operation_id="refresh", summary="Renew the tokens")
async def refresh(body: RefreshRequest, services: ServicesDep) -> TokenOut:
    """Give new tokens for a refresh token, once; a token that comes a second time ends the session."""
    return token_out(await services.access.sessions.refresh(body.refresh_token.get_secret_value()))


@auth.post("/logout", operation_id="logOut", summary="Log out", status_code=204)
async def log_out(body: RefreshRequest, services: ServicesDep) -> None:
    """End the session that the refresh token belongs to."""
    await services.access.sessions.log_out(body.refresh_token.get_secret_value())


@auth.post("/activate", operation_id="activate", summary="Set a password by an invitation")
async def activate(body: ActivateRequest, services: ServicesDep) -> Activated:
    """Set the invited person's password; the code then is used up."""
    account = await services.access.invitations.redeem(body.code, body.password.get_secret_value())
    return Activated(username=account.username)


@auth.get("/me", operation_id="me", summary="Tell who I am")
async def me(caller: Caller, services: ServicesDep) -> Me:
    """Return the caller's account, school and what the token allows."""
    account, school_code = await services.access.sessions.me(caller)
    return Me(**_shown(account), school=school_code, scopes=sorted(caller.scopes))


@auth.get("/jwks.json", operation_id="jwks", summary="Read the key that signs our tokens")
async def jwks(services: ServicesDep, response: Response) -> JwksOut:
    """Return the public keys; none where an identity provider signs."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return JwksOut(keys=services.access.public_keys)


@users.get("", operation_id="listUsers", summary="List the school's accounts by user name")
async def list_users(
    *,
    request: Request,
    response: Response,
    caller: Caller,
    services: ServicesDep,
    page: PageParams,
    role: Role | None = None,
    active: Annotated[bool | None, Query(description="Only active or only inactive ones.")] = None,
) -> Page[AccountOut]:
    """Return accounts, all or of one role."""
    (after,) = page.keys(str) or (None,)
    found = await services.access.accounts.list_page(
        caller, role=role, active=active, after=after, limit=page.limit + 1
    )
    shown = [AccountOut.model_validate(account) for account in found]
    return page_of(request, response, shown, page, key=lambda account: (account.username,))


@users.post("", operation_id="addUser", summary="Add an account and invite its person", status_code=201,
            dependencies=[Idempotent])  # fmt: skip
async def add_user(
    body: NewAccountRequest, caller: Caller, services: ServicesDep, response: Response
) -> InvitedAccount:
    """Add an account; the code in the answer is shown this once."""
    account, invitation = await services.access.accounts.add(
        caller,
        username=body.username,
        display_name=body.display_name,
        roles=frozenset(body.roles),
        people={"staff_id": body.staff_id, "guardian_id": body.guardian_id, "student_id": body.student_id},
        oidc_subject=body.oidc_subject,
    )
    set_etag(response, account.version)
    response.headers["Location"] = f"/api/school/users/{account.id}"
    return InvitedAccount(**_shown(account), invitation=invitation_out(invitation))


@users.get("/{user_id}", operation_id="getUser", summary="Read an account")
async def get_user(user_id: UserId, caller: Caller, services: ServicesDep, response: Response) -> AccountOut:
    """Return one account of the school."""
    account = await services.access.accounts.get(caller, user=user_id)
    set_etag(response, account.version)
    return AccountOut.model_validate(account)


@users.patch("/{user_id}", operation_id="changeUser", summary="Change an account")
async def change_user(
    *, user_id: UserId, body: AccountPatch, caller: Caller, services: ServicesDep, response: Response, if_match: IfMatch
) -> AccountOut:
    """Change roles, name or activity; what is left out stays."""
    change = AccountChange(
        roles=None if body.roles is None else frozenset(body.roles),
        active=body.active,
        display_name=body.display_name,
        oidc_subject=body.oidc_subject,
    )
    version = require_match(if_match)
    account = await services.access.accounts.change(caller, user=user_id, version=version, change=change)
    set_etag(response, account.version)
    return AccountOut.model_validate(account)


@users.post("/{user_id}/invitations", operation_id="inviteUser", summary="Invite an account's person", status_code=201,
            dependencies=[Idempotent])  # fmt: skip
async def invite_user(user_id: UserId, caller: Caller, services: ServicesDep) -> InvitationOut:
    """Return a new code, for a first password or a forgotten one; earlier codes are void."""
    return invitation_out(await services.access.accounts.invite(caller, user=user_id))


@platform.get("", operation_id="listSchools", summary="List schools by code")
async def list_schools(
    request: Request, response: Response, caller: Caller, services: ServicesDep, page: PageParams
) -> Page[SchoolOut]:
    """Return the schools of this installation."""
    (after,) = page.keys(str) or (None,)
    found = await services.founding.list_page(caller, after=after, limit=page.limit + 1)
    shown = [SchoolOut.model_validate(school) for school in found]
    return page_of(request, response, shown, page, key=lambda school: (school.code,))


@platform.post("", operation_id="foundSchool", summary="Add a school", status_code=201, dependencies=[Idempotent])
async def found_school(body: NewSchoolRequest, caller: Caller, services: ServicesDep) -> NewSchoolOut:
    """Add a school with the default policies and its first administrator, whose code is shown this once."""
    founded = await services.founding.found(
        caller,
        code=body.code,
        name=body.name,
        time_zone=body.time_zone,
        admin_username=body.admin.username,
        admin_name=body.admin.display_name,
    )
    admin = InvitedAccount(**_shown(founded.admin), invitation=invitation_out(founded.invitation))
    return NewSchoolOut(**SchoolOut.model_validate(founded.school).model_dump(), admin=admin)


@platform.post("/{school_id}/invitations", operation_id="inviteSchoolAdmin", status_code=201,
               summary="Invite a school's administrator again", dependencies=[Idempotent])  # fmt: skip
async def invite_school_admin(school_id: SchoolId, caller: Caller, services: ServicesDep) -> InvitedAccount:
    """Return a new code for the school's longest-standing administrator, whose own was lost."""
    admin, invitation = await services.founding.invite_admin(caller, school=school_id)
    return InvitedAccount(**_shown(admin), invitation=invitation_out(invitation))


def _shown(account: object) -> dict[str, Any]:
    return AccountOut.model_validate(account).model_dump()
