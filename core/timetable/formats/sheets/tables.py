"""Rows of a sheet by the names of their columns, with every mistake told by its cell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from core.errors import Fault, InvalidInput
from core.school.spreadsheets import Refused, Sheet, SheetRow

COLUMNS: dict[str, tuple[str, ...]] = {
    "Days": ("Day", "Period", "From", "To", "Break after", "Week"),
    "Teachers": ("Name", "Not available"),
    "Classes": ("Name", "Students", "Part of", "Division", "Not available"),
    "Rooms": ("Name", "Kind", "Seats", "Building", "Not available"),
    "Lessons": ("Subject", "Classes", "Teachers", "Periods", "Lengths", "Rooms"),
    "Wishes": ("Wish", "For", "Value", "Must", "Weight"),
    "Timetable": ("Subject", "Classes", "Teachers", "Length", "Day", "Period", "Week", "Room"),
}
"""The columns of each sheet, in any order; a sheet may lack those it doesn't need."""
NEEDED = {
    "Lessons": ("Subject",),
    "Days": ("Day", "Period"),
    "Wishes": ("Wish",),
    "Timetable": ("Subject", "Day", "Period"),
}
_MOST_FAULTS = 100


@dataclass
class Faults:
    """The mistakes of a workbook so far."""

    found: list[Fault] = field(default_factory=list)

    def add(self, where: str, what: str, code: str = "invalid") -> None:
        """Tell a mistake by its cell."""
        self.found.append(Fault(where, what, code))

    def stop(self) -> None:
        """Raise ``InvalidInput`` with the mistakes, unless there is none."""
        if self.found:
            more = f" (and {len(self.found) - 1} more mistakes)" if len(self.found) > 1 else ""
            first = self.found[0]
            raise InvalidInput(f"{first.where}: {first.what}{more}", self.found[:_MOST_FAULTS])


@dataclass(frozen=True)
class TableRow:
    """One row of a sheet."""

    sheet: Sheet
    row: SheetRow
    columns: dict[str, int]
    faults: Faults

    def where(self, column: str) -> str:
        """Return the place of a cell: ``Lessons!C4``."""
        return self.sheet.address(self.row.number, self.columns.get(column, 1))

    def fault(self, column: str, what: str, code: str = "invalid") -> None:
        """Tell a mistake in a cell."""
        self.faults.add(self.where(column), what, code)

    def text(self, column: str) -> str:
        """Return a cell's text; empty where there is none."""
        value = self.row.at(self.columns[column]) if column in self.columns else None
        if isinstance(value, Refused) or value is None:
            return ""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = str(value).strip()
        return text[1:] if text[:1] == "'" and text[1:2] in set("=+-@") else text

    def name(self, column: str) -> str:
        """Return a name, of which a timetable shows 200 letters at most."""
        text = self.text(column)
        if len(text) > 200:
            self.fault(column, "a name has at most 200 letters", "too_long")
        return text[:200]

    def names(self, column: str) -> tuple[str, ...]:
        """Return the names in a cell, parted by commas, semicolons or ``+``."""
        text = self.name(column).replace(";", ",").replace(" + ", ",")
        return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))

    def number(self, column: str, most: int, default: int | None = None) -> int | None:
        """Return a whole number from 0 to ``most``; the default where the cell is empty."""
        text = self.text(column)
        if not text:
            return default
        if not text.isdecimal() or int(text[:12]) > most:
            self.fault(column, f"a whole number from 0 to {most:,} is expected, not “{text[:40]}”", "out_of_range")
            return default
        return int(text)

    def is_yes(self, column: str, default: bool) -> bool:
        """Return whether a cell says yes; the default where it is empty."""
        text = self.text(column).casefold()
        if not text:
            return default
        if text not in _YES | _NO:
            self.fault(column, f"yes or no is expected, not “{text[:40]}”")
        return text in _YES


_YES = frozenset({"yes", "y", "true", "1", "x"})
_NO = frozenset({"no", "n", "false", "0", "-"})


def table(sheets: Sequence[Sheet], name: str, faults: Faults) -> Iterator[TableRow]:
    """Yield the rows of the sheet of that name; nothing where there is none."""
    found = next((sheet for sheet in sheets if sheet.name.casefold() == name.casefold()), None)
    if found is None or not found.rows:
        return
    faults.found.extend(found.refusals())
    known = {column.casefold(): column for column in COLUMNS[name]}
    head = found.rows[0]
    columns: dict[str, int] = {}
    for number, cell in enumerate(head.cells, start=1):
        title = str(cell or "").strip()
        if title.casefold() in known:
            columns.setdefault(known[title.casefold()], number)
        elif title:
            expected = ", ".join(COLUMNS[name])
            faults.add(
                found.address(head.number, number),
                f"no column is called “{title[:40]}”: there are {expected}",
                "unknown",
            )
    for column in NEEDED.get(name, ("Name",)):
        if column not in columns:
            faults.add(found.address(head.number, 1), f"the column {column} is missing", "missing")
            return
    for row in found.rows[1:]:
        yield TableRow(found, row, columns, faults)
