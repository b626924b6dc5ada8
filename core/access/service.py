"""A school's accounts: who may log in and as what."""

from collections.abc import Sequence
from uuid import UUID

from core.access import credential_store, store
from core.access.invitations import Invitations
from core.access.model import PLATFORM_ROLES, Account, AccountChange, Invitation, NewAccount
from core.access.principal import Principal, Role, Scope
from core.clock import Clock
from core.errors import Conflict, Fault, InvalidInput, NotFound, Stale
from core.ids import UserId, new_id
from core.ports import Database

_PERSON_OF = {Role.GUARDIAN: "guardian_id", Role.STUDENT: "student_id"}
"""Roles that read records about one person, which the account must name."""


class Accounts:
    """Use cases over a school's accounts; all ask for ``users:manage``."""

    def __init__(self, db: Database, clock: Clock, invitations: Invitations) -> None:
        self._db = db
        self._clock = clock
        self._invitations = invitations

    async def list_page(
        self, principal: Principal, *, role: Role | None, active: bool | None, after: str | None, limit: int
    ) -> Sequence[Account]:
        """Return up to ``limit`` accounts after a user name."""
        principal.require(Scope.USERS_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return await store.list_page(tx, role=role, active=active, after=after, limit=limit)

    async def get(self, principal: Principal, *, user: UserId) -> Account:
        """Return one account."""
        principal.require(Scope.USERS_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return _found(await store.read(tx, user))

    async def add(
        self,
        principal: Principal,
        *,
        username: str,
        display_name: str,
        roles: frozenset[Role],
        people: dict[str, UUID | None],
        oidc_subject: str | None = None,
    ) -> tuple[Account, Invitation]:
        """Add an account and invite its person. ``people``: staff_id, guardian_id, student_id."""
        principal.require(Scope.USERS_MANAGE)
        _require_school_roles(roles, people)
        new = NewAccount(
            id=UserId(new_id()),
            school_id=principal.school,
            username=username.casefold(),
            display_name=display_name,
            roles=roles,
            oidc_subject=oidc_subject,
            **people,
        )
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            if unknown := await store.unknown_people(tx, new):
                faults = [Fault(f"/{name}Id", f"there is no such {name} in this school", "unknown") for name in unknown]
                raise InvalidInput("the account names someone who is not there", faults)
            account = await store.insert(tx, new, self._clock.now())
        return account, await self._invitations.issue(account.id, by=principal.user_id)

    async def change(self, principal: Principal, *, user: UserId, version: int, change: AccountChange) -> Account:
        """Change roles, name or activity. Deactivating ends the account's sessions within one access token's life."""
        principal.require(Scope.USERS_MANAGE)
        if user == principal.user_id and (change.active is False or _gives_up_managing(change)):
            raise Conflict("you can't take your own right to manage users; another administrator can")
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            before = _found(await store.read(tx, user))
            if change.roles is not None:
                _require_school_roles(change.roles, _people_of(before))
            after = await store.update(tx, user, change, version, self._clock.now())
        if after is None:
            raise Stale("someone else changed this account; read it again")
        if not after.active:
            async with self._db.directory() as tx:
                await credential_store.revoke_user(tx, user, self._clock.now())
        return after

    async def invite(self, principal: Principal, *, user: UserId) -> Invitation:
        """Return a new code by which the person sets a password; it opens a locked account too."""
        account = await self.get(principal, user=user)
        if not account.active:
            raise Conflict("the account is not active; activate it first")
        return await self._invitations.issue(account.id, by=principal.user_id)


def _found(account: Account | None) -> Account:
    if account is None:
        raise NotFound("there is no such account")
    return account


def _people_of(account: Account) -> dict[str, UUID | None]:
    return {"staff_id": account.staff_id, "guardian_id": account.guardian_id, "student_id": account.student_id}


def _gives_up_managing(change: AccountChange) -> bool:
    return change.roles is not None and Role.SCHOOL_ADMIN not in change.roles


def _require_school_roles(roles: frozenset[Role], people: dict[str, UUID | None]) -> None:
    """Raise ``InvalidInput`` for roles that a school can't give, or that lack the person they are about."""
    faults = [
        Fault("/roles", f"{role} is given by the platform, not by a school", "not_allowed")
        for role in sorted(roles & PLATFORM_ROLES)
    ] + [
        Fault("/roles", f"the role {role} needs the {role}'s record on the account", "missing")
        for role, name in _PERSON_OF.items()
        if role in roles and people.get(name) is None
    ]
    if not roles:
        faults.append(Fault("/roles", "give at least one role", "missing"))
    if faults:
        raise InvalidInput("these roles can't be given", faults)
