"""A school is set up from its own spreadsheets: all or nothing, and again without doubling."""

import csv
import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import openpyxl
import pytest

from core.access.principal import Role, Scope
from core.adapters.postgres import PostgresDatabase
from core.school.spreadsheets import XLSX
from tests.factories.http import bearer, make_client, make_principal, settings_for
from tests.factories.imports import IMPORTS, Office, counts, faults, make_office
from tests.factories.spreadsheets import small_school, workbook


@pytest.fixture(scope="module")
async def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """The whole application in process, its files in a folder of this module."""
    folder: Path = tmp_path_factory.mktemp("state")
    async with make_client(settings_for(database_url, folder)) as made:
        yield made


@pytest.fixture
async def office(client: httpx.AsyncClient, db: PostgresDatabase) -> Office:
    """The office of a school without records."""
    return await make_office(client, db)


async def test_a_workbook_sets_a_school_up(office: Office) -> None:
    """Every sheet becomes records, and everyone gets an account, from an empty school."""
    answer = await office.send(small_school())
    assert answer.status_code == 201, answer.text
    assert counts(answer)["Students"] == (3, 0, 0, 0)
    students = await office.fetch(
        "SELECT student_no, family_name, gender, date_of_birth::text, l.name || ' ' || a.name AS class"
        " FROM students s JOIN enrolments e ON e.student_id = s.id JOIN class_arms a ON a.id = e.class_arm_id"
        " JOIN levels l ON l.id = a.level_id ORDER BY student_no"
    )
    assert [tuple(student.values()) for student in students] == [
        ("S/1", "Adébáyọ̀", "female", "2014-09-05", "JSS 2 Ruby"),
        ("S/2", "Obi", "male", "2014-02-17", "JSS 2 Ruby"),
        ("S/3", "Musa", "female", None, "JSS 2 Emerald"),
    ]
    users = await office.fetch("SELECT username, roles FROM users ORDER BY username")
    assert ("ngozi@kcl.example", ["head_of_department", "subject_teacher"]) in [tuple(user.values()) for user in users]
    assert len(users) == 2 + 3 + 3
    heads = await office.fetch("SELECT d.name, s.staff_no FROM departments d JOIN staff s ON s.id = d.head_id")
    assert heads == [{"name": "Sciences", "staff_no": "T/1"}]
    takers = await office.fetch("SELECT s.student_no FROM elective_choices JOIN students s ON s.id = student_id")
    assert takers == [{"student_no": "S/1"}]


async def test_guardians_and_children_go_both_ways(office: Office) -> None:
    """A guardian has several children and a child several guardians, each with phone, channels and consents."""
    assert (await office.send(small_school())).status_code == 201
    links = await office.fetch(
        "SELECT g.given_names, s.student_no, relationship FROM guardianships"
        " JOIN guardians g ON g.id = guardian_id JOIN students s ON s.id = student_id ORDER BY 2, 1"
    )
    assert [tuple(link.values()) for link in links] == [
        ("Yétúndé", "S/1", "mother"),
        ("Adaeze", "S/2", "mother"),
        ("Emeka", "S/2", "father"),
        ("Emeka", "S/3", "father"),
    ]
    emeka = await office.fetch("SELECT phone, language, channel_order FROM guardians WHERE given_names = 'Emeka'")
    assert emeka == [{"phone": "+2348035550202", "language": "en", "channel_order": ["sms", "email", "push"]}]
    consents = await office.fetch(
        "SELECT channel, granted FROM consents JOIN guardians g ON g.id = guardian_id"
        " WHERE g.given_names = 'Yétúndé' ORDER BY channel"
    )
    assert [tuple(row.values()) for row in consents] == [("email", True), ("push", False), ("sms", True)]


async def test_the_same_file_again_makes_nothing(office: Office) -> None:
    """A second import of a file finds every row unchanged and leaves every record as it was."""
    await office.send(small_school())
    before = await office.records()
    again = await office.send(small_school())
    assert again.status_code == 201, again.text
    assert {(new, changed, faulty) for new, changed, _, faulty in counts(again).values()} == {(0, 0, 0)}
    assert again.json()["rows"] == []
    assert await office.records() == before


async def test_a_dry_run_tells_the_difference_and_writes_none(office: Office) -> None:
    """A dry run says per row and field what would change, and changes no record."""
    await office.send(small_school())
    before = await office.records()
    sheets = small_school()
    sheets["Students"][1][1] = "Adéwálé"
    sheets["Students"][2][5] = "JSS 2 Emerald"
    sheets["Students"].append(["S/4", "Bello", "Amina", "F", None, "JSS 2 Ruby", None])
    sheets["Guardians"][1][9] = "no"
    answer = await office.send(sheets, dry_run=True)
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "checked"
    assert counts(answer)["Students"] == (1, 2, 1, 0)
    rows = {(row["sheet"], row["row"]): row for row in answer.json()["rows"]}
    assert {"field": "Family name", "old": "Adébáyọ̀", "new": "Adéwálé"} in rows["Students", 2]["fields"]
    assert rows["Students", 3]["fields"] == [{"field": "Class arm", "old": "JSS 2 Ruby", "new": "JSS 2 Emerald"}]
    assert rows["Students", 5]["outcome"] == "new"
    assert rows["Guardians", 2]["fields"] == [{"field": "Consent sms", "old": "yes", "new": "no"}]
    assert await office.records() == before


