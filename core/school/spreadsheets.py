"""Spreadsheets of strangers, read into plain values: no formula is evaluated, no link followed, nothing unbounded.

``await read_spreadsheet(name, content)`` gives sheets of rows of cells. A cell that holds a formula or an error comes
as ``Refused``, so that a caller can report it with everything else that is wrong.
"""

import asyncio
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import PurePath
from typing import Any

from openpyxl.cell.cell import Cell
from openpyxl.reader.excel import ExcelReader
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._reader import WorkSheetParser

from core.errors import Fault, InvalidInput
from core.school.workbook_package import DEFAULT_LIMITS, Limits, open_package, refuse

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
"""The media type of a workbook."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Refused:
    """A cell that is not read."""

    code: str
    """``formula`` or ``error_value``."""
    what: str
    shown: str = ""
    """What the spreadsheet program showed there last, for giving the file back; never taken for data."""


_VALUE_TAG = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}v"

Value = str | int | float | bool | datetime | date | time | timedelta | Refused | None
"""What a cell holds. None and blank text are nothing."""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row that is not empty."""

    number: int
    """As the spreadsheet program shows it: the first is 1."""
    cells: tuple[Value, ...]
    """From column A on; what lies past the last filled cell is left out."""

    def at(self, column: int) -> Value:
        """Return the cell of a column, of which the first is 1."""
        return self.cells[column - 1] if column <= len(self.cells) else None


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet: its rows that are not empty, from the top."""

    name: str
    rows: tuple[SheetRow, ...]

    def address(self, row: int, column: int) -> str:
        """Return a cell's place as people write it: ``Students!F12``."""
        return cell_address(self.name, row, column)

    def refusals(self) -> Iterator[Fault]:
        """Yield a fault for each formula and each error value."""
        for row in self.rows:
            for column, cell in enumerate(row.cells, start=1):
                if isinstance(cell, Refused):
                    yield Fault(self.address(row.number, column), cell.what, cell.code)


def cell_address(sheet: str, row: int, column: int) -> str:
    """Return a cell's place, the sheet's name quoted where a spreadsheet program would: ``'Teaching loads'!A2``."""
    name = sheet if sheet.isalnum() else "'" + sheet.replace("'", "''") + "'"
    return f"{name}!{get_column_letter(column)}{row}"


