"""What every part of planning an import shares: the file, the draft, and how a row's words find other records."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from core.school.importing import columns, tables
from core.school.importing.cells import class_key, fold, fold_number, parse_level, shown
from core.school.importing.drafting import Draft
from core.school.importing.findings import Findings
from core.school.importing.rows import Place
from core.school.importing.tables import Record, Table
from core.school.importing.workbook import SchoolWorkbook


@dataclass(slots=True, kw_only=True)
class Planning:
    """An import on its way from rows to a draft."""

    book: SchoolWorkbook
    draft: Draft
    findings: Findings
    today: date
    actor: UUID
    only_session: str | None = None
    """What a blank session means; None for the present one."""

    def is_first(self, place: Place, field_name: str, key: str) -> bool:
        """Tell whether no earlier row of the sheet has this key; note a fault where one has."""
        earlier = self.book.first.setdefault((place.kind, key), place)
        if earlier is not place:
            what = f"this is in row {earlier.row} already; a row comes once"
            self.findings.fault(place.of(field_name), what, "duplicate")
        return earlier is place

    def find_arm(self, place: Place, field_name: str, written: str, arms: Mapping[str, Record]) -> Record | None:
        """Return the class arm that is meant, of those by folded full name; note a fault where there is none."""
        found = arms.get(class_key(written))
        if found is None and class_key(written) not in self.book.declared[columns.CLASSES.name]:
            self._unknown(place, field_name, f"there is no class {shown(written)}", "Classes")
        return found

    def arms(self) -> dict[str, Record]:
        """Return every class arm by its folded full name."""
        levels = {level["id"]: level["name"] for level in self.draft.all(tables.LEVELS)}
        return {class_key(f"{levels[arm['level_id']]} {arm['name']}"): arm for arm in self.draft.all(tables.CLASS_ARMS)}

    def find_staff(self, place: Place, field_name: str, number: str | None) -> Record | None:
        """Return the member of staff that is meant; note a fault where there is none."""
        return self._by_number(tables.STAFF, place, field_name, number)

    def find_student(self, place: Place, field_name: str, number: str | None) -> Record | None:
        """Return the student that is meant; note a fault where there is none."""
        return self._by_number(tables.STUDENTS, place, field_name, number)

    def _by_number(self, table: Table, place: Place, field_name: str, number: str | None) -> Record | None:
        if number is None:
            return None
        kind, noun = ("Staff", "member of staff") if table is tables.STAFF else ("Students", "student")
        found = self.draft.find(table, fold_number(number))
        if found is None and fold_number(number) not in self.book.declared[kind]:
            self._unknown(place, field_name, f"there is no {noun} with the number {shown(number)}", kind)
        return found

    def find_subject(self, place: Place, field_name: str, written: str) -> Record | None:
        """Return the subject of a code or a name; note a fault where there is none."""
        key = fold(written)
        found = self.draft.find(tables.SUBJECTS, "code", key) or self.draft.find(tables.SUBJECTS, "name", key)
        if found is None and key not in self.book.declared[columns.SUBJECTS.name]:
            self._unknown(place, field_name, f"there is no subject {shown(written)}", "Subjects")
        return found

    def find_session(self, place: Place, name: str | None) -> Record | None:
        """Return the session of a name, or what a blank one means; note a fault where there is none."""
        name = name or self.only_session
        found = self.draft.find(tables.SESSIONS, name) if name else self.present_session()
        if found is None and name not in self.book.declared[columns.SESSIONS.name]:
            self._unknown(place, "session", f"there is no session {shown(name or '')}", "Sessions")
        return found

    def present_session(self) -> Record | None:
        """Return the session of today, else the next one, else the last."""
        sessions = sorted(self.draft.all(tables.SESSIONS), key=lambda session: str(session["starts_on"]))
        ahead = [session for session in sessions if session["ends_on"] >= self.today.isoformat()]
        return next(iter(ahead or sessions[-1:]), None)

    def find_level(self, written: str) -> Record | None:
        """Return the level of a name, however it is spelt."""
        parsed = parse_level(written)
        key = class_key(parsed[0].name) if parsed else fold(written)
        return self.draft.find(tables.LEVELS, key)

    def _unknown(self, place: Place, field_name: str, what: str, sheet: str) -> None:
        self.findings.fault(place.of(field_name), f"{what}; add it to the sheet {sheet} or correct it", "unknown")
