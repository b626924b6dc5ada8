"""Ratings, remarks, their bank, pre-flight, release, style and verification over HTTP."""

import io
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from core.access.principal import Principal, Role
from core.adapters.local_store import LocalObjectStore
from core.adapters.postgres import PostgresDatabase
from core.clock import FakeClock
from core.ids import StudentId
from core.reports.release import Release
from core.school.model import PolicyKind
from tests.factories.http import bearer, make_client, settings_for
from tests.factories.report_records import call_registers, charge, give_marks, settle
from tests.factories.school import MadeSchool, make_school

CLOCK = FakeClock()
MARKS = (9, 8, 17, 52)


@dataclass(frozen=True, slots=True)
class Office:
    """A client with a school, for requests about report cards."""

    client: httpx.AsyncClient
    school: MadeSchool
    folder: Path

    @property
    def term(self) -> str:
        """Return the address of the first term."""
        return f"/api/reports/terms/{self.school.terms[0]}"

    @property
    def arm(self) -> str:
        """Return the address of the class teacher's own class."""
        return f"{self.term}/class-arms/{self.school.arms[0]}"

    def of(self, student: int) -> str:
        """Return the address of a student."""
        return f"{self.term}/students/{self.school.students[student]}"

    async def ask(
        self, method: str, path: str, who: Role | Principal = Role.PRINCIPAL, *, tag: int | None = None, **request: Any
    ) -> httpx.Response:
        """Ask as somebody, with an ``If-Match`` where a version is given."""
        principal = self.school.as_(who) if isinstance(who, Role) else who
        headers = bearer(principal, clock=CLOCK) | ({} if tag is None else {"If-Match": f'"{tag}"'})
        return await self.client.request(method, path, headers=headers, **request)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this module's application keeps its files."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
