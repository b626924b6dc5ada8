"""A timetable as an Excel workbook: the whole school on one sheet, then a sheet for each class, teacher and room."""

import colorsys
import io
import re
from collections.abc import Sequence

from openpyxl import Workbook
from openpyxl.cell import Cell as SheetCell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from core.school.spreadsheets import write_text
from core.timetable.grid import KINDS, Cell, Entry, Grid, Overview, Row, Week, grids, overview
from core.timetable.model import Problem, Timetable

_NO_NAME = re.compile(r"[\\/?*\[\]:\x00-\x1f']")
_LONGEST_NAME = 31
"""Letters of a sheet's name, as Excel allows."""
_MOST_SHEETS = 1_000
_LINE_PT = 15.0
_HEAD = PatternFill("solid", fgColor="1D4F91")
_BREAK = PatternFill("solid", fgColor="E9EDF3")
_AWAY = PatternFill("solid", fgColor="E6E8EC")
_THIN = Side(style="thin", color="C3CAD4")
_BOX = Border(left=_THIN, right=_THIN, top=_THIN, bottom=_THIN)
_CENTRE = Alignment(horizontal="center", vertical="center", wrap_text=True)


def workbook_of(problem: Problem, timetable: Timetable, *, title: str, kinds: Sequence[str] = KINDS) -> bytes:
    """Return a workbook of the whole school, with sheets for each of these kinds; a title stands over every sheet."""
    there = [grid for kind in kinds for grid in grids(problem, timetable, kind)]
    return _saved(there[:_MOST_SHEETS], title, overview(problem, timetable))


def workbook_of_grids(grids: Sequence[Grid], *, title: str) -> bytes:
    """Return a workbook with a sheet for each of these timetables."""
    return _saved(grids, title, None)


def _saved(grids: Sequence[Grid], title: str, whole: Overview | None) -> bytes:
    workbook = Workbook()
    for sheet in workbook.worksheets:
        workbook.remove(sheet)
    names: set[str] = set()
    if whole is not None:
        _Sheet(workbook.create_sheet(_sheet_name("Overview", names))).write_overview(whole, title)
    for grid in grids:
        _Sheet(workbook.create_sheet(_sheet_name(grid.name, names))).write_grid(grid, title)
    if not workbook.worksheets:
        workbook.create_sheet("Timetable")
    target = io.BytesIO()
    workbook.save(target)
    return target.getvalue()


def _sheet_name(name: str, taken: set[str]) -> str:
    """Return a name that Excel takes and no other sheet has, whatever its case."""
    plain = _NO_NAME.sub(" ", name).strip()[:_LONGEST_NAME] or "Sheet"
    number, unique = 1, plain
    while unique.casefold() in taken:
        number += 1
        mark = f" ({number})"
        unique = plain[: _LONGEST_NAME - len(mark)] + mark
    taken.add(unique.casefold())
    return unique