async def read_spreadsheet(name: str, content: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[Sheet, ...]:
    """Read an uploaded file off the event loop. Raises ``InvalidInput`` with one fault that names what is wrong."""
    return await asyncio.to_thread(parse_spreadsheet, name, content, limits)


def parse_spreadsheet(name: str, content: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[Sheet, ...]:
    """Read a workbook, or a .csv file as one sheet that is named for it. Raises ``InvalidInput``."""
    if PurePath(name).suffix.lower() in {".csv", ".tsv", ".txt"} and not content.startswith(b"PK\x03\x04"):
        return (parse_csv(PurePath(name).stem, content, limits),)
    return parse_workbook(content, limits)


def parse_workbook(content: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[Sheet, ...]:
    """Read every sheet of an .xlsx workbook. Raises ``InvalidInput``."""
    open_package(content, limits).close()
    reader = _CellReader(io.BytesIO(content), limits)
    try:
        reader.read()
    except _UNREADABLE as error:
        what = "the workbook can't be read; open it in your spreadsheet program and save it again as .xlsx"
        raise InvalidInput(what, [Fault("/file", what, "not_a_workbook")]) from error
    finally:
        reader.archive.close()
    return tuple(reader.sheets)


_UNREADABLE = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RuntimeError, SyntaxError,
               TypeError, ValueError)  # fmt: skip
"""What openpyxl raises over parts that contradict each other; it promises no exception of its own."""


class _CellReader(ExcelReader):
    """Reads cells and nothing else of a workbook: no theme, properties, images, charts, comments or names."""

    def __init__(self, file: io.BytesIO, limits: Limits) -> None:
        super().__init__(file, read_only=True, keep_links=False)
        self._limits = limits
        self.sheets: list[Sheet] = []

    def read_properties(self) -> None:
        """Leave the document's properties unread."""

    def read_custom(self) -> None:
        """Leave custom properties unread."""

    def read_theme(self) -> None:
        """Leave the theme unread."""

    def read_worksheets(self) -> None:
        """Read the cells of each sheet."""
        for sheet, relation in self.parser.find_sheets():
            if relation.target not in self.valid_files or "chartsheet" in relation.Type:
                continue
            if len(self.sheets) == self._limits.sheets:
                refuse("too_large", f"the workbook has more than {self._limits.sheets} sheets")
            with self.archive.open(relation.target) as source:
                self.sheets.append(_bounded_sheet(str(sheet.name)[:31], self._parsed_rows(source), self._limits))

    def _parsed_rows(self, source: Any) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        formats = vars(self.wb)
        rows: Iterator[tuple[int, list[dict[str, Any]]]] = _CellParser(
            source,
            self.shared_strings,
            epoch=self.wb.epoch,
            date_formats=formats["_date_formats"],
            timedelta_formats=formats["_timedelta_formats"],
        ).parse()
        return rows


class _CellParser(WorkSheetParser):
    """Parses rows. A shared formula is not translated: its cost is the product of its length and its cells."""

    def parse_formula(self, element: Any) -> Refused:
        """Return the refusal of a formula."""
        shown = (element.findtext(_VALUE_TAG) or "")[:1_000]
        return Refused("formula", "a formula; paste it as a value (copy, then paste special: values)", shown)

    def _leave(self, *_: Any, **__: Any) -> None:
        """Skip what is no cell."""

    parse_column_dimensions = parse_sheet_protection = parse_extensions = parse_formatting = _leave
    parse_legacy = parse_row_breaks = parse_col_breaks = parse_custom_views = _leave


def _bounded_sheet(name: str, parsed: Iterator[tuple[int, list[dict[str, Any]]]], limits: Limits) -> Sheet:
    rows: dict[int, SheetRow] = {}
    for number, cells in parsed:
        filled = {cell["column"]: value for cell in cells if (value := _value(cell)) is not None}
        if not filled:
            continue
        _check_bounds(name, number, max(filled), limits)
        rows[number] = SheetRow(number, tuple(filled.get(column) for column in range(1, max(filled) + 1)))
    return Sheet(name, tuple(rows[number] for number in sorted(rows)))


def _check_bounds(name: str, row: int, column: int, limits: Limits) -> None:
    if row > limits.rows:
        refuse("too_large", f"the sheet {name} has something below row {limits.rows:,}; split it or clear those rows")
    if column > limits.columns:
        last = get_column_letter(limits.columns)
        refuse("too_large", f"the sheet {name} has something right of column {last}; clear those columns")


def _value(cell: dict[str, Any]) -> Value:
    value: Value = cell["value"]
    if cell["data_type"] == "e":
        return Refused("error_value", f"holds the error {str(value)[:20]}; type the value itself")
    if isinstance(value, str):
        return _clean(value)
    return value


def _clean(text: str) -> str | None:
    """Return text without control characters and outer blanks (no-break spaces too); None for none."""
    return writable(text).strip() or None


def parse_csv(name: str, content: bytes, limits: Limits = DEFAULT_LIMITS) -> Sheet:
    """Read a .csv file: UTF-8 or Windows-1252, by comma, semicolon, tab or bar. What looks like a formula is text.

    Raises ``InvalidInput``.
    """
    if len(content) > limits.file_bytes:
        refuse("too_large", f"the file is larger than {limits.file_bytes // 1024:,} kB, the most that is read")
    text = _decoded(content)
    head, _, rest = text.partition("\n")
    if head.lower().startswith("sep="):
        head, text = head[4:5], rest
    rows: list[SheetRow] = []
    try:
        for number, record in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(head)), start=1):
            cells = _without_end([_clean(field) for field in record])
            if cells:
                _check_bounds(name, number, len(cells), limits)
                rows.append(SheetRow(number, cells))
    except csv.Error as error:
        what = "the file is no .csv text that can be read; save the sheet again as CSV UTF-8"
        raise InvalidInput(what, [Fault("/file", what, "not_a_workbook")]) from error
    return Sheet(name, tuple(rows))


def _without_end(cells: Sequence[Value]) -> tuple[Value, ...]:
    last = max((index for index, cell in enumerate(cells, start=1) if cell is not None), default=0)
    return tuple(cells[:last])


def _delimiter(head: str) -> str:
    """Return the mark that parts the first line most often, outside quotes."""
    bare = "".join(head.split('"')[::2])
    return max(",;\t|", key=bare.count)


def _decoded(content: bytes) -> str:
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if is_utf16 else ("utf-8-sig", "cp1252"):
        text = _text(content, encoding)
        if text is not None:
            return text
    return refuse("not_a_workbook", "the file is no text; save the sheet as CSV UTF-8, or send the .xlsx workbook")


def _text(content: bytes, encoding: str) -> str | None:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def writable(text: str) -> str:
    """Return text without what a workbook can't hold: what is no character of XML 1.0 (section 2.2)."""
    return _NOT_XML.sub("", text)


def write_text(cell: Cell, text: str) -> None:
    """Write text into a cell, so that it stays text even where it begins like a formula (CWE-1236)."""
    cell.value = writable(text)[:32_767]
    cell.data_type = "s"
    if text.startswith(("=", "+", "-", "@", "\t", "\r")):
        cell.quotePrefix = True
