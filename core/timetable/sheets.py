"""Timetables on paper: the sheets of a class, a teacher, a room, or all of them, as PDF."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

from core.access.principal import Principal
from core.errors import Unavailable
from core.ids import SchoolId, TimetableId
from core.timetable.outputs import Every, TimetableOutputs, Whose

_WITHIN_S = 25.0
"""Below the half minute for which portals and proxies wait."""
A_DOCUMENT_S = 10.0
"""What one document may take: who waits where nothing prints is told by then."""
_MOST_SHEETS = 40
"""A document's: 60 sheets take the browser 2 s, 200 take it 20, and a printer is another's meanwhile."""


class SheetPrinter(Protocol):
    """Prints a document while somebody waits."""

    async def print(
        self, school: SchoolId, html: str, *, landscape: bool = False, tagged: bool = False, within_s: float = 10.0
    ) -> bytes:
        """Return the document as PDF. Raises ``Unavailable`` where no printer is free in time, ``TooMany``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetsBy:
    """Who prints, and what is done before and after."""

    printer: SheetPrinter
    fonts_css: Callable[[], str]
    """Returns the rules that give a page its typeface; may take seconds at its first use."""
    merge: Callable[[Iterable[tuple[str, bytes]]], bytes]
    """Makes one document of several with their titles."""


class TimetableSheets:
    """Has timetables printed."""

    def __init__(self, outputs: TimetableOutputs, by: SheetsBy | None = None) -> None:
        self._outputs = outputs
        self._by = by

    async def pdf(self, principal: Principal, *, timetable: TimetableId, of: Whose | Every) -> bytes:
        """Return somebody's sheets, or everybody's, of the version that the caller may see.

        Raises ``NotFound``, ``InvalidInput``; ``Unavailable`` and ``TooMany`` where it can't be printed now.
        """
        if self._by is None:
            raise Unavailable("nothing prints here", 60.0)
        until, css = monotonic() + _WITHIN_S, self._by.fonts_css
        pages = await self._outputs.pages(principal, timetable=timetable, of=of, most=_MOST_SHEETS, fonts_css=css)
        printed = [(title, await self._printed(self._by, principal.school, html, until)) for title, html in pages]
        return printed[0][1] if len(printed) == 1 else await asyncio.to_thread(self._by.merge, printed)

    async def _printed(self, by: SheetsBy, school: SchoolId, html: str, until: float) -> bytes:
        """Return one document, printed before the next is asked for, so that others' get in between."""
        left = min(A_DOCUMENT_S, max(1.0, until - monotonic()))
        return await by.printer.print(school, html, landscape=True, tagged=True, within_s=left)
