"""Fees over HTTP: charges that follow from enrolment, payments that are never changed, balances, debtors."""

import asyncio
from collections.abc import AsyncIterator
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

NOW = datetime(2027, 10, 4, 8, 0, tzinfo=UTC)
FEE = 4_500_000


@pytest.fixture(scope="module")
async def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application on the 4th of October 2027."""
    folder: Path = tmp_path_factory.mktemp("state")
    async with make_client(settings_for(database_url, folder), FakeClock(NOW)) as client:
        yield client


def payment_of(fee_id: str, student: str, amount: int, reference: str) -> dict[str, Any]:
    """Return the body of a payment."""
    return {
        "feeId": fee_id,
        "studentId": student,
        "amountKobo": amount,
        "paidOn": "2027-10-01",
        "reference": reference,
    }


class Office:
    """A client in a school's office."""

    def __init__(self, client: httpx.AsyncClient, school: MadeSchool) -> None:
        self.client = client
        self.school = school
        self.student = str(school.students[0])
        self.term = str(school.terms[0])

    def who(self, who: Role | Principal) -> dict[str, str]:
        """Return the headers of a request by someone."""
        principal = self.school.as_(who) if isinstance(who, Role) else who
        return bearer(principal, clock=FakeClock(NOW))

    async def get(self, path: str, who: Role | Principal = Role.BURSAR, **query: str) -> httpx.Response:
        """Read something below ``/api/school``."""
        return await self.client.get(f"/api/school{path}", headers=self.who(who), params=query)

    async def post(self, path: str, who: Role | Principal = Role.BURSAR, **body: Any) -> httpx.Response:
        """Send something to a path below ``/api/school``."""
        return await self.client.post(f"/api/school{path}", headers=self.who(who), json=body)

    async def fee(self, **other: Any) -> dict[str, Any]:
        """Charge a fee."""
        body: dict[str, Any] = {
            "termId": self.term,
            "name": "School fees",
            "amountKobo": FEE,
            "dueOn": "2027-10-11",
        } | other
        answer = await self.post("/fees", **body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def pay(self, fee_id: str, amount: int, reference: str, **other: Any) -> httpx.Response:
        """Record a payment of the first student."""
        body: dict[str, Any] = {
            "feeId": fee_id,
            "studentId": self.student,
            "amountKobo": amount,
            "paidOn": "2027-10-01",
        }
        return await self.post("/payments", **(body | {"reference": reference} | other))

    async def account(self, who: Role | Principal = Role.BURSAR, student: str | None = None) -> httpx.Response:
        """Return a student's fees of the first term."""
        return await self.get(f"/students/{student or self.student}/fees", who, termId=self.term)


@pytest.fixture
async def office(client: httpx.AsyncClient, db: PostgresDatabase) -> Office:
    """The office of a school with two classes of three."""
    return Office(client, await make_school(db, arms=2, students=3))


async def test_a_fee_is_owed_by_everyone_enrolled(office: Office) -> None:
    """A fee is charged to each student of its term at once, and a part payment lowers what is owed."""
    fee = await office.fee()
    paid = await office.pay(fee["id"], 1_500_000, "R-1", note="first part")
    assert paid.status_code == 201, paid.text
    rows = (await office.get(f"/fees/{fee['id']}/balances")).json()["items"]
    assert len(rows) == 6
    assert [row["owedKobo"] for row in rows] == [3_000_000, *[FEE] * 5]
    body = (await office.account()).json()
    assert (body["chargedKobo"], body["paidKobo"], body["owedKobo"]) == (FEE, 1_500_000, 3_000_000)
    assert [payment["reference"] for payment in body["payments"]] == ["R-1"]


async def test_a_fee_of_another_level_is_not_charged(office: Office, db: PostgresDatabase) -> None:
    """A fee of one level reaches only its classes, and can't be paid by others."""
    async with db.tenant(office.school.id) as tx:
        other = await tx.fetchval(
            "INSERT INTO levels (school_id, id, name, stage, rank) VALUES ($1, $2, 'SSS 1', 'SSS', 4) RETURNING id",
            office.school.id,
            new_id(),
        )
    fee = await office.fee(levelId=str(other))
    assert (await office.get(f"/fees/{fee['id']}/balances")).json()["items"] == []
    refused = await office.pay(fee["id"], 100, "R-1")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "not_charged")
    mine = await office.fee(name="Books", levelId=str(office.school.level))
    assert len((await office.get(f"/fees/{mine['id']}/balances")).json()["items"]) == 6


async def test_who_left_before_the_term_is_not_charged(office: Office, db: PostgresDatabase) -> None:
    """A student who had left before the term began owes nothing; one who leaves during it does."""
    async with db.tenant(office.school.id) as tx:
        await tx.execute("UPDATE students SET left_on = '2027-08-01' WHERE id = $1", office.school.students[0])
        await tx.execute("UPDATE students SET left_on = '2027-10-01' WHERE id = $1", office.school.students[1])
    fee = await office.fee()
    charged = {row["studentId"] for row in (await office.get(f"/fees/{fee['id']}/balances")).json()["items"]}
    assert str(office.school.students[0]) not in charged
    assert str(office.school.students[1]) in charged


