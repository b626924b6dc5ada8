"""What a filled class sheet says, and what is wrong with it, cell by cell."""

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.worksheet import Worksheet

from core.errors import Fault
from core.ids import ClassArmId, MarkSheetId, SchoolId, StaffId, StudentId, SubjectId, TermId
from core.school.defaults import APPROVAL, ASSESSMENT, WAEC
from core.school.marks.approval import SheetState, Standing
from core.school.marks.changes import diff
from core.school.marks.model import ABSENT, EXEMPT, Cell, Mark, RosterStudent, SheetHead
from core.school.marks.reading import Reading, Refusal, read_marks, read_value, stamp_of
from core.school.marks.workbook import annotated, class_sheet
from core.school.spreadsheets import parse_workbook

ROSTER = tuple(RosterStudent(StudentId(uuid4()), f"KCL/S/25/{n:04}", f"Ọláńrewájú Student{n}") for n in range(1, 4))
HEAD = SheetHead(
    id=MarkSheetId(uuid4()), school_id=SchoolId(uuid4()), school_name="Kings College Lagos", term_id=TermId(uuid4()),
    term_name="First Term", term_closed=False, session_name="2027/2028", class_arm_id=ClassArmId(uuid4()),
    class_arm_name="JSS 2 Ruby", subject_id=SubjectId(uuid4()), subject_name="Mathematics",
    teacher_id=StaffId(uuid4()), teacher_name="Mrs Ade", class_teacher_id=None, department_head_id=None,
    components=ASSESSMENT.components, grading=WAEC, steps=APPROVAL.steps, standing=Standing(SheetState.DRAFT),
    version=3, published_at=datetime(2027, 12, 1, tzinfo=UTC),
)  # fmt: skip
EMPTY: dict[Cell, Mark] = {}


def read(change: Callable[[Worksheet], Any], head: SheetHead = HEAD) -> Reading:
    """Return the reading of a class sheet after a change to its page."""
    book = openpyxl.load_workbook(io.BytesIO(class_sheet(HEAD, ROSTER, EMPTY)))
    page = book["Marks"]
    assert isinstance(page, Worksheet)
    change(page)
    buffer = io.BytesIO()
    book.save(buffer)
    return read_marks(parse_workbook(buffer.getvalue()), head, ROSTER)


def put(address: str, value: Any) -> Callable[[Worksheet], None]:
    """Return a change that types a value into a cell."""

    def change(page: Worksheet) -> None:
        page[address] = value

    return change


def codes(faults: list[Fault]) -> list[tuple[str, str]]:
    """Return where and what each fault is."""
    return [(fault.where, fault.code) for fault in faults]


def test_an_untouched_sheet_changes_nothing() -> None:
    """The downloaded sheet, sent back as it is, has no fault and wants nothing."""
    reading = read(lambda page: None)
    assert (reading.faults, reading.warnings, reading.wanted) == ([], [], {})


@pytest.mark.parametrize(
    ("address", "value", "code"),
    [
        ("D7", "=5+4", "formula"),
        ("D7", "nine", "text_for_number"),
        ("D7", "9", "text_for_number"),
        ("D7", 10.5, "above_maximum"),
        ("D8", -1, "negative"),
        ("D8", -1e300, "negative"),
        ("F9", 1.005, "too_many_decimals"),
        ("G9", True, "not_a_number"),
        ("G9", datetime(2027, 1, 2), "not_a_number"),  # noqa: DTZ001 - spreadsheets know no zones
        ("B7", "KCL/S/25/9999", "unknown_student"),
        ("B8", "KCL/S/25/0001", "duplicate_student"),
        ("B8", "=B7", "formula"),
        ("D6", "Homework (max 10)", "renamed_column"),
        ("G6", "Exam (max 70)", "renamed_column"),
        ("H6", "Bonus", "extra_column"),
        ("H8", 4, "extra_column"),
        ("H6", "Exam (max 60)", "duplicate_column"),
    ],
)
def test_each_fault_is_told_by_its_cell(address: str, value: Any, code: str) -> None:
    """What is wrong has its own code, at the cell where it is, and is the only fault."""
    where = address if code not in {"extra_column", "duplicate_column"} else "H6"
    faults = read(put(address, value)).faults
    assert codes(faults) == [(f"Marks!{where}", code)]
    assert faults[0].what


