"""What an upload changes: a comparison of three, as the teacher filled in a copy while the sheet may have moved on."""

from collections.abc import Mapping
from dataclasses import dataclass

from core.school.marks.model import Cell, Change, Mark, Marks


@dataclass(frozen=True, slots=True)
class Diff:
    """What an upload would change, and where someone else was there first."""

    changes: tuple[Change, ...]
    collisions: tuple[Change, ...] = ()
    """Changes to marks that were changed since the workbook was downloaded; part of ``changes`` too."""


def diff(wanted: Mapping[Cell, Mark | None], current: Marks, before: Mapping[Cell, Mark | None]) -> Diff:
    """Compare what a workbook says with the marks as they are.

    Args:
        wanted: What the filled cells say; None clears.
        current: The marks now.
        before: For each cell changed since the workbook was downloaded, what it was then. A wanted mark equal to it
            was not touched by the teacher and changes nothing.
    """
    changes = [
        Change(*cell, old=current.get(cell), new=new)
        for cell, new in wanted.items()
        if new != current.get(cell) and not (cell in before and before[cell] == new)
    ]
    collisions = tuple(change for change in changes if change.cell in before)
    return Diff(tuple(changes), collisions)
