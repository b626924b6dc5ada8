"""Use cases of guardianships: who stands for whom."""

from collections.abc import Sequence

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import NotFound
from core.ids import GuardianId, StudentId
from core.ports import Database, Transaction
from core.school.model import Guardianship
from core.school.records import links_store as store
from core.school.records import table as sql
from core.school.records.table import Keys, Values, Where, where
from core.school.records.values import cleaned


class Guardianships:
    """The ties between guardians and students. Guardians see their own, students their own."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def page(
        self,
        principal: Principal,
        *,
        student_id: StudentId | None = None,
        guardian_id: GuardianId | None = None,
        after: Keys | None = None,
        limit: int = 50,
    ) -> Sequence[Guardianship]:
        """Return up to ``limit + 1`` guardianships that the caller may see, after the keys."""
        principal.require(Scope.RECORDS_READ, Scope.OWN_READ)
        conditions = list(_own(principal))
        if student_id:
            conditions.append(where("r.student_id = {}", student_id))
        if guardian_id:
            conditions.append(where("r.guardian_id = {}", guardian_id))
        async with self._db.tenant(principal.school, read_only=True) as tx:
            return await sql.page(tx, store.GUARDIANSHIPS, conditions, after=after, limit=limit)

    async def put(
        self, principal: Principal, guardian_id: GuardianId, student_id: StudentId, values: Values
    ) -> Guardianship:
        """Make a guardian stand for a student, or change how."""
        principal.require(Scope.RECORDS_WRITE)
        link = Guardianship(guardian_id=guardian_id, student_id=student_id, **cleaned(values))
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await _require_ends(tx, guardian_id, student_id)
            await store.put_guardianship(tx, principal.school, link)
        return link

    async def remove(self, principal: Principal, guardian_id: GuardianId, student_id: StudentId) -> None:
        """End a guardianship. Raises ``NotFound`` where there is none."""
        principal.require(Scope.RECORDS_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            if not await store.delete_guardianship(tx, guardian_id, student_id):
                raise NotFound("there is no such guardianship")


def _own(principal: Principal) -> Sequence[Where]:
    if principal.may(Scope.RECORDS_READ):
        return ()
    return [where("(r.guardian_id = {} OR r.student_id = {})", principal.guardian_id, principal.student_id)]


async def _require_ends(tx: Transaction, guardian_id: GuardianId, student_id: StudentId) -> None:
    ends = {"guardian": ("guardians", guardian_id), "student": ("students", student_id)}
    for missing in await sql.missing_references(tx, ends):
        raise NotFound(f"there is no such {missing}")
