"""Who may read and edit which records."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from core.access.principal import Principal, Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.ids import SchoolId
from deployments import school as profile
from deployments import school_links, school_loads, school_people, school_policies, school_structure
from tests.factories.http import bearer, make_client, make_principal, settings_for
from tests.factories.records import ADDED, BY_ID, IN_BODIES, Ask
from tests.factories.school import MadeSchool, make_school

READERS = (
    Role.SCHOOL_ADMIN,
    Role.PRINCIPAL,
    Role.HEAD_OF_DEPARTMENT,
    Role.CLASS_TEACHER,
    Role.SUBJECT_TEACHER,
    Role.BURSAR,
)
OWN = (Role.GUARDIAN, Role.STUDENT)
FOR_ALL: tuple[str, ...] = (
    *("sessions", "terms", "closures", "levels", "class-arms", "subjects", "students", "guardians", "guardianships"),
    *("enrolments", "electives", "policies"),
)
FOR_STAFF = ("departments", "staff", "teaching-loads")
TABLES = (
    *(
        "schools",
        "academic_sessions",
        "terms",
        "school_closures",
        "levels",
        "staff",
        "departments",
        "subjects",
        "class_arms",
        "students",
    ),
    *(
        "enrolments",
        "teaching_loads",
        "elective_choices",
        "guardians",
        "guardianships",
        "consents",
        "policies",
        "users",
    ),
)


@pytest.fixture(scope="module")
async def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole application on a clock that stands in the first term."""
    state: Path = tmp_path_factory.mktemp("state")
    async with make_client(settings_for(database_url, state), FakeClock(), burst=100_000) as client:
        yield client


@pytest.fixture(scope="module")
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school of two arms; nobody's own rights go past it."""
    return await make_school(db, arms=2, students=3, guardians_per_student=2)


@pytest.fixture(scope="module")
async def other(db: PostgresDatabase) -> MadeSchool:
    """Another school."""
    return await make_school(db, arms=1, students=2)


def headers(who: Principal) -> dict[str, str]:
    """Return the headers of a caller who read version 1."""
    return bearer(who, clock=FakeClock()) | {"If-Match": '"1"'}


async def send(client: httpx.AsyncClient, ask: Ask, who: Principal, about: MadeSchool) -> httpx.Response:
    """Send a request about a school."""
    body = ask.body(about) if ask.body else None
    return await client.request(ask.method, ask.path(about), json=body, headers=headers(who))


async def everything(db: PostgresDatabase, school_id: SchoolId) -> dict[str, object]:
    """Return a fingerprint of every record of a school."""
    async with db.tenant(school_id, read_only=True) as tx:
        return {
            table: await tx.fetchval(f"SELECT md5(string_agg(r::text, '|' ORDER BY r::text)) FROM {table} r")
            for table in TABLES
        }


@pytest.mark.parametrize("role", READERS)
async def test_staff_read_every_family(client: httpx.AsyncClient, school: MadeSchool, role: Role) -> None:
    """Every member of staff reads the school's records."""
    for path in FOR_ALL + FOR_STAFF:
        answer = await client.get(f"/api/school/{path}", headers=headers(school.as_(role)))
        assert answer.status_code == 200, (path, answer.text)


@pytest.mark.parametrize("role", OWN)
async def test_families_are_denied_what_is_the_staffs(
    client: httpx.AsyncClient, school: MadeSchool, role: Role
) -> None:
    """Guardians and students may ask for what can be their own, and not for staff, loads and departments."""
    for path in FOR_ALL:
        assert (await client.get(f"/api/school/{path}", headers=headers(school.as_(role)))).status_code == 200, path
    for path in FOR_STAFF:
        assert (await client.get(f"/api/school/{path}", headers=headers(school.as_(role)))).status_code == 403, path


@pytest.mark.parametrize("role", [role for role in (*READERS, *OWN) if role is not Role.SCHOOL_ADMIN])
async def test_only_the_admin_writes_records(
    client: httpx.AsyncClient, db: PostgresDatabase, school: MadeSchool, role: Role
) -> None:
    """Adding, changing and removing records is denied to every other role, and changes nothing."""
    before = await everything(db, school.id)
    who = school.as_(role)
    for path, body in ADDED.items():
        answer = await client.post(f"/api/school/{path}", json=body, headers=headers(who))
        assert answer.status_code == 403, (path, answer.text)
    for ask in [ask for ask in BY_ID if ask.method != "GET"] + list(IN_BODIES):
        answer = await send(client, ask, who, school)
        own_consent = role is Role.GUARDIAN and ask.path(school).endswith("/consents")
        assert answer.status_code == 403 or own_consent, (ask.method, ask.path(school), answer.text)
    answer = await client.patch("/api/school", json={"name": "Taken"}, headers=headers(who))
    assert answer.status_code == 403
    after = await everything(db, school.id)
    assert {table for table in TABLES if before[table] != after[table]} <= {"consents"}


