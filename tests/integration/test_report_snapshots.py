"""Cards are worked out from the records, finalised once, and stay as they were."""

import asyncio
import hashlib
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.errors import Broken, NotFound, NotPermitted
from core.ids import SessionId, StudentId, TermId
from core.reports.card import Card, NotScored
from core.reports.comments import RemarkKind
from core.reports.entering import Entering, NewRating, NewRemark
from core.reports.snapshots import Finalised, Snapshots
from core.school.model import PolicyKind
from tests.factories.report_records import call_registers, give_marks, settle
from tests.factories.school import MadeSchool, make_school

FULL = {
    0: ((9, 8, 17, 52), (7, 6, 12, 40), (7, 6, 12, 40)),
    1: ((8, 8, 15, 45), (9, 9, 18, 55), (5, 4, 10, 33)),
}
"""Marks of three students in Mathematics and English: 86, 65, 65 and 76, 91, 52."""


def number(figure: Decimal | None) -> float | None:
    """Return a figure as a plain number."""
    return None if figure is None else float(figure)


async def marked_school(db: PostgresDatabase, *, terms: int = 1, arms: int = 1) -> MadeSchool:
    """Return a school whose first arm has all marks of its first terms."""
    school = await make_school(db, arms=arms)
    for term in range(terms):
        marks = {subject: dict(zip(school.students, given, strict=False)) for subject, given in FULL.items()}
        await give_marks(db, school, marks, term=term)
    return school


async def finalise(
    db: PostgresDatabase, school: MadeSchool, students: tuple[StudentId, ...] | None = None, term: int = 0
) -> Finalised:
    """Finalise cards of a school as its principal."""
    return await Snapshots(db, FakeClock()).finalise(
        school.as_(Role.PRINCIPAL),
        student_ids=students or school.students[:3],
        session_id=school.session,
        term_id=school.terms[term],
    )


async def cards_of(db: PostgresDatabase, school: MadeSchool, finalised: Finalised) -> list[Card]:
    """Return the cards of what was finalised."""
    async with db.tenant(school.id, read_only=True) as tx:
        return await Snapshots(db, FakeClock()).load(tx, [each.id for each in finalised.snapshots])


async def test_a_card_holds_what_the_records_say(db: PostgresDatabase) -> None:
    """Totals, grades, shared positions, averages, attendance, remarks, ratings and the next term are the records'."""
    school = await marked_school(db)
    ada, bola, chi = school.students
    day = {ada: "present", bola: "absent", chi: "late"}
    await call_registers(db, school, school.arms[0], {date(2027, 9, 14): day, date(2027, 9, 15): day})
    entering, teacher = Entering(db, FakeClock()), school.as_(Role.CLASS_TEACHER)
    where: dict[str, Any] = {"term_id": school.terms[0], "class_arm_id": school.arms[0]}
    await entering.rate(teacher, **where, ratings=[NewRating(student_id=bola, scores={"Honesty": 4}, version=0)])
    await entering.remark(
        teacher,
        **where,
        about=(RemarkKind.CLASS_TEACHER, None),
        remarks=[NewRemark(student_id=bola, text="{first_name} works well; {he_she} may go on so.", version=0)],
    )
    first, second, third = await cards_of(db, school, await finalise(db, school))
    assert [line.name for line in second.subjects] == ["English Language", "Mathematics"]
    english, maths = second.subjects
    assert (number(maths.total), maths.grade, maths.position, maths.position_shared) == (65, "B", 2, True)
    assert [number(each) for each in (maths.class_average, maths.highest, maths.lowest)] == [72, 86, 65]
    assert maths.subject_class_size == 3
    assert english.position == 1
    assert english.assessments == {"Assignment": 9, "Note": 9, "CA": 18, "Exam": 55}
    averages = [card.overall_average for card in (first, second, third)]
    assert averages == [81, 78, Decimal("58.5")]
    assert [card.class_position for card in (first, second, third)] == [1, 2, 3]
    assert (second.attendance.days_present, second.attendance.total_days) == (0, 2) if second.attendance else False
    assert third.attendance
    assert third.attendance.days_present == 2
    gender = second.student.gender
    assert second.class_teacher_remark == f"Tọ́lá works well; {'he' if gender == 'Male' else 'she'} may go on so."
    assert next(each.score for each in second.ratings if each.name == "Honesty") == 4
    assert second.next_term_begins == date(2028, 1, 10)
    assert second.policy
    assert second.policy.name == "JSS letters A-F"
    assert second.snapshot_hash == hashlib.sha256(second.content().encode()).hexdigest()
    assert (second.class_teacher, second.total_in_class) == ("Class Teacher Adé", 3)
    assert second.cumulative is None


