"""Workbooks that a school might send, made from plain lists."""

import io
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from openpyxl import Workbook

Rows = Sequence[Sequence[Any]]

SHEETS: dict[str, list[list[Any]]] = {
    "Sessions": [
        ["Session", "Term", "Starts", "Ends"],
        ["2027/2028", 1, "13/09/2027", "17/12/2027"],
        ["2027/2028", 2, "10/01/2028", "07/04/2028"],
    ],
    "Classes": [["Level", "Arm", "Class teacher"], ["JSS 2", "Ruby", "T/2"], ["JSS 2", "Emerald", None]],
    "Subjects": [["Code", "Name", "Department"], ["MTH", "Mathematics", "Sciences"], ["FRN", "French", "Languages"]],
    "Staff": [
        ["Staff number", "Title", "Surname", "First name", "Email", "Phone", "Roles", "Heads department"],
        ["T/1", "Mrs", "Okonkwo", "Ngozi", "ngozi@kcl.example", "0803 555 0101", "HOD; teacher", "Sciences"],
        ["T/2", "Mr", "Adébáyọ̀", "Túndé", "tunde@kcl.example", None, "class teacher", None],
    ],
    "Students": [
        ["Admission No", "Surname", "First name", "Sex", "DOB", "Class", "Session"],
        ["S/1", "Adébáyọ̀", "Fọlákẹ́", "F", "05/09/2014", "JSS 2 Ruby", "2027/2028"],
        ["S/2", "Obi", "Chinedu", "boy", "17/02/2014", "JSS2 RUBY", None],
        ["S/3", "Musa", "Halima", "female", None, "JSS 2 Emerald", None],
    ],
    "Guardians": [
        ["Title", "Surname", "First name", "Relationship", "Student numbers", "Phone", "Email", "Language",
         "Channel order", "Consent SMS", "Consent email", "Consent push"],
        ["Mrs", "Adébáyọ̀", "Yétúndé", "mother", "S/1", "0803 555 0201", "yetunde@kcl.example", "Yoruba",
         "sms; email", "yes", "yes", "no"],
        ["Mr", "Obi", "Emeka", "father", "S/2; S/3", 8035550202, None, "English", None, "yes", None, None],
        ["Mrs", "Obi", "Adaeze", "mother", "S/2", "+234 803 555 0203", None, None, None, "yes", None, None],
    ],
    "Teaching loads": [
        ["Session", "Class", "Subject", "Staff number", "Periods per week", "Elective", "Elective takers"],
        ["2027/2028", "JSS 2 Ruby", "MTH", "T/1", 5, None, None],
        [None, "JSS 2 Ruby", "French", "T/2", 3, "yes", "S/1"],
    ],
}  # fmt: skip
"""A small school, every sheet of it."""


def small_school() -> dict[str, list[list[Any]]]:
    """Return a small school's sheets, to be changed."""
    return deepcopy(SHEETS)


def workbook(sheets: Mapping[str, Rows]) -> bytes:
    """Return an .xlsx of sheets of rows."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for row in rows:
            page.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()
