"""The form of a class sheet: what stands where. Writing and reading share it."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from core.school.marks.model import SheetHead
from core.school.policies import Component
from core.school.workbook_package import Limits

MARKS = "Marks"
"""The sheet people see."""
STAMP = "_sheet"
"""The hidden one that says which mark sheet this is."""
FORMAT = "schoolos-marks-1"
HEADER_ROW = 6
FIRST_ROW = HEADER_ROW + 1
NUMBER, STUDENT_NO, NAME = "No.", "Student number", "Name"
FIRST_COMPONENT = 4
"""Column D: after the running number, the student number and the name."""
CLEAR = "-"
"""Typed to remove a mark; an empty cell changes nothing."""
LIMITS = Limits(unpacked_bytes=16 * 1024 * 1024, elements=500_000, sheets=10, rows=1_000, columns=60)
"""How much of an uploaded sheet is worked through: some ten times what the largest class needs."""
LEGEND = "Type a number. A = absent, X = exempt, - = remove the mark. An empty cell changes nothing."


def heading(component: Component) -> str:
    """Return a component's column heading: ``Exam (max 60)``."""
    return f"{component.name} (max {component.max})"


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which mark sheet a workbook was made from, and what its version was then."""

    school: UUID
    term: UUID
    class_arm: UUID
    subject: UUID
    sheet: UUID
    version: int

    @classmethod
    def of(cls, head: SheetHead) -> "Stamp":
        """Return the stamp of a sheet as it is now."""
        return cls(head.school_id, head.term_id, head.class_arm_id, head.subject_id, head.id, head.version)

    def as_rows(self) -> list[tuple[str, str]]:
        """Return what the hidden sheet holds: a word and its value in each row."""
        fields = ("school", "term", "class_arm", "subject", "sheet", "version")
        return [("format", FORMAT), *((name, str(getattr(self, name))) for name in fields)]

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> "Stamp | None":
        """Return the stamp that the hidden sheet holds, or None where it is none of ours or was tampered with."""
        if values.get("format") != FORMAT:
            return None
        try:
            ids = {name: UUID(values[name]) for name in ("school", "term", "class_arm", "subject", "sheet")}
            return cls(**ids, version=int(values["version"]))
        except (KeyError, ValueError):
            return None
