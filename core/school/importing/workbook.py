"""From sheets of cells to typed rows: which sheet is which, which column is which, and what each cell says."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from core.errors import Fault, InvalidInput
from core.school.importing import columns
from core.school.importing.cells import CellError, as_text, class_key, fold, fold_number
from core.school.importing.columns import IGNORED_SHEETS, SHEETS, Column, SheetKind
from core.school.importing.findings import Findings
from core.school.importing.rows import (
    ClassRow,
    GuardianRow,
    ImportRow,
    LoadRow,
    Place,
    StaffRow,
    StudentRow,
    SubjectRow,
    TermRow,
)
from core.school.spreadsheets import Refused, Sheet, SheetRow, Value

R = TypeVar("R", bound=ImportRow)

_TITLE_ROWS = 10
"""How far down the headers may stand: schools put their name and a date above them."""


@dataclass(slots=True)
class SchoolWorkbook:
    """What a school sent: the rows that are right in themselves, and what the others declare."""

    rows: dict[str, list[ImportRow]] = field(default_factory=dict)
    declared: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Keys of all rows of a kind, faulty ones too, so that rows which refer to those don't tell the fault again."""
    first: dict[tuple[str, str], Place] = field(default_factory=dict)
    """The first row of each kind and key, faulty or not."""
    sheets: dict[str, str] = field(default_factory=dict)
    """The name in the file of each kind of sheet that is there."""

    def of(self, kind: SheetKind, row: type[R]) -> list[R]:
        """Return the good rows of a kind."""
        return [found for found in self.rows.get(kind.name, []) if isinstance(found, row)]

    def only_session(self) -> str | None:
        """Return the session that the file speaks of, where it is one: it is meant by rows that name none."""
        rows: list[TermRow | StudentRow | LoadRow] = [*self.terms, *self.students, *self.loads]
        named = {row.session for row in rows if row.session}
        return next(iter(named)) if len(named) == 1 else None

    @property
    def terms(self) -> list[TermRow]:
        """Return the terms."""
        return self.of(columns.SESSIONS, TermRow)

    @property
    def classes(self) -> list[ClassRow]:
        """Return the class arms."""
        return self.of(columns.CLASSES, ClassRow)

    @property
    def subjects(self) -> list[SubjectRow]:
        """Return the subjects."""
        return self.of(columns.SUBJECTS, SubjectRow)

    @property
    def staff(self) -> list[StaffRow]:
        """Return the staff."""
        return self.of(columns.STAFF, StaffRow)

    @property
    def students(self) -> list[StudentRow]:
        """Return the students."""
        return self.of(columns.STUDENTS, StudentRow)

    @property
    def guardians(self) -> list[GuardianRow]:
        """Return the guardians."""
        return self.of(columns.GUARDIANS, GuardianRow)

    @property
    def loads(self) -> list[LoadRow]:
        """Return the teaching loads."""
        return self.of(columns.LOADS, LoadRow)


def read_school_workbook(sheets: Sequence[Sheet], findings: Findings) -> SchoolWorkbook:
    """Read every sheet that is known. Raises ``InvalidInput`` where there is none."""
    book = SchoolWorkbook()
    for kind, sheet in _known(sheets, findings).items():
        _SheetReading(_KINDS[kind], sheet, book, findings).read()
    return book


_KINDS: Mapping[str, SheetKind] = {kind.name: kind for kind in SHEETS}


def _known(sheets: Sequence[Sheet], findings: Findings) -> dict[str, Sheet]:
    by_name = {name: kind.name for kind in SHEETS for name in kind.names}
    known: dict[str, Sheet] = {}
    for sheet in sheets:
        kind = by_name.get(fold(sheet.name))
        if kind is None:
            if sheet.rows and fold(sheet.name) not in IGNORED_SHEETS:
                findings.warn(sheet.name, f"the sheet {sheet.name} is not imported", "ignored")
        elif kind in known:
            findings.fault(sheet.name, f"both {known[kind].name} and {sheet.name} are {kind}; keep one", "duplicate")
        else:
            known[kind] = sheet
    if not known:
        raise _nothing_known(sheets)
    return known


