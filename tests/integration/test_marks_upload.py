"""A class sheet goes out as a workbook and comes back as marks, whole or not at all."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.ids import new_id
from core.school.spreadsheets import XLSX
from tests.factories.http import make_client, settings_for
from tests.factories.marks import Desk, fill, open_desk, page_of, saved
from tests.factories.school import make_school

ALIAS = "/api/bff/teacher/scores/bulk-upload"


@pytest.fixture(scope="module")
async def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """The whole application in process, its files in a folder of this module."""
    folder: Path = tmp_path_factory.mktemp("state")
    async with make_client(settings_for(database_url, folder)) as made:
        yield made


@pytest.fixture
async def desk(client: httpx.AsyncClient, db: PostgresDatabase) -> Desk:
    """An opened sheet of a school of its own, with three students."""
    return await open_desk(client, await make_school(db))


def codes(answer: httpx.Response) -> list[tuple[str, str]]:
    """Return where and what the errors of an answer are."""
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


async def test_the_workbook_is_filled_in_and_taken_over(desk: Desk) -> None:
    """A filled class sheet becomes marks with totals, grades and positions."""
    answer = await desk.upload(await desk.filled())
    assert answer.status_code == 200, answer.text
    assert answer.json()["changed"] == 12
    sheet = await desk.sheet(Role.SUBJECT_TEACHER)
    assert [line["total"] for line in sheet["students"]] == [86.5, 65.25, 52]
    assert [line["grade"] for line in sheet["students"]] == ["A", "B", "C"]
    assert [line["position"] for line in sheet["students"]] == [1, 2, 3]
    assert sheet["classAverage"] == 67.9
    assert sheet["version"] == 2


async def test_equal_totals_share_a_position(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Four students of whom two are equal are placed 1, 2, 2, 4."""
    desk = await open_desk(client, await make_school(db, students=4))
    await desk.upload(await desk.filled((10, 10, 20, 50), (5, 5, 20, 40), (10, 10, 10, 40), (1, 1, 1, 1)))
    assert [line["position"] for line in (await desk.sheet())["students"]] == [1, 2, 2, 4]


async def test_missing_absent_and_exempt_are_told_apart(desk: Desk) -> None:
    """A blank cell is missing, A is absent, X is exempt, and each counts as what it is."""
    await desk.upload(await desk.filled((9, 8, 17, "A"), (7, 6, 12, "X"), (5, 4, 10, None)))
    sheet = await desk.sheet()
    assert [line["status"] for line in sheet["students"]] == ["complete", "complete", "incomplete"]
    assert [line["marks"]["exam"]["status"] for line in sheet["students"]] == ["absent", "exempt", "missing"]
    assert [line["score"] for line in sheet["students"]] == [34, 62.5, None]
    assert [line["position"] for line in sheet["students"]] == [2, 1, None]
    assert (sheet["missingMarks"], sheet["absentMarks"], sheet["exemptMarks"]) == (1, 1, 1)


async def test_a_dry_run_shows_the_diff_and_changes_nothing(desk: Desk) -> None:
    """A dry run tells each mark's old and new value and leaves the sheet as it is."""
    await desk.upload(await desk.filled((9, 8, 17, 52)))
    book = await desk.workbook()
    fill(book, (10, "-", 17, "A"))
    answer = await desk.upload(saved(book), dryRun="true")
    assert answer.status_code == 200
    shown = [(one["component"], one["old"]["value"], one["new"], one["cell"]) for one in answer.json()["changes"]]
    assert shown == [
        ("assignment", 9, {"status": "scored", "value": 10}, "Marks!D7"),
        ("note", 8, {"status": "missing", "value": None}, "Marks!E7"),
        ("exam", 52, {"status": "absent", "value": None}, "Marks!G7"),
    ]
    sheet = await desk.sheet()
    assert (sheet["version"], sheet["students"][0]["total"]) == (2, 86)


async def test_a_blank_cell_leaves_and_a_dash_clears(desk: Desk) -> None:
    """Emptying a cell changes nothing; typing a dash removes the mark."""
    await desk.upload(await desk.filled((9, 8, 17, 52)))
    assert (await desk.upload(await desk.filled((None, "-", None, None)))).json()["changed"] == 1
    marks = (await desk.sheet())["students"][0]["marks"]
    assert {code: mark["value"] for code, mark in marks.items()} == {
        "assignment": 9, "note": None, "ca": 17, "exam": 52,
    }  # fmt: skip


