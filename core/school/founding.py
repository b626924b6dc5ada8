"""How a school comes to be: its row, its default policies, its first administrator and that one's invitation."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import available_timezones

from core.access import store as accounts
from core.access.invitations import Invitations
from core.access.model import Account, Invitation, NewAccount
from core.access.principal import Principal, Role, Scope
from core.clock import Clock
from core.errors import Fault, InvalidInput, NotFound
from core.ids import SchoolId, UserId, new_id
from core.ports import Database
from core.school import founding_store as store
from core.school.defaults import FOUNDING_POLICIES, insert_default_policies
from core.school.founding_store import SchoolEntry


@dataclass(frozen=True, slots=True)
class Founded:
    """A new school and the way in for its first administrator."""

    school: SchoolEntry
    admin: Account
    invitation: Invitation


class Founding:
    """The platform's use cases over schools; all ask for ``schools:manage``."""

    def __init__(self, db: Database, clock: Clock, invitations: Invitations) -> None:
        self._db = db
        self._clock = clock
        self._invitations = invitations

    async def found(
        self, principal: Principal, *, code: str, name: str, time_zone: str, admin_username: str, admin_name: str
    ) -> Founded:
        """Add a school. Raises ``Conflict`` where the code is taken."""
        principal.require(Scope.SCHOOLS_MANAGE)
        if time_zone not in available_timezones():
            fault = Fault("/timeZone", "name a zone of the IANA database, like Africa/Lagos", "unknown")
            raise InvalidInput("the time zone is not known", [fault])
        now = self._clock.now()
        school = SchoolEntry(SchoolId(new_id()), code, name, time_zone, now)
        new = NewAccount(
            id=UserId(new_id()),
            school_id=school.id,
            username=admin_username.casefold(),
            display_name=admin_name,
            roles=frozenset({Role.SCHOOL_ADMIN}),
        )
        async with self._db.tenant(school.id, actor=principal.user_id) as tx:
            await store.insert(tx, school)
            admin = await accounts.insert(tx, new, now)
            await insert_default_policies(tx, school.id, FOUNDING_POLICIES)
        return Founded(school, admin, await self._invitations.issue(admin.id, by=principal.user_id))

    async def list_page(self, principal: Principal, *, after: str | None, limit: int) -> Sequence[SchoolEntry]:
        """Return up to ``limit`` schools after a code."""
        principal.require(Scope.SCHOOLS_MANAGE)
        async with self._db.directory() as tx:
            return await store.list_page(tx, after=after, limit=limit)

    async def invite_admin(self, principal: Principal, *, school: SchoolId) -> tuple[Account, Invitation]:
        """Return a new code for a school's first active administrator, whose own was lost."""
        principal.require(Scope.SCHOOLS_MANAGE)
        async with self._db.tenant(school, actor=principal.user_id, read_only=True) as tx:
            admin = await accounts.first_admin(tx)
        if admin is None:
            raise NotFound("there is no such school, or it has no active administrator")
        return admin, await self._invitations.issue(admin.id, by=principal.user_id)