def _nothing_known(sheets: Sequence[Sheet]) -> InvalidInput:
    found = ", ".join(sheet.name for sheet in sheets) or "none"
    what = f"no sheet is called {', '.join(kind.name for kind in SHEETS[:-1])} or {SHEETS[-1].name}; found: {found}"
    return InvalidInput(what, [Fault("/file", what, "missing")])


class _SheetReading:
    """One sheet on its way to rows."""

    def __init__(self, kind: SheetKind, sheet: Sheet, book: SchoolWorkbook, findings: Findings) -> None:
        self._kind = kind
        self._sheet = sheet
        self._book = book
        self._findings = findings

    def read(self) -> None:
        """Read the headers, then each row below."""
        self._findings.faults_of(self._sheet.refusals())
        rows = self._book.rows.setdefault(self._kind.name, [])
        self._book.sheets[self._kind.name] = self._sheet.name
        if not self._sheet.rows:
            return
        header = max(self._sheet.rows[:_TITLE_ROWS], key=self._headers_in)
        found = self._columns(header)
        if found is None:
            return
        places = {column.field: number for column, number in found.items()}
        for row in self._sheet.rows:
            if row.number > header.number:
                read = self._row(row, found, Place(self._kind.name, self._sheet.name, row.number, places))
                rows.extend([read] if read is not None else [])

    def _headers_in(self, row: SheetRow) -> int:
        known = {name for column in self._kind.columns for name in column.headers}
        return sum(fold(_header(cell)) in known for cell in row.cells)

    def _columns(self, header: SheetRow) -> dict[Column, int] | None:
        found: dict[Column, int] = {}
        for number, cell in enumerate(header.cells, start=1):
            written = _header(cell)
            column = next((column for column in self._kind.columns if fold(written) in column.headers), None)
            where = self._sheet.address(header.number, number)
            if column is None:
                if written:
                    self._findings.warn(where, f"the column '{written[:40]}' is not imported", "ignored")
            elif column in found:
                self._findings.fault(where, f"there are two columns for '{column.header}'; keep one", "duplicate")
            else:
                found[column] = number
        missing = [column.header for column in self._kind.columns if column.required and column not in found]
        for name in missing:
            self._report_missing(header, name)
        return None if missing else found

    def _report_missing(self, header: SheetRow, name: str) -> None:
        headers = ", ".join(f"'{written[:40]}'" for cell in header.cells if (written := _header(cell)))
        what = f"the column '{name}' is missing; found: {headers or 'none'}"
        self._findings.fault(self._sheet.address(header.number, 1), what, "missing")

    def _row(self, row: SheetRow, found: Mapping[Column, int], place: Place) -> ImportRow | None:
        values: dict[str, Any] = {column.field: None for column in self._kind.columns}
        good = True
        for column, number in found.items():
            cell = row.at(number)
            try:
                values[column.field] = _read(column, cell)
            except CellError as error:
                good = False
                if not isinstance(cell, Refused):
                    self._findings.fault(place.of(column.field), f"{column.header}: {error.what}", error.code)
        self._declare(values, place)
        if good:
            made: ImportRow = self._kind.row(place=place, **values)
            return made
        return None

    def _declare(self, values: Mapping[str, Any], place: Place) -> None:
        keys = _keys_of(self._kind, values)
        self._book.declared[self._kind.name].update(keys)
        for key in keys[:1]:
            self._book.first.setdefault((self._kind.name, key), place)


def _keys_of(kind: SheetKind, values: Mapping[str, Any]) -> list[str]:
    """Return the words by which other sheets refer to a row, its own key first."""
    if kind is columns.CLASSES:
        return [class_key(f"{values['level']} {values['arm']}")] if values["level"] and values["arm"] else []
    if kind is columns.SESSIONS:
        return [values["session"]] if values["session"] else []
    if kind is columns.SUBJECTS:
        return [fold(values[name]) for name in ("code", "name") if values[name] is not None]
    key = values[kind.key]
    return [fold_number(key)] if isinstance(key, str) else []


def _read(column: Column, cell: Value) -> Any:
    if cell is not None:
        return column.read(cell)
    if column.required:
        raise CellError("is empty, and it is needed", "missing")
    return None


def _header(cell: Value) -> str:
    return "" if cell is None or isinstance(cell, Refused) else as_text(cell).rstrip("*")
