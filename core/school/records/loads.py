"""Use cases of who is taught what: teaching loads, enrolments, elective choices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic
from uuid import UUID

from typing_extensions import override

from core.access.principal import Principal, Scope
from core.clock import Clock
from core.errors import Conflict, Fault, InvalidInput, NotFound
from core.ids import ClassArmId, SessionId, StudentId, SubjectId
from core.ports import Database, Transaction
from core.school.model import ElectiveChoice, Enrolment, TeachingLoad
from core.school.records import links_store as store
from core.school.records import people_store
from core.school.records import table as sql
from core.school.records.family import Family
from core.school.records.table import Keys, Record, Table, Values, Where, where


class TeachingLoads(Family[TeachingLoad]):
    """Who teaches what to which arm. Once there are marks, only the teacher and the periods can change."""

    table = store.LOADS
    references: ClassVar[Mapping[str, str]] = {
        "session_id": "academic_sessions",
        "class_arm_id": "class_arms",
        "subject_id": "subjects",
        "staff_id": "staff",
    }

    @override
    async def _check(self, tx: Transaction, values: Values, before: TeachingLoad | None) -> None:
        turns = before is not None and values.get("elective", before.elective) != before.elective
        if before and turns and await store.load_has_marks(tx, before):
            raise Conflict("there are marks for this subject and arm; it can't become or cease to be an elective")

    @override
    async def remove(self, principal: Principal, record_id: UUID) -> None:
        """Remove a load. Raises ``Conflict`` where there are marks for it."""
        principal.require(Scope.RECORDS_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            if await store.load_has_marks(tx, await self._found(tx, record_id)):
                raise Conflict("there are marks for this subject and arm; change the load's teacher instead")
            await self._delete(tx, record_id)


class _OwnLists(Generic[Record]):
    """Records about students that are listed, not read one by one; guardians and students see their own."""

    table: Table[Record]

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def page(
        self, principal: Principal, *, after: Keys | None = None, limit: int = 50, **filters: object
    ) -> Sequence[Record]:
        """Return up to ``limit + 1`` of them that the caller may see, after the keys; a filter of None is none."""
        principal.require(Scope.RECORDS_READ, Scope.OWN_READ)
        conditions: list[Where] = [
            where(f"r.{column} = {{}}", value) for column, value in filters.items() if value is not None
        ]
        async with self._db.tenant(principal.school, read_only=True) as tx:
            if not principal.may(Scope.RECORDS_READ):
                conditions.append(where("r.student_id = ANY({})", await people_store.own_students(tx, principal)))
            return await sql.page(tx, self.table, conditions, after=after, limit=limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """What an enrolment did."""

    enrolled: int
    moved: int
    unchanged: int
    electives_dropped: int
    """Choices of subjects that the new arm does not offer."""


class Enrolments(_OwnLists[Enrolment]):
    """Who is in which arm in a session."""

    table = store.ENROLMENTS

    async def enrol(
        self, principal: Principal, session_id: SessionId, class_arm_id: ClassArmId, students: Sequence[StudentId]
    ) -> Enrolled:
        """Enrol students in an arm for a session; those who are in another arm are moved."""
        principal.require(Scope.RECORDS_WRITE)
        asked = list(dict.fromkeys(students))
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            ends = {"session": ("academic_sessions", session_id), "class arm": ("class_arms", class_arm_id)}
            for missing in await sql.missing_references(tx, ends):
                raise NotFound(f"there is no such {missing}")
            if await store.unknown_students(tx, asked):
                raise NotFound("there is no such student; nobody was enrolled")
            new, moved = await store.enrol(tx, principal.school, session_id, class_arm_id, asked)
            dropped = await store.drop_foreign_electives(tx, session_id, asked) if moved else 0
        return Enrolled(enrolled=new, moved=moved, unchanged=len(asked) - new - moved, electives_dropped=dropped)

    async def remove(self, principal: Principal, session_id: SessionId, student_id: StudentId) -> None:
        """Take a student out of a session. Raises ``Conflict`` where there are marks in it."""
        principal.require(Scope.RECORDS_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            if await store.has_marks(tx, session_id, student_id):
                raise Conflict("the student has marks in this session; move the student to another arm instead")
            if not await store.delete_enrolment(tx, session_id, student_id):
                raise NotFound("there is no such enrolment")


class Electives(_OwnLists[ElectiveChoice]):
    """Who takes which elective subject in a session."""

    table = store.ELECTIVES

    async def choose(
        self, principal: Principal, session_id: SessionId, student_id: StudentId, subjects: Sequence[SubjectId]
    ) -> Sequence[ElectiveChoice]:
        """Make these a student's choices, and no others. Raises ``InvalidInput`` for what the arm does not offer."""
        principal.require(Scope.RECORDS_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            enrolment = await sql.get(
                tx,
                store.ENROLMENTS,
                where("r.session_id = {} AND r.student_id = {}", session_id, student_id),
            )
            if enrolment is None:
                raise NotFound("there is no such enrolment")
            check_choices(subjects, await store.electives_offered(tx, session_id, enrolment.class_arm_id))
            await store.replace_electives(tx, principal.school, session_id, student_id, list(dict.fromkeys(subjects)))
            conditions = [where("r.session_id = {} AND r.student_id = {}", session_id, student_id)]
            return await sql.page(tx, self.table, conditions, after=None, limit=len(subjects))


def check_choices(subjects: Sequence[SubjectId], offered: frozenset[SubjectId]) -> None:
    """Raise ``InvalidInput`` with a fault for each subject that is not offered."""
    faults = [
        Fault(f"/subjectIds/{place}", "this is no elective of the student's arm in this session", "unknown")
        for place, subject in enumerate(subjects)
        if subject not in offered
    ]
    if faults:
        raise InvalidInput(faults[0].what, faults)
