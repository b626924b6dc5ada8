"""The workbook a school fills in: every sheet with its columns, examples, notes and lists to choose from."""

import io

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from core.school.importing.cells import day
from core.school.importing.columns import SHEETS, Column, SheetKind

_BOLD = Font(bold=True)
_NEEDED = PatternFill("solid", fgColor="DDEBF7")
_LAST_ROW = 20_000
_GUIDE = (
    "Fill in the sheets and delete the example rows. Sheets you don't need may stay empty or go.",
    "Columns with a * are needed. Dates are dd/mm/yyyy. Several values in a cell are parted by ;.",
    "Send the file: nothing is written unless every row is right, and each fault is told by its cell.",
    "Sending it again changes what differs and makes nothing twice. A blank cell leaves what is there.",
    "People and classes that are not in the file stay as they are: an import removes nothing.",
    "Type values, not formulas.",
)


def template() -> bytes:
    """Return the workbook; sent back as it is, it imports its examples."""
    book = Workbook()
    guide = book.active
    assert isinstance(guide, Worksheet)  # noqa: S101 - a new workbook has one sheet
    guide.title = "Read me"
    guide.column_dimensions["A"].width = 110
    for row, line in enumerate(_GUIDE, start=1):
        guide.cell(row, 1, line)
    for kind in SHEETS:
        _write_kind(book.create_sheet(kind.name), kind)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _write_kind(page: Worksheet, kind: SheetKind) -> None:
    for number, column in enumerate(kind.columns, start=1):
        _write_header(page, number, column)
        for row, example in enumerate(kind.examples, start=2):
            _write_example(page, row, number, column, example[number - 1])
    page.freeze_panes = "A2"


def _write_header(page: Worksheet, number: int, column: Column) -> None:
    head = page.cell(1, number, f"{column.header} *" if column.required else column.header)
    head.font = _BOLD
    head.alignment = Alignment(wrap_text=True, vertical="top")
    if column.required:
        head.fill = _NEEDED
    if column.note:
        head.comment = Comment(column.note, "SchoolOS", height=90, width=280)
    letter = get_column_letter(number)
    page.column_dimensions[letter].width = 22
    if column.choices:
        page.add_data_validation(_choice(column, f"{letter}2:{letter}{_LAST_ROW}"))


def _choice(column: Column, cells: str) -> DataValidation:
    choice = DataValidation(type="list", formula1='"' + ",".join(column.choices) + '"', allow_blank=True, sqref=cells)
    choice.errorTitle = column.header
    choice.error = f"Choose one of: {', '.join(column.choices)}"
    choice.showErrorMessage = True
    return choice


def _write_example(page: Worksheet, row: int, number: int, column: Column, example: str) -> None:
    cell = page.cell(row, number)
    if column.read is day:
        cell.value = day(example)
        cell.number_format = "DD/MM/YYYY"
    elif example:
        cell.value = example
        cell.number_format = "@"