@pytest.mark.parametrize("role", [Role.PLATFORM_ADMIN, Role.OPS, Role.ML])
async def test_platform_staff_see_no_schools_records(client: httpx.AsyncClient, role: Role) -> None:
    """Those who belong to no school are denied every family."""
    who = make_principal(None, role)
    for path in ("", *(f"/{path}" for path in FOR_ALL + FOR_STAFF)):
        assert (await client.get(f"/api/school{path}", headers=headers(who))).status_code == 403, path


async def test_nobody_reads_without_a_token(client: httpx.AsyncClient) -> None:
    """Without a token every family answers 401."""
    for path in FOR_ALL + FOR_STAFF:
        assert (await client.get(f"/api/school/{path}")).status_code == 401, path


@pytest.mark.parametrize("role", [Role.SCHOOL_ADMIN, Role.GUARDIAN])
async def test_another_schools_ids_answer_404_and_change_nothing(
    client: httpx.AsyncClient, db: PostgresDatabase, school: MadeSchool, other: MadeSchool, role: Role
) -> None:
    """A route that is asked about another school's record says it isn't there; both schools stay as they were."""
    before = await everything(db, other.id), await everything(db, school.id)
    asks = [*BY_ID, *IN_BODIES] if role is Role.SCHOOL_ADMIN else [ask for ask in BY_ID if ask.method == "GET"]
    for ask in asks:
        path = ask.path(other)
        expected = {403, 404} if role is Role.GUARDIAN else {404}
        answer = await send(client, ask, school.as_(role), other)
        assert answer.status_code in expected, (ask.method, path, answer.text)
    assert (await everything(db, other.id), await everything(db, school.id)) == before


def test_every_route_that_takes_an_id_is_asked(school: MadeSchool) -> None:
    """The table of requests leaves out no route of the records that names a record in its path."""
    asked = {(ask.method, ask.path(school)) for ask in BY_ID}
    rooms = (profile, school_structure, school_people, school_links, school_loads, school_policies)
    routes = [route for room in rooms for route in room.router.routes if isinstance(route, APIRoute)]
    left_out = [
        (method, route.path)
        for route in routes
        for method in route.methods or ()
        if route.param_convertors and "kind" not in route.param_convertors
        if not any(method == tried and route.path_regex.match(path) for tried, path in asked)
    ]
    assert left_out == []
    assert len(routes) > 60


async def test_filters_by_another_schools_ids_find_nothing(
    client: httpx.AsyncClient, school: MadeSchool, other: MadeSchool
) -> None:
    """A list filtered by an id of another school is empty."""
    filters: dict[str, dict[str, object]] = {
        "terms": {"sessionId": other.session},
        "class-arms": {"levelId": other.level},
        "subjects": {"departmentId": other.department},
        "students": {"classArmId": other.arms[0]},
        "guardians": {"studentId": other.students[0]},
        "guardianships": {"guardianId": other.guardians[0]},
        "enrolments": {"classArmId": other.arms[0]},
        "teaching-loads": {"staffId": other.staff[Role.PRINCIPAL]},
        "electives": {"studentId": other.students[0]},
    }
    for path, query in filters.items():
        asked = {name: str(value) for name, value in query.items()}
        answer = await client.get(f"/api/school/{path}", params=asked, headers=headers(school.as_(Role.SCHOOL_ADMIN)))
        assert answer.json()["items"] == [], path


