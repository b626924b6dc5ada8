"""The marks of the demo's open sheet, as its teacher would fill them in."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

import numpy as np

from core.ids import MarkSheetId, StudentId
from core.school.marks.model import ABSENT, Mark
from core.school.simulator.batches import Kind
from core.school.simulator.catalogue import COMPONENTS
from core.school.simulator.history import sheet_id
from core.school.simulator.identity import Identity
from core.school.simulator.users import demo_load


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSheet:
    """A sheet that waits for its workbook, and what is to be written into it."""

    id: MarkSheetId
    class_arm_name: str
    marks: Mapping[tuple[StudentId, str], Mark]
    """By student and component; what was not handed in is not there."""


def open_sheet(identity: Identity) -> OpenSheet:
    """Return the demo's open sheet in the current term."""
    school, load = identity.school, demo_load(identity)
    term = school.calendar.terms[school.calendar.current]
    year = school.years[-1]
    rows = np.flatnonzero(school.arms_of(year) == load.arm.number)
    marks = year.terms[term.number % 3].marks[rows, load.subject]
    students = [identity.ids.of(Kind.STUDENT, int(number)) for number in year.roll[rows]]
    return OpenSheet(
        id=MarkSheetId(sheet_id(identity, term, school.staffroom.loads.index(load))),
        class_arm_name=load.arm.full_name,
        marks=_filled(students, marks.tolist()),
    )


def _filled(students: list[UUID], marks: list[list[int]]) -> dict[tuple[StudentId, str], Mark]:
    filled: dict[tuple[StudentId, str], Mark] = {}
    for student, row in zip(students, marks, strict=True):
        for component, value in zip(COMPONENTS, row, strict=True):
            if value >= 0:
                filled[StudentId(student), component.code] = Mark.scored(Decimal(value))
            elif component is COMPONENTS[-1]:
                filled[StudentId(student), component.code] = ABSENT
    return filled
