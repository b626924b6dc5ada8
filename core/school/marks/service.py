"""Everything that is done with marks, in one hand."""

from dataclasses import dataclass
from typing import Self

from core.clock import Clock
from core.ports import Database, ObjectStore
from core.school.marks.chain import MarkApproval
from core.school.marks.sheets import MarkSheets
from core.school.marks.student_results import MarkResults
from core.school.marks.uploads import MarkUploads


@dataclass(frozen=True, slots=True)
class MarkUseCases:
    """The use cases of marks."""

    sheets: MarkSheets
    uploads: MarkUploads
    approval: MarkApproval
    results: MarkResults

    @classmethod
    def over(cls, db: Database, objects: ObjectStore, clock: Clock) -> Self:
        """Return them over their ports."""
        return cls(MarkSheets(db), MarkUploads(db, objects, clock), MarkApproval(db, clock), MarkResults(db))
