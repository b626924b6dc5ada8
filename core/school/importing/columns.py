"""What may stand in a school's workbook: its sheets and their columns, as data. Reading and the template follow it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.school.importing import cells
from core.school.importing.cells import Reader, fold
from core.school.importing.rows import (
    ClassRow,
    GuardianRow,
    LoadRow,
    StaffRow,
    StudentRow,
    SubjectRow,
    TermRow,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a sheet."""

    field: str
    """The field of the sheet's row type."""
    header: str
    read: Reader[Any]
    required: bool = False
    also: tuple[str, ...] = ()
    """Other headers that schools use for it."""
    note: str = ""
    choices: tuple[str, ...] = ()
    """What the template offers as a list."""

    @property
    def headers(self) -> frozenset[str]:
        """Return every header that means this column, folded."""
        return frozenset(map(fold, (self.header, *self.also)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetKind:
    """One sheet."""

    name: str
    row: Callable[..., Any]
    columns: tuple[Column, ...]
    key: str
    """The column whose values other sheets refer to, or by which a row is told from others."""
    examples: tuple[tuple[str, ...], ...]
    also: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """Return every name that means this sheet, folded."""
        return frozenset(map(fold, (self.name, *self.also)))


_YES_NO = ("yes", "no")
_SESSION = Column(
    field="session", header="Session", read=cells.session_name, also=("Academic session", "Academic year", "Year"),
    note="Such as 2027/2028. Blank: the only one of this file, else the present one.",
)  # fmt: skip
_FAMILY = Column(
    field="family_name", header="Family name", read=cells.name, required=True, also=("Surname", "Last name", "Lastname")
)
_GIVEN = Column(
    field="given_names", header="Given names", read=cells.name, required=True,
    also=("First name", "Firstname", "Given name", "Other names", "Forenames", "First names"),
)  # fmt: skip
_TITLE = Column(field="title", header="Title", read=cells.text(20), note="Mr, Mrs, Dr, Chief, Alhaji ...")
_PHONE = Column(
    field="phone", header="Phone", read=cells.phone, note="0803 123 4567 or +234 803 123 4567. One number.",
    also=("Phone number", "Mobile", "Mobile number", "Telephone", "GSM", "Tel", "Phone no"),
)  # fmt: skip
_EMAIL = Column(field="email", header="Email", read=cells.email, also=("Email address", "E-mail", "Mail"))

SESSIONS = SheetKind(
    name="Sessions",
    also=("Sessions and terms", "Terms", "Calendar"),
    row=TermRow,
    key="term",
    columns=(
        Column(
            field="session", header="Session", read=cells.session_name, required=True, also=_SESSION.also,
            note="Such as 2027/2028. One row a term.",
        ),
        Column(field="term", header="Term", read=cells.term_number, required=True, choices=("1", "2", "3")),
        Column(field="starts_on", header="Starts", read=cells.day, required=True, note="dd/mm/yyyy",
               also=("Start", "Start date", "Starts on", "Begins", "From", "Resumption")),
        Column(field="ends_on", header="Ends", read=cells.day, required=True, note="dd/mm/yyyy",
               also=("End", "End date", "Ends on", "To", "Vacation")),
    ),
    examples=(
        ("2027/2028", "1", "13/09/2027", "17/12/2027"),
        ("2027/2028", "2", "10/01/2028", "07/04/2028"),
        ("2027/2028", "3", "24/04/2028", "21/07/2028"),
    ),
)  # fmt: skip

STAFF = SheetKind(
    name="Staff",
    also=("Teachers", "Employees"),
    row=StaffRow,
    key="staff_no",
    columns=(
        Column(field="staff_no", header="Staff number", read=cells.register_number, required=True,
               also=("Staff no", "Staff ID", "Number", "Employee number", "Employee ID")),
        _TITLE, _FAMILY, _GIVEN, _EMAIL, _PHONE,
        Column(field="roles", header="Roles", read=cells.roles, also=("Role", "Position", "Post"),
               note="subject teacher, class teacher, head of department, principal, bursar, school admin; several are "
                    "parted by ;. Blank: subject teacher."),
        Column(field="heads", header="Heads department", read=cells.several(cells.text()),
               also=("Head of", "Department headed", "HOD of"), note="The department that this person heads."),
    ),
    examples=(
        ("KCL/T/001", "Mrs", "Okonkwo", "Ngozi Ada", "ngozi.okonkwo@kcl.example", "0803 555 0101",
         "head of department; subject teacher", "Sciences"),
        ("KCL/T/002", "Mr", "Adébáyọ̀", "Túndé", "tunde.adebayo@kcl.example", "0803 555 0102",
         "class teacher; subject teacher", ""),
        ("KCL/T/003", "Dr", "Musa", "Halima", "halima.musa@kcl.example", "", "principal", ""),
    ),
)  # fmt: skip

CLASSES = SheetKind(
    name="Classes",
    also=("Class arms", "Arms", "Class"),
    row=ClassRow,
    key="arm",
    columns=(
        Column(field="level", header="Level", read=cells.text(40), required=True,
               also=("Class level", "Year group", "Form"),
               note="JSS 1 to JSS 3, SSS 1 to SSS 3",
               choices=("JSS 1", "JSS 2", "JSS 3", "SSS 1", "SSS 2", "SSS 3")),
        Column(field="arm", header="Arm", read=cells.text(40), required=True, also=("Class arm", "Stream", "Section")),
        Column(field="class_teacher", header="Class teacher", read=cells.register_number,
               also=("Form teacher", "Class teacher staff number", "Form master"), note="A staff number."),
    ),
    examples=(("JSS 2", "Ruby", "KCL/T/002"), ("JSS 2", "Emerald", "")),
)  # fmt: skip

SUBJECTS = SheetKind(
    name="Subjects",
    also=("Subject", "Courses"),
    row=SubjectRow,
    key="code",
    columns=(
        Column(field="code", header="Code", read=cells.register_number, required=True,
               also=("Subject code", "Short name")),
        Column(field="name", header="Name", read=cells.text(), required=True,
               also=("Subject", "Subject name", "Title")),
        Column(field="department", header="Department", read=cells.text(), also=("Dept", "Faculty")),
    ),
    examples=(("MTH", "Mathematics", "Sciences"), ("ENG", "English Language", "Languages")),
)  # fmt: skip

STUDENTS = SheetKind(
    name="Students",
    also=("Pupils", "Learners", "Student"),
    row=StudentRow,
    key="student_no",
    columns=(
        Column(field="student_no", header="Student number", read=cells.register_number, required=True,
               also=("Student no", "Student ID", "Admission No", "Admission number", "Adm No", "Reg No",
                     "Registration number", "Number")),
        _FAMILY, _GIVEN,
        Column(field="gender", header="Gender", read=cells.gender, required=True, also=("Sex",),
               choices=("female", "male")),
        Column(field="date_of_birth", header="Date of birth", read=cells.day, also=("DOB", "Birth date", "Birthday"),
               note="dd/mm/yyyy"),
        Column(field="class_name", header="Class", read=cells.text(80), required=True, also=("Class arm", "Form"),
               note="Such as JSS 2 Ruby."),
        _SESSION,
    ),
    examples=(
        ("KCL/S/25/0001", "Adébáyọ̀", "Fọlákẹ́ Grace", "female", "05/09/2014", "JSS 2 Ruby", "2027/2028"),
        ("KCL/S/25/0002", "Obi", "Chinedu", "male", "17/02/2014", "JSS 2 Emerald", "2027/2028"),
    ),
)  # fmt: skip


def _consent(channel: str, label: str, *also: str) -> Column:
    return Column(
        field=f"consent_{channel}", header=f"Consent {label}", read=cells.yes_no, also=also, choices=_YES_NO,
        note=f"Whether this guardian agreed to be written to by {label}. Blank: not asked.",
    )  # fmt: skip


GUARDIANS = SheetKind(
    name="Guardians",
    also=("Parents", "Guardian", "Parents and guardians"),
    row=GuardianRow,
    key="family_name",
    columns=(
        _TITLE, _FAMILY, _GIVEN,
        Column(field="relationship", header="Relationship", read=cells.text(40),
               also=("Relation", "Relationship to student"),
               note="mother, father, uncle ... Blank: guardian."),
        Column(field="students", header="Student numbers", read=cells.register_numbers, required=True,
               also=("Student number", "Student no", "Students", "Children", "Wards", "Admission No",
                     "Admission numbers"),
               note="Several children are parted by ;."),
        _PHONE, _EMAIL,
        Column(field="language", header="Language", read=cells.language, also=("Preferred language",),
               choices=("English", "Yoruba", "Hausa", "Igbo", "Pidgin")),
        Column(field="channel_order", header="Channel order", read=cells.channels,
               also=("Channels", "Preferred channels"),
               note="How to write to this guardian, first choice first, such as sms; email; push."),
        _consent("sms", "SMS", "SMS consent", "SMS"),
        _consent("email", "email", "Email consent"),
        _consent("push", "push", "Push consent", "App consent", "Push"),
    ),
    examples=(
        ("Mrs", "Adébáyọ̀", "Yétúndé", "mother", "KCL/S/25/0001", "0803 555 0201", "yetunde@kcl.example", "Yoruba",
         "sms; email; push", "yes", "yes", "yes"),
        ("Mr", "Obi", "Emeka", "father", "KCL/S/25/0001; KCL/S/25/0002", "+234 803 555 0202", "", "English",
         "sms; push", "yes", "no", "yes"),
    ),
)  # fmt: skip

LOADS = SheetKind(
    name="Teaching loads",
    also=("Loads", "Teaching load", "Subject allocation", "Allocation"),
    row=LoadRow,
    key="class_name",
    columns=(
        _SESSION,
        Column(field="class_name", header="Class", read=cells.text(80), required=True, also=("Class arm",)),
        Column(field="subject", header="Subject", read=cells.text(), required=True,
               also=("Subject code", "Subject name"),
               note="The code or the name."),
        Column(field="staff_no", header="Staff number", read=cells.register_number, required=True,
               also=("Teacher", "Staff no", "Staff ID", "Teacher number")),
        Column(field="periods", header="Periods per week", read=cells.whole(1, 40), required=True,
               also=("Periods", "Periods a week", "Periods/week")),
        Column(field="elective", header="Elective", read=cells.yes_no, choices=_YES_NO,
               note="yes where only some of the class take it."),
        Column(field="takers", header="Elective takers", read=cells.register_numbers, also=("Takers",),
               note="Student numbers parted by ;, where elective is yes."),
    ),
    examples=(
        ("2027/2028", "JSS 2 Ruby", "MTH", "KCL/T/001", "5", "no", ""),
        ("2027/2028", "JSS 2 Ruby", "ENG", "KCL/T/002", "5", "yes", "KCL/S/25/0001"),
    ),
)  # fmt: skip

SHEETS: tuple[SheetKind, ...] = (SESSIONS, CLASSES, SUBJECTS, STAFF, STUDENTS, GUARDIANS, LOADS)
"""Every sheet, in the order of the template."""

IGNORED_SHEETS = frozenset(map(fold, ("Read me", "Notes", "Lists", "What to mend")))
"""Sheets that the template and the annotated workbook bring along."""
