"""What becomes of printed cards: archives, single cards, publishing, and what a guardian may have."""

import asyncio
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pikepdf
import pytest

from core.access.principal import Principal, Role
from core.adapters.local_store import LocalObjectStore
from core.adapters.postgres import PostgresDatabase
from core.clock import SystemClock
from core.events.types import ReportsPublished
from core.ids import GuardianId, JobId, StudentId, new_id
from core.money import as_text
from core.reports.archive import Archivist
from core.reports.checking import check_card
from core.reports.snapshots import Snapshots
from core.school.model import PolicyKind
from tests.factories.http import bearer, make_client, settings_for
from tests.factories.printed_batches import PrintedBatch, marked, printed_batch
from tests.factories.printing import pages_of
from tests.factories.report_batches import make_browser, printing
from tests.factories.report_records import charge, settle
from tests.factories.school import MadeSchool, make_school

CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Office:
    """A client with a school whose cards are printed."""

    client: httpx.AsyncClient
    db: PostgresDatabase
    school: MadeSchool
    objects: LocalObjectStore
    batch: PrintedBatch

    @property
    def job(self) -> str:
        """Return the address of the batch."""
        return f"/api/reports/jobs/{self.batch.job}"

    def card(self, student: StudentId) -> str:
        """Return the address of a student's published card."""
        return f"/api/reports/terms/{self.school.terms[0]}/students/{student}/published-card"

    def guardian(self, number: int = 0) -> Principal:
        """Return the guardian of a student."""
        return self.school.guardian(self.school.guardians_of[self.school.students[number]][0])

    async def ask(
        self, method: str, path: str, who: Role | Principal = Role.PRINCIPAL, **request: Any
    ) -> httpx.Response:
        """Ask as somebody."""
        principal = self.school.as_(who) if isinstance(who, Role) else who
        return await self.client.request(method, path, headers=bearer(principal), **request)

    async def patiently(self, method: str, path: str, who: Role | Principal) -> httpx.Response:
        """Ask until a printer was free, as the answer tells one to on a busy machine."""
        for _ in range(5):
            answer = await self.ask(method, path, who)
            if answer.status_code != 503:
                break
        return answer

    async def publish(self, **body: Any) -> Any:
        """Publish, and return the answer."""
        answer = await self.ask("POST", f"{self.job}/publish", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def followed(self, answer: httpx.Response) -> bytes:
        """Return what a link leads to."""
        assert answer.status_code == 302, answer.text
        found = await self.client.get(answer.headers["location"])
        assert found.status_code == 200
        return found.content

    async def events(self) -> list[ReportsPublished]:
        """Return what guardians are told of."""
        async with self.db.tenant(self.school.id) as tx:
            rows = await tx.fetch(
                "SELECT payload FROM outbox WHERE type = 'reports.published' AND school_id = $1 ORDER BY id",
                self.school.id,
            )
        return [ReportsPublished.model_validate(row["payload"], strict=False) for row in rows]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this module's application keeps its files."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
async def client(database_url: str, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The whole application in process."""
    async with make_client(settings_for(database_url, folder), burst=100_000) as made:
        yield made


@pytest.fixture
async def office(client: httpx.AsyncClient, db: PostgresDatabase, folder: Path) -> Office:
    """A school of two classes of its own, printed and packed."""
    school = await make_school(db, arms=2, students=2)
    await marked(db, school)
    objects = LocalObjectStore(folder / "objects", links_url="http://127.0.0.1:8000/files", clock=CLOCK)
    batch = await printed_batch(db, objects, school, CLOCK, state="ended")
    return Office(client, db, school, objects, batch)


async def pack(office: Office) -> None:
    """Pack the batch."""

    async def mine() -> bool:
        return True

    await Archivist(office.db, office.objects, CLOCK).pack(office.school.id, office.batch.job, beat=mine)


async def run(office: Office, sql: str, *values: object) -> None:
    """Change something in the school's records."""
    async with office.db.tenant(office.school.id) as tx:
        await tx.execute(sql, *values)


async def test_an_archive_is_downloaded_by_a_link_of_minutes(office: Office) -> None:
    """Before it is packed 409, then 302 to a link that is made anew each time, and 404 when its 30 days are over."""
    assert (await office.ask("GET", f"{office.job}/download")).status_code == 409
    await pack(office)
    answer = await office.ask("GET", f"{office.job}/download")
    assert (await office.followed(answer)).startswith(b"PK")
    assert answer.headers["cache-control"] == "private, no-store"
    assert (await office.ask("GET", f"{office.job}/download", Role.CLASS_TEACHER)).status_code == 403
    await run(office, "UPDATE report_batches SET expires_at = $1", CLOCK.now() - timedelta(seconds=1))
    gone = await office.ask("GET", f"{office.job}/download")
    assert (gone.status_code, "30 days" in gone.json()["detail"]) == (404, True)
    nowhere = f"/api/reports/jobs/{JobId(new_id())}/download"
    assert (await office.ask("GET", nowhere)).status_code == 404


async def test_publishing_tells_guardians_once(office: Office) -> None:
    """Each card is told of once, however often and by how many at once it is published; a changed card again."""
    answers = await asyncio.gather(*(office.publish() for _ in range(3)))
    told = [answer for answer in answers if answer["published"]]
    assert [len(answer["published"]) for answer in told] == [4]
    assert [len(each.student_ids) for each in await office.events()] == [4]
    first = office.school.students[0]
    await run(office, "UPDATE marks SET value = 1 WHERE student_id = $1 AND component = 'exam'", first)
    corrected = await printed_batch(office.db, office.objects, office.school, CLOCK, state="ended")
    later = Office(office.client, office.db, office.school, office.objects, corrected)
    arm = [student for student in office.school.students if office.school.arm_of[student] == office.school.arms[0]]
    again = await later.publish()
    assert (set(again["published"]), len(again["unchanged"])) == ({str(student) for student in arm}, 2)
    back = await office.publish()
    assert (set(back["outdated"]), back["published"]) == ({str(student) for student in arm}, [])
    assert len(await office.events()) == 2


async def test_some_cards_can_be_published_first(office: Office) -> None:
    """Only the named students' cards are shown; one without a printed card is not found, and nothing is published."""
    first, second, *_ = office.school.students
    strange = await office.ask("POST", f"{office.job}/publish", json={"studentIds": [str(first), str(new_id())]})
    assert strange.status_code == 404
    assert (await office.publish(studentIds=[str(second)]))["published"] == [str(second)]
    assert (await office.ask("GET", office.card(first), office.guardian(0))).status_code == 404
    assert (await office.ask("GET", office.card(second), office.guardian(1))).status_code == 302


async def test_a_guardian_has_the_own_childrens_cards_and_no_other(office: Office) -> None:
    """The list and the links hold one's own children's; another's child, and what is not published, is not found."""
    own, other, *_ = office.school.students
    assert (await office.ask("GET", office.card(own), office.guardian())).status_code == 404
    await office.publish()
    listed = (await office.ask("GET", "/api/reports/published-cards", office.guardian())).json()["cards"]
    assert [(card["studentId"], card["href"]) for card in listed] == [(str(own), office.card(own))]
    pdf = await office.followed(await office.ask("GET", office.card(own), office.guardian()))
    assert pdf == office.batch.printed[own]
    assert (await office.ask("GET", office.card(other), office.guardian())).status_code == 404
    student = office.school.student(own)
    assert (await office.followed(await office.ask("GET", office.card(own), student))) == pdf
    assert (await office.ask("GET", office.card(other), student)).status_code == 404
    assert (await office.followed(await office.ask("GET", office.card(own), Role.PRINCIPAL))) == pdf
    assert (await office.ask("GET", office.card(own), Role.SUBJECT_TEACHER)).status_code == 403


async def test_a_card_that_is_withheld_is_refused_with_the_words(office: Office) -> None:
    """Where fees are unpaid and the policy says so, it is neither published nor handed out, until that is set aside."""
    own = office.school.students[0]
    await office.publish()
    await settle(office.db, office.school, PolicyKind.REPORT_RELEASE, withholdUnpaid=True)
    await charge(office.db, office.school, 45_000_00, date(2026, 1, 10))
    refused = await office.ask("GET", office.card(own), office.guardian())
    assert refused.status_code == 403
    assert as_text(45_000_00) in refused.json()["detail"]  # type: ignore[arg-type]  # kobo
    withheld = (await office.publish())["withheld"]
    assert {each["studentId"] for each in withheld} == {str(student) for student in office.school.students}
    release = f"/api/reports/terms/{office.school.terms[0]}/students/{own}/release"
    assert (await office.ask("POST", release, json={"reason": "a plan was agreed"})).status_code == 204
    assert (await office.ask("GET", office.card(own), office.guardian())).status_code == 302


async def test_a_published_card_can_be_taken_back(office: Office) -> None:
    """Guardians see it no longer; taking back twice is not found."""
    own = office.school.students[0]
    await office.publish()
    assert (await office.ask("DELETE", office.card(own))).status_code == 204
    assert (await office.ask("GET", office.card(own), office.guardian())).status_code == 404
    assert (await office.ask("DELETE", office.card(own))).status_code == 404
    assert (await office.publish())["published"] == [str(own)]


async def test_another_schools_batch_is_not_found(office: Office, db: PostgresDatabase) -> None:
    """A principal of another school finds neither archive nor cards, and publishes nothing."""
    stranger = (await make_school(db)).as_(Role.PRINCIPAL)
    student, arm = office.school.students[0], office.school.arms[0]
    for method, path in (
        ("GET", f"{office.job}/download"),
        ("GET", f"{office.job}/students/{student}/card"),
        ("GET", f"{office.job}/class-arms/{arm}/bundle.pdf"),
        ("POST", f"{office.job}/publish"),
        ("DELETE", office.card(student)),
    ):
        assert (await office.ask(method, path, stranger)).status_code == 404, path
    assert await office.events() == []


async def test_what_was_swept_is_printed_anew(
    office: Office, database_url: str, tmp_path: Path, db: PostgresDatabase
) -> None:
    """A card whose file is gone is printed from its snapshot, whole, and kept; broadsheets are printed too."""
    own, arm = office.school.students[0], office.school.arms[0]
    await office.publish()
    await office.objects.delete(office.batch.keys[own])
    browser = make_browser(tmp_path)
    await browser.start()
    async with printing(db, database_url, browser):
        pdf = await office.followed(await office.patiently("GET", office.card(own), office.guardian()))
        term = f"/api/reports/terms/{office.school.terms[0]}/class-arms/{arm}"
        sheet = await office.patiently("GET", f"{term}/broadsheet.pdf", Role.CLASS_TEACHER)
    await browser.close()
    async with db.tenant(office.school.id, read_only=True) as tx:
        snapshot = await tx.fetchval("SELECT snapshot_id FROM report_published_cards WHERE student_id = $1", own)
        (card,) = await Snapshots(db, CLOCK).load(tx, [snapshot])
    check_card(pdf, card)
    assert await office.followed(await office.ask("GET", office.card(own), office.guardian())) == pdf
    (page,) = pages_of(sheet.content)
    assert page.width > page.height
    assert card.student.student_no in page.text
    workbook = await office.ask("GET", f"{term}/broadsheet.xlsx", Role.CLASS_TEACHER)
    assert openpyxl.load_workbook(io.BytesIO(workbook.content)).active
    assert (await office.ask("GET", f"{term}/broadsheet.pdf", Role.SUBJECT_TEACHER)).status_code == 403


async def test_a_classs_cards_come_as_one_document(office: Office, folder: Path) -> None:
    """The bundle has each printed card of the class once, with a bookmark for each; other classes' are not in it."""
    target = io.BytesIO()
    with pikepdf.new() as page:
        page.add_blank_page()
        page.save(target)
    for key in office.batch.keys.values():
        await office.objects.put(key, target.getvalue(), "application/pdf")
    answer = await office.ask("GET", f"{office.job}/class-arms/{office.school.arms[1]}/bundle.pdf")
    assert answer.status_code == 200
    with pikepdf.open(io.BytesIO(answer.content)) as bundle, bundle.open_outline() as outline:
        assert (len(bundle.pages), len(outline.root)) == (2, 2)
    assert (await office.ask("GET", f"{office.job}/class-arms/{new_id()}/bundle.pdf")).status_code == 404


async def test_a_guardian_of_two_sees_both(office: Office) -> None:
    """Children of one guardian stand in one list."""
    first, second, *_ = office.school.students
    guardian: GuardianId = office.school.guardians_of[first][0]
    await run(
        office,
        "INSERT INTO guardianships (school_id, guardian_id, student_id, relationship)"
        " VALUES (app_school(), $1, $2, 'mother')",
        guardian,
        second,
    )
    await office.publish()
    listed = (await office.ask("GET", "/api/reports/published-cards", office.school.guardian(guardian))).json()
    assert {card["studentId"] for card in listed["cards"]} == {str(first), str(second)}
