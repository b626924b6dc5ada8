"""What a filled class sheet says: each cell read against its mark sheet, and everything that is wrong, all at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from core.errors import Fault
from core.ids import StudentId
from core.school.marks.class_sheet import (
    CLEAR,
    FIRST_COMPONENT,
    HEADER_ROW,
    MARKS,
    NAME,
    NUMBER,
    STAMP,
    STUDENT_NO,
    Stamp,
    heading,
)
from core.school.marks.model import ABSENT, DECIMALS, EXEMPT, Cell, Mark, RosterStudent, SheetHead
from core.school.policies import Component
from core.school.spreadsheets import Refused, Sheet, SheetRow, Value, cell_address

_HEADER_WITHIN = 20
"""Rows among which the header is looked for; ours is row 6."""


@dataclass(slots=True)
class Reading:
    """What a workbook wants the marks to be. A cell that is not there is left as it is."""

    wanted: dict[Cell, Mark | None] = field(default_factory=dict)
    """None clears the mark."""
    places: dict[Cell, str] = field(default_factory=dict)
    """Where in the workbook each wanted mark stands."""
    faults: list[Fault] = field(default_factory=list)
    """Any of these refuses the workbook."""
    warnings: list[Fault] = field(default_factory=list)


def stamp_of(sheets: Sequence[Sheet]) -> Stamp | None:
    """Return which mark sheet a workbook was made from, or None where it does not say."""
    hidden = next((sheet for sheet in sheets if sheet.name == STAMP), None)
    if hidden is None:
        return None
    return Stamp.parse({str(row.at(1)): str(row.at(2)) for row in hidden.rows})


def stamp_faults(stamp: Stamp, head: SheetHead) -> Iterator[Fault]:
    """Yield a fault for each thing in which a workbook is not of this mark sheet."""
    if stamp.school != head.school_id:
        yield Fault("/file", "this is the sheet of another school", "wrong_school")
        return
    expected = (
        (stamp.term, head.term_id, "wrong_term", f"of another term; {head.term_name} {head.session_name} is expected"),
        (stamp.class_arm, head.class_arm_id, "wrong_class", f"of another class; {head.class_arm_name} is expected"),
        (stamp.subject, head.subject_id, "wrong_subject", f"of another subject; {head.subject_name} is expected"),
    )
    for found, wanted, code, what in expected:
        if found != wanted:
            yield Fault("/file", f"this is the sheet {what}", code)


def read_marks(sheets: Sequence[Sheet], head: SheetHead, roster: Sequence[RosterStudent]) -> Reading:
    """Read a workbook against its mark sheet. Nothing is raised: what is wrong is in the reading."""
    reading = Reading()
    stamp = stamp_of(sheets)
    reading.faults.extend(stamp_faults(stamp, head) if stamp else ())
    sheet = next((sheet for sheet in sheets if sheet.name == MARKS), None)
    if reading.faults:
        return reading
    if sheet is None:
        what = f'there is no sheet named "{MARKS}"; download the class sheet and fill that in'
        reading.faults.append(Fault("/file", what, "missing_sheet"))
        return reading
    header = _find_header(sheet)
    if header is None:
        what = f'the column "{STUDENT_NO}" is missing; download the class sheet again'
        reading.faults.append(Fault(sheet.address(HEADER_ROW, 2), what, "missing_column"))
        return reading
    if stamp is None:
        what = "the workbook does not say which version of the marks it was made from; later changes can't be told"
        reading.warnings.append(Fault("/file", what, "no_stamp"))
    columns = _Columns(sheet, header, head.components)
    reading.faults.extend(columns.faults())
    _Rows(sheet, header, columns, roster, reading).read()
    return reading


def read_value(value: Value, component: Component) -> Mark | None:
    """Return the mark a cell holds, None for one to be cleared. Raises ``Refusal``."""
    if isinstance(value, Refused):
        raise Refusal(value.code, value.what)
    if isinstance(value, str):
        return _read_text(value, component)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise Refusal("not_a_number", f"is no mark; {allowed(component)}")
    return Mark.scored(checked(_exact(value), component))


class Refusal(Exception):
    """A cell's value is no mark."""

    def __init__(self, code: str, what: str) -> None:
        super().__init__(code, what)
        self.code, self.what = code, what


def checked(number: Decimal, component: Component) -> Decimal:
    """Return a number that may be a mark of the component. Raises ``Refusal``."""
    shown = f"{number:f}"[:20]
    if not number.is_finite():
        raise Refusal("not_a_number", f"{shown} is no mark; {allowed(component)}")
    if number < 0:
        raise Refusal("negative", f"{shown} is below 0; {allowed(component)}")
    if number > component.max:
        raise Refusal("above_maximum", f"{shown} is above the maximum of {component.max}; {allowed(component)}")
    if number != round(number, DECIMALS):
        raise Refusal("too_many_decimals", f"{shown} has more than two decimals; {allowed(component)}")
    return number


def allowed(component: Component) -> str:
    """Return what a component's cell may hold, for the person who mends it."""
    return f"allowed: 0 to {component.max} with at most two decimals, A (absent), X (exempt)"


def _exact(value: float | Decimal) -> Decimal:
    """Return the number a spreadsheet shows, which keeps 15 significant digits; stray ones lie past them."""
    return Decimal(value) if isinstance(value, int) else Decimal(f"{value:.15g}")


