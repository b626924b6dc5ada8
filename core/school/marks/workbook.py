"""The class sheet as a workbook: pre-filled to be filled in offline, and given back with what is wrong marked in it."""

import io
from collections.abc import Sequence

from openpyxl import Workbook
from openpyxl.cell.cell import Cell, MergedCell
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill, Protection
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from core.errors import Fault
from core.school.marks.class_sheet import (
    FIRST_COMPONENT,
    FIRST_ROW,
    HEADER_ROW,
    LEGEND,
    MARKS,
    NAME,
    NUMBER,
    STAMP,
    STUDENT_NO,
    Stamp,
    heading,
)
from core.school.marks.model import Mark, Marks, RosterStudent, SheetHead
from core.school.policies import Component
from core.school.spreadsheets import Refused, Sheet, cell_address, writable, write_text

_BOLD = Font(bold=True)
_HEADER_FILL = PatternFill("solid", fgColor="DDE7F3")
_FAULT_FILL = PatternFill("solid", fgColor="F8C9C4")
_OPEN = Protection(locked=False)
_WIDTHS = {"A": 6, "B": 20, "C": 32}
_COMPONENT_WIDTH = 20
_PROBLEMS = "Problems"


def class_sheet(head: SheetHead, roster: Sequence[RosterStudent], marks: Marks) -> bytes:
    """Return the pre-filled workbook of a mark sheet. Everything but the marks is locked against slips of the hand."""
    workbook = Workbook()
    page = _first_page(workbook)
    _write_heading(page, head)
    _write_header(page, head.components)
    for row, student in enumerate(roster, start=FIRST_ROW):
        _write_student(page, row, student, head.components, marks)
    last_row = FIRST_ROW + max(len(roster), 1) - 1
    for column, component in enumerate(head.components, start=FIRST_COMPONENT):
        page.add_data_validation(_validation(component, get_column_letter(column), last_row))
    page.freeze_panes = f"{get_column_letter(FIRST_COMPONENT)}{FIRST_ROW}"
    page.protection.sheet = True
    page.protection.formatColumns = False
    _write_stamp(workbook, Stamp.of(head))
    return _saved(workbook)


def annotated(sheets: Sequence[Sheet], faults: Sequence[Fault]) -> bytes:
    """Return a copy of an uploaded workbook's cells with each fault marked in place and listed on a page of its own.

    Only values are taken over, never the stranger's file itself; with the stamp, so that the copy can be mended and
    sent again.
    """
    workbook = Workbook()
    page = _first_page(workbook)
    for sheet in sheets:
        if sheet.name == MARKS:
            _copy_values(page, sheet)
        elif sheet.name == STAMP:
            _copy_values(_hidden(workbook), sheet)
    _mark_faults(page, faults)
    _list_faults(workbook, faults)
    return _saved(workbook)


def _write(cell: Cell | MergedCell, text: str) -> None:
    if isinstance(cell, Cell):  # always: pages of ours merge nothing
        write_text(cell, text)


def _first_page(workbook: Workbook) -> Worksheet:
    page = workbook.worksheets[0]
    page.title = MARKS
    for letter, width in _WIDTHS.items():
        page.column_dimensions[letter].width = width
    return page


def _write_heading(page: Worksheet, head: SheetHead) -> None:
    lines = (
        head.school_name,
        f"{head.class_arm_name} - {head.subject_name} - {head.term_name} {head.session_name}",
        f"Teacher: {head.teacher_name}",
        LEGEND,
    )
    for row, line in enumerate(lines, start=1):
        _write(page.cell(row, 1), line)
    page.cell(1, 1).font = page.cell(2, 1).font = _BOLD


def _write_header(page: Worksheet, components: Sequence[Component]) -> None:
    titles = (NUMBER, STUDENT_NO, NAME, *map(heading, components))
    for column, title in enumerate(titles, start=1):
        cell = page.cell(HEADER_ROW, column)
        _write(cell, title)
        cell.font, cell.fill = _BOLD, _HEADER_FILL
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        if column >= FIRST_COMPONENT:
            page.column_dimensions[get_column_letter(column)].width = _COMPONENT_WIDTH


def _write_student(
    page: Worksheet, row: int, student: RosterStudent, components: Sequence[Component], marks: Marks
) -> None:
    page.cell(row, 1).value = row - FIRST_ROW + 1
    _write(page.cell(row, 2), student.student_no)
    _write(page.cell(row, 3), student.name)
    for column, component in enumerate(components, start=FIRST_COMPONENT):
        cell = page.cell(row, column)
        cell.protection = _OPEN
        mark = marks.get((student.id, component.code))
        if mark is not None:
            cell.value = _as_value(mark)


def _as_value(mark: Mark) -> int | float | str:
    if mark.value is None:
        return mark.as_text()
    return int(mark.value) if mark.value == mark.value.to_integral_value() else float(mark.value)


def _validation(component: Component, letter: str, last_row: int) -> DataValidation:
    cell = f"{letter}{FIRST_ROW}"
    number = f"AND(ISNUMBER({cell}),{cell}>=0,{cell}<={component.max},ROUND({cell},2)={cell})"
    return DataValidation(
        sqref=f"{cell}:{letter}{last_row}",
        type="custom",
        formula1=f'OR({number},{cell}="A",{cell}="X",{cell}="-")',
        allow_blank=True,
        showErrorMessage=True,
        errorTitle=component.name,
        error=f"A number from 0 to {component.max} with at most two decimals, A, X or -",
    )


def _write_stamp(workbook: Workbook, stamp: Stamp) -> None:
    page = _hidden(workbook)
    for row, (name, value) in enumerate(stamp.as_rows(), start=1):
        _write(page.cell(row, 1), name)
        _write(page.cell(row, 2), value)


def _hidden(workbook: Workbook) -> Worksheet:
    page: Worksheet = workbook.create_sheet(STAMP)
    page.sheet_state = "veryHidden"
    page.protection.sheet = True
    return page


def _copy_values(page: Worksheet, sheet: Sheet) -> None:
    for row in sheet.rows:
        for column, value in enumerate(row.cells, start=1):
            if isinstance(value, str):
                _write(page.cell(row.number, column), value)
            elif value is not None and not isinstance(value, Refused):
                page.cell(row.number, column).value = value


def _mark_faults(page: Worksheet, faults: Sequence[Fault]) -> None:
    prefix = cell_address(MARKS, 1, 1).removesuffix("A1")
    by_cell: dict[str, list[str]] = {}
    for fault in faults:
        if fault.where.startswith(prefix):
            by_cell.setdefault(fault.where.removeprefix(prefix), []).append(fault.what)
    for address, whats in by_cell.items():
        cell = page[address]
        cell.fill = _FAULT_FILL
        cell.comment = Comment(writable("\n".join(whats)), "SchoolOS")


def _list_faults(workbook: Workbook, faults: Sequence[Fault]) -> None:
    page: Worksheet = workbook.create_sheet(_PROBLEMS)
    for column, (title, width) in enumerate((("Where", 16), ("What is wrong", 90)), start=1):
        _write(page.cell(1, column), title)
        page.cell(1, column).font = _BOLD
        page.column_dimensions[get_column_letter(column)].width = width
    for row, fault in enumerate(faults, start=2):
        _write(page.cell(row, 1), fault.where)
        _write(page.cell(row, 2), fault.what)


def _saved(workbook: Workbook) -> bytes:
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()
