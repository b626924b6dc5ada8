"""Who sees and writes which marks; how single marks are edited; what is kept of every change."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.errors import Broken
from core.ids import StaffId, UserId, new_id
from tests.factories.http import bearer, make_client, settings_for
from tests.factories.marks import Desk, open_desk, saved
from tests.factories.school import MadeSchool, make_school

SHEETS = "/api/school/mark-sheets"


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


READERS = {
    Role.SCHOOL_ADMIN, Role.PRINCIPAL, Role.HEAD_OF_DEPARTMENT, Role.CLASS_TEACHER, Role.SUBJECT_TEACHER,
}  # fmt: skip
WRITERS = {Role.SCHOOL_ADMIN, Role.PRINCIPAL, Role.SUBJECT_TEACHER}


async def test_each_role_reads_what_is_its_own(desk: Desk) -> None:
    """The subject's teacher, the class teacher, the head and the leaders read a sheet; nobody else does."""
    for role in desk.school.principals:
        for part in ("", "/workbook.xlsx", "/audit", "/uploads"):
            answer = await desk.client.get(desk.path + part, headers=desk.who(role))
            assert answer.status_code == (200 if role in READERS else 403), (role, part)


async def test_each_role_writes_what_is_its_own(desk: Desk) -> None:
    """Only the subject's teacher and the leaders write marks, by upload or by hand."""
    content = await desk.filled((9, 8, 17))
    for role in desk.school.principals:
        status = 200 if role in WRITERS else 403
        assert (await desk.upload(content, role)).status_code == status, role
        sheet = await desk.sheet()
        body = {"reason": "recount", "marks": [{"studentId": str(desk.school.students[0]), "component": "exam",
                                                "value": 1}]}  # fmt: skip
        headers = desk.who(role) | {"If-Match": f'"{sheet["version"]}"'}
        assert (await desk.client.patch(f"{desk.path}/marks", headers=headers, json=body)).status_code == status, role


async def test_a_teacher_of_something_else_sees_nothing(desk: Desk) -> None:
    """A role alone opens no sheet: a teacher without the load, a head of another department are refused."""
    for role in (Role.SUBJECT_TEACHER, Role.HEAD_OF_DEPARTMENT, Role.CLASS_TEACHER):
        stranger = replace(desk.school.as_(role), staff_id=StaffId(new_id()), user_id=UserId(new_id()))
        assert (await desk.client.get(desk.path, headers=bearer(stranger))).status_code == 403
        assert (await desk.upload(await desk.filled(), stranger)).status_code == 403
        listed = await desk.client.get(SHEETS, headers=bearer(stranger))
        assert listed.json()["items"] == []


async def test_another_schools_sheet_is_not_there(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Every route answers 404 to another school's ids, and nothing changes."""
    own, foreign = await open_desk(client, await make_school(db)), await open_desk(client, await make_school(db))
    content = await foreign.filled()
    upload_id = (await foreign.upload(content)).json()["uploadId"]
    before = await foreign.sheet()
    headers = own.who(Role.PRINCIPAL) | {"If-Match": f'"{before["version"]}"'}
    mark = {"studentId": str(foreign.school.students[0]), "component": "exam", "value": 1}
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "", {}), ("GET", "/workbook.xlsx", {}), ("GET", "/audit", {}), ("GET", "/uploads", {}),
        ("GET", f"/uploads/{upload_id}/original", {}), ("POST", f"/uploads/{upload_id}/undo", {}),
        ("POST", "/uploads", {"files": {"file": ("marks.xlsx", content)}}),
        ("PATCH", "/marks", {"json": {"reason": "mischief", "marks": [mark]}}), ("POST", "/submit", {"json": {}}),
        ("POST", "/approve", {"json": {}}), ("POST", "/return", {"json": {"comment": "mischief"}}),
        ("POST", "/publish", {}), ("POST", "/reopen", {"json": {"reason": "mischief"}}),
    ]  # fmt: skip
    for method, part, sent in requests:
        answer = await client.request(method, foreign.path + part, headers=headers, **sent)
        assert answer.status_code == 404, (method, part, answer.text)
    for action in ("publish", "approve"):
        body = {"sheetIds": [foreign.sheet_id]}
        bulk = (await client.post(f"{SHEETS}/{action}", headers=headers, json=body)).json()
        assert bulk["items"][0]["problem"] == "/problems/not-found"
    ids = {"termId": foreign.school.terms[0], "classArmId": foreign.school.arms[0],
           "subjectId": foreign.school.subjects[0]}  # fmt: skip
    named = {name: str(value) for name, value in ids.items()}
    assert (await client.post(SHEETS, headers=headers, json=named)).status_code == 404
    book = await own.workbook()
    del book["_sheet"]
    files = {"file": ("marks.xlsx", saved(book))}
    alias = "/api/bff/teacher/scores/bulk-upload"
    assert (await client.post(alias, headers=headers, files=files, data=named)).status_code == 404
    results = f"/api/school/students/{foreign.school.students[0]}/results"
    assert (await client.get(results, headers=headers, params={"termId": named["termId"]})).status_code == 404
    assert (await client.get(SHEETS, headers=headers, params={"termId": named["termId"]})).json()["items"] == []
    assert await foreign.sheet() == before