def _read_text(text: str, component: Component) -> Mark | None:
    word = text.strip().upper()
    if word in {CLEAR, "–", "—"}:
        return None
    if word in {"A", "X"}:
        return ABSENT if word == "A" else EXEMPT
    raise Refusal("text_for_number", f'"{text[:20]}" is text, not a number; {allowed(component)}')


def _plain(value: Value) -> str:
    return " ".join(value.split()).casefold() if isinstance(value, str) else ""


def _as_number(value: Value) -> str:
    """Return a student number as text; one of digits alone may have become a number in the spreadsheet."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _find_header(sheet: Sheet) -> SheetRow | None:
    wanted = STUDENT_NO.casefold()
    heads = (row for row in sheet.rows if row.number <= _HEADER_WITHIN)
    return next((row for row in heads if wanted in map(_plain, row.cells)), None)


class _Columns:
    """Which column is what. Columns may stand in any order; their headings may not differ."""

    def __init__(self, sheet: Sheet, header: SheetRow, components: Sequence[Component]) -> None:
        self._sheet, self._header, self._components = sheet, header, components
        self._titles = {column: _plain(value) for column, value in enumerate(header.cells, start=1)}
        self.student_no = self._column(STUDENT_NO) or 0
        self.name = self._column(NAME)
        self.components: Mapping[int, Component] = {
            column: part for part in components if (column := self._column(heading(part))) is not None
        }

    def _column(self, title: str) -> int | None:
        return next((column for column, found in self._titles.items() if found == title.casefold()), None)

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong with the columns: renamed, missing, there twice, or too many."""
        absent = [part for part in self._components if part not in self.components.values()]
        strangers = self._strangers()
        for part in absent:
            at = FIRST_COMPONENT + self._components.index(part)
            code, what = "missing_column", f'the column "{heading(part)}" is missing'
            if at in strangers:
                strangers.remove(at)
                code, what = "renamed_column", f'the heading must be "{heading(part)}"'
            yield Fault(self._sheet.address(self._header.number, at), what, code)
        for column in strangers:
            title = self._header.at(column)
            known = {_plain(title)} & {heading(part).casefold() for part in self._components}
            code = "duplicate_column" if known else "extra_column"
            what = f'the column "{str(title or "")[:40]}" does not belong here; remove it'
            yield Fault(self._sheet.address(self._header.number, column), what, code)

    def _strangers(self) -> list[int]:
        """Return the columns with something in them that are none of ours."""
        own = {self.student_no, self.name, self._column(NUMBER), *self.components}
        below = (row for row in self._sheet.rows if row.number >= self._header.number)
        filled = {column for row in below for column, value in enumerate(row.cells, start=1) if value is not None}
        return sorted(filled - own)


class _Rows:
    """Reads the students' rows into a reading."""

    def __init__(
        self, sheet: Sheet, header: SheetRow, columns: _Columns, roster: Sequence[RosterStudent], reading: Reading
    ) -> None:
        self._sheet, self._header, self._columns, self._reading = sheet, header, columns, reading
        self._roster = roster
        self._by_number = {student.student_no.casefold(): student for student in roster}
        self._first_rows: dict[StudentId, int] = {}

    def read(self) -> None:
        """Read every row below the header, then say who is not there."""
        for row in self._sheet.rows:
            if row.number > self._header.number and self._has_content(row):
                self._read_row(row)
        for student in self._roster:
            if student.id not in self._first_rows:
                what = f"{student.student_no} has no row; the marks stay as they are"
                self._reading.warnings.append(Fault(MARKS, what, "missing_student"))

    def _has_content(self, row: SheetRow) -> bool:
        columns: Iterable[int] = (self._columns.student_no, *self._columns.components)
        return any(row.at(column) is not None for column in columns)

    def _read_row(self, row: SheetRow) -> None:
        student = self._student(row)
        for column, component in self._columns.components.items():
            value = row.at(column)
            if value is None:
                continue
            try:
                mark = read_value(value, component)
            except Refusal as refusal:
                self._fault(row, column, refusal.code, refusal.what)
                continue
            if student is not None:
                cell = (student.id, component.code)
                self._reading.wanted[cell] = mark
                self._reading.places[cell] = cell_address(MARKS, row.number, column)

    def _student(self, row: SheetRow) -> RosterStudent | None:
        """Return whose row it is; None where that is a fault."""
        column = self._columns.student_no
        value = row.at(column)
        student = self._by_number.get(_as_number(value).casefold())
        if value is None:
            self._fault(row, column, "missing_student_number", "there are marks but no student number")
        elif isinstance(value, Refused):
            self._fault(row, column, value.code, value.what)
        elif student is None:
            self._fault(
                row, column, "unknown_student", f"{str(value)[:40]} is not on this class's list for the subject"
            )
        elif self._first_rows.setdefault(student.id, row.number) != row.number:
            what = f"{student.student_no} stands in row {self._first_rows[student.id]} already; a student has one row"
            self._fault(row, column, "duplicate_student", what)
        else:
            self._check_name(row, student)
            return student
        return None

    def _check_name(self, row: SheetRow, student: RosterStudent) -> None:
        column = self._columns.name
        name = row.at(column) if column else None
        if column and name is not None and _plain(name) != _plain(student.name):
            what = f"the name is not the one on the register for {student.student_no}; were rows moved?"
            self._reading.warnings.append(Fault(self._sheet.address(row.number, column), what, "name_differs"))

    def _fault(self, row: SheetRow, column: int, code: str, what: str) -> None:
        self._reading.faults.append(Fault(self._sheet.address(row.number, column), what, code))
