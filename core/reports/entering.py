"""Entering what cards hold beside marks: ratings and remarks, of one student or of a class at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.access.principal import Principal, Role, Scope
from core.clock import Clock
from core.errors import Fault, InvalidInput, NotFound, NotPermitted, Stale
from core.ids import ClassArmId, StudentId, SubjectId, TermId
from core.ports import Database, Transaction
from core.reports import entry_store as store
from core.reports import record_store, rights
from core.reports.comments import LONGEST, RemarkKind, Warned, check, fill
from core.reports.entry_store import Rated, Remark
from core.reports.ratings import require_valid
from core.reports.records import StudentRecord
from core.school.report_policies import ReportPolicy
from core.telemetry import get_logger

log = get_logger("reports")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRating:
    """A student's ratings as they shall be."""

    student_id: StudentId
    scores: Mapping[str, int]
    version: int | None
    """The version they were made from, 0 for none; None where it does not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRemark:
    """A remark as it shall be; its placeholders are filled in when it is kept."""

    student_id: StudentId
    text: str
    version: int | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A remark that was kept, and where it may be wrong."""

    remark: Remark
    warned: tuple[Warned, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassEntries:
    """What is entered for a class in a term, with its traits."""

    students: tuple[StudentRecord, ...]
    ratings: Mapping[StudentId, Rated]
    remarks: Mapping[StudentId, Sequence[Remark]]
    rules: ReportPolicy


class Entering:
    """Reads and writes ratings and remarks."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def of_class(self, principal: Principal, *, term_id: TermId, class_arm_id: ClassArmId) -> ClassEntries:
        """Return ratings and remarks of a class: to leaders and its class teacher. Raises ``NotFound``."""
        principal.require(Scope.REPORTS_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            await rights.require_term(tx, term_id)
            await rights.require_arm(tx, principal, class_arm_id)
            students = await record_store.students_in(tx, term_id, [class_arm_id])
            everyone = [student.id for student in students]
            ratings = {each.student_id: each for each in await store.ratings_of(tx, term_id, everyone)}
            remarks: dict[StudentId, list[Remark]] = {}
            for remark in await store.remarks_of(tx, term_id, everyone):
                remarks.setdefault(remark.student_id, []).append(remark)
            rules = await record_store.rules_of(tx, class_arm_id)
        return ClassEntries(students=tuple(students), ratings=ratings, remarks=remarks, rules=rules)

    async def ratings_of(self, principal: Principal, *, term_id: TermId, student_id: StudentId) -> Rated:
        """Return a student's ratings: to leaders and the class teacher; version 0 where there are none yet."""
        principal.require(Scope.REPORTS_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            own = await rights.class_of(tx, term_id, student_id)
            rights.require_class(principal, own["class_teacher_id"])
            found = await store.ratings_of(tx, term_id, [student_id])
        return found[0] if found else Rated(student_id=student_id, scores={}, version=0)

    async def rate(
        self, principal: Principal, *, term_id: TermId, class_arm_id: ClassArmId, ratings: Sequence[NewRating]
    ) -> Sequence[Rated]:
        """Write ratings of students of one class, all or none: by its class teacher or leaders.

        Raises ``NotFound``, ``NotPermitted``, ``InvalidInput``, ``Conflict`` for a closed term, and ``Stale`` where
        somebody else rated one of them since.
        """
        principal.require(Scope.REPORTS_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await rights.require_term(tx, term_id, to_write=True)
            await rights.require_arm(tx, principal, class_arm_id)
            await _classmates(tx, term_id, class_arm_id, [each.student_id for each in ratings])
            rules = await record_store.rules_of(tx, class_arm_id)
            for place, each in enumerate(ratings):
                require_valid(each.scores, rules, f"/ratings/{place}/scores")
            given = [(each.student_id, each.scores, each.version) for each in ratings]
            written = await store.rate(tx, principal.school, term_id, given, self._clock.now())
            _require_all([each.student_id for each in ratings], [each.student_id for each in written], "ratings")
        log.info("ratings_written", class_arm_id=str(class_arm_id), students=len(written))
        return written

    async def remark_of(
        self,
        principal: Principal,
        *,
        term_id: TermId,
        student_id: StudentId,
        about: tuple[RemarkKind, SubjectId | None],
    ) -> Remark | None:
        """Return one remark about a student, to those who may write it; None where there is none yet."""
        principal.require(Scope.REPORTS_READ)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            own = await rights.class_of(tx, term_id, student_id)
            await _require_author(tx, principal, term_id, own["class_arm_id"], about)
            remarks = await store.remarks_of(tx, term_id, [student_id])
        return next((each for each in remarks if (each.kind, each.subject_id) == about), None)

    async def remark(
        self,
        principal: Principal,
        *,
        term_id: TermId,
        class_arm_id: ClassArmId,
        about: tuple[RemarkKind, SubjectId | None],
        remarks: Sequence[NewRemark],
    ) -> Sequence[Kept]:
        """Write remarks of one kind about students of one class, all or none, and return where they may be wrong.

        The class teacher's are written by the class teacher, the principal's by the principal, a subject's by who
        teaches it there; leaders write them all. Raises as ``rate`` does.
        """
        principal.require(Scope.REPORTS_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id) as tx:
            await rights.require_term(tx, term_id, to_write=True)
            await _require_author(tx, principal, term_id, class_arm_id, about)
            mates = await _classmates(tx, term_id, class_arm_id, [each.student_id for each in remarks])
            filled = [
                (each.student_id, _filled(each, mates, place), each.version) for place, each in enumerate(remarks)
            ]
            written = await store.write_remarks(
                tx, principal.school, term_id, about=about, remarks=filled, at=self._clock.now()
            )
            _require_all([each.student_id for each in remarks], [each.student_id for each in written], "remark")
        log.info("remarks_written", kind=about[0].value, class_arm_id=str(class_arm_id), students=len(written))
        everyone = list(mates.values())
        return [Kept(each, tuple(check(each.text, mates[each.student_id], everyone))) for each in written]

    async def arm_of(self, principal: Principal, *, term_id: TermId, student_id: StudentId) -> ClassArmId:
        """Return the class of a student in a term. Raises ``NotFound``."""
        principal.require(Scope.REPORTS_READ, Scope.REPORTS_WRITE)
        async with self._db.tenant(principal.school, actor=principal.user_id, read_only=True) as tx:
            return ClassArmId((await rights.class_of(tx, term_id, student_id))["class_arm_id"])


async def _require_author(
    tx: Transaction,
    principal: Principal,
    term_id: TermId,
    class_arm_id: ClassArmId,
    about: tuple[RemarkKind, SubjectId | None],
) -> None:
    kind, subject_id = about
    if kind is RemarkKind.SUBJECT and subject_id is not None:
        await rights.require_teaching(tx, principal, term_id, class_arm_id, subject_id)
    elif kind is RemarkKind.CLASS_TEACHER:
        await rights.require_arm(tx, principal, class_arm_id)
    elif not principal.has_role(Role.PRINCIPAL, Role.SCHOOL_ADMIN):
        raise NotPermitted("this remark is the principal's")


async def _classmates(
    tx: Transaction, term_id: TermId, class_arm_id: ClassArmId, students: Sequence[StudentId]
) -> Mapping[StudentId, StudentRecord]:
    """Return everyone in a class. Raises ``NotFound`` for one outside it, ``InvalidInput`` for one twice."""
    mates = {student.id: student for student in await record_store.students_in(tx, term_id, [class_arm_id])}
    if any(student not in mates for student in students):
        raise NotFound("there is no such student in this class and term")
    twice = sorted({place for place, student in enumerate(students) if students.index(student) != place})
    if twice:
        what = "each student may stand once"
        raise InvalidInput(what, [Fault(f"/{place}/studentId", what, "duplicate") for place in twice])
    return mates


def _filled(new: NewRemark, mates: Mapping[StudentId, StudentRecord], place: int) -> str:
    text = fill(new.text.strip(), mates[new.student_id])
    if len(text) > LONGEST:
        what = f"a remark has at most {LONGEST} characters, this one {len(text)}"
        raise InvalidInput(what, [Fault(f"/remarks/{place}/text", what, "too_long")])
    return text


def _require_all(asked: Sequence[StudentId], written: Sequence[StudentId], what: str) -> None:
    if len(written) < len(asked):
        left = len(asked) - len(written)
        raise Stale(f"the {what} of {left} of {len(asked)} students changed since it was read; read it again")
