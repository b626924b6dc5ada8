"""Everything that is done with the data of report cards, in one hand."""

from dataclasses import dataclass
from typing import Self

from core.clock import Clock
from core.ports import Database, ObjectStore
from core.reports.banking import CommentBank
from core.reports.entering import Entering
from core.reports.preflight import Preflight
from core.reports.release import Release
from core.reports.snapshots import Snapshots
from core.reports.styling import Styling
from core.reports.verification import Verification


@dataclass(frozen=True, slots=True)
class ReportRecords:
    """The use cases of what is on a card."""

    entering: Entering
    bank: CommentBank
    preflight: Preflight
    snapshots: Snapshots
    release: Release
    styling: Styling
    verification: Verification

    @classmethod
    def over(cls, db: Database, objects: ObjectStore, clock: Clock) -> Self:
        """Return them over their ports."""
        return cls(
            Entering(db, clock),
            CommentBank(db, clock),
            Preflight(db),
            Snapshots(db, clock),
            Release(db, clock),
            Styling(db, objects),
            Verification(db),
        )
