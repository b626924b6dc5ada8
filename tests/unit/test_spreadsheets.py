"""Spreadsheets of strangers: each hostile or broken file has its own clear refusal, and nothing else gets out."""

import io
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.formula import ArrayFormula

from core.errors import InvalidInput
from core.school.spreadsheets import Refused, parse_csv, parse_spreadsheet, parse_workbook, read_spreadsheet, write_text
from core.school.workbook_package import Limits
from tests.factories.spreadsheets import workbook

GOOD = workbook({"Students": [["Number", "Name"], ["S/1", "Fọlákẹ́"], [None, None], ["S/2", "Obi"]]})
SHEET = "xl/worksheets/sheet1.xml"
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><worksheet>&j;</worksheet>"
)


def with_parts(content: bytes, parts: dict[str, bytes | str]) -> bytes:
    """Return a workbook with parts added or replaced."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name not in parts:
                new.writestr(name, old.read(name))
        for name, part in parts.items():
            new.writestr(name, part)
    return made.getvalue()


def with_sheet(xml: str) -> bytes:
    """Return a workbook whose sheet has this inside."""
    head = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    return with_parts(GOOD, {SHEET: f"{head}<sheetData>{xml}</sheetData></worksheet>"})


def manifest() -> str:
    """Return the good workbook's list of content types."""
    with zipfile.ZipFile(io.BytesIO(GOOD)) as package:
        return package.read("[Content_Types].xml").decode()