async def test_guardians_read_their_own_children_only(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """One's own child is there, another's is 404, and lists hold one's own."""
    own, foreign = school.students[0], school.students[1]
    for who in (school.as_(Role.GUARDIAN), school.student(own)):
        asked = headers(who)
        assert (await client.get(f"/api/school/students/{own}", headers=asked)).status_code == 200
        assert (await client.get(f"/api/school/students/{foreign}", headers=asked)).status_code == 404
        for path, field in (("students", "id"), ("enrolments", "studentId"), ("guardianships", "studentId")):
            items = (await client.get(f"/api/school/{path}", headers=asked)).json()["items"]
            assert {item[field] for item in items} == {str(own)}, path


async def test_a_guardian_sees_no_other_guardian(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """Not even the other parent of the same child: the school can't know who may know what."""
    mine, partner = school.guardians_of[school.students[0]]
    asked = headers(school.guardian(mine))
    own = await client.get(f"/api/school/guardians/{mine}", headers=asked)
    assert own.json()["phone"] is not None
    assert (await client.get(f"/api/school/guardians/{partner}", headers=asked)).status_code == 404
    links = (await client.get("/api/school/guardianships", headers=asked)).json()["items"]
    assert {link["guardianId"] for link in links} == {str(mine)}


async def test_own_children_come_with_their_class(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """A guardian gets each child with the present class; someone who is no guardian is denied or gets none."""
    asked = headers(school.as_(Role.GUARDIAN))
    (child,) = (await client.get("/api/school/me/children", headers=asked)).json()
    assert (child["student"]["id"], child["classArmName"]) == (str(school.students[0]), "JSS 2 Ruby")
    student = await client.get("/api/school/me/children", headers=headers(school.as_(Role.STUDENT)))
    assert student.json() == []
    staff = await client.get("/api/school/me/children", headers=headers(school.as_(Role.BURSAR)))
    assert staff.status_code == 403


@pytest.mark.parametrize(
    ("role", "first_arm", "second_arm"),
    [
        (Role.SCHOOL_ADMIN, True, True),
        (Role.PRINCIPAL, True, True),
        (Role.CLASS_TEACHER, True, False),
        (Role.SUBJECT_TEACHER, False, False),
        (Role.HEAD_OF_DEPARTMENT, False, False),
        (Role.BURSAR, False, False),
    ],
)
async def test_contact_data_is_shown_to_those_in_charge(
    client: httpx.AsyncClient, school: MadeSchool, role: Role, first_arm: bool, second_arm: bool
) -> None:
    """Phone and email are for admin, principal and the class teacher of a child's arm; the name is for all staff."""
    asked = headers(school.as_(role))
    for student, shown in ((school.students[0], first_arm), (school.students[-1], second_arm)):
        guardian = school.guardians_of[student][0]
        one = (await client.get(f"/api/school/guardians/{guardian}", headers=asked)).json()
        listed = (await client.get("/api/school/guardians", params={"studentId": str(student)}, headers=asked)).json()
        for item in (one, *listed["items"]):
            assert item["familyName"].startswith("Guardian")
            assert (item["phone"] is not None, item["email"] is not None) == (shown, shown)
            assert item["contactHidden"] is not shown


async def test_a_hidden_phone_can_not_be_guessed_by_search(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """Searching by phone is denied to those who don't see phones, and no other search looks at them."""
    asked = headers(school.as_(Role.SUBJECT_TEACHER))
    answer = await client.get("/api/school/guardians", params={"phone": "08030000001"}, headers=asked)
    assert answer.status_code == 403
    by_search = await client.get("/api/school/guardians", params={"search": "0000001"}, headers=asked)
    assert by_search.json()["items"] == []
    found = await client.get(
        "/api/school/guardians", params={"phone": "0803 000 0001"}, headers=headers(school.as_(Role.PRINCIPAL))
    )
    assert [item["phone"] for item in found.json()["items"]] == ["+2348030000001"]


async def test_guardians_change_only_how_they_are_written_to(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Language and channel order are a guardian's own; phones are changed by the school, and so is another's record."""
    school = await make_school(db, students=2)
    mine, theirs = school.guardians
    asked = headers(school.guardian(mine))
    changed = await client.patch(
        f"/api/school/guardians/{mine}", json={"language": "yo", "channelOrder": ["email"]}, headers=asked
    )
    assert (changed.status_code, changed.json()["language"]) == (200, "yo")
    moved = await client.patch(
        f"/api/school/guardians/{mine}", json={"phone": "08031234567"}, headers=asked | {"If-Match": '"2"'}
    )
    assert moved.status_code == 403
    other = await client.patch(f"/api/school/guardians/{theirs}", json={"language": "ha"}, headers=asked)
    assert other.status_code == 403


async def test_only_policy_writers_add_versions(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Admin and principal add policies; everyone else is denied."""
    school = await make_school(db)
    body = {"kind": "approval", "name": "Principal alone", "body": {"steps": ["principal"]}}
    for role in (*READERS, *OWN):
        answer = await client.post("/api/school/policies", json=body, headers=headers(school.as_(role)))
        allowed = role in {Role.SCHOOL_ADMIN, Role.PRINCIPAL}
        assert answer.status_code == (201 if allowed else 403), (role, answer.text)
