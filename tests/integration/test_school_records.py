"""Reading and editing the plain records: versions, references, pages, the calendar, the structure."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.ids import new_id
from core.school.model import PolicyKind, Stage
from tests.factories.http import make_client, settings_for
from tests.factories.records import ADDED
from tests.factories.school import MadeSchool, make_school
from tests.factories.school_client import SchoolClient

CHANGES: dict[str, dict[str, Any]] = {
    "sessions": {"endsOn": "2031-08-02"},
    "closures": {"endsOn": "2027-10-04"},
    "levels": {"rank": 5},
    "departments": {"name": "Languages"},
    "subjects": {"name": "Biology I"},
    "students": {"givenNames": "Tólú"},
    "guardians": {"title": "Mrs"},
    "staff": {"title": "Mr"},
}


@pytest.fixture(scope="module")
async def http(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole application on a clock that stands in the first term."""
    settings = settings_for(database_url, tmp_path_factory.mktemp("state"))
    async with make_client(settings, FakeClock(), burst=100_000) as client:
        yield client


@pytest.fixture
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school of its own for each test."""
    return await make_school(db)


@pytest.fixture
def admin(http: httpx.AsyncClient, school: MadeSchool) -> SchoolClient:
    """The school's admin."""
    return SchoolClient(http, school.as_(Role.SCHOOL_ADMIN))


@pytest.mark.parametrize("family", ADDED)
async def test_a_record_is_added_read_changed_and_removed(admin: SchoolClient, family: str) -> None:
    """Every family has the whole life of a record, and its answers carry the version."""
    added = await admin.send("POST", f"/{family}", ADDED[family])
    assert (added.status_code, added.headers["ETag"]) == (201, '"1"')
    path = added.headers["Location"].removeprefix("/api/school")
    assert await admin.get(path) == added.json()
    changed = await admin.changed(path, CHANGES[family])
    assert changed == added.json() | CHANGES[family] | {"version": 2}
    assert await admin.status("DELETE", path) == 204
    assert await admin.status("GET", path) == 404


@pytest.mark.parametrize("family", ADDED)
async def test_two_editors_do_not_overwrite_each_other(admin: SchoolClient, family: str) -> None:
    """A change needs the version it was made from; one from an old version is refused and changes nothing."""
    path = f"/{family}/{(await admin.made(f'/{family}', ADDED[family]))['id']}"
    assert await admin.status("PATCH", path, CHANGES[family]) == 428
    await admin.changed(path, CHANGES[family])
    before = await admin.get(path)
    assert await admin.status("PATCH", path, CHANGES[family], version=1) == 412
    assert await admin.get(path) == before


@pytest.mark.parametrize("family", ADDED)
async def test_wrong_bodies_are_refused_at_their_field(admin: SchoolClient, family: str) -> None:
    """A misspelt field, a null where a value must be, and a control character are each told at their place."""
    path = f"/{family}/{(await admin.made(f'/{family}', ADDED[family]))['id']}"
    name = next(name for name, value in ADDED[family].items() if isinstance(value, str) and name != "phone")
    assert await admin.pointers("POST", f"/{family}", ADDED[family] | {"nmae": "x"}) == ["/nmae"]
    assert await admin.pointers("PATCH", path, {name: None}, version=1) == [f"/{name}"]
    assert await admin.pointers("PATCH", path, {name: "a\u0000b"}, version=1) == [f"/{name}"]


@pytest.mark.parametrize(
    ("family", "field"),
    [
        ("sessions", "name"),
        ("levels", "name"),
        ("departments", "name"),
        ("subjects", "code"),
        ("students", "studentNo"),
    ],
)
async def test_what_names_a_record_is_there_once(admin: SchoolClient, family: str, field: str) -> None:
    """A second record of the same name, code or number is a conflict, or for a session an overlap."""
    await admin.made(f"/{family}", ADDED[family])
    assert await admin.status("POST", f"/{family}", ADDED[family]) == (422 if family == "sessions" else 409), field