async def test_positions_are_those_of_the_whole_class(db: PostgresDatabase) -> None:
    """One student's card alone has the same content as among all."""
    school = await marked_school(db)
    alone = await finalise(db, school, school.students[1:2])
    together = await finalise(db, school)
    assert together.snapshots[1] == alone.snapshots[0]
    assert together.reused == {alone.snapshots[0].id}


async def test_unchanged_data_keeps_serial_and_hash(db: PostgresDatabase) -> None:
    """Finalising again without a change adds nothing; a changed mark adds versions and leaves the old as they were."""
    school = await marked_school(db)
    once, again = await finalise(db, school), await finalise(db, school)
    assert once.snapshots == again.snapshots
    assert len(again.reused) == 3
    old = await cards_of(db, school, once)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE marks SET value = 60 WHERE student_id = $1 AND component = 'exam'", school.students[0])
    await settle(db, school, PolicyKind.REPORT, ties="dense")
    later = await finalise(db, school)
    assert [each.version for each in later.snapshots] == [2, 2, 2]
    assert not {each.serial for each in later.snapshots} & {each.serial for each in once.snapshots}
    assert await cards_of(db, school, once) == old
    assert (await cards_of(db, school, later))[0].subjects[1].total == Decimal(94)


async def test_finalising_twice_at_once_makes_one_card(db: PostgresDatabase) -> None:
    """Two who finalise the same students at the same moment get the same snapshots."""
    school = await marked_school(db)
    one, other = await asyncio.gather(finalise(db, school), finalise(db, school))
    assert one.snapshots == other.snapshots
    assert sorted((len(one.reused), len(other.reused))) == [0, 3]


async def test_a_finalised_card_can_not_be_changed(db: PostgresDatabase) -> None:
    """The application's role may neither change nor remove a snapshot, and content off its hash is refused."""
    school = await marked_school(db)
    await finalise(db, school)
    for statement in ("UPDATE report_snapshots SET content = '{}'", "DELETE FROM report_snapshots"):
        with pytest.raises(Broken):
            async with db.tenant(school.id) as tx:
                await tx.execute(statement)
    with pytest.raises(Exception, match="check constraint"):
        async with db.tenant(school.id) as tx:
            await tx.execute(
                "INSERT INTO report_snapshots (school_id, id, term_id, student_id, class_arm_id, version, serial,"
                " content, content_hash, taken_at) SELECT school_id, gen_random_uuid(), term_id, student_id,"
                " class_arm_id, 9, '0000-0000-0001', '{}', content_hash, now() FROM report_snapshots LIMIT 1"
            )