@pytest.mark.parametrize("number", [10**400, 1e300, float("inf"), float("nan")])
def test_no_number_is_too_large_to_be_refused(number: float) -> None:
    """Numbers no float holds, infinities and not-a-numbers are refused like any other."""
    with pytest.raises(Refusal, match=r"above_maximum|not_a_number"):
        read_value(number, ASSESSMENT.components[0])


def test_a_missing_column_is_told() -> None:
    """A deleted component's column is missing at its place, and the others are still read."""
    assert codes(read(lambda page: page.delete_cols(7)).faults) == [("Marks!G6", "missing_column")]
    assert codes(read(lambda page: page.delete_cols(2)).faults) == [("Marks!B6", "missing_column")]


def test_marks_without_a_student_number_are_told() -> None:
    """A row with marks has to say whose they are."""

    def change(page: Worksheet) -> None:
        page["B9"], page["D9"] = None, 5

    assert codes(read(change).faults) == [("Marks!B9", "missing_student_number")]


def test_all_faults_come_at_once() -> None:
    """Faults of several rows and columns are told together."""

    def change(page: Worksheet) -> None:
        page["D7"], page["E8"], page["G9"], page["H6"] = 11, "x?", -2, "Extra"

    assert [code for _, code in codes(read(change).faults)] == [
        "extra_column", "above_maximum", "text_for_number", "negative",
    ]  # fmt: skip


def test_a_missing_row_is_a_warning_only() -> None:
    """A student without a row keeps the marks they have."""
    reading = read(lambda page: page.delete_rows(9))
    assert reading.faults == []
    assert [warning.code for warning in reading.warnings] == ["missing_student"]


def test_a_name_beside_the_wrong_number_is_a_warning() -> None:
    """Rows whose names were moved are noticed."""
    assert codes(read(put("C7", "Someone Else")).warnings) == [("Marks!C7", "name_differs")]


def test_words_for_marks_are_understood() -> None:
    """A, X and - mean absent, exempt and removed; numbers keep what the spreadsheet shows."""

    def change(page: Worksheet) -> None:
        page["D7"], page["E7"], page["F7"], page["G7"] = "a", "X", "-", 0.1 + 0.2

    first = ROSTER[0].id
    assert read(change).wanted == {
        (first, "assignment"): ABSENT,
        (first, "note"): EXEMPT,
        (first, "ca"): None,
        (first, "exam"): Mark.scored("0.3"),
    }


def test_columns_may_change_places() -> None:
    """Components are found by their heading, wherever it stands."""

    def change(page: Worksheet) -> None:
        page["D6"], page["E6"], page["D7"] = "Note (max 10)", " assignment  (MAX 10)", 8

    assert read(change).wanted == {(ROSTER[0].id, "note"): Mark.scored(8)}


@pytest.mark.parametrize(
    ("field", "code"), [("term_id", "wrong_term"), ("class_arm_id", "wrong_class"), ("subject_id", "wrong_subject"),
                        ("school_id", "wrong_school")],
)  # fmt: skip
def test_a_sheet_of_something_else_is_refused(field: str, code: str) -> None:
    """A workbook made for another term, class, subject or school is told as that and not read."""
    changed: dict[str, Any] = {field: uuid4()}
    other = replace(HEAD, **changed)
    assert codes(read(put("D7", 99), other).faults) == [("/file", code)]