async def test_a_reference_counts_once(office: Office) -> None:
    """Of several recordings of one receipt at once one is kept; the others are told so."""
    fee = await office.fee()
    answers = await asyncio.gather(*(office.pay(fee["id"], 1_000_000, "R-7") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert (await office.account()).json()["paidKobo"] == 1_000_000


async def test_a_payment_is_taken_back_once(office: Office) -> None:
    """A reversal is a negative payment of the same amount; a second one and one of a reversal are refused."""
    fee = await office.fee()
    payment = (await office.pay(fee["id"], FEE, "R-1")).json()
    path = f"/payments/{payment['id']}/reversal"
    undone = await office.post(path, reference="R-1-back", note="cheque returned")
    assert (undone.status_code, undone.json()["amountKobo"]) == (201, -FEE)
    assert undone.json()["reversesId"] == payment["id"]
    assert (await office.post(path, reference="R-1-again", note="once more")).status_code == 409
    again = f"/payments/{undone.json()['id']}/reversal"
    assert (await office.post(again, reference="R-2", note="back and forth")).status_code == 409
    assert (await office.account()).json()["owedKobo"] == FEE


@pytest.mark.parametrize(
    "wrong",
    [{"amountKobo": 0}, {"amountKobo": -5}, {"amountKobo": 10.5}, {"paidOn": "2027-10-05"}, {"reference": ""}],
)
async def test_wrong_payments_are_refused(office: Office, wrong: dict[str, Any]) -> None:
    """Nothing, less than nothing, parts of a kobo, tomorrow's money and no receipt are refused."""
    fee = await office.fee()
    body = payment_of(fee["id"], office.student, 100, "R-1")
    answer = await office.post("/payments", **(body | wrong))
    assert answer.status_code == 422
    assert (await office.get("/payments")).json()["items"] == []


async def test_payments_can_not_be_rewritten(office: Office, db: PostgresDatabase) -> None:
    """The application's own role may neither change nor remove a payment."""
    fee = await office.fee()
    await office.pay(fee["id"], 100, "R-1")
    for statement in ("UPDATE payments SET amount_kobo = 1", "DELETE FROM payments"):
        with pytest.raises(Exception, match="permission denied"):
            async with db.tenant(office.school.id) as tx:
                await tx.execute(statement)


async def test_debtors_come_with_most_owed_first(office: Office) -> None:
    """Debtors are those who owe over all fees of the term, page by page, with what is overdue apart."""
    fee, levy = await office.fee(), await office.fee(name="PTA levy", amountKobo=500_000, dueOn="2027-09-20")
    await office.pay(fee["id"], FEE, "R-1")
    await office.pay(levy["id"], 500_000, "R-2")
    await office.pay(fee["id"], 1_000_000, "R-3", studentId=str(office.school.students[1]))
    first = await office.get("/debtors", termId=office.term, limit="4")
    assert [item["owedKobo"] for item in first.json()["items"]] == [5_000_000] * 4
    assert {item["overdueKobo"] for item in first.json()["items"]} == {500_000}
    rest = await office.client.get(first.links["next"]["url"], headers=office.who(Role.BURSAR))
    assert [item["owedKobo"] for item in rest.json()["items"]] == [4_000_000]
    arm = await office.get("/debtors", termId=office.term, classArmId=str(office.school.arms[1]))
    assert len(arm.json()["items"]) == 3
    level = await office.get("/debtors", termId=office.term, levelId=str(office.school.level))
    assert len(level.json()["items"]) == 5
    owing = await office.get(f"/fees/{fee['id']}/balances", owing="true", limit="3")
    assert office.student not in {row["studentId"] for row in owing.json()["items"]}


async def test_a_fee_changes_from_the_version_that_was_read(office: Office) -> None:
    """A change says which version it was made from; what is owed follows the new amount."""
    fee = await office.fee()
    path = f"/api/school/fees/{fee['id']}"
    headers = office.who(Role.BURSAR)
    assert (await office.client.patch(path, headers=headers, json={"amountKobo": 1})).status_code == 428
    stale = await office.client.patch(path, headers=headers | {"If-Match": '"7"'}, json={"amountKobo": 1})
    assert stale.status_code == 412
    changed = await office.client.patch(path, headers=headers | {"If-Match": '"1"'}, json={"amountKobo": 5_000_000})
    assert (changed.status_code, changed.headers["etag"], changed.json()["name"]) == (200, '"2"', "School fees")
    assert (await office.account()).json()["owedKobo"] == 5_000_000


async def test_a_fee_that_was_paid_towards_is_not_removed(office: Office) -> None:
    """A fee without payments can be removed, one with payments not."""
    fee, other = await office.fee(), await office.fee(name="Excursion")
    await office.pay(fee["id"], 100, "R-1")
    headers = office.who(Role.BURSAR) | {"If-Match": '"1"'}
    assert (await office.client.delete(f"/api/school/fees/{fee['id']}", headers=headers)).status_code == 409
    assert (await office.client.delete(f"/api/school/fees/{other['id']}", headers=headers)).status_code == 204
    listed = (await office.get("/fees", termId=office.term)).json()["items"]
    assert [item["id"] for item in listed] == [fee["id"]]


async def test_a_term_has_a_fee_once_and_not_when_closed(office: Office, db: PostgresDatabase) -> None:
    """The same fee twice is refused, and so is any in a closed term; debts of it can still be paid."""
    fee = await office.fee()
    body: dict[str, Any] = {"termId": office.term, "name": "School fees", "amountKobo": 1, "dueOn": "2027-10-11"}
    assert (await office.post("/fees", **body)).status_code == 409
    async with db.tenant(office.school.id) as tx:
        await tx.execute("UPDATE terms SET closed_at = now() WHERE id = $1", office.school.terms[0])
    assert (await office.post("/fees", **(body | {"name": "Late idea"}))).status_code == 409
    assert (await office.pay(fee["id"], 100, "R-1")).status_code == 201


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [
        (Role.BURSAR, 200, 201),
        (Role.SCHOOL_ADMIN, 200, 201),
        (Role.PRINCIPAL, 200, 403),
        (Role.CLASS_TEACHER, 403, 403),
        (Role.SUBJECT_TEACHER, 403, 403),
        (Role.HEAD_OF_DEPARTMENT, 403, 403),
        (Role.GUARDIAN, 403, 403),
        (Role.STUDENT, 403, 403),
    ],
)
async def test_who_keeps_the_books(office: Office, role: Role, reads: int, writes: int) -> None:
    """The bursar and the administrator charge and record, the principal reads, teachers and families do neither."""
    fee = await office.fee()
    body: dict[str, Any] = {"termId": office.term, "name": f"Fee of {role}", "amountKobo": 100, "dueOn": "2027-10-11"}
    assert (await office.post("/fees", role, **body)).status_code == writes
    payment: dict[str, Any] = {
        "feeId": fee["id"],
        "studentId": office.student,
        "amountKobo": 100,
        "paidOn": "2027-10-01",
    }
    assert (await office.post("/payments", role, **payment, reference=f"R-{role}")).status_code == writes
    for path in ("/fees", f"/fees/{fee['id']}", f"/fees/{fee['id']}/balances", "/payments"):
        assert (await office.get(path, role)).status_code == reads
    assert (await office.get("/debtors", role, termId=office.term)).status_code == reads


async def test_families_see_their_own_fees(office: Office) -> None:
    """A guardian and a student see their own account; another child's is not there."""
    await office.fee()
    for who in (Role.GUARDIAN, Role.STUDENT):
        own = await office.account(who)
        assert (own.status_code, own.json()["owedKobo"]) == (200, FEE)
        assert (await office.account(who, str(office.school.students[1]))).status_code == 404
    assert (await office.account(Role.CLASS_TEACHER)).status_code == 403


async def test_another_schools_books_are_not_there(office: Office, db: PostgresDatabase) -> None:
    """Every route answers 404 to another school's ids, in path and body, and nothing changes."""
    fee = await office.fee()
    payment = (await office.pay(fee["id"], 100, "R-1")).json()
    other = await make_school(db)
    bursar = other.as_(Role.BURSAR)
    for path in (f"/fees/{fee['id']}", f"/fees/{fee['id']}/balances", f"/payments/{payment['id']}"):
        assert (await office.get(path, bursar)).status_code == 404
    assert (await office.get("/debtors", bursar, termId=office.term)).status_code == 404
    assert (await office.account(bursar)).status_code == 404
    body = payment_of(fee["id"], office.student, 1, "x")
    assert (await office.post("/payments", bursar, **body)).status_code == 404
    taken = await office.post(f"/payments/{payment['id']}/reversal", bursar, reference="y", note="not mine")
    assert taken.status_code == 404
    foreign: dict[str, Any] = {"termId": office.term, "name": "x", "amountKobo": 1, "dueOn": "2027-10-11"}
    assert (await office.post("/fees", bursar, **foreign)).status_code == 404
    level = foreign | {"termId": str(other.terms[0]), "levelId": str(office.school.level)}
    assert (await office.post("/fees", bursar, **level)).status_code == 404
    headers = office.who(bursar) | {"If-Match": '"1"'}
    path = f"/api/school/fees/{fee['id']}"
    assert (await office.client.patch(path, headers=headers, json={"amountKobo": 1})).status_code == 404
    assert (await office.client.delete(path, headers=headers)).status_code == 404
    assert (await office.get("/payments", bursar)).json()["items"] == []
    assert (await office.account()).json()["paidKobo"] == 100
