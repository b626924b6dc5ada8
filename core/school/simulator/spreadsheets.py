"""A simulated school as the workbook that a real one would send in: its present session, ready to be imported."""

import io
from collections.abc import Iterable, Iterator
from datetime import date

from openpyxl import Workbook

from core.school.importing.columns import (
    CLASSES,
    GUARDIANS,
    LOADS,
    SESSIONS,
    STAFF,
    STUDENTS,
    SUBJECTS,
    SheetKind,
)
from core.school.simulator import catalogue
from core.school.simulator.identity import Identity
from core.school.simulator.staffroom import Load

Row = tuple[str | int | date | None, ...]

_LANGUAGES = {"en": "English", "yo": "Yoruba", "ha": "Hausa", "ig": "Igbo", "pcm": "Pidgin"}


def import_workbook(identity: Identity) -> bytes:
    """Return the school's people, classes and loads of the current session; no marks, no history."""
    book = Workbook(write_only=True)
    for kind, rows in _sheets(identity):
        page = book.create_sheet(kind.name)
        page.append([column.header for column in kind.columns])
        for row in rows:
            page.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _sheets(identity: Identity) -> Iterator[tuple[SheetKind, Iterable[Row]]]:
    yield SESSIONS, _sessions(identity)
    yield CLASSES, _classes(identity)
    yield SUBJECTS, [(each.code, each.name, each.department) for each in catalogue.SUBJECTS]
    yield STAFF, _staff(identity)
    yield STUDENTS, _students(identity)
    yield GUARDIANS, _guardians(identity)
    yield LOADS, _loads(identity)


def _session(identity: Identity) -> str:
    return identity.school.calendar.session_name(identity.school.years[-1].session)


def _sessions(identity: Identity) -> Iterator[Row]:
    for term in identity.school.calendar.terms[-3:]:
        yield _session(identity), str(term.number_in_session), term.starts_on, term.ends_on


def _classes(identity: Identity) -> Iterator[Row]:
    room = identity.school.staffroom
    for arm, teacher in zip(room.arms, room.class_teachers, strict=True):
        yield catalogue.LEVELS[arm.level], arm.name, identity.staff_no(room.staff[teacher])


def _staff(identity: Identity) -> Iterator[Row]:
    room = identity.school.staffroom
    for each in room.staff:
        heads = [name for name, head in zip(catalogue.DEPARTMENTS, room.heads, strict=True) if head == each.number]
        yield (
            identity.staff_no(each),
            each.title,
            each.family,
            each.given,
            identity.staff_email(each),
            identity.staff_phone(each),
            "; ".join(role.replace("_", " ") for role in sorted(each.roles)),
            "; ".join(heads),
        )


def _students(identity: Identity) -> Iterator[Row]:
    school, year = identity.school, identity.school.years[-1]
    for number, arm in sorted(zip(year.roll.tolist(), school.arms_of(year).tolist(), strict=True)):
        child = school.town.students[number]
        yield (
            identity.student_nos[number],
            child.family,
            child.given,
            child.gender,
            child.born,
            school.staffroom.arms[arm].full_name,
            _session(identity),
        )


def _guardians(identity: Identity) -> Iterator[Row]:
    town, children = identity.school.town, _children(identity)
    for parent in town.parents:
        if parent.number in children:
            consents = ["yes" if granted else "no" for _, granted in parent.consents]
            yield (
                parent.title,
                parent.family,
                parent.given,
                parent.relationship,
                "; ".join(children[parent.number]),
                identity.parent_phone(parent),
                identity.parent_email(parent),
                _LANGUAGES[parent.language],
                "; ".join(parent.channel_order),
                *consents,
            )


def _children(identity: Identity) -> dict[int, list[str]]:
    """Return the student numbers of each guardian's children on the roll."""
    children: dict[int, list[str]] = {}
    for number in sorted(identity.school.years[-1].roll.tolist()):
        for parent in identity.school.town.students[number].home.parents:
            children.setdefault(parent.number, []).append(identity.student_nos[number])
    return children


def _loads(identity: Identity) -> Iterator[Row]:
    room = identity.school.staffroom
    for load in room.loads:
        yield (
            _session(identity),
            load.arm.full_name,
            catalogue.SUBJECTS[load.subject].code,
            identity.staff_no(room.staff[load.teacher]),
            load.periods,
            "yes" if load.elective else "no",
            "; ".join(_takers(identity, load)) if load.elective else None,
        )


def _takers(identity: Identity, load: Load) -> Iterator[str]:
    school, year = identity.school, identity.school.years[-1]
    in_arm = school.arms_of(year) == load.arm.number
    for number in sorted(year.roll[in_arm & year.taken[:, load.subject]].tolist()):
        yield identity.student_nos[number]