async def client(database_url: str, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The whole application in process."""
    async with make_client(settings_for(database_url, folder), CLOCK, burst=100_000) as made:
        yield made


@pytest.fixture
async def office(client: httpx.AsyncClient, db: PostgresDatabase, folder: Path) -> Office:
    """A school of two classes of its own."""
    return Office(client, await make_school(db, arms=2), folder)


def picture(width: int = 600, height: int = 400, kind: str = "PNG") -> bytes:
    """Return a picture."""
    target = io.BytesIO()
    Image.new("RGB", (width, height), (20, 80, 120)).save(target, kind)
    return target.getvalue()


async def test_a_class_is_rated_at_once_by_its_own_teacher(office: Office) -> None:
    """All ratings are written or none; a trait that is not the school's is told by its place."""
    students = [str(student) for student in office.school.students[:3]]
    ratings = [{"studentId": student, "scores": {"Honesty": 4}, "version": 0} for student in students]
    answer = await office.ask("PUT", f"{office.arm}/ratings", Role.CLASS_TEACHER, json={"ratings": ratings})
    assert (answer.status_code, [each["version"] for each in answer.json()]) == (200, [1, 1, 1])
    ratings[2]["version"] = 1
    stale = await office.ask("PUT", f"{office.arm}/ratings", Role.CLASS_TEACHER, json={"ratings": ratings})
    assert stale.status_code == 412
    entries = (await office.ask("GET", f"{office.arm}/entries", Role.CLASS_TEACHER)).json()
    assert [each["ratings"]["version"] for each in entries["students"]] == [1, 1, 1]
    odd = [{"studentId": students[0], "scores": {"Juggling": 3}}]
    refused = await office.ask("PUT", f"{office.arm}/ratings", Role.CLASS_TEACHER, json={"ratings": odd})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/ratings/0/scores/Juggling"


async def test_two_teachers_do_not_overwrite_each_other(office: Office) -> None:
    """A remark is changed from the version that was read: without it 428, from an older one 412."""
    path = f"{office.of(0)}/class-teacher-remark"
    first = await office.ask("GET", path, Role.CLASS_TEACHER)
    assert (first.headers["etag"], first.json()["text"]) == ('"0"', "")
    assert (await office.ask("PUT", path, Role.CLASS_TEACHER, json={"text": "Good."})).status_code == 428
    written = await office.ask(
        "PUT", path, Role.CLASS_TEACHER, tag=0, json={"text": "{nick_name} reads {his_her} books."}
    )
    assert written.status_code == 422
    written = await office.ask("PUT", path, Role.CLASS_TEACHER, tag=0, json={"text": "{first_name} reads."})
    assert (written.headers["etag"], written.json()["text"]) == ('"1"', "Tọ́lá reads.")
    assert (await office.ask("PUT", path, Role.PRINCIPAL, tag=0, json={"text": "Mine."})).status_code == 412
    again = await office.ask("PUT", path, Role.PRINCIPAL, tag=1, json={"text": "Mine."})
    assert (again.status_code, again.headers["etag"]) == (200, '"2"')


async def test_a_remark_about_somebody_else_is_warned_of(office: Office, db: PostgresDatabase) -> None:
    """A classmate's name and a pronoun of the other gender are told with their places; the remark is kept."""
    async with db.tenant(office.school.id) as tx:
        await tx.execute(
            "UPDATE students SET given_names = 'Ngọzi', gender = 'female' WHERE id = $1", office.school.students[1]
        )
        await tx.execute("UPDATE students SET gender = 'male' WHERE id = $1", office.school.students[0])
    text = "Ngozi works well, and she is kind."
    answer = await office.ask("PUT", f"{office.of(0)}/principal-remark", tag=0, json={"text": text})
    assert answer.status_code == 200
    warned = [(each["code"], text[each["start"] : each["end"]]) for each in answer.json()["warnings"]]
    assert warned == [("other_student", "Ngozi"), ("wrong_pronoun", "she")]


async def test_remarks_are_written_by_whom_they_belong_to(office: Office) -> None:
    """The class teacher writes for their own class, a subject's teacher for the subject, and guardians nothing."""
    school, english, maths = office.school, office.school.subjects[1], office.school.subjects[0]
    other = f"{office.term}/class-arms/{school.arms[1]}"
    body = {"remarks": [{"studentId": str(school.students[0]), "text": "Good."}]}
    theirs = {"remarks": [{"studentId": str(school.students[3]), "text": "Good."}]}

    async def status(path: str, who: Role, body: dict[str, Any] = body) -> int:
        return (await office.ask("PUT", path, who, json=body)).status_code

    assert await status(f"{office.arm}/class-teacher-remarks", Role.CLASS_TEACHER) == 200
    assert await status(f"{office.arm}/class-teacher-remarks", Role.SUBJECT_TEACHER) == 403
    assert await status(f"{other}/class-teacher-remarks", Role.CLASS_TEACHER, theirs) == 403
    assert await status(f"{other}/class-teacher-remarks", Role.PRINCIPAL, theirs) == 200
    assert await status(f"{office.arm}/class-teacher-remarks", Role.PRINCIPAL, theirs) == 404
    assert await status(f"{office.arm}/principal-remarks", Role.CLASS_TEACHER) == 403
    assert await status(f"{office.arm}/principal-remarks", Role.PRINCIPAL) == 200
    assert await status(f"{office.arm}/subjects/{maths}/remarks", Role.SUBJECT_TEACHER) == 200
    assert await status(f"{office.arm}/subjects/{english}/remarks", Role.SUBJECT_TEACHER) == 403
    for who in (Role.GUARDIAN, Role.STUDENT, Role.BURSAR):
        assert await status(f"{office.arm}/class-teacher-remarks", who) == 403
    assert (await office.ask("GET", f"{office.arm}/entries", Role.SUBJECT_TEACHER)).status_code == 403


async def test_guardians_reach_nothing_here(office: Office) -> None:
    """Every route of the cards' data refuses guardians and students."""
    for who in (Role.GUARDIAN, Role.STUDENT):
        for path in (
            *(f"{office.of(0)}/{what}" for what in ("ratings", "card", "snapshots", "principal-remark")),
            *(f"{office.term}/{what}" for what in ("preflight", "release-log")),
            *("/api/reports/style", "/api/reports/comment-bank"),
        ):
            assert (await office.ask("GET", path, who)).status_code == 403, path


async def test_nothing_of_a_closed_term_changes(office: Office, db: PostgresDatabase) -> None:
    """Ratings and remarks of a closed term are refused."""
    async with db.tenant(office.school.id) as tx:
        await tx.execute("UPDATE terms SET closed_at = now() WHERE id = $1", office.school.terms[0])
    rated = await office.ask("PUT", f"{office.of(0)}/ratings", tag=0, json={"scores": {"Honesty": 4}})
    said = await office.ask("PUT", f"{office.of(0)}/principal-remark", tag=0, json={"text": "Good."})
    assert (rated.status_code, said.status_code) == (409, 409)


async def test_the_bank_suggests_remarks_for_a_student(office: Office, db: PostgresDatabase) -> None:
    """A remark of the bank that suits the average comes back with the student's name and pronoun in it."""
    bank = "/api/reports/comment-bank"
    good = {"kind": "class_teacher", "fromScore": 70, "toScore": 100, "text": "{first_name}: {he_she} excels."}
    added = await office.ask("POST", bank, json=good)
    assert added.status_code == 201
    await office.ask("POST", bank, json=good | {"fromScore": 0, "toScore": 40, "text": "More is in {him_her}."})
    wrong = await office.ask("POST", bank, json=good | {"text": "{nick_name} excels."})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/text")
    path = f"{office.of(0)}/remark-suggestions"
    asked = await office.ask("GET", path, Role.CLASS_TEACHER, params={"kind": "class_teacher", "score": 81})
    assert asked.json()["texts"] in (["Tọ́lá: he excels."], ["Tọ́lá: she excels."])
    await give_marks(db, office.school, {0: {office.school.students[0]: (4, 4, 8, 20)}})
    by_average = await office.ask("GET", path, Role.CLASS_TEACHER, params={"kind": "class_teacher"})
    assert by_average.json()["texts"] in (["More is in him."], ["More is in her."])
    one = f"{bank}/{added.json()['id']}"
    assert (await office.ask("PUT", one, Role.CLASS_TEACHER, tag=1, json=good)).status_code == 403
    assert (await office.ask("PUT", one, tag=1, json=good | {"text": "Fine."})).headers["etag"] == '"2"'
    assert (await office.ask("DELETE", one, tag=1)).status_code == 412
    assert (await office.ask("DELETE", one, tag=2)).status_code == 204
    assert len((await office.ask("GET", bank)).json()["items"]) == 1


async def test_the_preflight_names_what_whom_and_where(office: Office, db: PostgresDatabase) -> None:
    """Missing marks and approvals block, the rest warns; each names the route and the teacher who can mend it."""
    school = office.school
    ada, bola, chi = school.students[:3]
    await give_marks(db, school, {0: {ada: MARKS, bola: (9, 8, None, None), chi: ("A", "A", "A", "A")}})
    await give_marks(db, school, {1: dict.fromkeys((ada, bola, chi), MARKS)}, state="submitted")
    await call_registers(db, school, school.arms[0], {date(2027, 9, 14): {ada: "present"}})
    await office.ask("PUT", f"{office.of(0)}/ratings", tag=0, json={"scores": {"Honesty": 4}})
    await office.ask("PUT", f"{office.of(0)}/principal-remark", tag=0, json={"text": "Good."})
    asked = await office.ask(
        "GET", f"{office.term}/preflight", Role.CLASS_TEACHER, params={"classArmId": str(school.arms[0])}
    )
    found = asked.json()
    assert (found["students"], found["ready"]) == (3, 0)
    of = {who: [each for each in found["findings"] if each["studentId"] == str(who)] for who in (ada, bola, chi)}
    assert [(each["what"], each["severity"]) for each in of[ada]] == [
        ("approval", "block"),
        ("class_teacher_remark", "warn"),
        ("ratings", "warn"),
        ("photo", "warn"),
    ]
    assert of[ada][0]["sentence"] == "English Language: the mark sheet waits for approval."
    marks = next(each for each in of[bola] if each["what"] == "marks")
    assert marks["sentence"] == "Mathematics: 2 of 4 marks are missing."
    assert marks["where"] == f"/api/school/mark-sheets/{marks['sheetId']}"
    assert marks["responsibleName"] == "Subject Teacher Adé"
    assert (await office.ask("GET", marks["where"])).status_code == 200
    assert not [each for each in of[chi] if each["what"] == "marks"]
    whole = (await office.ask("GET", f"{office.term}/preflight")).json()
    assert whole["students"] == 6
    unopened = next(each for each in whole["findings"] if each["studentId"] == str(school.students[3]))
    assert unopened["sentence"] == "English Language: the mark sheet has not been opened."
    assert (await office.ask("GET", f"{office.term}/preflight", Role.CLASS_TEACHER)).status_code == 403
    await settle(db, school, PolicyKind.REPORT, blocks=[])
    some = await office.ask("POST", f"{office.term}/preflight", json={"studentIds": [str(bola)]})
    assert (some.json()["ready"], {each["severity"] for each in some.json()["findings"]}) == (1, {"warn"})


async def finalised(office: Office, db: PostgresDatabase) -> dict[str, Any]:
    """Finalise the first student's card over HTTP."""
    await give_marks(db, office.school, {0: {office.school.students[0]: MARKS}, 1: {office.school.students[0]: MARKS}})
    path = f"/api/reports/sessions/{office.school.session}/terms/{office.school.terms[0]}/finalise"
    body = {"studentIds": [str(office.school.students[0])]}
    answer = await office.ask("POST", path, json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert (found["new"], found["reused"], found["blocked"]) == (1, 0, [])
    return found


async def test_a_card_is_verified_by_its_serial_alone(office: Office, db: PostgresDatabase) -> None:
    """Anyone with the serial learns that the card is genuine, and neither name, marks nor number of the student."""
    (snapshot,) = (await finalised(office, db))["snapshots"]
    listed = (await office.ask("GET", f"{office.of(0)}/snapshots")).json()["items"]
    assert listed == [snapshot]
    typed = snapshot["serial"].replace("-", "").lower().replace("0", "o").replace("1", "l")
    answer = await office.client.get(f"/api/verify/{typed}")
    told = answer.json()
    assert told["school"] == f"School {office.school.code}"
    assert told["student"] == "S. T."
    assert told["fingerprint"] == snapshot["contentHash"][:8]
    assert set(told) == {"serial", "school", "student", "session", "term", "issuedOn", "fingerprint", "replaced"}
    page = await office.client.get(f"/verify/{snapshot['serial']}")
    assert page.status_code == 200
    assert "genuine" in page.text
    assert "Student0001" not in page.text
    assert "script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-robots-tag"] == "noindex"


async def test_unknown_serials_are_all_told_alike(office: Office) -> None:
    """What no school has issued and what can be no serial get the same answer, and nothing typed comes back."""
    pages = [await office.client.get(f"/verify/{typed}") for typed in ("0000-0000-0000", "<script>x", "y" * 900)]
    assert {(page.status_code, page.text) for page in pages} == {(404, pages[0].text)}
    assert (await office.client.get("/api/verify/0000-0000-0000")).status_code == 404


async def test_guessing_serials_is_slowed(database_url: str, tmp_path: Path) -> None:
    """One address that asks for serials nobody issued is told to wait."""
    async with make_client(settings_for(database_url, tmp_path), FakeClock()) as client:
        statuses = [(await client.get(f"/verify/{guess:012}")).status_code for guess in range(70)]
    assert statuses[0] == 404
    assert statuses[-1] == 429


async def test_names_are_escaped_on_the_verify_page(office: Office, db: PostgresDatabase) -> None:
    """A school whose name is markup shows it as text."""
    async with db.tenant(office.school.id) as tx:
        await tx.execute("UPDATE schools SET name = '<img src=x onerror=alert(1)>'")
    (snapshot,) = (await finalised(office, db))["snapshots"]
    page = await office.client.get(f"/verify/{snapshot['serial']}")
    assert "<img" not in page.text
    assert "&lt;img" in page.text


async def test_a_replaced_card_says_so(office: Office, db: PostgresDatabase) -> None:
    """An old serial stays genuine and tells that a later version was issued."""
    (old,) = (await finalised(office, db))["snapshots"]
    await office.ask("PUT", f"{office.of(0)}/principal-remark", tag=0, json={"text": "Well done."})
    path = f"/api/reports/sessions/{office.school.session}/terms/{office.school.terms[0]}/finalise"
    await office.ask("POST", path, json={"studentIds": [str(office.school.students[0])]})
    assert (await office.client.get(f"/api/verify/{old['serial']}")).json()["replaced"] is True


async def test_withholding_is_off_until_a_policy_says_so_and_is_logged(office: Office, db: PostgresDatabase) -> None:
    """Owing withholds nothing by default; by policy it does, each time into the log, until somebody lets it out."""
    school, release = office.school, Release(db, FakeClock())
    ada, bola = school.students[:2]
    await charge(db, school, 4_500_000, date(2027, 9, 10))
    await charge(db, school, 100, date(2027, 12, 1))

    async def held() -> dict[StudentId, str]:
        async with db.tenant(school.id, actor=school.as_(Role.PRINCIPAL).user_id) as tx:
            return await release.withheld(tx, [ada, bola], school.terms[0])

    assert await held() == {}
    await settle(db, school, PolicyKind.REPORT_RELEASE, withholdUnpaid=True)
    assert await held() == dict.fromkeys((ada, bola), "Fees of NGN 45,000.00 are unpaid; please see the bursar.")
    no_reason = await office.ask("POST", f"{office.of(0)}/release", json={"reason": ""})
    assert no_reason.status_code == 422
    assert (
        await office.ask("POST", f"{office.of(0)}/release", Role.CLASS_TEACHER, json={"reason": "x"})
    ).status_code == 403
    assert (await office.ask("POST", f"{office.of(0)}/release", json={"reason": "bursary"})).status_code == 204
    assert set(await held()) == {bola}
    assert (await office.ask("DELETE", f"{office.of(0)}/release")).status_code == 204
    assert (await office.ask("DELETE", f"{office.of(0)}/release")).status_code == 409
    assert set(await held()) == {ada, bola}
    log = (await office.ask("GET", f"{office.term}/release-log")).json()["items"]
    assert [each["action"] for each in log] == [
        *("withheld", "withheld", "restored", "withheld", "overridden", "withheld", "withheld"),
    ]
    assert log[4]["reason"] == "bursary"
    await settle(db, school, PolicyKind.REPORT_RELEASE, withholdUnpaid=True, toleratedKobo=4_500_000)
    assert await held() == {}


async def test_a_style_is_the_schools_own(office: Office, db: PostgresDatabase) -> None:
    """A style is changed from the version that was read; colours and foreign pictures are checked."""
    path = "/api/reports/style"
    first = await office.ask("GET", path, Role.CLASS_TEACHER)
    assert first.headers["etag"] == '"0"'
    uploaded = await office.ask("POST", f"{path}/pictures", files={"file": ("logo.png", picture(), "image/png")})
    key = uploaded.json()["key"]
    assert re.fullmatch(rf"{office.school.id}/report-images/[0-9a-f]{{64}}\.(png|jpeg)", key)
    style = first.json() | {"primary": "#00ff00", "logoKey": key}
    assert (await office.ask("PUT", path, tag=0, json=style)).headers["etag"] == '"1"'
    assert (await office.ask("PUT", path, tag=0, json=style)).status_code == 412
    for wrong in ({"primary": "red; background: url(x)"}, {"logoKey": "http://169.254.169.254/"}, {"font": "x"}):
        assert (await office.ask("PUT", path, tag=1, json=style | wrong)).status_code == 422, wrong
    other = await make_school(db)
    foreign = style | {"logoKey": f"{other.id}/report-images/{'0' * 64}.png"}
    assert (await office.ask("PUT", path, tag=1, json=foreign)).status_code == 422
    assert (await office.ask("PUT", path, Role.CLASS_TEACHER, tag=1, json=style)).status_code == 403
    stored = await LocalObjectStore(office.folder / "objects", links_url="", clock=FakeClock()).get(key)
    with Image.open(io.BytesIO(stored)) as kept:
        assert max(kept.size) <= 480


async def test_what_is_no_picture_is_refused(office: Office) -> None:
    """SVG, a page under a picture's name, half a PNG and too many pixels are refused; a photo is kept."""
    path = f"/api/reports/students/{office.school.students[0]}/photo"
    for wrong in (b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>", picture()[:200], picture(5200, 4000)):
        answer = await office.ask("PUT", path, files={"file": ("a.png", wrong, "image/png")})
        assert answer.status_code == 422, wrong[:20]
    assert (await office.ask("PUT", path, files={"file": ("a", picture(), "text/plain")})).status_code == 200
    card = (await office.ask("GET", f"{office.of(0)}/card")).json()
    assert card["student"]["avatarUrl"].startswith(f"{office.school.id}/report-images/")
    assert (await office.ask("DELETE", path)).status_code == 204


async def test_another_schools_ids_are_not_there(office: Office, db: PostgresDatabase) -> None:
    """Every route answers 404 to another school's term, class, student and bank."""
    other = await make_school(db)
    theirs = Office(office.client, other, office.folder)
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", f"{theirs.arm}/entries", {}),
        ("GET", f"{office.term}/class-arms/{other.arms[0]}/entries", {}),
        ("PUT", f"{theirs.of(0)}/ratings", {"tag": 0, "json": {"scores": {"Honesty": 3}}}),
        ("PUT", f"{office.term}/students/{other.students[0]}/ratings", {"tag": 0, "json": {"scores": {"Honesty": 3}}}),
        ("PUT", f"{theirs.of(0)}/principal-remark", {"tag": 0, "json": {"text": "x"}}),
        ("GET", f"{theirs.term}/preflight", {}),
        ("POST", f"{office.term}/preflight", {"json": {"studentIds": [str(other.students[0])]}}),
        ("GET", f"{theirs.of(0)}/card", {}),
        ("GET", f"{theirs.of(0)}/snapshots", {}),
        ("POST", f"{theirs.of(0)}/release", {"json": {"reason": "x"}}),
        ("GET", f"{theirs.term}/release-log", {}),
        ("DELETE", f"/api/reports/students/{other.students[0]}/photo", {}),
        ("DELETE", f"/api/reports/comment-bank/{other.id}", {"tag": 1}),
    ]
    for method, path, request in asked:
        assert (await office.ask(method, path, **request)).status_code == 404, (method, path)