class _Sheet:
    """Writes one sheet, row by row."""

    def __init__(self, sheet: Worksheet) -> None:
        self._sheet = sheet
        self._row = 1

    def write_grid(self, grid: Grid, title: str) -> None:
        """Write the timetable of a class, a teacher or a room, its weeks below each other."""
        self._titles(grid.name, " · ".join(filter(None, (grid.school, title))))
        for week in grid.weeks:
            self._week(grid, week)
        if grid.unplaced:
            self._text(self._row, 1, "Without a place: " + ", ".join(entry.subject for entry in grid.unplaced))
        self._dress(max(len(week.days) for week in grid.weeks), width=22.0, first=16.0)

    def write_overview(self, whole: Overview, title: str) -> None:
        """Write the whole school: people down, the cycle's periods across."""
        self._titles("Whole school", " · ".join(filter(None, (whole.school, title))))
        column = 2
        for day, length in whole.days:
            self._head(self._row, column, day)
            if length > 1:
                self._sheet.merge_cells(
                    start_row=self._row, start_column=column, end_row=self._row, end_column=column + length - 1
                )
            column += length
        for i, period in enumerate(whole.periods, start=2):
            self._head(self._row + 1, i, period)
        self._row += 2
        self._sheet.freeze_panes = f"B{self._row}"
        self._sheet.print_title_rows = f"{self._row - 2}:{self._row - 1}"
        for row in whole.rows:
            self._text(self._row, 1, row.name).font = Font(bold=True)
            for i, cell in enumerate(row.cells, start=2):
                self._lesson(self._row, i, cell, _in_overview(whole.kind, cell))
            self._row += 1
        self._dress(len(whole.periods), width=11.0, first=22.0)

    def _titles(self, name: str, under: str) -> None:
        self._text(1, 1, name).font = Font(bold=True, size=18, color="1D4F91")
        self._text(2, 1, under).font = Font(size=11, color="4A5563")
        self._row = 4

    def _week(self, grid: Grid, week: Week) -> None:
        self._head(self._row, 1, f"Week {week.name}" if week.name else "Period")
        for column, day in enumerate(week.days, start=2):
            self._head(self._row, column, day)
        self._row += 1
        for row in week.rows:
            self._period(grid, row, len(week.days))
            self._row += 1
        self._row += 1

    def _period(self, grid: Grid, row: Row, days: int) -> None:
        hours = f"{row.starts_at}–{row.ends_at or ''}" if row.starts_at else ""
        name = self._text(self._row, 1, hours if row.is_break else "\n".join(filter(None, (row.name, hours))))
        name.alignment = _CENTRE
        if row.is_break:
            pause = self._text(self._row, 2, row.name)
            pause.fill, pause.alignment = _BREAK, _CENTRE
            self._sheet.merge_cells(start_row=self._row, start_column=2, end_row=self._row, end_column=days + 1)
            return
        lines = 2
        for column, cell in enumerate(row.cells, start=2):
            if cell is not None:
                lines = max(lines, -(-len(_in_grid(grid, cell)) // cell.span))
                self._lesson(self._row, column, cell, "\n".join(_in_grid(grid, cell)))
        self._sheet.row_dimensions[self._row].height = _LINE_PT * lines + 3

    def _lesson(self, row: int, column: int, cell: Cell, text: str) -> None:
        written = self._text(row, column, text)
        written.border, written.alignment = _BOX, _CENTRE
        if cell.entries:
            written.fill = _tint(cell.entries[0].hue)
        elif cell.is_away:
            written.fill = _AWAY
        if cell.span > 1:
            self._sheet.merge_cells(start_row=row, start_column=column, end_row=row + cell.span - 1, end_column=column)

    def _head(self, row: int, column: int, text: str) -> None:
        cell = self._text(row, column, text)
        cell.fill, cell.font, cell.alignment = _HEAD, Font(bold=True, color="FFFFFF"), _CENTRE

    def _text(self, row: int, column: int, text: str) -> SheetCell:
        cell = self._sheet.cell(row, column)
        if not isinstance(cell, SheetCell):
            raise TypeError("a merged cell is never written")
        if text:
            write_text(cell, text)
        return cell

    def _dress(self, columns: int, *, width: float, first: float) -> None:
        self._sheet.column_dimensions["A"].width = first
        for column in range(2, columns + 2):
            self._sheet.column_dimensions[get_column_letter(column)].width = width
        self._sheet.page_setup.orientation, self._sheet.page_setup.paperSize = "landscape", 9  # 9 is A4
        self._sheet.page_setup.fitToWidth, self._sheet.page_setup.fitToHeight = 1, 0
        self._sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
        self._sheet.sheet_view.showGridLines = False


def _in_grid(grid: Grid, cell: Cell) -> list[str]:
    """Return the lines of a cell: what, and of whom and where it is not the sheet's own."""
    lines: list[str] = []
    for entry in cell.entries:
        lines.append(f"{entry.subject} (continued)" if entry.is_continued else entry.subject)
        lines += [line for line in _beside(grid, entry) if line]
    return lines


def _beside(grid: Grid, entry: Entry) -> tuple[str, ...]:
    others = [", ".join(name for name in names if name != grid.name) for names in (entry.groups, entry.teachers)]
    return (*others, "" if grid.kind == "room" else ", ".join(entry.rooms))


def _in_overview(kind: str, cell: Cell) -> str:
    if kind == "group":
        return " / ".join(dict.fromkeys(entry.subject for entry in cell.entries))
    return " / ".join(dict.fromkeys(group for entry in cell.entries for group in entry.groups))


def _tint(hue: int) -> PatternFill:
    red, green, blue = (round(part * 255) for part in colorsys.hls_to_rgb(hue / 360, 0.92, 0.7))
    return PatternFill("solid", fgColor=f"{red:02X}{green:02X}{blue:02X}")
