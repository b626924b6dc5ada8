"""Registers over HTTP: who may, what is told, what is kept."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.access.principal import Principal, Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.ids import new_id
from tests.factories.http import bearer, make_client, settings_for
from tests.factories.school import MadeSchool, make_school

NOW = datetime(2027, 9, 20, 8, 0, tzinfo=UTC)
DAY = "2027-09-20"


@pytest.fixture(scope="module")
async def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application; it is Monday, the 20th of September 2027, nine in Lagos."""
    folder: Path = tmp_path_factory.mktemp("state")
    async with make_client(settings_for(database_url, folder), FakeClock(NOW)) as client:
        yield client


@pytest.fixture
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school of two classes with four students each."""
    return await make_school(db, arms=2, students=4)


class Desk:
    """A client at the register of a school's first class."""

    def __init__(self, client: httpx.AsyncClient, school: MadeSchool) -> None:
        self.client = client
        self.school = school
        self.students = [str(s) for s, arm in school.arm_of.items() if arm == school.arms[0]]

    def path(self, day: str = DAY, arm: int = 0) -> str:
        """Return the address of a register."""
        return f"/api/school/class-arms/{self.school.arms[arm]}/attendance/{day}"

    def who(self, who: Role | Principal) -> dict[str, str]:
        """Return the headers of a request by someone."""
        principal = self.school.as_(who) if isinstance(who, Role) else who
        return bearer(principal, clock=FakeClock(NOW))

    async def get(self, path: str, who: Role | Principal = Role.CLASS_TEACHER, **query: str) -> httpx.Response:
        """Read something."""
        return await self.client.get(path, headers=self.who(who), params=query)

    async def put(
        self,
        statuses: Mapping[int, str],
        version: int | None,
        who: Role | Principal = Role.CLASS_TEACHER,
        **place: Any,
    ) -> httpx.Response:
        """Save the class: present but for these, by place in the class."""
        entries = [{"studentId": s, "status": statuses.get(n, "present")} for n, s in enumerate(self.students)]
        headers = self.who(who) | ({} if version is None else {"If-Match": f'"{version}"'})
        return await self.client.put(self.path(**place), headers=headers, json={"entries": entries})

    async def events(self, db: PostgresDatabase) -> list[dict[str, Any]]:
        """Return the payloads of the school's events, oldest first."""
        async with db.tenant(self.school.id) as tx:
            rows = await tx.fetch("SELECT type, payload FROM outbox ORDER BY position")
        assert {row["type"] for row in rows} <= {"attendance.marked"}
        return [row["payload"] for row in rows]


@pytest.fixture
def desk(client: httpx.AsyncClient, school: MadeSchool) -> Desk:
    """The class teacher's desk."""
    return Desk(client, school)


async def test_the_list_is_filled_in_before_the_first_saving(desk: Desk) -> None:
    """The register names everyone of the class as present, at version 0."""
    answer = await desk.get(desk.path())
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert answer.headers["etag"] == '"0"'
    assert (body["version"], body["classArmName"], body["markedAt"]) == (0, "JSS 2 Ruby", None)
    assert sorted(line["studentId"] for line in body["lines"]) == sorted(desk.students)
    assert {(line["status"], line["recorded"]) for line in body["lines"]} == {("present", False)}


async def test_saving_tells_who_is_absent_and_late(desk: Desk, db: PostgresDatabase) -> None:
    """The first saving emits one event with the absent and the late, and the class's name."""
    answer = await desk.put({0: "absent", 1: "late", 2: "excused"}, 0)
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == '"1"'
    (event,) = await desk.events(db)
    assert event == {
        "classArmId": str(desk.school.arms[0]),
        "classArmName": "JSS 2 Ruby",
        "date": DAY,
        "absentStudentIds": [desk.students[0]],
        "lateStudentIds": [desk.students[1]],
    }


async def test_a_correction_tells_only_what_is_new(desk: Desk, db: PostgresDatabase) -> None:
    """A second saving tells of those newly absent alone; one that changes nothing new tells nobody."""
    await desk.put({0: "absent"}, 0)
    assert (await desk.put({0: "absent", 3: "absent"}, 1)).status_code == 200
    assert (await desk.put({0: "excused", 3: "present"}, 2)).status_code == 200
    told = [(event["absentStudentIds"], event["lateStudentIds"]) for event in await desk.events(db)]
    assert told == [([desk.students[0]], []), ([desk.students[3]], [])]


async def test_a_class_that_is_all_present_is_no_event(desk: Desk, db: PostgresDatabase) -> None:
    """Nobody absent or late means nothing is emitted, and the register is saved."""
    assert (await desk.put({}, 0)).json()["version"] == 1
    assert await desk.events(db) == []


