"""The use cases of attendance."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from core.access.principal import Principal, Scope
from core.clock import Clock, local_date
from core.errors import InvalidInput, NotFound, NotPermitted, Stale
from core.events.outbox import emit
from core.events.types import AttendanceMarked
from core.ids import ClassArmId, StudentId, TermId
from core.ports import Database, Transaction
from core.school.attendance import rights, store
from core.school.attendance.model import (
    DayCount,
    Entry,
    Register,
    RegisterChange,
    RegisterHead,
    RegisterLine,
    Summary,
    news_of,
    require_whole,
)
from core.telemetry import get_logger

log = get_logger("attendance")


class Attendance:
    """Registers of classes and summaries of students."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def register(self, principal: Principal, *, class_arm_id: ClassArmId, day: date) -> Register:
        """Return the register of a class and day, with everyone enrolled; version 0 where it was not called yet."""
        principal.require(Scope.ATTENDANCE_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            head = await self._readable(tx, principal, class_arm_id, day)
            if head.term_id is None:
                raise InvalidInput(f"{day:%d/%m/%Y} is in no term of the school")
            return Register(head, _shown(principal, head, await store.lines_of(tx, head)))

    async def save(
        self, principal: Principal, *, class_arm_id: ClassArmId, day: date, version: int, entries: Sequence[Entry]
    ) -> Register:
        """Save the whole register from the version the caller saw, and tell guardians who is newly absent or late.

        What is saved already is not saved again. Raises ``NotFound``, ``NotPermitted``, ``InvalidInput``, ``Conflict``
        for a closed term and ``Stale``.
        """
        principal.require(Scope.ATTENDANCE_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            head = await self._found(tx, class_arm_id, day)
            rights.require_write(principal, head)
            rights.require_callable(head)
            register_id, current = await store.lock(tx, principal.school, head)
            if current != version:
                raise Stale(f"the register is at version {current} by now; read it again")
            await self._save(tx, principal, replace(head, id=register_id), current, entries)
            saved = await self._found(tx, class_arm_id, day)
            return Register(saved, tuple(await store.lines_of(tx, saved)))

    async def _save(
        self, tx: Transaction, principal: Principal, head: RegisterHead, version: int, entries: Sequence[Entry]
    ) -> None:
        lines = await store.lines_of(tx, head)
        require_whole([line.student_id for line in lines], entries)
        before = {line.student_id: Entry(line.student_id, line.status, line.note) for line in lines if line.recorded}
        if version and all(before.get(entry.student_id) == entry for entry in entries):
            return
        assert head.id is not None  # noqa: S101 - locked by the caller
        await store.save(tx, principal.school, head.id, entries, self._clock.now())
        news = news_of({student: entry.status for student, entry in before.items()}, entries)
        if news:
            payload = AttendanceMarked(
                class_arm_id=head.class_arm_id,
                class_arm_name=head.class_arm_name,
                date=head.day,
                absent_student_ids=news.absent,
                late_student_ids=news.late,
            )
            await emit(tx, school_id=principal.school, payload=payload, occurred_at=self._clock.now())
        log.info("register_saved", register_id=str(head.id), newly_absent=len(news.absent), newly_late=len(news.late))

    async def changes(
        self, principal: Principal, *, class_arm_id: ClassArmId, day: date, below: int | None, limit: int
    ) -> Sequence[RegisterChange]:
        """Return the corrections of a register, newest first."""
        principal.require(Scope.ATTENDANCE_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            head = await self._readable(tx, principal, class_arm_id, day)
            if head.id is None:
                return []
            return await store.changes_of(tx, head.id, below=below, limit=limit)

    async def registers(
        self, principal: Principal, *, class_arm_id: ClassArmId, since: date, before: date | None, limit: int
    ) -> Sequence[DayCount]:
        """Return the saved registers of a class in figures, newest first."""
        principal.require(Scope.ATTENDANCE_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            await self._readable(tx, principal, class_arm_id, self._clock.now().date())
            return await store.registers_of(tx, class_arm_id, since=since, before=before, limit=limit)

    async def day(self, principal: Principal, *, day: date) -> Sequence[DayCount]:
        """Return every class of the school on a day, whether its register was called or not. For leaders."""
        principal.require(Scope.ATTENDANCE_READ)
        if not rights.leads(principal):
            raise NotPermitted("the school's attendance is for its leaders; class teachers see their own registers")
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            return await store.day_counts(tx, day)

    async def of_student(self, principal: Principal, *, student_id: StudentId, term_id: TermId) -> Summary:
        """Return a student's term: to the student, the guardians, the teachers of the class and the leaders."""
        principal.require(Scope.OWN_READ, Scope.ATTENDANCE_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            row = await store.student_for(
                tx, student_id, term_id, guardian_id=principal.guardian_id, staff_id=principal.staff_id
            )
            is_own = row is not None and (row["is_ward"] or principal.student_id == student_id)
            if row is None or not (is_own or principal.may(Scope.ATTENDANCE_READ)):
                raise NotFound("there is no such student or term")
            if not (is_own or row["is_taught"] or rights.leads(principal)):
                raise NotPermitted("this student is in no class you teach")
            return await store.summary_of(tx, student_id, term_id)

    async def _found(self, tx: Transaction, class_arm_id: ClassArmId, day: date) -> RegisterHead:
        found = await store.head_of(tx, class_arm_id, day)
        if found is None:
            raise NotFound("there is no such class")
        head, time_zone = found
        return replace(head, today=local_date(self._clock.now(), time_zone))

    async def _readable(
        self, tx: Transaction, principal: Principal, class_arm_id: ClassArmId, day: date
    ) -> RegisterHead:
        head = await self._found(tx, class_arm_id, day)
        teaches = await store.teaches(tx, principal.staff_id, head.session_id, class_arm_id)
        rights.require_read(principal, head, teaches=teaches)
        return head


def _shown(principal: Principal, head: RegisterHead, lines: Sequence[RegisterLine]) -> tuple[RegisterLine, ...]:
    # What a family tells of an illness is for those who answer for the class, not for everyone who teaches it.
    if rights.leads(principal) or rights.has_class(principal, head):
        return tuple(lines)
    return tuple(replace(line, reason=None) for line in lines)
