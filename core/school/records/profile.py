"""Use cases of the school's own profile."""

from zoneinfo import available_timezones

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import NotFound, Stale
from core.ports import Database, Transaction
from core.school.model import School
from core.school.records import table as sql
from core.school.records.profile_store import SCHOOLS
from core.school.records.table import Values
from core.school.records.values import cleaned, refuse


class SchoolProfile:
    """The caller's own school. Everyone of it may read the profile, its admins change it."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def get(self, principal: Principal) -> School:
        """Return the caller's school."""
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return await _found(tx)

    async def change(self, principal: Principal, version: int, changes: Values) -> School:
        """Change what is given. Raises ``Stale`` where it has changed since the version was read."""
        principal.require(Scope.RECORDS_WRITE)
        kept = cleaned(changes)
        if kept.get("time_zone", "UTC") not in available_timezones():
            raise refuse("time_zone", "this is no time zone; write it like Africa/Lagos", "unknown")
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await _found(tx)
            if not await sql.change(tx, SCHOOLS.name, principal.school, version, kept):
                raise Stale("someone else changed the school's profile since you read it; read it again")
            return await _found(tx)


async def _found(tx: Transaction) -> School:
    school = await sql.get(tx, SCHOOLS)
    if school is None:
        raise NotFound("there is no such school")
    return school