async def test_one_bad_cell_refuses_the_whole_workbook(desk: Desk) -> None:
    """All faults come at once by cell, nothing is changed, and an annotated copy is to be had."""
    content = await desk.filled((9, 8, 17, 52), (70, "seven", -1, 4.125))
    answer = await desk.upload(content)
    assert answer.status_code == 422
    assert codes(answer) == [
        ("Marks!D8", "above_maximum"), ("Marks!E8", "text_for_number"), ("Marks!F8", "negative"),
        ("Marks!G8", "too_many_decimals"),
    ]  # fmt: skip
    assert (await desk.sheet())["version"] == 1
    copy = await desk.client.get(answer.json()["reportUrl"])
    assert copy.status_code == 200
    page = page_of(openpyxl.load_workbook(io.BytesIO(copy.content)))
    assert "allowed: 0 to 10" in str(page["D8"].comment)


async def test_a_dry_run_of_a_bad_workbook_gives_the_same_faults(desk: Desk) -> None:
    """What would refuse the workbook is in the outcome of a dry run, with the annotated copy."""
    outcome = (await desk.upload(await desk.filled((99, 8, 17, 52)), dryRun="true")).json()
    assert [error["code"] for error in outcome["errors"]] == ["above_maximum"]
    assert outcome["reportUrl"]
    assert [change["component"] for change in outcome["changes"]] == ["note", "ca", "exam"]


def with_member(content: bytes, name: str, data: bytes) -> bytes:
    """Return a workbook with one more part."""
    buffer = io.BytesIO(content)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as package:
        package.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda content: with_member(content, "xl/vbaProject.bin", b"macro"), "macro"),
        (lambda content: with_member(content, "xl/media/bomb.bin", bytes(80 * 1024 * 1024)), "zip_bomb"),
        (lambda content: with_member(content, "xl/externalLinks/externalLink1.xml", b"<a/>"), "external_link"),
        (lambda content: content[: len(content) // 2], "not_a_workbook"),
        (lambda content: b"studentNo,exam\n1,2\n", "not_a_workbook"),
        (lambda content: bytes.fromhex("D0CF11E0A1B11AE1") + content, "legacy_xls"),
    ],
)
async def test_a_hostile_file_is_refused_with_its_reason(
    desk: Desk, spoil: Callable[[bytes], bytes], code: str
) -> None:
    """Macros, bombs, links, damage and other formats each have a code of their own."""
    answer = await desk.upload(spoil(await desk.filled()))
    assert answer.status_code == 422
    assert codes(answer) == [("/file", code)]
    assert (await desk.sheet())["version"] == 1


async def test_a_file_past_the_limit_is_too_large(desk: Desk) -> None:
    """More than five MiB is not read at all."""
    assert (await desk.upload(bytes(6 * 1024 * 1024))).status_code == 413


@pytest.mark.parametrize(
    ("change", "where", "code"),
    [
        (lambda page: page.delete_cols(7), "Marks!G6", "missing_column"),
        (lambda page: page.__setitem__("G6", "Examination"), "Marks!G6", "renamed_column"),
        (lambda page: page.__setitem__("H6", "Bonus"), "Marks!H6", "extra_column"),
        (lambda page: page.__setitem__("D7", "=SUM(E7:F7)"), "Marks!D7", "formula"),
        (lambda page: page.__setitem__("B7", "NOBODY/1"), "Marks!B7", "unknown_student"),
        (lambda page: page.__setitem__("B8", page["B7"].value), "Marks!B8", "duplicate_student"),
    ],
)
async def test_a_wrong_form_is_refused(desk: Desk, change: Callable[[Worksheet], Any], where: str, code: str) -> None:
    """Columns and rows that are not the sheet's are told by their cell."""
    book = await desk.workbook()
    fill(book, (1, 1, 1, 1))
    change(page_of(book))
    answer = await desk.upload(saved(book))
    assert (answer.status_code, codes(answer)) == (422, [(where, code)])


async def test_a_student_without_a_row_keeps_the_marks(desk: Desk) -> None:
    """A row that was deleted is a warning; its student's marks stay."""
    await desk.upload(await desk.filled())
    book = await desk.workbook()
    page_of(book).delete_rows(9)
    fill(book, (10, 10, 20, 60))
    answer = await desk.upload(saved(book))
    assert answer.status_code == 200
    assert [warning["code"] for warning in answer.json()["warnings"]] == ["missing_student"]
    assert [line["total"] for line in (await desk.sheet())["students"]] == [100, 65.25, 52]