async def test_what_is_referred_to_stays(admin: SchoolClient, school: MadeSchool) -> None:
    """A record that others refer to is not removed."""
    for path in (
        f"/sessions/{school.session}",
        f"/levels/{school.level}",
        f"/class-arms/{school.arms[0]}",
        f"/departments/{school.department}",
        f"/subjects/{school.subjects[0]}",
        f"/students/{school.students[0]}",
        f"/staff/{school.staff[Role.SUBJECT_TEACHER]}",
    ):
        assert await admin.status("DELETE", path) == 409, path
        assert await admin.status("GET", path) == 200, path


async def test_pages_have_no_gaps_and_no_repeats(http: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Walking any list by any page size gives every record once, in one order."""
    school = await make_school(db, arms=3, students=4, guardians_per_student=2)
    admin = SchoolClient(http, school.as_(Role.SCHOOL_ADMIN))
    sizes = {"students": 12, "guardians": 24, "guardianships": 24, "enrolments": 12, "class-arms": 3, "terms": 3}
    sizes |= {"teaching-loads": 6, "staff": 6, "subjects": 2, "levels": 1, "sessions": 1, "departments": 1}
    for family, size in sizes.items():
        whole = await admin.walk(f"/{family}", 100)
        assert len(whole) == size, family
        for limit in (1, 5, size):
            assert await admin.walk(f"/{family}", limit) == whole, (family, limit)


async def test_a_row_added_meanwhile_moves_no_page(http: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """A student who is added before the cursor neither repeats nor hides one after it."""
    school = await make_school(db, students=4)
    admin = SchoolClient(http, school.as_(Role.SCHOOL_ADMIN))
    first = await admin.get("/students", limit=2)
    await admin.made("/students", ADDED["students"] | {"familyName": "Aaron"})
    second = await admin.get("/students", limit=2, cursor=first["nextCursor"])
    found = [item["id"] for item in first["items"] + second["items"]]
    assert found == [str(student) for student in school.students]


async def test_a_cursor_of_another_list_is_refused(admin: SchoolClient) -> None:
    """A cursor belongs to its list."""
    await admin.made("/guardians", ADDED["guardians"])
    cursor = (await admin.get("/guardians", limit=1))["nextCursor"]
    for path in ("/levels", "/teaching-loads", "/policies/grading/versions", "/terms"):
        assert await admin.pointers("GET", f"{path}?cursor={cursor}") == ["/query/cursor"]


async def test_a_session_is_two_years_and_overlaps_none(admin: SchoolClient) -> None:
    """The name is two following years, the end comes after the start, and no day belongs to two sessions."""
    body = ADDED["sessions"]
    assert await admin.pointers("POST", "/sessions", body | {"name": "2030/2032"}) == ["/name"]
    assert await admin.pointers("POST", "/sessions", body | {"endsOn": "2030-09-01"}) == ["/endsOn"]
    assert await admin.pointers("POST", "/sessions", body | {"startsOn": "2028-08-31"}) == ["/startsOn"]
    assert await admin.status("POST", "/sessions", body | {"startsOn": "2028-09-01"}) == 201


async def test_terms_lie_in_their_session_and_in_order(admin: SchoolClient, school: MadeSchool) -> None:
    """A term outside the session, across another, or a second of the same number is refused."""
    made = await admin.made("/sessions", ADDED["sessions"])
    first = {
        "sessionId": made["id"],
        "number": 1,
        "name": "First",
        "startsOn": "2030-09-10",
        "endsOn": "2030-12-10",
    }
    assert await admin.pointers("POST", "/terms", first | {"startsOn": "2030-08-31"}) == ["/startsOn"]
    await admin.made("/terms", first)
    second = first | {"number": 2, "name": "Second", "startsOn": "2030-12-10", "endsOn": "2031-03-01"}
    assert await admin.pointers("POST", "/terms", second) == ["/startsOn"]
    assert await admin.status("POST", "/terms", second | {"startsOn": "2031-01-08"}) == 201
    assert await admin.status("POST", "/terms", first) == 409
    assert await admin.pointers("PATCH", f"/sessions/{made['id']}", {"endsOn": "2031-02-01"}, 1) == ["/startsOn"]
    overlong = {"endsOn": "2028-04-24"}
    assert await admin.pointers("PATCH", f"/terms/{school.terms[1]}", overlong, 1) == ["/startsOn"]


async def test_a_closed_term_stays_as_it_is(admin: SchoolClient, school: MadeSchool) -> None:
    """A term is closed once, does not change while closed, and can be opened again."""
    path = f"/terms/{school.terms[0]}"
    closed = await admin.send("POST", f"{path}/close", version=1)
    assert closed.json()["closedAt"].startswith("2027-09-13T08:00:00")
    assert await admin.status("POST", f"{path}/close", version=2) == 409
    assert await admin.status("PATCH", path, {"name": "X"}, version=2) == 409
    opened = await admin.send("POST", f"{path}/reopen", version=2)
    assert opened.json()["closedAt"] is None
    assert await admin.status("POST", f"{path}/reopen", version=3) == 409


async def test_a_term_with_unpublished_marks_is_not_closed(
    admin: SchoolClient, school: MadeSchool, db: PostgresDatabase
) -> None:
    """Closing waits until every mark sheet of the term is published."""
    async with db.tenant(school.id) as tx:
        await tx.execute(
            "INSERT INTO mark_sheets (school_id, id, term_id, class_arm_id, subject_id, assessment_policy_id,"
            " grading_policy_id, approval_policy_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            *(school.id, new_id(), school.terms[0], school.arms[0], school.subjects[0]),
            school.policies[PolicyKind.ASSESSMENT, None],
            school.policies[PolicyKind.GRADING, Stage.JSS],
            school.policies[PolicyKind.APPROVAL, None],
        )
    refused = await admin.send("POST", f"/terms/{school.terms[0]}/close", version=1)
    assert (refused.status_code, "1 mark sheets" in refused.json()["detail"]) == (409, True)
    async with db.tenant(school.id) as tx:
        await tx.execute("UPDATE mark_sheets SET state = 'published'")
    assert await admin.status("POST", f"/terms/{school.terms[0]}/close", version=1) == 200


async def test_only_those_with_the_role_are_put_in_charge(admin: SchoolClient, school: MadeSchool) -> None:
    """A class teacher and a head of department hold the role before they take an arm or a department."""
    bursar, teacher = str(school.staff[Role.BURSAR]), str(school.staff[Role.CLASS_TEACHER])
    arm, department = f"/class-arms/{school.arms[0]}", f"/departments/{school.department}"
    assert await admin.pointers("PATCH", arm, {"classTeacherId": bursar}, 1) == ["/classTeacherId"]
    assert await admin.pointers("PATCH", department, {"headId": teacher}, 1) == ["/headId"]
    freed = await admin.changed(arm, {"classTeacherId": None})
    assert (freed["classTeacherId"], freed["fullName"]) == (None, "JSS 2 Ruby")
    assert (await admin.changed(arm, {"classTeacherId": teacher}, version=2))["classTeacherId"] == teacher


async def test_the_profile_is_read_by_all_and_changed_by_version(
    admin: SchoolClient, http: httpx.AsyncClient, school: MadeSchool
) -> None:
    """The school's phone is kept as E.164 and its time zone is one that exists."""
    changed = await admin.changed("", {"phone": "0803 123 4567", "email": "", "address": "3 Ọ̀ṣun Road"})
    assert (changed["phone"], changed["email"], changed["version"]) == ("+2348031234567", None, 2)
    assert await admin.pointers("PATCH", "", {"timeZone": "Africa/Lagoon"}, version=2) == ["/timeZone"]
    assert await admin.status("PATCH", "", {"name": "X"}, version=1) == 412
    assert (await SchoolClient(http, school.as_(Role.STUDENT)).get(""))["code"] == school.code
