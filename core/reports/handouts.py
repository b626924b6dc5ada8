"""Everything that is done with cards once they are printed, in one hand."""

from dataclasses import dataclass
from typing import Self

from core.clock import Clock
from core.ports import Database, ObjectStore
from core.reports.broadsheets import Broadsheets
from core.reports.handing_out import HandingOut
from core.reports.printing_queue import PrintQueue
from core.reports.publishing import Publishing
from core.reports.release import Release
from core.reports.reprinting import Reprinting
from core.reports.snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class Handouts:
    """The use cases of printed cards."""

    publishing: Publishing
    handing_out: HandingOut
    broadsheets: Broadsheets

    @classmethod
    def over(
        cls,
        db: Database,
        objects: ObjectStore,
        clock: Clock,
        prints: PrintQueue,
        *,
        verify_url: str,
    ) -> Self:
        """Return them over their ports."""
        release, snapshots = Release(db, clock), Snapshots(db, clock)
        reprinting = Reprinting(db, objects, snapshots, prints, verify_url=verify_url)
        return cls(
            Publishing(db, clock, release),
            HandingOut(db, objects, clock, snapshots=snapshots, release=release, reprinting=reprinting),
            Broadsheets(db, objects, snapshots, prints),
        )