async def test_another_sheets_workbook_is_refused(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """A workbook of another class, subject or school is not taken for this one."""
    school = await make_school(db, arms=2)
    ruby, emerald, english = [
        await open_desk(client, school, arm=arm, subject=subject) for arm, subject in ((0, 0), (1, 0), (0, 1))
    ]
    stranger = await open_desk(client, await make_school(db))
    assert codes(await ruby.upload(await emerald.filled())) == [("/file", "wrong_class")]
    assert codes(await ruby.upload(saved(await english.workbook(Role.CLASS_TEACHER)))) == [("/file", "wrong_subject")]
    assert codes(await ruby.upload(await stranger.filled())) == [("/file", "wrong_school")]


async def test_the_sources_address_finds_the_sheet_by_the_workbook(desk: Desk) -> None:
    """The bulk-upload route reads from the file which sheet it is."""
    files = {"file": ("marks.xlsx", await desk.filled(), XLSX)}
    answer = await desk.client.post(ALIAS, headers=desk.who(Role.SUBJECT_TEACHER), files=files)
    assert (answer.status_code, answer.json()["changed"]) == (200, 12)
    assert answer.json()["sheetId"] == desk.sheet_id


async def test_the_sources_address_finds_the_sheet_by_the_form(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Form fields open and find the sheet where the workbook says nothing; without either it is asked for."""
    school = await make_school(db, arms=2)
    desk = await open_desk(client, school)
    book = await desk.workbook()
    del book["_sheet"]
    fill(book, (9, 8, 17, 52))
    headers, files = desk.who(Role.SUBJECT_TEACHER), {"file": ("marks.xlsx", saved(book), XLSX)}
    ids = {"termId": school.terms[0], "classArmId": school.arms[0], "subjectId": school.subjects[0]}
    form = {name: str(value) for name, value in ids.items()}
    assert codes(await client.post(ALIAS, headers=headers, files=files)) == [("/file", "no_stamp")]
    answer = await client.post(ALIAS, headers=headers, files=files, data=form)
    assert (answer.status_code, answer.json()["changed"]) == (200, 4)
    assert [warning["code"] for warning in answer.json()["warnings"]] == ["no_stamp"]
    other = form | {"classArmId": str(school.arms[1])}
    files = {"file": ("marks.xlsx", await desk.filled(), XLSX)}
    assert codes(await client.post(ALIAS, headers=headers, files=files, data=other)) == [("/file", "wrong_class")]


async def test_the_workbook_of_another_school_finds_nothing(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """A stamp with another school's ids, real ones, is refused without looking anything up."""
    own, foreign = await open_desk(client, await make_school(db)), await open_desk(client, await make_school(db))
    files = {"file": ("marks.xlsx", await foreign.filled(), XLSX)}
    answer = await client.post(ALIAS, headers=own.who(Role.SUBJECT_TEACHER), files=files)
    assert codes(answer) == [("/file", "wrong_school")]
    assert (await foreign.sheet())["version"] == 1


async def test_an_upload_is_undone(desk: Desk) -> None:
    """Undoing gives every mark back what it was, missing ones too, once."""
    await desk.upload(await desk.filled((1, 2, 3, 4)))
    upload_id = (await desk.upload(await desk.filled((5, "-", 3, "A"), (9, 9, 9, 9)))).json()["uploadId"]
    undo, headers = f"{desk.path}/uploads/{upload_id}/undo", desk.who(Role.SUBJECT_TEACHER)
    answer = await desk.client.post(undo, headers=headers)
    assert (answer.status_code, answer.json()["changed"]) == (200, 7)
    marks = [{code: mark["value"] for code, mark in line["marks"].items()} for line in (await desk.sheet())["students"]]
    assert marks[0] == {"assignment": 1, "note": 2, "ca": 3, "exam": 4}
    assert set(marks[1].values()) == {None}
    assert (await desk.client.post(undo, headers=headers)).status_code == 409
    uploads = (await desk.client.get(f"{desk.path}/uploads", headers=headers)).json()["items"]
    assert [bool(upload["undoneAt"]) for upload in uploads] == [True, False]


async def test_an_upload_with_later_changes_is_not_undone(desk: Desk) -> None:
    """Where one of its marks was changed again, the undo is refused and names it."""
    upload_id = (await desk.upload(await desk.filled())).json()["uploadId"]
    student = (await desk.sheet())["students"][1]["studentId"]
    assert (await desk.patch(1, "exam", 41)).status_code == 200
    answer = await desk.client.post(f"{desk.path}/uploads/{upload_id}/undo", headers=desk.who(Role.SUBJECT_TEACHER))
    assert answer.status_code == 409
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/students/{student}/exam"]
    assert (await desk.sheet())["students"][0]["total"] == 86.5


async def test_a_submitted_sheet_takes_no_upload_and_no_undo(desk: Desk) -> None:
    """Once handed in, neither uploads nor undoing change marks."""
    content = await desk.filled()
    upload_id = (await desk.upload(content)).json()["uploadId"]
    await desk.act("submit", Role.SUBJECT_TEACHER)
    assert (await desk.upload(content)).status_code == 409
    undo = f"{desk.path}/uploads/{upload_id}/undo"
    assert (await desk.client.post(undo, headers=desk.who(Role.SUBJECT_TEACHER))).status_code == 409


async def test_an_old_workbook_may_change_what_nobody_else_changed(desk: Desk) -> None:
    """A copy from before another's change is taken over where they don't meet, and leaves that change alone."""
    await desk.upload(await desk.filled())
    old = await desk.workbook()
    await desk.patch(0, "exam", 55)
    fill(old, (9, 8.5, 17, 52), (7, 6, 12.25, 45))
    answer = await desk.upload(saved(old))
    assert answer.status_code == 200
    assert [(change["component"], change["new"]["value"]) for change in answer.json()["changes"]] == [("exam", 45)]
    assert [line["marks"]["exam"]["value"] for line in (await desk.sheet())["students"]] == [55, 45, 33]


async def test_an_old_workbook_does_not_overwrite_anothers_change(desk: Desk) -> None:
    """Where both changed the same mark the upload is refused by cell; its dry run shows the collision."""
    await desk.upload(await desk.filled())
    old = await desk.workbook()
    await desk.patch(0, "exam", 55)
    fill(old, (10, 8.5, 17, 53))
    dry = (await desk.upload(saved(old), dryRun="true")).json()
    assert [(change["component"], change["changedSince"]) for change in dry["changes"]] == [
        ("assignment", False),
        ("exam", True),
    ]
    answer = await desk.upload(saved(old))
    assert (answer.status_code, codes(answer)) == (409, [("Marks!G7", "changed_since")])
    assert (await desk.sheet())["students"][0]["marks"]["assignment"]["value"] == 9


async def test_of_two_uploads_at_once_one_gives_way(desk: Desk) -> None:
    """Two copies of one version that set the same marks differently: one is taken over, the other told of it."""
    copies = [await desk.filled((mark, mark, mark, mark)) for mark in (3, 4)]
    answers = await asyncio.gather(*(desk.upload(copy) for copy in copies))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    winner = 3 if answers[0].status_code == 200 else 4
    assert (await desk.sheet())["students"][0]["total"] == 4 * winner
    items = (await desk.client.get(f"{desk.path}/uploads", headers=desk.who(Role.SUBJECT_TEACHER))).json()["items"]
    assert len(items) == 1


async def test_the_original_file_is_kept(desk: Desk) -> None:
    """The workbook is to be had again byte for byte."""
    content = await desk.filled()
    upload_id = (await desk.upload(content)).json()["uploadId"]
    headers = desk.who(Role.SUBJECT_TEACHER)
    link = (await desk.client.get(f"{desk.path}/uploads/{upload_id}/original", headers=headers)).json()["url"]
    assert (await desk.client.get(link)).content == content
    foreign = await desk.client.get(f"{desk.path}/uploads/{new_id()}/original", headers=headers)
    assert foreign.status_code == 404


async def test_an_upload_sent_twice_with_one_key_acts_once(desk: Desk) -> None:
    """The answer to a repeated request is the first one, and there is one upload."""
    headers = desk.who(Role.SUBJECT_TEACHER) | {"Idempotency-Key": str(new_id())}
    files = {"file": ("marks.xlsx", await desk.filled(), XLSX)}
    first, again = [await desk.client.post(f"{desk.path}/uploads", headers=headers, files=files) for _ in range(2)]
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len((await desk.client.get(f"{desk.path}/uploads", headers=headers)).json()["items"]) == 1


async def test_an_elective_lists_only_who_takes_it(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """The class sheet of an elective holds the students who chose it; others are unknown on it."""
    school = await make_school(db)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE teaching_loads SET elective = true WHERE subject_id = $1", school.subjects[0])
        await tx.execute(
            "INSERT INTO elective_choices VALUES ($1, $2, $3, $4)",
            school.id, school.session, school.students[1], school.subjects[0],
        )  # fmt: skip
    desk = await open_desk(client, school)
    assert [line["studentId"] for line in (await desk.sheet())["students"]] == [str(school.students[1])]
    page = page_of(await desk.workbook())
    assert (page["B7"].value is not None, page["B8"].value) == (True, None)