async def test_the_list_holds_what_each_may_see(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """A teacher's list has own loads, a class teacher's own arm too, a head's the department, a leader's all."""
    school = await make_school(db, arms=2)
    first_term = {"termId": str(school.terms[0])}

    async def listed(role: Role) -> set[tuple[str, str]]:
        answer = await client.get(SHEETS, headers=bearer(school.as_(role)), params=first_term)
        assert answer.status_code == 200
        return {(item["classArm"]["name"], item["subject"]["name"]) for item in answer.json()["items"]}

    maths = {("JSS 2 Ruby", "Mathematics"), ("JSS 2 Emerald", "Mathematics")}
    english = {("JSS 2 Ruby", "English Language"), ("JSS 2 Emerald", "English Language")}
    assert await listed(Role.SUBJECT_TEACHER) == maths
    assert await listed(Role.CLASS_TEACHER) == english | {("JSS 2 Ruby", "Mathematics")}
    for role in (Role.HEAD_OF_DEPARTMENT, Role.PRINCIPAL, Role.SCHOOL_ADMIN):
        assert await listed(role) == maths | english
    assert (await client.get(SHEETS, headers=bearer(school.as_(Role.BURSAR)))).status_code == 403


async def test_the_list_is_filtered_and_paged(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Filters combine, opened or not is a state, and pages follow each other without gap or repeat."""
    school = await make_school(db, arms=2)
    desk = await open_desk(client, school, arm=1)
    await desk.upload(await desk.filled())
    headers = desk.who(Role.PRINCIPAL)

    async def listed(**query: Any) -> list[dict[str, Any]]:
        answer = await client.get(SHEETS, headers=headers, params={name: str(value) for name, value in query.items()})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    (draft,) = await listed(state="draft")
    assert (draft["id"], draft["markedStudents"], draft["version"]) == (desk.sheet_id, 3, 2)
    assert len(await listed(state="not_opened", termId=school.terms[0])) == 3
    assert len(await listed(classArmId=school.arms[0], subjectId=school.subjects[0])) == 3
    every = await listed()
    assert [item["term"]["name"] for item in every[::4]] == ["Third Term", "Second Term", "First Term"]
    walked: list[dict[str, Any]] = []
    url: str | None = f"{SHEETS}?limit=5"
    while url is not None:
        answer = await client.get(url, headers=headers)
        walked += answer.json()["items"]
        url = answer.links["next"]["url"] if "next" in answer.links else None
    assert walked == every


async def test_a_cursor_of_another_list_is_refused(desk: Desk) -> None:
    """A cursor whose keys are not this list's answers 422."""
    await desk.upload(await desk.filled())
    headers = desk.who(Role.PRINCIPAL)
    cursor = (await desk.client.get(f"{desk.path}/audit?limit=1", headers=headers)).json()["nextCursor"]
    assert (await desk.client.get(SHEETS, headers=headers, params={"cursor": cursor})).status_code == 422


async def test_opening_twice_gives_the_same_sheet(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """A sheet is opened once, however many ask at the same moment."""
    school = await make_school(db)
    desks = await asyncio.gather(*(open_desk(client, school) for _ in range(5)))
    assert len({desk.sheet_id for desk in desks}) == 1


async def test_a_subject_nobody_teaches_has_no_sheet(desk: Desk, db: PostgresDatabase) -> None:
    """Without a teaching load no sheet is opened."""
    async with db.tenant(desk.school.id) as tx:
        await tx.execute("DELETE FROM teaching_loads WHERE subject_id = $1", desk.school.subjects[1])
    body = {"termId": str(desk.school.terms[0]), "classArmId": str(desk.school.arms[0]),
            "subjectId": str(desk.school.subjects[1])}  # fmt: skip
    answer = await desk.client.post(SHEETS, headers=desk.who(Role.PRINCIPAL), json=body)
    assert answer.status_code == 422


async def test_marks_are_edited_one_by_one(desk: Desk) -> None:
    """A mark is set, made absent, and removed by hand, each raising the sheet's version."""
    assert (await desk.patch(0, "exam", 44.5)).json()["students"][0]["marks"]["exam"]["value"] == 44.5
    edited = await desk.patch(0, "exam", None, status="absent")
    assert edited.json()["students"][0]["marks"]["exam"] == {"status": "absent", "value": None}
    edited = await desk.patch(0, "exam", None, status="missing")
    assert edited.json()["students"][0]["marks"]["exam"]["status"] == "missing"
    assert (edited.json()["version"], edited.headers["ETag"]) == (4, '"4"')


@pytest.mark.parametrize(
    ("component", "value", "also", "code"),
    [
        ("exam", 60.5, {}, "above_maximum"),
        ("exam", -1, {}, "negative"),
        ("exam", 1.005, {}, "too_many_decimals"),
        ("homework", 1, {}, "unknown_component"),
        ("exam", 5, {"status": "absent"}, "value_and_status"),
        ("exam", None, {}, "value_and_status"),
        ("exam", 5, {"studentId": str(new_id())}, "unknown_student"),
    ],
)
async def test_a_wrong_edit_is_refused(
    desk: Desk, component: str, value: float | None, also: dict[str, Any], code: str
) -> None:
    """What may not be a mark is told with its place in the list, and nothing changes."""
    answer = await desk.patch(0, component, value, **also)
    assert answer.status_code == 422
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [("/marks/0", code)]
    assert (await desk.sheet())["version"] == 1


async def test_every_change_is_audited(desk: Desk) -> None:
    """Who changed which mark from what to what, when, why and by which upload, newest first, also of one student."""
    upload_id = (await desk.upload(await desk.filled((9, 8, 17, 52), (1, 1, 1, 1)))).json()["uploadId"]
    await desk.patch(0, "exam", 53)
    headers = desk.who(Role.HEAD_OF_DEPARTMENT)
    student = str(desk.school.students[0])
    items = (await desk.client.get(f"{desk.path}/audit", headers=headers, params={"studentId": student})).json()[
        "items"
    ]
    teacher = desk.school.as_(Role.SUBJECT_TEACHER)
    assert len(items) == 5
    newest = items[0]
    assert (newest["component"], newest["old"]["value"], newest["new"]["value"]) == ("exam", 52, 53)
    assert (newest["actorId"], newest["reason"], newest["uploadId"]) == (
        str(teacher.user_id), "recounted the script", None,
    )  # fmt: skip
    assert {(item["reason"], item["uploadId"], item["old"]["status"]) for item in items[1:]} == {
        ("upload", upload_id, "missing")
    }
    assert [item["sheetVersion"] for item in items] == [3, 2, 2, 2, 2]
    assert len((await desk.client.get(f"{desk.path}/audit", headers=headers)).json()["items"]) == 9


async def test_the_audit_is_never_rewritten(desk: Desk, db: PostgresDatabase) -> None:
    """The application's role can neither change nor remove an entry."""
    await desk.upload(await desk.filled())
    for statement in ("UPDATE mark_audit SET reason = 'x'", "DELETE FROM mark_audit", "DELETE FROM mark_sheet_steps"):
        with pytest.raises(Broken, match="permission denied"):
            async with db.tenant(desk.school.id) as tx:
                await tx.execute(statement)


def results_path(school: MadeSchool, student: int = 0) -> str:
    """Return the address of a student's results in the first term."""
    return f"/api/school/students/{school.students[student]}/results?termId={school.terms[0]}"


async def test_families_see_published_results_of_their_own_only(desk: Desk) -> None:
    """A guardian and a student see nothing of a draft, after publication their own, and never another's."""
    await desk.upload(await desk.filled())
    school, get = desk.school, desk.client.get
    family = (school.as_(Role.GUARDIAN), school.as_(Role.STUDENT))
    for person in family:
        answer = await get(results_path(school), headers=bearer(person))
        assert (answer.status_code, answer.json()["subjects"]) == (200, [])
    await desk.published()
    for person in family:
        (subject,) = (await get(results_path(school), headers=bearer(person))).json()["subjects"]
        assert (subject["subject"]["name"], subject["total"], subject["position"]) == ("Mathematics", 86.5, 1)
        assert (subject["classAverage"], subject["classSize"]) == (67.9, 3)
        assert (await get(results_path(school, 1), headers=bearer(person))).status_code == 404
    await desk.act("reopen", Role.PRINCIPAL, {"reason": "recount"})
    assert (await get(results_path(school), headers=bearer(family[0]))).json()["subjects"] == []


async def test_a_move_to_another_arm_takes_no_published_result_away(
    client: httpx.AsyncClient, db: PostgresDatabase
) -> None:
    """What the old arm published stays until the new arm publishes marks of that subject; a draft stays behind."""
    school = await make_school(db, arms=2)
    old = await open_desk(client, school, subject=0)
    await old.upload(await old.filled())
    await old.published()
    draft = await open_desk(client, school, subject=1)
    assert (await draft.upload(saved(await draft.workbook(Role.PRINCIPAL)), Role.PRINCIPAL)).status_code == 200
    family = bearer(school.as_(Role.GUARDIAN))
    before = (await client.get(results_path(school), headers=family)).json()["subjects"]
    who = {"sessionId": str(school.session), "studentIds": [str(school.students[0])]}
    move = who | {"classArmId": str(school.arms[1])}
    answer = await client.post("/api/school/enrolments", headers=bearer(school.as_(Role.SCHOOL_ADMIN)), json=move)
    assert answer.is_success, answer.text
    assert (await client.get(results_path(school), headers=family)).json()["subjects"] == before
    new = await open_desk(client, school, arm=1)
    await new.upload(await new.filled(*[("A", "A", "A", "A")] * 4))
    assert len(before) == 1
    assert (await client.get(results_path(school), headers=family)).json()["subjects"] == before
    (maths,) = (await client.get(results_path(school), headers=bearer(school.as_(Role.PRINCIPAL)))).json()["subjects"]
    assert maths["total"] != before[0]["total"], "whoever writes marks sees those of the new arm"


async def test_staff_see_of_a_student_what_they_may(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Drafts too: a teacher the own subject, the class teacher, the head and the leaders all; a bursar none."""
    school = await make_school(db)
    for subject in (0, 1):
        desk = await open_desk(client, school, subject=subject)
        content = saved(await desk.workbook(Role.PRINCIPAL))
        assert (await desk.upload(content, Role.PRINCIPAL)).status_code == 200
    seen = {}
    for role in (Role.SUBJECT_TEACHER, Role.CLASS_TEACHER, Role.HEAD_OF_DEPARTMENT, Role.PRINCIPAL):
        answer = await client.get(results_path(school), headers=bearer(school.as_(role)))
        seen[role] = [subject["subject"]["name"] for subject in answer.json()["subjects"]]
    both = ["English Language", "Mathematics"]
    assert seen == {
        Role.SUBJECT_TEACHER: ["Mathematics"], Role.CLASS_TEACHER: both, Role.HEAD_OF_DEPARTMENT: both,
        Role.PRINCIPAL: both,
    }  # fmt: skip
    assert (await client.get(results_path(school), headers=bearer(school.as_(Role.BURSAR)))).status_code == 403