def other_zip() -> bytes:
    """Return a ZIP that is no workbook."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    return file.getvalue()


def locked() -> bytes:
    """Return a ZIP whose members say that they are encrypted."""
    content = bytearray(GOOD)
    place = content.find(b"PK\x01\x02")
    while place >= 0:
        content[place + 8] |= 1
        place = content.find(b"PK\x01\x02", place + 4)
    return bytes(content)


DAY = datetime(2027, 9, 13)  # noqa: DTZ001 - a cell has no time zone
OLE = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(600)
HOSTILE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "macro code": ("macro", lambda: with_parts(GOOD, {"xl/vbaProject.bin": b"x"})),
    "macro type": ("macro", lambda: with_parts(GOOD, {"[Content_Types].xml": manifest().replace(
        "spreadsheetml.sheet.main", "ms-excel.sheet.macroEnabled.main")})),
    "macro sheet": ("macro", lambda: with_parts(GOOD, {"xl/macrosheets/sheet1.xml": "<a/>"})),
    "external link": ("external_link", lambda: with_parts(GOOD, {"xl/externalLinks/externalLink1.xml": "<a/>"})),
    "connection": ("external_link", lambda: with_parts(GOOD, {"xl/connections.xml": "<a/>"})),
    "declared bomb": ("zip_bomb", lambda: with_parts(GOOD, {"xl/media/a.bin": bytes(80_000_000)})),
    "dense bomb": ("zip_bomb", lambda: with_parts(GOOD, {"xl/media/a.bin": bytes(20_000_000)})),
    "many members": ("zip_bomb", lambda: with_parts(GOOD, {f"xl/media/{n}": b"" for n in range(600)})),
    "deep elements": ("zip_bomb", lambda: with_sheet("<a>" * 200 + "</a>" * 200)),
    "many elements": ("zip_bomb", lambda: with_sheet("".join(f'<r a="{n}"/>' for n in range(2_100_000)))),
    "billion laughs": ("xml_entities", lambda: with_parts(GOOD, {SHEET: LAUGHS})),
    "billion laughs in UTF-16": ("xml_entities", lambda: with_parts(GOOD, {SHEET: LAUGHS.replace(
        "?>", ' encoding="UTF-16"?>', 1).encode("utf-16")})),
    "entities where no XML is looked for": ("xml_entities", lambda: with_parts(GOOD, {"xl/media/a.png": LAUGHS})),
    "password": ("encrypted", lambda: OLE + "EncryptedPackage".encode("utf-16-le")),
    "locked members": ("encrypted", locked),
    "old format": ("legacy_xls", lambda: OLE),
    "text": ("not_a_workbook", lambda: b"Dear Sir"),
    "nothing": ("not_a_workbook", lambda: b""),
    "another ZIP": ("not_a_workbook", other_zip),
    "half a file": ("not_a_workbook", lambda: GOOD[: len(GOOD) // 2]),
    "damaged part": ("not_a_workbook", lambda: with_parts(GOOD, {SHEET: "<worksheet>"})),
    "bad references": ("not_a_workbook", lambda: with_sheet('<row r="1"><c r="A1" t="s"><v>999</v></c></row>')),
    "too large": ("too_large", lambda: GOOD + bytes(6_000_000)),
    "row far down": ("too_large", lambda: with_sheet('<row r="999999999"><c><v>1</v></c></row>')),
    "column far right": ("too_large", lambda: with_sheet('<row r="1"><c r="XFD1"><v>1</v></c></row>')),
    "many sheets": ("too_large", lambda: workbook({f"S{n}": [["x"]] for n in range(31)})),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_each_hostile_file_has_its_own_refusal(name: str) -> None:
    """A file that may not be opened is refused with the code of its reason, at once."""
    code, make = HOSTILE[name]
    content = make()
    started = time.process_time()
    with pytest.raises(InvalidInput) as refusal:
        parse_workbook(content)
    assert [fault.code for fault in refusal.value.faults] == [code]
    assert time.process_time() - started < 20


def test_values_are_read_as_they_are() -> None:
    """Text, numbers, dates and yes/no come as such, blank rows are left out, and rows keep their numbers."""
    content = workbook({"Été": [["a", 1, 2.5, True, DAY], [], [None, "  b\u00a0"]]})
    (sheet,) = parse_workbook(content)
    assert sheet.name == "Été"
    assert [(row.number, row.cells) for row in sheet.rows] == [
        (1, ("a", 1, 2.5, True, DAY)),
        (3, (None, "b")),
    ]
    assert sheet.rows[1].at(9) is None
    assert sheet.address(12, 6) == "Été!F12"


def test_formulas_and_error_values_are_refused_by_cell() -> None:
    """Every formula and error is a fault at its cell; what begins with = and is text stays text."""
    book = openpyxl.Workbook()
    page = book.worksheets[0]
    page.title = "Teaching loads"
    page["D7"], page["A2"], page["B2"] = "=1+1", "=HYPERLINK(1)", "#N/A"
    page["A2"].data_type, page["B2"].data_type = "s", "e"
    page["C3"] = ArrayFormula("C3:C4", "=SUM(A1:A2)")
    file = io.BytesIO()
    book.save(file)
    (sheet,) = parse_workbook(file.getvalue())
    assert {fault.where: fault.code for fault in sheet.refusals()} == {
        "'Teaching loads'!D7": "formula",
        "'Teaching loads'!B2": "error_value",
        "'Teaching loads'!C3": "formula",
    }
    assert sheet.rows[0].at(1) == "=HYPERLINK(1)"


def test_a_shared_formula_is_not_multiplied() -> None:
    """Ten thousand cells that share one long formula are read in the time of ten thousand cells."""
    text = "A1+" * 2_500 + "1"
    first = f'<row r="1"><c r="A1"><f t="shared" si="0" ref="A1:A10000">{text}</f><v>1</v></c></row>'
    rest = "".join(f'<row r="{n}"><c r="A{n}"><f t="shared" si="0"/><v>1</v></c></row>' for n in range(2, 10_000))
    started = time.process_time()
    (sheet,) = parse_workbook(with_sheet(first + rest))
    assert time.process_time() - started < 10
    assert len(list(sheet.refusals())) == 9_999


def test_a_false_dimension_is_not_believed() -> None:
    """A sheet that claims a million rows has those that are in it."""
    content = with_sheet('<row r="1"><c r="A1"><v>1</v></c></row>')
    claimed = '<dimension ref="A1:XFD1048576"/><sheetData>'
    with zipfile.ZipFile(io.BytesIO(content)) as package:
        xml = package.read(SHEET).decode().replace("<sheetData>", claimed)
    (sheet,) = parse_workbook(with_parts(content, {SHEET: xml}))
    assert len(sheet.rows) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", list(",;\t|"))
def test_csv_is_read_in_its_encoding_and_by_its_delimiter(encoding: str, delimiter: str) -> None:
    """A CSV file of any usual program is read, and a formula in it is text."""
    text = delimiter.join(["Númber", '"Náme; or, so"', "=1+1"]) + "\r\n" + delimiter.join(["1", "", "é"])
    (sheet,) = parse_spreadsheet("Students.csv", text.encode(encoding))
    assert sheet.name == "Students"
    assert sheet.rows[0].cells == ("Númber", "Náme; or, so", "=1+1")
    assert sheet.rows[1].cells == ("1", None, "é")


@pytest.mark.parametrize("content", [b"\x00\x01\x02", b"\xff\xfea", b'"' + b"a" * 200_000, b"a," * 300])
def test_what_is_no_csv_is_refused(content: bytes) -> None:
    """Binary, endless and far too wide text is refused."""
    with pytest.raises(InvalidInput):
        parse_csv("Students", content)


async def test_reading_leaves_the_loop_free() -> None:
    """A file is read in a thread."""
    assert (await read_spreadsheet("x.xlsx", GOOD))[0].name == "Students"


def test_text_like_a_formula_is_written_as_text() -> None:
    """Text that begins with = + - @ comes back as text, and control characters are left out."""
    book = openpyxl.Workbook()
    page = book.worksheets[0]
    texts = ["=1+1", "+1", "-1", "@SUM(A1)", "a\x00b"]
    for row, text in enumerate(texts, start=1):
        cell = page.cell(row, 1)
        assert isinstance(cell, openpyxl.cell.Cell)
        write_text(cell, text)
    file = io.BytesIO()
    book.save(file)
    (sheet,) = parse_workbook(file.getvalue())
    assert [row.cells[0] for row in sheet.rows] == [*texts[:4], "ab"]
    assert not any(isinstance(row.cells[0], Refused) for row in sheet.rows)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_spoilt_workbook_is_read_or_refused(data: st.DataObject) -> None:
    """Whatever bytes of a workbook are changed, it is read or refused, never anything else."""
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InvalidInput):
        parse_workbook(bytes(content), Limits(elements=50_000))


@settings(max_examples=150, deadline=None)
@given(xml=st.text(alphabet='<>/="rcvtfsnA1 bdse.5-', max_size=120), cell=st.text(max_size=20))
def test_a_spoilt_sheet_is_read_or_refused(xml: str, cell: str) -> None:
    """Whatever stands in a sheet's XML, it is read or refused, never anything else."""
    escaped = cell.replace("&", "&amp;").replace("<", "&lt;").encode("utf-8", "ignore").decode()
    inside = f'<row r="1"><c r="A1" t="{"nsbde"[len(cell) % 5]}"><v>{escaped}</v></c>{xml}</row>'
    with suppress(InvalidInput):
        parse_workbook(with_sheet(inside), Limits(elements=50_000))
