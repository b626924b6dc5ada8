"""What a school's workbook says is worked out without a database, whatever stands in its cells."""

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.school.importing import cells
from core.school.importing.annotation import annotate
from core.school.importing.cells import CellError
from core.school.importing.columns import SHEETS
from core.school.importing.findings import MOST
from core.school.importing.plan import Plan, plan_import
from core.school.spreadsheets import Refused, Sheet, SheetRow, Value, parse_workbook
from tests.factories.spreadsheets import small_school, workbook

TODAY = date(2027, 9, 20)


def plan(sheets: dict[str, list[list[Any]]], records: dict[str, list[dict[str, Any]]] | None = None) -> Plan:
    """Plan the import of sheets into a school."""
    read = [
        Sheet(name, tuple(SheetRow(number, tuple(row)) for number, row in enumerate(rows, start=1)))
        for name, rows in sheets.items()
    ]
    return plan_import(read, records or {}, today=TODAY, actor=uuid4())


def codes(planned: Plan) -> dict[str, str]:
    """Return the code of each fault by its place."""
    return {fault.where: fault.code for fault in planned.findings.faults}


READ: list[tuple[Callable[[Value], Any], Value, Any]] = [
    (cells.day, "5/9/2014", date(2014, 9, 5)),
    (cells.day, "05-09-2014", date(2014, 9, 5)),
    (cells.day, "2014-09-05", date(2014, 9, 5)),
    (cells.day, date(2014, 9, 5), date(2014, 9, 5)),
    (cells.phone, "0803 123 4567", "+2348031234567"),
    (cells.phone, 8031234567, "+2348031234567"),
    (cells.phone, 8031234567.0, "+2348031234567"),
    (cells.phone, "+44 20 7946 0958", "+442079460958"),
    (cells.email, "Ada@KCL.example", "Ada@kcl.example"),
    (cells.gender, " GIRL ", "female"),
    (cells.language, "Yorùbá", "yo"),
    (cells.yes_no, True, True),
    (cells.register_number, 1001.0, "1001"),
    (cells.register_numbers, "S/1; S/2,S/1", ("S/1", "S/2")),
    (cells.session_name, "2027/28", "2027/2028"),
    (cells.session_name, "2027-2028", "2027/2028"),
    (cells.term_number, "2nd Term", 2),
    (cells.name, "  Fọlákẹ́   Grace ", "Fọlákẹ́ Grace"),
    (cells.channels, "email; SMS", ("email", "sms")),
]


@pytest.mark.parametrize(("read", "value", "said"), READ)
def test_cells_are_read_as_schools_write_them(read: Callable[[Value], Any], value: Value, said: object) -> None:
    """Dates, phones, synonyms and lists are read in the ways that schools write them."""
    assert read(value) == said


REFUSED: list[tuple[Callable[[Value], Any], Value, str]] = [
    (cells.day, "09/25/2014", "bad_date"),
    (cells.day, "5/9/14", "bad_date"),
    (cells.day, 41887, "bad_date"),
    (cells.day, date(1899, 1, 1), "out_of_range"),
    (cells.phone, "08031234567/08039999999", "bad_phone"),
    (cells.phone, "none", "bad_phone"),
    (cells.email, "ada at kcl", "bad_email"),
    (cells.gender, "x", "unknown"),
    (cells.name, "12", "invalid"),
    (cells.register_number, "S/1;S/2", "invalid"),
    (cells.session_name, "2027/2029", "invalid"),
    (cells.whole(1, 40), "41", "out_of_range"),
    (cells.whole(1, 40), "٣", "out_of_range"),
    (cells.text(5), "too long", "too_long"),
    (cells.register_numbers, ";", "missing"),
    (cells.name, Refused("formula", "a formula"), "formula"),
]


@pytest.mark.parametrize(("read", "value", "code"), REFUSED)
def test_wrong_cells_are_refused_with_their_reason(read: Callable[[Value], Any], value: Value, code: str) -> None:
    """What a cell may not hold is refused with a stable code."""
    with pytest.raises(CellError) as refusal:
        read(value)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("JSS 2 Ruby", "2:ruby"),
        ("js2-RUBY", "2:ruby"),
        ("S.S.S. 1A", "4:a"),
        ("Year 9 Blue", "3:blue"),
        ("Form 7", "form7"),
    ],
)
def test_classes_are_known_however_they_are_spelt(written: str, key: str) -> None:
    """A class has one key, whatever its spelling."""
    assert cells.class_key(written) == key


def test_a_whole_school_is_planned_without_faults() -> None:
    """A right workbook makes a record of each row and what comes along."""
    planned = plan(small_school())
    assert planned.findings.faults == []
    made = {table: len(changes) for table, changes in planned.changes.items()}
    assert made == {
        "academic_sessions": 1, "terms": 2, "levels": 1, "staff": 2, "departments": 2, "subjects": 2, "class_arms": 2,
        "students": 3, "enrolments": 3, "teaching_loads": 2, "elective_choices": 1, "guardians": 3,
        "guardianships": 4, "consents": 5, "users": 8,
    }  # fmt: skip


