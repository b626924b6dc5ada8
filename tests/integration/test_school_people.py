"""People, their accounts, consents, classes and elective subjects; the school's policies."""

import unicodedata
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from core.access.principal import Role
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.errors import Broken
from core.ids import new_id
from core.ports import Row
from core.school.model import PolicyKind, Stage
from tests.factories.http import make_client, settings_for
from tests.factories.records import ADDED
from tests.factories.school import MadeSchool, make_school
from tests.factories.school_client import SchoolClient


@pytest.fixture(scope="module")
def clock() -> FakeClock:
    """A clock that stands in the first term."""
    return FakeClock()


@pytest.fixture(scope="module")
async def http(
    database_url: str, tmp_path_factory: pytest.TempPathFactory, clock: FakeClock
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole application."""
    settings = settings_for(database_url, tmp_path_factory.mktemp("state"))
    async with make_client(settings, clock, burst=100_000) as client:
        yield client


@pytest.fixture
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school of two arms of its own for each test."""
    return await make_school(db, arms=2)


@pytest.fixture
def admin(http: httpx.AsyncClient, school: MadeSchool, clock: FakeClock) -> SchoolClient:
    """The school's admin."""
    return SchoolClient(http, school.as_(Role.SCHOOL_ADMIN), clock)


async def account(db: PostgresDatabase, school: MadeSchool, owner: str, owner_id: str) -> Row | None:
    """Return the account of a member of staff, guardian or student."""
    async with db.tenant(school.id) as tx:
        return await tx.fetchrow(f"SELECT * FROM users WHERE {owner}_id = $1", UUID(owner_id))


@pytest.mark.parametrize(
    ("family", "opened_as"),
    [
        ("staff", ("staff", "musa@example.com", ["subject_teacher"])),
        ("guardians", ("guardian", "bola@example.com", ["guardian"])),
        ("students", ("student", "s/9", ["student"])),
    ],
)
async def test_whoever_is_recorded_gets_an_account(
    admin: SchoolClient, db: PostgresDatabase, school: MadeSchool, family: str, opened_as: tuple[str, str, list[str]]
) -> None:
    """An account is opened with the record, follows its name, and goes with it."""
    owner, username, roles = opened_as
    made = await admin.made(f"/{family}", ADDED[family])
    opened = await account(db, school, owner, made["id"])
    assert opened is not None
    assert (opened["username"], opened["roles"], opened["active"]) == (username, roles, True)
    assert opened["display_name"] == unicodedata.normalize("NFC", f"{made['familyName']} {made['givenNames']}")
    await admin.changed(f"/{family}/{made['id']}", {"familyName": "Ọkọ́ńjó"})
    renamed = await account(db, school, owner, made["id"])
    assert renamed is not None
    assert renamed["display_name"].startswith(unicodedata.normalize("NFC", "Ọkọ́ńjó "))
    assert await admin.status("DELETE", f"/{family}/{made['id']}") == 204
    assert await account(db, school, owner, made["id"]) is None


async def test_guardians_who_share_a_mailbox_are_both_recorded(
    admin: SchoolClient, db: PostgresDatabase, school: MadeSchool
) -> None:
    """The second guardian of one address gets the phone as username."""
    await admin.made("/guardians", ADDED["guardians"])
    second = await admin.made("/guardians", ADDED["guardians"] | {"givenNames": "Kúnlé"})
    opened = await account(db, school, "guardian", second["id"])
    assert opened is not None
    assert (second["email"], opened["username"]) == ("Bola@example.com", "+2348035551234")


async def test_contacts_are_kept_in_one_form(admin: SchoolClient) -> None:
    """Phones become E.164, what is empty is none, and what is neither is refused at its field."""
    made = await admin.made("/guardians", ADDED["guardians"])
    assert (made["phone"], made["email"]) == ("+2348035551234", "Bola@example.com")
    path = f"/guardians/{made['id']}"
    assert await admin.pointers("PATCH", path, {"phone": "12", "email": "nobody"}, 1) == ["/phone", "/email"]
    assert await admin.pointers("PATCH", path, {"channelOrder": ["sms", "sms"]}, 1) == ["/channelOrder"]
    changed = await admin.changed(path, {"phone": "+44 20 7946 0958", "email": " "})
    assert (changed["phone"], changed["email"]) == ("+442079460958", None)


async def test_names_keep_their_marks_and_are_found_without(admin: SchoolClient) -> None:
    """A name is composed and keeps its diacritics; a search by any words of it, in plain letters, finds it."""
    decomposed = unicodedata.normalize("NFD", "Àjàyí")
    made = await admin.made("/students", ADDED["students"] | {"familyName": decomposed, "givenNames": "Ɗan Tọ́lá"})
    assert made["familyName"] == unicodedata.normalize("NFC", "Àjàyí")
    for words in ("ajayi", "TOLA aja", "Àjàyí", "dan", "s/9"):
        assert [item["id"] for item in await admin.items("/students", search=words)] == [made["id"]], words
    for words in ("%", "_", "ajayi nobody", "\\"):
        assert await admin.items("/students", search=words) == [], words
    assert await admin.pointers("GET", "/students?search=a%00b") == ["/search"]


async def test_students_are_listed_by_class_and_by_whether_they_left(
    admin: SchoolClient, db: PostgresDatabase, school: MadeSchool
) -> None:
    """An arm without a session is the present one's; one who left is listed apart and can't log in."""
    first_arm = [str(student) for student in school.students[:3]]
    listed = await admin.items("/students", classArmId=school.arms[0])
    assert [item["id"] for item in listed] == first_arm
    assert await admin.items("/students", classArmId=school.arms[0], sessionId=new_id()) == []
    await admin.changed(f"/students/{first_arm[0]}", {"leftOn": "2027-10-01"})
    assert [item["id"] for item in await admin.items("/students", present="false")] == first_arm[:1]
    assert len(await admin.items("/students", present="true")) == 5
    closed = await account(db, school, "student", first_arm[0])
    assert closed is not None
    assert closed["active"] is False


async def test_roles_of_staff_are_given_by_name(admin: SchoolClient) -> None:
    """Staff hold the roles they are given, which are of staff; a list can be asked by role."""
    body = ADDED["staff"] | {"roles": ["bursar", "class_teacher"]}
    made = await admin.made("/staff", body)
    assert sorted(made["roles"]) == ["bursar", "class_teacher"]
    changed = await admin.changed(f"/staff/{made['id']}", {"roles": ["principal"]})
    assert changed["roles"] == ["principal"]
    assert made["id"] in [item["id"] for item in await admin.items("/staff", role="principal")]
    assert made["id"] not in [item["id"] for item in await admin.items("/staff", role="bursar")]
    for role in ("guardian", "platform_admin", "ops"):
        assert await admin.pointers("POST", "/staff", ADDED["staff"] | {"staffNo": "T/8", "roles": [role]}) == [
            "/roles"
        ]
        assert await admin.pointers("PATCH", f"/staff/{made['id']}", {"roles": [role]}, 2) == ["/roles"]


async def test_someone_always_administers_the_school(
    admin: SchoolClient, db: PostgresDatabase, school: MadeSchool
) -> None:
    """The last admin can't be shut out, demoted or removed; once there is another, one can."""
    path = f"/staff/{school.staff[Role.SCHOOL_ADMIN]}"
    for change in ({"active": False}, {"roles": ["bursar"]}):
        assert await admin.status("PATCH", path, change, version=1) == 409
    assert await admin.status("DELETE", path) == 409
    await admin.made("/staff", ADDED["staff"] | {"roles": ["school_admin"]})
    assert (await admin.changed(path, {"active": False}))["active"] is False
    closed = await account(db, school, "staff", str(school.staff[Role.SCHOOL_ADMIN]))
    assert closed is not None
    assert closed["active"] is False


async def test_the_newest_consent_counts_and_none_is_lost(
    admin: SchoolClient, http: httpx.AsyncClient, school: MadeSchool, clock: FakeClock
) -> None:
    """Consents pile up; a guardian's own is of the portal; the guardian's record shows what holds now."""
    guardian = school.guardians[0]
    path = f"/guardians/{guardian}/consents"
    assert (await admin.get(f"/guardians/{guardian}"))["consented"] == ["email", "push", "sms"]
    parent = SchoolClient(http, school.guardian(guardian), clock)
    own = await parent.made(path, {"channel": "sms", "granted": False, "source": "form"})
    assert (own["source"], own["recordedBy"]) == ("portal", str(school.users[guardian]))
    assert (await admin.get(f"/guardians/{guardian}"))["consented"] == ["email", "push"]
    assert (await admin.made(path, {"channel": "sms", "granted": True}))["source"] == "form"
    assert (await admin.get(f"/guardians/{guardian}"))["consented"] == ["email", "push", "sms"]
    history = await admin.walk(path, 2)
    assert [entry["granted"] for entry in history if entry["channel"] == "sms"] == [True, False, True]
    assert len(history) == 5
    assert (
        await parent.status("POST", f"/guardians/{school.guardians[1]}/consents", {"channel": "sms", "granted": True})
        == 403
    )


async def test_consents_are_not_rewritten(db: PostgresDatabase, school: MadeSchool) -> None:
    """The database itself refuses to change or remove a consent or a policy."""
    for statement in ("UPDATE consents SET granted = true", "DELETE FROM consents", "UPDATE policies SET name = 'x'"):
        with pytest.raises(Broken, match="permission denied"):
            async with db.tenant(school.id) as tx:
                await tx.execute(statement)


async def test_a_child_has_several_guardians_and_a_guardian_several_children(
    admin: SchoolClient, http: httpx.AsyncClient, school: MadeSchool, clock: FakeClock
) -> None:
    """Guardianships are made, changed and ended one by one; what a guardian sees follows at once."""
    guardian, second_child = school.guardians[0], school.students[1]
    path = f"/students/{second_child}/guardians/{guardian}"
    made = await admin.send("PUT", path, {"relationship": "  aunt "})
    assert (made.status_code, made.json()["relationship"], made.json()["receivesMessages"]) == (200, "aunt", True)
    again = await admin.send("PUT", path, {"relationship": "aunt", "receivesMessages": False})
    assert again.json()["receivesMessages"] is False
    assert len(await admin.items("/guardianships", studentId=second_child)) == 2
    parent = SchoolClient(http, school.guardian(guardian), clock)
    assert [child["relationship"] for child in await parent.get("/me/children")] == ["mother", "aunt"]
    assert await admin.status("DELETE", path) == 204
    assert await admin.status("DELETE", path) == 404
    assert len(await parent.get("/me/children")) == 1
    assert await parent.status("GET", f"/students/{second_child}") == 404


async def offer_elective(admin: SchoolClient, school: MadeSchool, arm: int) -> str:
    """Offer a new elective subject to an arm and return it."""
    subject = await admin.made("/subjects", {"code": f"EL{arm}", "name": f"Elective {arm}"})
    load = {
        "sessionId": str(school.session),
        "classArmId": str(school.arms[arm]),
        "subjectId": subject["id"],
        "staffId": str(school.staff[Role.SUBJECT_TEACHER]),
        "periodsPerWeek": 2,
        "elective": True,
    }
    await admin.made("/teaching-loads", load)
    assert await admin.status("POST", "/teaching-loads", load) == 409
    return str(subject["id"])


async def test_a_move_to_another_arm_drops_what_it_does_not_offer(admin: SchoolClient, school: MadeSchool) -> None:
    """Students are enrolled and moved together; electives that the new arm lacks are dropped, others stay."""
    subject = await offer_elective(admin, school, arm=0)
    student, session = school.students[0], school.session
    electives = f"/students/{student}/electives/{session}"
    chosen = await admin.send("PUT", electives, {"subjectIds": [subject]})
    assert [choice["subjectId"] for choice in chosen.json()] == [subject]
    assert await admin.pointers("PUT", electives, {"subjectIds": [subject, str(school.subjects[0])]}) == [
        "/subjectIds/1"
    ]
    newcomer = await admin.made("/students", ADDED["students"])
    everyone = [str(student), newcomer["id"], str(school.students[3]), str(student)]
    body = {"sessionId": str(session), "classArmId": str(school.arms[1]), "studentIds": everyone}
    done = await admin.send("POST", "/enrolments", body)
    assert done.json() == {"enrolled": 1, "moved": 1, "unchanged": 1, "electivesDropped": 1}
    (enrolment,) = await admin.items("/enrolments", studentId=student)
    assert (enrolment["classArmId"], enrolment["classArmName"]) == (str(school.arms[1]), "JSS 2 Emerald")
    assert await admin.items("/electives", studentId=student) == []


async def test_an_enrolment_is_all_or_nothing(admin: SchoolClient, school: MadeSchool) -> None:
    """One unknown student, and nobody is enrolled or moved."""
    before = await admin.walk("/enrolments", 100)
    body = {
        "sessionId": str(school.session),
        "classArmId": str(school.arms[1]),
        "studentIds": [str(school.students[0]), str(new_id())],
    }
    assert await admin.status("POST", "/enrolments", body) == 404
    assert await admin.walk("/enrolments", 100) == before


async def test_where_there_are_marks_the_records_under_them_stay(
    admin: SchoolClient, school: MadeSchool, db: PostgresDatabase
) -> None:
    """An enrolment and a teaching load with marks are not removed; the teacher of the load can change."""
    load = school.loads[school.arms[0], school.subjects[0]]
    student = school.students[0]
    async with db.tenant(school.id) as tx:
        sheet = new_id()
        await tx.execute(
            "INSERT INTO mark_sheets (school_id, id, term_id, class_arm_id, subject_id, assessment_policy_id,"
            " grading_policy_id, approval_policy_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            *(school.id, sheet, school.terms[0], school.arms[0], school.subjects[0]),
            school.policies[PolicyKind.ASSESSMENT, None],
            school.policies[PolicyKind.GRADING, Stage.JSS],
            school.policies[PolicyKind.APPROVAL, None],
        )
        await tx.execute(
            "INSERT INTO marks (school_id, sheet_id, student_id, component, status, value)"
            " VALUES ($1, $2, $3, 'exam', 'scored', 50)",
            *(school.id, sheet, student),
        )
    assert await admin.status("DELETE", f"/enrolments/{school.session}/{student}") == 409
    assert await admin.status("DELETE", f"/teaching-loads/{load}") == 409
    assert await admin.status("PATCH", f"/teaching-loads/{load}", {"elective": True}, version=1) == 409
    another = str(school.staff[Role.CLASS_TEACHER])
    assert (await admin.changed(f"/teaching-loads/{load}", {"staffId": another}))["staffId"] == another
    assert await admin.status("DELETE", f"/enrolments/{school.session}/{school.students[1]}") == 204
    assert await admin.status("DELETE", f"/teaching-loads/{school.loads[school.arms[0], school.subjects[1]]}") == 204


async def test_policies_get_versions_and_none_changes(admin: SchoolClient, school: MadeSchool) -> None:
    """A new version is what holds; the old one is still there as it was, newest first in the list."""
    old = await admin.get(f"/policies/{school.policies[PolicyKind.APPROVAL, None]}")
    body = {"kind": "approval", "name": "Principal alone", "body": {"steps": ["principal"]}}
    new = await admin.made("/policies", body)
    assert (new["version"], new["stage"]) == (2, None)
    assert new in await admin.get("/policies")
    assert old not in await admin.get("/policies")
    assert await admin.walk("/policies/approval/versions", 1) == [new, old]
    jss = await admin.made("/policies", body | {"stage": "JSS"})
    assert (jss["version"], len(await admin.get("/policies"))) == (1, 6)


async def test_a_wrong_policy_is_refused_at_its_place(admin: SchoolClient) -> None:
    """The fault's pointer leads into the body of the policy."""
    body = {"kind": "grading", "name": "X", "body": {"bands": [{"grade": "A", "from": 101}], "pass": 40}}
    assert "/body/bands/0/from" in await admin.pointers("POST", "/policies", body)
    assert len(await admin.walk("/policies/grading/versions?stage=JSS", 10)) == 1
