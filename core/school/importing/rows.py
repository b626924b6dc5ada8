"""The rows of a school's workbook, each read cell by cell and right in itself. None is a blank cell."""

from dataclasses import dataclass
from datetime import date

from core.access.principal import Role
from core.school.model import Channel, Gender, Language
from core.school.spreadsheets import cell_address


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands, and where its fields do."""

    kind: str
    """The sheet's name in the template."""
    sheet: str
    """The sheet's name in the file."""
    row: int
    columns: dict[str, int]

    def of(self, field: str) -> str:
        """Return the address of a field's cell; the row's first where the file lacks the column."""
        return cell_address(self.sheet, self.row, self.columns.get(field, 1))

    @property
    def row_address(self) -> str:
        """Return the address of the row: ``Students!12``."""
        return cell_address(self.sheet, self.row, 1).removesuffix(f"A{self.row}") + str(self.row)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """What every row has."""

    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class TermRow(ImportRow):
    """One term of a session."""

    session: str
    term: int
    starts_on: date
    ends_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow(ImportRow):
    """One class arm."""

    level: str
    arm: str
    class_teacher: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRow(ImportRow):
    """One subject."""

    code: str
    name: str
    department: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffRow(ImportRow):
    """One member of staff."""

    staff_no: str
    title: str | None
    family_name: str
    given_names: str
    email: str | None
    phone: str | None
    roles: tuple[Role, ...] | None
    heads: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentRow(ImportRow):
    """One student in the class of a session."""

    student_no: str
    family_name: str
    given_names: str
    gender: Gender
    date_of_birth: date | None
    class_name: str
    session: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardianRow(ImportRow):
    """One guardian with some or all of the children."""

    title: str | None
    family_name: str
    given_names: str
    relationship: str | None
    students: tuple[str, ...]
    phone: str | None
    email: str | None
    language: Language | None
    channel_order: tuple[Channel, ...] | None
    consent_sms: bool | None
    consent_email: bool | None
    consent_push: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRow(ImportRow):
    """Who teaches a subject to a class."""

    session: str | None
    class_name: str
    subject: str
    staff_no: str
    periods: int
    elective: bool | None
    takers: tuple[str, ...] | None