async def test_every_faulty_cell_is_told_at_once_and_nothing_is_written(office: Office) -> None:
    """Faults of all sheets come together with their cells, and no row of the file is written."""
    sheets = small_school()
    sheets["Students"][1][3] = "x"
    sheets["Students"][2][4] = "31/02/2014"
    sheets["Students"].append(["S/1", "Again", "Again", "F", None, "JSS 2 Ruby", None])
    sheets["Students"].append(["S/5", "Bello", "Amina", "F", None, "JSS 3 Gold", None])
    sheets["Guardians"][1][5] = "0803"
    sheets["Guardians"][2][4] = "S/2; S/99"
    sheets["Guardians"][3][6] = "nobody"
    sheets["Guardians"][3][7] = "Klingon"
    sheets["Teaching loads"][1][2] = "Alchemy"
    sheets["Teaching loads"][2][3] = "=1+1"
    answer = await office.send(sheets)
    assert answer.status_code == 422, answer.text
    assert faults(answer) == {
        "Students!D2": "unknown",
        "Students!E3": "bad_date",
        "Students!A5": "duplicate",
        "Students!F6": "unknown",
        "Guardians!F2": "bad_phone",
        "Guardians!E3": "unknown",
        "Guardians!G4": "bad_email",
        "Guardians!H4": "unknown",
        "'Teaching loads'!C2": "unknown",
        "'Teaching loads'!D3": "formula",
    }
    assert not any((await office.records()).values())


async def test_the_annotated_workbook_shows_each_fault(office: Office) -> None:
    """The workbook that comes back has the faulty cell coloured and commented, and lists it in front."""
    sheets = small_school()
    sheets["Students"][1][3] = "x"
    sheets["Students"][1][1] = "=cmd()"
    refused = await office.send(sheets)
    answer = await office.client.get(refused.json()["reportUrl"], headers=bearer(office.admin))
    assert answer.status_code == 200, answer.text
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    cell = book["Students"]["D2"]
    assert cell.value == "x"
    assert cell.comment is not None
    assert "female or male" in cell.comment.text
    assert cell.fill.fgColor.rgb == "00FFC7CE"
    assert book["What to mend"]["A2"].value == "Students!B2"
    assert (await office.get(f"/{uuid4()}/annotated.xlsx")).status_code == 404


async def test_csv_files_do_what_the_workbook_does(office: Office) -> None:
    """The same sheets as CSV files, in Windows-1252 or with semicolons, change nothing after the workbook."""
    sheets = small_school()
    await office.send(sheets)
    files = []
    for number, (name, rows) in enumerate(sheets.items()):
        text = io.StringIO()
        csv.writer(text, delimiter=",;"[number % 2]).writerows(rows)
        files.append((f"{name}.csv", text.getvalue().encode("utf-8-sig"), "text/csv"))
    again = await office.send_files(files)
    assert again.status_code == 201, again.text
    assert again.json()["rows"] == []
    assert len(counts(again)) == len(sheets)


async def test_the_template_imports_as_it_is(office: Office) -> None:
    """The workbook to fill in can be sent back untouched: its examples are right."""
    template = await office.get("/template.xlsx")
    assert template.headers["content-type"] == XLSX
    answer = await office.send_files([("t.xlsx", template.content, XLSX)])
    assert answer.status_code == 201, answer.text
    assert answer.json()["warnings"] == []
    assert counts(answer)["Guardians"] == (2, 0, 0, 0)


async def test_two_guardians_with_one_phone_are_two(office: Office) -> None:
    """A phone shared by two names is a warning, and each becomes a guardian."""
    sheets = small_school()
    sheets["Guardians"][3][5] = "08035550202"
    answer = await office.send(sheets)
    assert answer.status_code == 201, answer.text
    assert [(note["where"], note["code"]) for note in answer.json()["warnings"]] == [("Guardians!F4", "shared_phone")]
    assert len(await office.fetch("SELECT FROM guardians")) == 3


async def test_a_guardian_is_found_again_by_phone_email_or_child(office: Office) -> None:
    """A mended spelling at the same phone and a new phone at the same child change the guardian, none is added."""
    await office.send(small_school())
    sheets = small_school()
    sheets["Guardians"][1][2] = "Yetunde"
    sheets["Guardians"][2][5] = "0803 555 0999"
    sheets["Guardians"][3][2] = "Adaezze"
    answer = await office.send(sheets)
    assert answer.status_code == 201, answer.text
    assert counts(answer)["Guardians"] == (0, 3, 0, 0)
    names = await office.fetch("SELECT given_names, phone FROM guardians ORDER BY phone")
    assert [tuple(row.values()) for row in names] == [
        ("Yetunde", "+2348035550201"), ("Adaezze", "+2348035550203"), ("Emeka", "+2348035550999"),
    ]  # fmt: skip