def test_the_stamp_says_which_version_was_downloaded() -> None:
    """The hidden page carries the sheet's id and version, and can't be unhidden from the menu."""
    content = class_sheet(HEAD, ROSTER, EMPTY)
    stamp = stamp_of(parse_workbook(content))
    assert stamp is not None
    assert (stamp.sheet, stamp.version) == (HEAD.id, 3)
    assert openpyxl.load_workbook(io.BytesIO(content))["_sheet"].sheet_state == "veryHidden"


def test_only_marks_are_unlocked() -> None:
    """Numbers, names and headings are protected against slips, mark cells are open and validated."""
    page = openpyxl.load_workbook(io.BytesIO(class_sheet(HEAD, ROSTER, EMPTY)))["Marks"]
    assert isinstance(page, Worksheet)
    assert page.protection.sheet
    assert [page[cell].protection.locked for cell in ("B7", "C7", "D6", "D7", "G9")] == [True, True, True, False, False]
    assert len(page.data_validations.dataValidation) == 4


def test_the_annotated_copy_can_be_mended_and_sent() -> None:
    """Faults are comments on their cells and a list, and the mended copy is read like the original."""
    book = openpyxl.load_workbook(io.BytesIO(class_sheet(HEAD, ROSTER, EMPTY)))
    book["Marks"]["D7"] = 99
    buffer = io.BytesIO()
    book.save(buffer)
    sheets = parse_workbook(buffer.getvalue())
    copy = openpyxl.load_workbook(io.BytesIO(annotated(sheets, read_marks(sheets, HEAD, ROSTER).faults)))
    assert "above the maximum of 10" in str(copy["Marks"]["D7"].comment)
    assert copy["Problems"]["A2"].value == "Marks!D7"
    copy["Marks"]["D7"] = 9
    mended = io.BytesIO()
    copy.save(mended)
    reading = read_marks(parse_workbook(mended.getvalue()), HEAD, ROSTER)
    assert (reading.faults, reading.wanted) == ([], {(ROSTER[0].id, "assignment"): Mark.scored(9)})


def test_a_hostile_name_stays_text() -> None:
    """A student's name that begins like a formula is written as text."""
    roster = (RosterStudent(ROSTER[0].id, "=1+1", '=HYPERLINK("http://x")'),)
    page = openpyxl.load_workbook(io.BytesIO(class_sheet(HEAD, roster, EMPTY)))["Marks"]
    assert isinstance(page, Worksheet)
    assert (page["B7"].data_type, page["C7"].data_type) == ("s", "s")


MARKS = st.one_of(
    st.sampled_from([ABSENT, EXEMPT]), st.decimals(0, 10, places=2).map(lambda value: Mark.scored(Decimal(value)))
)


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(st.tuples(st.sampled_from([s.id for s in ROSTER]), st.sampled_from(["assignment", "note"])), MARKS)
)
def test_what_is_written_is_read_back(marks: dict[Cell, Mark]) -> None:
    """Any marks, written into a class sheet and read again, are the same marks."""
    reading = read_marks(parse_workbook(class_sheet(HEAD, ROSTER, marks)), HEAD, ROSTER)
    assert (reading.faults, reading.wanted) == ([], marks)


CELL = (ROSTER[0].id, "exam")


def test_a_mark_changed_by_both_collides() -> None:
    """Where the teacher and someone else changed the same mark since the download, that is a collision."""
    found = diff({CELL: Mark.scored(50)}, {CELL: Mark.scored(40)}, {CELL: Mark.scored(30)})
    assert found.changes == found.collisions != ()


def test_a_mark_the_teacher_did_not_touch_is_left_alone() -> None:
    """A pre-filled mark that others changed since is not changed back by an old copy."""
    found = diff({CELL: Mark.scored(30)}, {CELL: Mark.scored(40)}, {CELL: Mark.scored("30.00")})
    assert found.changes == ()


def test_the_same_change_by_both_is_no_collision() -> None:
    """Where both typed the same, nothing is left to do."""
    assert diff({CELL: Mark.scored(40)}, {CELL: Mark.scored(40)}, {CELL: None}).changes == ()