def test_a_fault_is_told_once() -> None:
    """Rows that refer to a faulty row say nothing of it, and count as no change."""
    sheets = small_school()
    sheets["Students"][1][4] = "never"
    sheets["Staff"][1][4] = "never"
    sheets["Subjects"][2][1] = None
    sheets["Teaching loads"][2][2] = "FRN"
    planned = plan(sheets)
    assert codes(planned) == {"Students!E2": "bad_date", "Staff!E2": "bad_email", "Subjects!B3": "missing"}
    assert [count.faulty for count in planned.counts] == [0, 0, 1, 1, 1, 0, 0]


def test_headers_are_found_below_a_title_and_by_other_names() -> None:
    """A school's name above the headers, odd spacing and synonyms do no harm; unknown columns are pointed out."""
    sheets = small_school()
    sheets["Students"] = [["KINGS COLLEGE"], [], *sheets["Students"]]
    sheets["Students"][2][:3] = ["ADMISSION  NUMBER *", "last name", "First Names"]
    sheets["Students"][2].append("Blood group")
    planned = plan(sheets)
    assert planned.findings.faults == []
    assert [(note.where, note.code) for note in planned.findings.warnings] == [("Students!H3", "ignored")]


def test_rows_that_contradict_each_other_are_told() -> None:
    """Two rows that give one guardian two phones are a fault at the second."""
    sheets = small_school()
    sheets["Guardians"].append([*sheets["Guardians"][2]])
    sheets["Guardians"][4][4] = "S/1; S/2"
    assert plan(sheets).findings.faults == []
    sheets["Guardians"][4][5] = "0803 555 0777"
    sheets["Guardians"][4][9] = "no"
    assert codes(plan(sheets)) == {"Guardians!F5": "contradiction", "Guardians!J5": "contradiction"}


def test_terms_must_lie_in_their_session_in_order_and_apart() -> None:
    """Terms that end before they start, lie elsewhere or overlap are faults."""
    sheets = {"Sessions": small_school()["Sessions"]}
    sheets["Sessions"] += [["2028/2029", 1, "01/09/2028", "01/08/2028"], ["2028/2029", 2, "01/01/2020", "01/02/2020"]]
    sheets["Sessions"][2][2] = "01/12/2027"
    assert codes(plan(sheets)) == {"Sessions!D4": "out_of_range", "Sessions!C5": "out_of_range", "Sessions": "overlap"}


def test_takers_must_be_in_the_class() -> None:
    """A taker of another class is a fault, and so are takers of what is no elective."""
    sheets = small_school()
    sheets["Teaching loads"][2][6] = "S/3"
    sheets["Teaching loads"][1][6] = "S/1"
    assert codes(plan(sheets)) == {"'Teaching loads'!G2": "contradiction", "'Teaching loads'!G3": "wrong_class"}


def test_no_known_sheet_says_which_were_found() -> None:
    """A workbook of other things is refused as a whole, with the names it has."""
    with pytest.raises(InvalidInput, match="found: Budget"):
        plan({"Budget": [["a"]]})


def test_faults_are_listed_to_a_bound_and_counted_past_it() -> None:
    """Of very many faults the first thousand are listed."""
    sheets = small_school()
    sheets["Students"] += [[f"X/{n}", "1", "1", "x", "x", "JSS 2 Ruby", None] for n in range(500)]
    planned = plan(sheets)
    assert len(planned.findings.faults) == MOST
    assert planned.findings.fault_count == 2_000


_VALUES = st.one_of(
    st.none(), st.text(max_size=12), st.integers(), st.floats(), st.booleans(), st.dates(), st.datetimes(), st.times(),
    st.timedeltas(), st.just(Refused("formula", "a formula")),
    st.sampled_from(["S/1", "S/2;S/1", "T/1", "JSS 2 Ruby", "2027/2028", "JSS 9", "MTH", "yes", "08035550201"]),
)  # fmt: skip
_PLACES = st.tuples(st.sampled_from([kind.name for kind in SHEETS]), st.integers(0, 4), st.integers(0, 12))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(_PLACES, _VALUES), min_size=1, max_size=12))
def test_garbage_in_cells_is_told_and_never_breaks(spoilt: list[tuple[tuple[str, int, int], Value]]) -> None:
    """Whatever stands in whichever cells, planning ends with faults by cell, and they can be given back."""
    sheets = small_school()
    for (name, row, column), value in spoilt:
        rows = sheets[name]
        if row < len(rows) and column < len(rows[row]):
            rows[row][column] = value
    planned = plan(sheets)
    read = [
        Sheet(name, tuple(SheetRow(n, tuple(row)) for n, row in enumerate(rows, 1))) for name, rows in sheets.items()
    ]
    assert annotate(read, planned.findings.faults, planned.findings.warnings).startswith(b"PK")


def test_the_annotated_workbook_reads_as_what_was_sent() -> None:
    """Values go into the annotated workbook as they came, so that mending and sending it again works."""
    sent = parse_workbook(workbook(small_school()))
    given_back = parse_workbook(annotate(sent, [], []))
    assert given_back[1:] == sent