async def test_a_school_without_a_calendar_gets_the_usual_one(office: Office) -> None:
    """Without a sheet Sessions in a school without sessions, the named session gets three terms, with a warning."""
    sheets = small_school()
    del sheets["Sessions"]
    answer = await office.send(sheets)
    assert answer.status_code == 201, answer.text
    assert "default" in [note["code"] for note in answer.json()["warnings"]]
    assert len(await office.fetch("SELECT FROM terms JOIN academic_sessions a ON a.id = session_id")) >= 3


async def test_a_missing_column_says_what_was_found(office: Office) -> None:
    """A sheet without a needed column is refused with that column's name and the headers there are."""
    sheets = small_school()
    for row in sheets["Students"]:
        del row[3]
    answer = await office.send(sheets)
    assert answer.status_code == 422
    missing = next(fault for fault in answer.json()["errors"] if fault["code"] == "missing")
    assert "'Gender' is missing" in missing["detail"]
    assert "'Admission No', 'Surname'" in missing["detail"]


async def test_roles_past_teacher_need_the_right_to_manage_accounts(office: Office) -> None:
    """A token that may import but not manage accounts gives no one a leader's role."""
    office.admin = make_principal(office.school, Role.SCHOOL_ADMIN, scopes={Scope.IMPORTS_WRITE})
    assert (await office.send(small_school())).status_code == 403
    sheets = small_school()
    sheets["Staff"][1][6] = "teacher"
    assert (await office.send(sheets)).status_code == 201


async def test_teachers_may_not_import(office: Office) -> None:
    """Importing needs its scope."""
    office.admin = make_principal(office.school, Role.SUBJECT_TEACHER)
    assert (await office.send(small_school())).status_code == 403
    assert (await office.get("")).status_code == 403


async def test_imports_are_listed_newest_first(office: Office) -> None:
    """The list pages through dry runs, refusals and imports."""
    for dry_run in (True, False, True):
        await office.send(small_school(), dry_run=dry_run)
    first = await office.get("?limit=2")
    assert [item["state"] for item in first.json()["items"]] == ["checked", "applied"]
    second = await office.get(f"?limit=2&cursor={first.json()['nextCursor']}")
    assert [item["state"] for item in second.json()["items"]] == ["checked"]


async def test_no_one_locks_themselves_out(office: Office) -> None:
    """An admin whose own row lacks the admin's role is told, and nothing is written."""
    sheets = small_school()
    sheets["Staff"][1][6] = "school admin"
    assert (await office.send(sheets)).status_code == 201
    (admin,) = await office.fetch("SELECT id FROM users WHERE 'school_admin' = ANY(roles)")
    office.admin = make_principal(office.school, Role.SCHOOL_ADMIN, user_id=admin["id"])
    refused = await office.send(small_school())
    assert refused.status_code == 422
    assert faults(refused) == {"Staff": "own_role"}


async def test_two_heads_of_one_department_contradict_each_other(office: Office) -> None:
    """Two staff who head one department are a fault at the second one's cell."""
    sheets = small_school()
    sheets["Staff"][2][7] = "sciences"
    assert faults(await office.send(sheets)) == {"Staff!H3": "contradiction"}


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a\x00b.csv", b"x", "missing"),
        ("Students.csv", b"\x00\x01", "not_a_workbook"),
        ("x" * 300, b"PK\x03\x04", "not_a_workbook"),
        ("school.xls", bytes.fromhex("D0CF11E0A1B11AE1"), "legacy_xls"),
    ],
)
async def test_what_is_no_spreadsheet_is_refused(office: Office, name: str, content: bytes, code: str) -> None:
    """A file that can't be read is refused whole, with its reason, and leaves no import behind."""
    answer = await office.send_files([(name, content, "application/octet-stream")])
    assert answer.status_code == 422, answer.text
    assert list(faults(answer).values()) == [code]
    assert (await office.get("")).json()["items"] == []


async def test_a_key_imports_once(office: Office) -> None:
    """The same request with the same Idempotency-Key answers the same and imports once."""
    file = {"file": ("school.xlsx", workbook(small_school()), XLSX)}
    headers = {**bearer(office.admin), "Idempotency-Key": uuid4().hex}
    request = office.client.build_request("POST", IMPORTS, files=file, headers=headers)
    body = await request.aread()
    sent = {**headers, "Content-Type": request.headers["content-type"]}
    answers = [await office.client.post(IMPORTS, content=body, headers=sent) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert len((await office.get("")).json()["items"]) == 1


async def test_the_original_is_kept_under_its_school(office: Office) -> None:
    """What was sent lies in the object store below the school's id, word for word."""
    content = workbook(small_school())
    await office.send_files([("school.xlsx", content, XLSX)])
    (row,) = await office.fetch("SELECT id, file_key, file_sha256 FROM imports")
    assert row["file_key"] == f"{office.school}/imports/{row['id']}/original.xlsx"
    assert row["file_sha256"] == hashlib.sha256(content).digest()