async def test_blocked_cards_are_left_out_and_said_why(db: PostgresDatabase) -> None:
    """A student with a missing mark has no card, the others have; absence is no missing mark."""
    school = await make_school(db)
    ada, bola, chi = school.students
    await give_marks(
        db,
        school,
        {0: {ada: (9, 8, 17, 52), bola: (9, 8, 17, None), chi: ("A", "A", "A", "A")},
         1: {ada: (9, 8, 17, 52), bola: (9, 8, 17, 40), chi: (9, 8, 17, "A")}},
    )  # fmt: skip
    done = await finalise(db, school)
    assert [each.student_id for each in done.snapshots] == [ada, chi]
    assert {(lack.student_id, lack.sentence) for lack in done.blocked} == {
        (bola, "Mathematics: 1 of 4 marks is missing.")
    }
    _, card = await cards_of(db, school, done)
    english, maths = card.subjects
    assert (maths.absent, maths.missing, maths.grade, maths.position) == (True, False, None, None)
    assert number(english.total) == 34
    assert english.not_scored == {"Exam": NotScored.ABSENT}
    assert (number(card.overall_average), card.class_position, card.ranked_in_class) == (34, 2, 2)


async def test_the_third_term_sums_up_the_session(db: PostgresDatabase) -> None:
    """The third term's card has the three terms, their weighted mean, and what the promotion rule says."""
    school = await marked_school(db, terms=3)
    async with db.tenant(school.id) as tx:
        await tx.execute(
            "UPDATE marks m SET value = value / 2 FROM mark_sheets s WHERE s.id = m.sheet_id AND s.term_id = $1",
            school.terms[0],
        )
    await settle(db, school, PolicyKind.REPORT, termWeights=[1, 1, 2], promotion={"minimumAverage": 60})
    first, _, third = await cards_of(db, school, await finalise(db, school, term=2))
    assert first.cumulative
    assert [point.score for point in first.cumulative.terms] == [Decimal("40.5"), 81, 81]
    assert first.cumulative.average == Decimal("70.88")
    assert (first.cumulative.promotion, first.cumulative.sentence) == ("promoted", "Has completed JSS 2.")
    assert third.cumulative
    assert third.cumulative.promotion == "repeat"
    assert third.cumulative.sentence == "To repeat JSS 2: the cumulative average 51.19 is below 60."
    assert [point.score for point in first.subjects[1].terms] == [43, 86, 86]
    assert [point.average for point in first.trend] == [Decimal("40.5"), 81, 81]


async def test_electives_count_for_those_who_take_them(db: PostgresDatabase) -> None:
    """An elective stands on the card of who chose it, and on no other."""
    school = await marked_school(db)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE teaching_loads SET elective = true WHERE subject_id = $1", school.subjects[1])
        await tx.execute(
            "INSERT INTO elective_choices (school_id, session_id, student_id, subject_id) VALUES ($1, $2, $3, $4)",
            school.id,
            school.session,
            school.students[2],
            school.subjects[1],
        )
    first, _, third = await cards_of(db, school, await finalise(db, school))
    assert [line.name for line in first.subjects] == ["Mathematics"]
    assert first.overall_average == 86
    assert [(line.name, line.subject_class_size) for line in third.subjects] == [
        ("English Language", 1),
        ("Mathematics", 3),
    ]


async def test_only_leaders_finalise_and_only_their_own(db: PostgresDatabase) -> None:
    """Teachers may not finalise; another school's students, terms and sessions are not there."""
    school, other = await marked_school(db), await marked_school(db)
    snapshots = Snapshots(db, FakeClock())
    right: dict[str, Any] = {"student_ids": school.students, "session_id": school.session, "term_id": school.terms[0]}
    for role in (Role.CLASS_TEACHER, Role.HEAD_OF_DEPARTMENT, Role.GUARDIAN, Role.BURSAR):
        with pytest.raises(NotPermitted):
            await snapshots.finalise(school.as_(role), **right)
    for wrong in (
        {"student_ids": (*school.students, other.students[0])},
        {"term_id": TermId(other.terms[0])},
        {"session_id": SessionId(other.session)},
    ):
        with pytest.raises(NotFound):
            await snapshots.finalise(school.as_(Role.PRINCIPAL), **(right | wrong))
    theirs = await finalise(db, other)
    async with db.tenant(school.id) as tx:
        with pytest.raises(NotFound):
            await snapshots.load(tx, [theirs.snapshots[0].id])
