"""The broadsheet as an Excel workbook, for those who go on working with it."""

import io
from collections.abc import Sequence
from decimal import Decimal

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from core.reports.broadsheet import Broadsheet, Row
from core.reports.card import CardStyle, SubjectLine
from core.reports.wording import clean, ordinal, total

_HEAD_ROW = 4
_BEFORE = ("No.", "Student no.", "Name")
_AFTER = ("Average", "Grade", "Position")
_FIGURES = ("Class average", "Highest", "Lowest", "Sat", "Passed")
_THIN = Border(bottom=Side(style="hair", color="999999"))

_Cell = str | float | int | None


def workbook_of(broadsheet: Broadsheet, style: CardStyle) -> bytes:
    """Return the broadsheet as a workbook of one sheet, ready to print on A4 across."""
    workbook = Workbook()
    sheet = workbook.active
    if not isinstance(sheet, Worksheet):
        raise TypeError("a new workbook has a sheet")
    sheet.title = "Broadsheet"
    _head(sheet, broadsheet)
    _line(sheet, _HEAD_ROW, [*_BEFORE, *broadsheet.subjects, *_AFTER])
    for number, row in enumerate(broadsheet.rows, start=1):
        _line(sheet, _HEAD_ROW + number, _cells(number, row))
    _figures(sheet, broadsheet)
    _dress(sheet, broadsheet, style)
    target = io.BytesIO()
    workbook.save(target)
    return target.getvalue()


def _head(sheet: Worksheet, broadsheet: Broadsheet) -> None:
    _line(sheet, 1, [broadsheet.school.name])
    _line(sheet, 2, [f"Broadsheet: {broadsheet.class_name}, {broadsheet.term} {broadsheet.session}"])
    sheet["A1"].font = Font(bold=True, size=16)
    sheet["A2"].font = Font(bold=True, size=12)


def _cells(number: int, row: Row) -> list[_Cell]:
    return [
        number,
        row.student_no,
        row.name,
        *(_score(line) for line in row.lines),
        _number(row.average),
        row.grade,
        ordinal(row.position, row.position_shared),
    ]


def _score(line: SubjectLine | None) -> _Cell:
    """Return a score as a number to reckon with; else what stands for it."""
    if line is None:
        return None
    return _number(line.score) if line.score is not None else total(line) if line.absent or line.exempt else "—"


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _figures(sheet: Worksheet, broadsheet: Broadsheet) -> None:
    columns = [
        (_number(each.average), _number(each.highest), _number(each.lowest), each.sat, each.passed)
        for each in broadsheet.figures
    ]
    start = _HEAD_ROW + len(broadsheet.rows) + 1
    for at, (title, *values) in enumerate(zip(_FIGURES, *columns, strict=True)):
        _line(sheet, start + at, [None, None, title, *values])
        for cell in sheet[start + at]:
            cell.font = Font(bold=True)


def _line(sheet: Worksheet, row: int, values: Sequence[_Cell]) -> None:
    for column, value in enumerate(values, start=1):
        cell = sheet.cell(row, column)
        if isinstance(value, str):
            cell.value = clean(value, 200)
            cell.data_type = "s"  # a name that begins with = is text, never a formula
        else:
            cell.value = value


def _dress(sheet: Worksheet, broadsheet: Broadsheet, style: CardStyle) -> None:
    fill = PatternFill("solid", fgColor=style.primary.lstrip("#"))
    for place, cell in enumerate(sheet[_HEAD_ROW]):
        cell.fill, cell.font = fill, Font(bold=True, color="FFFFFF")
        cell.alignment = Alignment(text_rotation=0 if place < len(_BEFORE) else 90, vertical="bottom")
    last = len(_BEFORE) + len(broadsheet.subjects) + len(_AFTER)
    for column in range(1, last + 1):
        sheet.column_dimensions[get_column_letter(column)].width = 7
    for letter, width in (("A", 5), ("B", 16), ("C", 32)):
        sheet.column_dimensions[letter].width = width
    for line in sheet.iter_rows(min_row=_HEAD_ROW + 1, max_col=last):
        for cell in line:
            cell.border = _THIN
    sheet.freeze_panes = f"D{_HEAD_ROW + 1}"
    sheet.print_title_rows = f"{_HEAD_ROW}:{_HEAD_ROW}"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 9  # 9 is A4
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
