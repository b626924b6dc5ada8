"""A school's workbook given back with its faults: cells coloured and commented, all of them listed in front."""

import io
import re
from collections.abc import Sequence
from datetime import date, datetime

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils.cell import coordinate_from_string
from openpyxl.worksheet.worksheet import Worksheet

from core.errors import Fault
from core.school.spreadsheets import Refused, Sheet, Value, cell_address, writable, write_text

SUMMARY = "What to mend"
_RED = PatternFill("solid", fgColor="FFC7CE")
_YELLOW = PatternFill("solid", fgColor="FFEB9C")
_BOLD = Font(bold=True)
_CELL = re.compile(r"^(?P<sheet>.+)!(?P<cell>[A-Z]{1,3}\d{1,7})$")
_BAD_TITLE = re.compile(r"[\\*?:/\[\]]")


def annotate(sheets: Sequence[Sheet], faults: Sequence[Fault], warnings: Sequence[Fault]) -> bytes:
    """Return a workbook with the values of the sheets, faults in red and warnings in yellow.

    It is made anew from values, so that nothing else of the stranger's file comes along.
    """
    book = Workbook()
    summary = book.active
    assert isinstance(summary, Worksheet)  # noqa: S101 - a new workbook has one sheet
    summary.title = SUMMARY
    _write_summary(summary, faults, warnings)
    for sheet in sheets:
        _write_sheet(book.create_sheet(writable(_BAD_TITLE.sub(" ", sheet.name))[:31] or "Sheet"), sheet)
    by_prefix = {cell_address(sheet.name, 1, 1).removesuffix("!A1"): page for sheet, page in _pages(book, sheets)}
    for notes, fill in ((warnings, _YELLOW), (faults, _RED)):
        for note in notes:
            match = _CELL.match(note.where)
            if match and match["sheet"] in by_prefix:
                _mark(by_prefix[match["sheet"]], match["cell"], note.what, fill)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _pages(book: Workbook, sheets: Sequence[Sheet]) -> list[tuple[Sheet, Worksheet]]:
    return list(zip(sheets, book.worksheets[1:], strict=True))


def _write_summary(page: Worksheet, faults: Sequence[Fault], warnings: Sequence[Fault]) -> None:
    lines = [("Where", "What", "Kind")]
    lines += [(fault.where, fault.what, "fault") for fault in faults]
    lines += [(warning.where, warning.what, "warning") for warning in warnings]
    for row, line in enumerate(lines, start=1):
        for column, text in enumerate(line, start=1):
            write_text(_cell(page, row, column), text)
    for column in (1, 2, 3):
        page.cell(1, column).font = _BOLD
    page.column_dimensions["A"].width = 24
    page.column_dimensions["B"].width = 100
    page.freeze_panes = "A2"


def _write_sheet(page: Worksheet, sheet: Sheet) -> None:
    for row in sheet.rows:
        for column, value in enumerate(row.cells, start=1):
            if value is not None:
                _write(_cell(page, row.number, column), value)


def _write(cell: Cell, value: Value) -> None:
    if isinstance(value, Refused):
        write_text(cell, value.shown)
    elif isinstance(value, str):
        write_text(cell, value)
    elif isinstance(value, int | float) and abs(value) < 1e300:
        cell.value = value
    elif isinstance(value, datetime | date):
        cell.value = value
        cell.number_format = "DD/MM/YYYY"
    else:
        write_text(cell, str(value)[:100])


def _mark(page: Worksheet, coordinate: str, what: str, fill: PatternFill) -> None:
    column, row = coordinate_from_string(coordinate)
    cell = page[f"{column}{row}"]
    cell.fill = fill
    said = f"{cell.comment.text}\n{what}" if cell.comment else what
    cell.comment = Comment(writable(said)[:2_000], "SchoolOS", height=90, width=320)


def _cell(page: Worksheet, row: int, column: int) -> Cell:
    cell = page.cell(row, column)
    assert isinstance(cell, Cell)  # noqa: S101 - no cell of a sheet of ours is merged
    return cell
