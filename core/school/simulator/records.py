"""The simulated school as rows: the records that hold for all three sessions."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from core.school.defaults import DEFAULT_POLICIES
from core.school.policies import as_body
from core.school.simulator.batches import Batch, Kind, batch
from core.school.simulator.catalogue import DEPARTMENTS, LEVELS, SUBJECTS
from core.school.simulator.identity import Identity
from core.school.simulator.terms import SESSIONS


def record_batches(identity: Identity) -> Iterator[Batch]:
    """Yield the records in an order that every reference allows; accounts come after them."""
    yield _school(identity)
    yield _sessions(identity)
    yield _terms(identity)
    yield _staff(identity)
    yield from _subjects(identity)
    yield from _classes(identity)
    yield _students(identity)
    yield from _guardians(identity)
    yield from _enrolments(identity)
    yield _policies(identity)


def _school(identity: Identity) -> Batch:
    name, address = identity.school_name_and_address()
    row = (identity.code, name, address, identity.school_phone(), f"office@{identity.code}.example")
    return batch("schools", "code name address phone email", [row])


def _sessions(identity: Identity) -> Batch:
    calendar = identity.school.calendar
    rows = []
    for number in range(SESSIONS):
        first, last = calendar.terms[number * 3], calendar.terms[number * 3 + 2]
        rows.append(
            (identity.ids.of(Kind.SESSION, number), calendar.session_name(number), first.starts_on, last.ends_on)
        )
    return batch("academic_sessions", "id name starts_on ends_on", rows)


def _terms(identity: Identity) -> Batch:
    ids, calendar = identity.ids, identity.school.calendar
    rows = [
        (
            ids.of(Kind.TERM, term.number),
            ids.of(Kind.SESSION, term.session),
            term.number_in_session,
            term.name,
            term.starts_on,
            term.ends_on,
            _closed_at(term.ends_on) if term.number < calendar.current else None,
        )
        for term in calendar.terms
    ]
    return batch("terms", "id session_id number name starts_on ends_on closed_at", rows)


def _closed_at(ends_on: date) -> datetime:
    return datetime.combine(ends_on + timedelta(days=7), time(12), UTC)


def _staff(identity: Identity) -> Batch:
    rows = [
        (
            identity.ids.of(Kind.STAFF, each.number),
            identity.staff_no(each),
            each.title,
            each.family,
            each.given,
            identity.staff_email(each),
            identity.staff_phone(each),
        )
        for each in identity.school.staffroom.staff
    ]
    return batch("staff", "id staff_no title family_name given_names email phone", rows)


def _subjects(identity: Identity) -> Iterator[Batch]:
    ids, heads = identity.ids, identity.school.staffroom.heads
    departments = [
        (ids.of(Kind.DEPARTMENT, number), name, ids.of(Kind.STAFF, heads[number]))
        for number, name in enumerate(DEPARTMENTS)
    ]
    yield batch("departments", "id name head_id", departments)
    subjects = [
        (
            ids.of(Kind.SUBJECT, number),
            each.code,
            each.name,
            ids.of(Kind.DEPARTMENT, DEPARTMENTS.index(each.department)),
        )
        for number, each in enumerate(SUBJECTS)
    ]
    yield batch("subjects", "id code name department_id", subjects)


def _classes(identity: Identity) -> Iterator[Batch]:
    ids, room = identity.ids, identity.school.staffroom
    levels = [(ids.of(Kind.LEVEL, rank), name, name[:3], rank + 1) for rank, name in enumerate(LEVELS)]
    yield batch("levels", "id name stage rank", levels)
    arms = [
        (ids.of(Kind.ARM, arm.number), ids.of(Kind.LEVEL, arm.level), arm.name, ids.of(Kind.STAFF, teacher))
        for arm, teacher in zip(room.arms, room.class_teachers, strict=True)
    ]
    yield batch("class_arms", "id level_id name class_teacher_id", arms)
    loads = [
        (
            ids.of(Kind.LOAD, session * len(room.loads) + number),
            ids.of(Kind.SESSION, session),
            ids.of(Kind.ARM, load.arm.number),
            ids.of(Kind.SUBJECT, load.subject),
            ids.of(Kind.STAFF, load.teacher),
            load.periods,
            load.elective,
        )
        for session in range(SESSIONS)
        for number, load in enumerate(room.loads)
    ]
    yield batch("teaching_loads", "id session_id class_arm_id subject_id staff_id periods_per_week elective", loads)


def _students(identity: Identity) -> Batch:
    rows = [
        (identity.ids.of(Kind.STUDENT, s.number), student_no, s.family, s.given, s.gender, s.born, s.left_on)
        for s, student_no in zip(identity.school.town.students, identity.student_nos, strict=True)
    ]
    return batch("students", "id student_no family_name given_names gender date_of_birth left_on", rows)


def _guardians(identity: Identity) -> Iterator[Batch]:
    ids, town = identity.ids, identity.school.town
    guardians = [
        (
            ids.of(Kind.GUARDIAN, parent.number),
            parent.title,
            parent.family,
            parent.given,
            parent.language,
            identity.parent_phone(parent),
            identity.parent_email(parent),
            "{" + ",".join(parent.channel_order) + "}",
        )
        for parent in town.parents
    ]
    yield batch("guardians", "id title family_name given_names language phone email channel_order", guardians)
    homes = [
        (ids.of(Kind.GUARDIAN, parent.number), ids.of(Kind.STUDENT, child.number), parent.relationship,
         parent.receives_messages)
        for child in town.students for parent in child.home.parents
    ]  # fmt: skip
    yield batch("guardianships", "guardian_id student_id relationship receives_messages", homes)
    yield _consents(identity)


def _consents(identity: Identity) -> Batch:
    given = datetime.combine(identity.school.calendar.terms[0].starts_on, time(9), UTC)
    answers = [
        (parent.number, channel, granted)
        for parent in identity.school.town.parents
        for channel, granted in parent.consents
    ]
    rows = [
        (identity.ids.of(Kind.CONSENT, n), identity.ids.of(Kind.GUARDIAN, parent), channel, granted, "form", given)
        for n, (parent, channel, granted) in enumerate(answers)
    ]
    return batch("consents", "id guardian_id channel granted source recorded_at", rows)


def _enrolments(identity: Identity) -> Iterator[Batch]:
    ids, school = identity.ids, identity.school
    places = [
        (year.session, int(number), int(arm), school.town.students[int(number)].stream)
        for year in school.years
        for number, arm in zip(year.roll, school.arms_of(year), strict=True)
    ]
    enrolments = [
        (ids.of(Kind.SESSION, session), ids.of(Kind.STUDENT, student), ids.of(Kind.ARM, arm))
        for session, student, arm, _ in places
    ]
    yield batch("enrolments", "session_id student_id class_arm_id", enrolments)
    choices = [
        (ids.of(Kind.SESSION, session), ids.of(Kind.STUDENT, student), ids.of(Kind.SUBJECT, number))
        for session, student, arm, stream in places
        for number, subject in enumerate(SUBJECTS)
        if subject.is_elective(stage := school.staffroom.arms[arm].stage) and subject.is_taken(stage, stream)
    ]
    yield batch("elective_choices", "session_id student_id subject_id", choices)


def _policies(identity: Identity) -> Batch:
    rows = [
        (identity.ids.of(Kind.POLICY, number), kind.value, stage or "", 1, name, as_body(body))
        for number, (kind, stage, name, body) in enumerate(DEFAULT_POLICIES)
    ]
    return batch("policies", "id kind stage version name body", rows)
