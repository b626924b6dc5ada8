"""A draft of the records as an import would leave them, and the difference that each row of the file makes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from core.ids import new_id
from core.school.importing.findings import Findings
from core.school.importing.rows import Place
from core.school.importing.tables import (
    CLASS_ARMS,
    DEPARTMENTS,
    LEVELS,
    SESSIONS,
    STAFF,
    STUDENTS,
    SUBJECTS,
    TABLES,
    Key,
    Record,
    Table,
)

Snapshot = Mapping[str, Sequence[Record]]
"""The school's records as they are, by table."""


_FIELDS: Mapping[str, str] = {
    "head_id": "heads",
    "department_id": "department",
    "class_teacher_id": "class_teacher",
    "class_arm_id": "class_name",
    "staff_id": "staff_no",
    "periods_per_week": "periods",
}
"""The field of a row where it is called otherwise than the column of the record."""


_NAMED = frozenset(table.name for table in (SESSIONS, LEVELS, STAFF, DEPARTMENTS, SUBJECTS, CLASS_ARMS, STUDENTS))
"""Tables whose records are told by name where others refer to them."""


class Outcome(StrEnum):
    """What an import does with a row of the file."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One thing that a row changes."""

    field: str
    old: str | None
    new: str | None


@dataclass(slots=True)
class RowDiff:
    """What a row of the file makes or changes."""

    place: Place
    label: str
    outcome: Outcome = Outcome.UNCHANGED
    fields: list[FieldChange] = field(default_factory=list)

    def changed(self, change: FieldChange) -> None:
        """Note a change."""
        if self.outcome is not Outcome.NEW:
            self.outcome = Outcome.CHANGED
            self.fields.append(change)


@dataclass(slots=True)
class Change:
    """One record that is made (``before`` is None) or changed."""

    before: Record | None
    after: Record


class Draft:
    """The records with the changes so far."""

    def __init__(self, snapshot: Snapshot, findings: Findings) -> None:
        self.rows: list[RowDiff] = []
        self.changes: dict[str, dict[Key, Change]] = {table.name: {} for table in TABLES}
        self._findings = findings
        self._found: dict[str, dict[Key, Record]] = {table.name: {} for table in TABLES}
        self._names: dict[str, str] = {}
        self._set_by: dict[tuple[str, Key, str], Place] = {}
        for table in TABLES:
            for record in snapshot.get(table.name, ()):
                self._enter(table, record)

    def row(self, place: Place, label: str) -> RowDiff:
        """Begin the difference that one row of the file makes."""
        diff = RowDiff(place, label)
        self.rows.append(diff)
        return diff

    def find(self, table: Table, *key: object) -> Record | None:
        """Return the record that a key finds."""
        return self._found[table.name].get(key)

    def all(self, table: Table) -> list[Record]:
        """Return every record of a table, each once."""
        return list({table.key_of(record): record for record in self._found[table.name].values()}.values())

    def put(
        self, table: Table, diff: RowDiff, values: Record, *, main: bool = False, defaults: Record | None = None
    ) -> Record:
        """Make or change the record that the values find."""
        current = next((found for key in table.found_by(values)[:1] if (found := self.find(table, *key))), None)
        return self.put_at(table, current, diff, values, main=main, defaults=defaults)

    def put_at(
        self,
        table: Table,
        current: Record | None,
        diff: RowDiff,
        values: Record,
        *,
        main: bool = False,
        defaults: Record | None = None,
    ) -> Record:
        """Change a record, or make one where there is none. None among the values leaves what is there.

        ``main`` says that this is the record the row of the file is about; others come along with it.
        """
        given = {column: value for column, value in values.items() if value is not None}
        if current is not None and table.append_only and self._is_settled(table, current, diff.place, given):
            return current
        if current is None or table.append_only:
            made = self._make(table, diff, given, defaults or {})
            if main:
                diff.outcome = Outcome.NEW
            elif diff.outcome is not Outcome.NEW:
                diff.changed(self._told(table, current, made))
            return made
        free = {name: value for name, value in given.items() if name in table.columns and name not in table.fixed}
        self._change(table, current, diff, free)
        return current

    def _is_settled(self, table: Table, current: Record, place: Place, given: Record) -> bool:
        """Tell whether a consent is as it should be, or another row of the file said otherwise, which is a fault."""
        what = (table.name, table.key_of(current), f"consent_{current['channel']}")
        value, other = given["granted"], current["granted"]
        return bool(value == other) or self._contradicts(what, place, value, other)

    def _make(self, table: Table, diff: RowDiff, given: Record, defaults: Record) -> Record:
        blank: Record = dict.fromkeys((*table.key, *table.columns))
        made = blank | ({"id": str(new_id())} if "id" in table.key else {}) | defaults | given
        self.changes[table.name][table.key_of(made)] = Change(None, made)
        self._enter(table, made)
        for column in given:
            self._set_by[table.name, table.key_of(made), column] = diff.place
        if table.append_only:
            self._set_by[table.name, table.key_of(made), f"consent_{made['channel']}"] = diff.place
        return made

    def _change(self, table: Table, current: Record, diff: RowDiff, given: Record) -> None:
        key = table.key_of(current)
        for column, value in given.items():
            if current[column] != value:
                if self._contradicts((table.name, key, column), diff.place, value, current[column]):
                    continue
                self._note(table, current)
                if column not in table.quiet:
                    diff.changed(FieldChange(_label(column), self._shown(current[column]), self._shown(value)))
                current[column] = value
            self._set_by[table.name, key, column] = diff.place
        self._enter(table, current)

    def _note(self, table: Table, current: Record) -> None:
        self.changes[table.name].setdefault(table.key_of(current), Change(dict(current), current))

    def _contradicts(self, what: tuple[str, Key, str], place: Place, value: object, other: object) -> bool:
        earlier, column = self._set_by.get(what), what[2]
        if earlier is None or earlier == place:
            return False
        there = f"{self._shown(other)} in row {earlier.row} of {earlier.sheet}"
        message = f"{_label(column)} is {self._shown(value)} here and {there}; make them the same"
        self._findings.fault(place.of(_FIELDS.get(column, column)), message, "contradiction")
        return True

    def _told(self, table: Table, current: Record | None, made: Record) -> FieldChange:
        """Return a record that comes along with a row's own as a change of the row."""
        if table.append_only:
            old = None if current is None else self._shown(current["granted"])
            return FieldChange(f"Consent {made['channel']}", old, self._shown(made["granted"]))
        return FieldChange(table.name.replace("_", " ").capitalize(), None, self._title(table, made))

    def _enter(self, table: Table, record: Record) -> None:
        found = self._found[table.name]
        for key in table.found_by(record):
            if table.append_only:
                found[key] = record
            else:
                found.setdefault(key, record)
        if table.name in _NAMED:
            self._names[record["id"]] = self._title(table, record)

    def _title(self, table: Table, record: Record) -> str:
        if table is CLASS_ARMS:
            return f"{self._names.get(record['level_id'], '')} {record['name']}"
        if table is STAFF:
            return str(record["staff_no"])
        shown = [
            self._names.get(record[column], "") for column in (*table.key, *table.columns) if column.endswith("_id")
        ]
        return str(record.get("name") or record.get("student_no") or ", ".join(filter(None, shown)))

    def _shown(self, value: Any) -> str | None:
        if value is None or value == "":
            return None
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, list):
            return "; ".join(map(str, value))
        return self._names.get(value, value) if isinstance(value, str) else str(value)


def _label(column: str) -> str:
    return column.removesuffix("_id").replace("_", " ").capitalize()