async def test_saving_the_same_again_changes_nothing(desk: Desk, db: PostgresDatabase) -> None:
    """The same register sent twice stays at its version and emits nothing more."""
    await desk.put({0: "absent"}, 0)
    again = await desk.put({0: "absent"}, 1)
    assert (again.status_code, again.json()["version"]) == (200, 1)
    assert len(await desk.events(db)) == 1


async def test_two_who_save_at_once_tell_once(desk: Desk, db: PostgresDatabase) -> None:
    """Of several savings that race from the same version one wins; the others are told to read again."""
    answers = await asyncio.gather(*(desk.put({0: "absent", 1: "late"}, 0) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
    assert len(await desk.events(db)) == 1


async def test_corrections_are_kept(desk: Desk) -> None:
    """What a register said before can be read, newest first, with who changed it."""
    await desk.put({0: "absent"}, 0)
    await desk.put({0: "late"}, 1, Role.PRINCIPAL)
    await desk.put({0: "excused"}, 2)
    answer = await desk.get(desk.path() + "/changes", limit="1")
    assert [(c["oldStatus"], c["newStatus"], c["version"]) for c in answer.json()["items"]] == [("late", "excused", 3)]
    second = (await desk.client.get(answer.links["next"]["url"], headers=desk.who(Role.CLASS_TEACHER))).json()
    assert [(c["oldStatus"], c["newStatus"]) for c in second["items"]] == [("absent", "late")]
    assert second["items"][0]["actorId"] == str(desk.school.as_(Role.PRINCIPAL).user_id)
    assert second["nextCursor"] is None


async def test_the_version_must_be_given_and_right(desk: Desk, db: PostgresDatabase) -> None:
    """Without If-Match 428, from an old version 412; neither changes anything."""
    assert (await desk.put({0: "absent"}, None)).status_code == 428
    assert (await desk.put({0: "absent"}, 3)).status_code == 412
    assert await desk.events(db) == []
    assert (await desk.get(desk.path())).json()["version"] == 0


@pytest.mark.parametrize(
    ("day", "status"), [("2027-09-21", 422), ("2027-08-20", 422), ("2027-09-05", 422), ("not-a-day", 422)]
)
async def test_days_to_come_and_outside_the_term_are_refused(desk: Desk, day: str, status: int) -> None:
    """Tomorrow, the holidays and what is no day are refused with a problem."""
    answer = await desk.put({}, 0, day=day)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_closed_term_is_not_corrected(desk: Desk, db: PostgresDatabase) -> None:
    """Registers of a closed term are read but not changed."""
    async with db.tenant(desk.school.id) as tx:
        await tx.execute("UPDATE terms SET closed_at = now() WHERE id = $1", desk.school.terms[0])
    assert (await desk.put({}, 0)).status_code == 409
    assert (await desk.get(desk.path())).status_code == 200


async def test_today_is_the_schools_own(desk: Desk, db: PostgresDatabase) -> None:
    """At eight in the morning UTC it is already the 20th in Lagos, and still the 19th in Honolulu."""
    async with db.tenant(desk.school.id) as tx:
        await tx.execute("UPDATE schools SET time_zone = 'Pacific/Honolulu'")
    assert (await desk.put({}, 0)).status_code == 422
    assert (await desk.put({}, 0, day="2027-09-19")).status_code == 200


async def test_the_whole_class_and_nobody_else_is_sent(desk: Desk, db: PostgresDatabase) -> None:
    """One missing, one twice or one of another class is refused with its place, and nothing is saved."""
    stranger = next(str(s) for s, arm in desk.school.arm_of.items() if arm == desk.school.arms[1])
    wrong = [[*desk.students[1:], desk.students[1]], [*desk.students[1:]], [*desk.students, stranger]]
    for students in wrong:
        entries = [{"studentId": student, "status": "absent"} for student in students]
        headers = desk.who(Role.CLASS_TEACHER) | {"If-Match": '"0"'}
        answer = await desk.client.put(desk.path(), headers=headers, json={"entries": entries})
        assert answer.status_code == 422
        assert answer.json()["errors"]
    assert (await desk.get(desk.path())).json()["version"] == 0
    assert await desk.events(db) == []


async def test_who_left_is_not_on_the_list(desk: Desk, db: PostgresDatabase) -> None:
    """A student who has left is not called any more."""
    async with db.tenant(desk.school.id) as tx:
        await tx.execute("UPDATE students SET left_on = '2027-09-15' WHERE id = $1", desk.students[0])
    assert len((await desk.get(desk.path())).json()["lines"]) == 3
    assert len((await desk.get(desk.path("2027-09-14"))).json()["lines"]) == 4


@pytest.mark.parametrize(
    ("role", "arm", "reads", "writes"),
    [
        (Role.CLASS_TEACHER, 0, 200, 200),
        (Role.CLASS_TEACHER, 1, 200, 403),
        (Role.SUBJECT_TEACHER, 0, 200, 403),
        (Role.HEAD_OF_DEPARTMENT, 0, 403, 403),
        (Role.PRINCIPAL, 1, 200, 200),
        (Role.SCHOOL_ADMIN, 1, 200, 200),
        (Role.BURSAR, 0, 403, 403),
        (Role.GUARDIAN, 0, 403, 403),
        (Role.STUDENT, 0, 403, 403),
    ],
)
async def test_who_reads_and_who_calls(desk: Desk, role: Role, arm: int, reads: int, writes: int) -> None:
    """Class teachers call their own class, leaders any; who teaches a class reads its register; others neither."""
    desk.students = [str(s) for s, of in desk.school.arm_of.items() if of == desk.school.arms[arm]]
    assert (await desk.get(desk.path(arm=arm), role)).status_code == reads
    assert (await desk.put({}, 0, role, arm=arm)).status_code == writes


async def test_another_schools_class_is_not_there(desk: Desk, db: PostgresDatabase) -> None:
    """Every route answers 404 to another school's ids, and nothing is written."""
    other = await make_school(db)
    principal = other.as_(Role.PRINCIPAL)
    assert (await desk.get(desk.path(), principal)).status_code == 404
    assert (await desk.get(desk.path() + "/changes", principal)).status_code == 404
    assert (await desk.get(f"/api/school/class-arms/{desk.school.arms[0]}/attendance", principal)).status_code == 404
    assert (await desk.put({0: "absent"}, 0, principal)).status_code == 404
    student = f"/api/school/students/{desk.students[0]}/attendance"
    assert (await desk.get(student, principal, termId=str(other.terms[0]))).status_code == 404
    assert (await desk.get(student, Role.PRINCIPAL, termId=str(other.terms[0]))).status_code == 404
    assert (await desk.get(desk.path())).json()["version"] == 0


async def test_a_students_term_in_figures(desk: Desk) -> None:
    """Late counts as present, excused as a day of school, and the exceptions are told by day."""
    for day, status in (("2027-09-16", "late"), ("2027-09-17", "absent"), (DAY, "excused"), ("2027-09-15", "present")):
        assert (await desk.put({0: status}, 0, day=day)).status_code == 200
    answer = await desk.get(f"/api/school/students/{desk.students[0]}/attendance", termId=str(desk.school.terms[0]))
    body = answer.json()
    assert (body["daysPresent"], body["totalDays"]) == (2, 4)
    assert (body["daysLate"], body["daysAbsent"], body["daysExcused"]) == (1, 1, 1)
    assert [(e["day"], e["status"]) for e in body["exceptions"]] == [
        ("2027-09-16", "late"),
        ("2027-09-17", "absent"),
        (DAY, "excused"),
    ]


async def test_families_see_their_own_alone(desk: Desk) -> None:
    """The student and the guardian see the term; another child is not there for them."""
    first, second = desk.students[:2]
    for who in (Role.GUARDIAN, Role.STUDENT):
        for student, status in ((first, 200), (second, 404), (str(new_id()), 404)):
            path = f"/api/school/students/{student}/attendance"
            assert (await desk.get(path, who, termId=str(desk.school.terms[0]))).status_code == status


async def test_leaders_see_which_registers_are_missing(desk: Desk) -> None:
    """The school's day names each class, called or not; others than leaders may not ask."""
    await desk.put({0: "absent", 1: "late"}, 0)
    body = (await desk.get(f"/api/school/attendance/{DAY}", Role.PRINCIPAL)).json()
    assert (body["classes"], body["called"]) == (2, 1)
    figures = [(arm["classArmName"], arm["enrolled"], arm["absent"], arm["late"]) for arm in body["classArms"]]
    assert figures == [("JSS 2 Emerald", 4, 0, 0), ("JSS 2 Ruby", 4, 1, 1)]
    assert (await desk.get(f"/api/school/attendance/{DAY}", Role.CLASS_TEACHER)).status_code == 403


async def test_a_classs_registers_are_listed_by_page(desk: Desk) -> None:
    """Saved registers come newest first, page by page, each with its figures."""
    for day in ("2027-09-15", "2027-09-16", "2027-09-17"):
        await desk.put({0: "absent"}, 0, day=day)
    path = f"/api/school/class-arms/{desk.school.arms[0]}/attendance"
    first = await desk.get(path, limit="2", since="2027-09-15")
    assert [item["day"] for item in first.json()["items"]] == ["2027-09-17", "2027-09-16"]
    assert {(item["enrolled"], item["absent"], item["present"]) for item in first.json()["items"]} == {(4, 1, 3)}
    rest = await desk.client.get(first.links["next"]["url"], headers=desk.who(Role.CLASS_TEACHER))
    assert [item["day"] for item in rest.json()["items"]] == ["2027-09-15"]
