"""The routes of receipts: who may post them, what they change, and that neither order nor repetition matters."""

import itertools
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from cluster.settings import HttpSettings, SesSettings, SmsSettings, TwilioSettings
from core.adapters.postgres import PostgresDatabase
from core.clock import SystemClock
from core.ids import DeliveryId, new_id
from core.notifications import report_store
from core.notifications.model import Channel, Reason
from core.notifications.receipts import twilio_signature
from core.notifications.receiving import DeliveryReports, ReceiptKeys
from core.ports import Row
from deployments import receipts
from deployments.ground.problem import install_problems
from deployments.receipts import MAX_RECEIPT_BYTES, STRANGERS_BURST
from tests.factories.http import make_client, settings_for
from tests.factories.notifications import delivering, fanned_out, scores_published, settled
from tests.factories.receipts import CONFIRM, TOPIC, FakeSns
from tests.factories.school import MadeSchool, make_school
from tests.factories.senders import FakeSender

TOKEN, SECRET = "twilio-token", "path-secret"
FORM = "application/x-www-form-urlencoded"
URL = "https://kcl.example/api/providers/twilio/receipts"
TWILIO, AFRICAS_TALKING, SES = (
    f"/api/providers/{path}" for path in ("twilio/receipts", f"africas-talking/receipts/{SECRET}", "ses/receipts")
)


@pytest.fixture(scope="module")
async def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application with receipts set up."""
    state: Path = tmp_path_factory.mktemp("state")
    settings = settings_for(
        database_url,
        state,
        http=HttpSettings(public_url="https://kcl.example"),
        twilio=TwilioSettings(auth_token=SecretStr(TOKEN)),
        sms=SmsSettings(callback_secret=SecretStr(SECRET)),
        ses=SesSettings(topic_arn=TOPIC),
    )
    async with make_client(settings) as made:
        yield made


class Sent:
    """A message that a provider took."""

    def __init__(self, db: PostgresDatabase, school: MadeSchool, row: Row) -> None:
        self.db, self.school = db, school
        self.id: DeliveryId = row["id"]
        self.message_id: str = row["provider_message_id"]

    async def row(self) -> Row:
        """Return how the delivery stands."""
        async with self.db.tenant(self.school.id) as tx:
            row = await tx.fetchrow("SELECT * FROM deliveries WHERE id = $1", self.id)
        assert row is not None
        return row

    async def reports(self) -> list[str]:
        """Return the states that were logged."""
        async with self.db.tenant(self.school.id) as tx:
            rows = await tx.fetch("SELECT state FROM delivery_reports WHERE delivery_id = $1 ORDER BY state", self.id)
        return [row["state"] for row in rows]


async def sent_by(db: PostgresDatabase, provider: str) -> Sent:
    """Let a provider take a message."""
    school = await make_school(db, students=1)
    sender = FakeSender()
    sender.provider = provider
    await fanned_out(db, school, scores_published(school))
    async with delivering(db, {Channel.SMS: sender}):
        await settled(db, school)
    async with db.tenant(school.id) as tx:
        row = await tx.fetchrow("SELECT * FROM deliveries WHERE channel = 'sms'")
    assert row is not None
    return Sent(db, school, row)


async def post_twilio(client: httpx.AsyncClient, form: dict[str, str], signature: str | None = None) -> httpx.Response:
    """Post a status callback, signed as Twilio does unless said otherwise."""
    signature = twilio_signature(TOKEN, URL, list(form.items())) if signature is None else signature
    return await client.post(TWILIO, data=form, headers={b"X-Twilio-Signature": signature.encode("latin-1")})


async def test_twilios_receipt_is_kept_with_its_reason(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """An undelivered SMS says so and why, and stays a message that the provider took."""
    sent = await sent_by(db, "twilio")
    form = {"MessageSid": sent.message_id, "MessageStatus": "undelivered", "ErrorCode": "30005"}
    assert (await post_twilio(client, form)).status_code == 204
    row = await sent.row()
    assert (row["state"], row["receipt_state"], row["receipt_reason"]) == ("sent", "undelivered", Reason.NOT_ON_NETWORK)


async def test_africas_talkings_receipt_needs_the_secret(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Whoever knows the path is the provider; for anybody else there is nothing there, and nothing changes."""
    sent = await sent_by(db, "africas_talking")
    form = {"id": sent.message_id, "status": "Success", "phoneNumber": "+2348031234567"}
    assert (await client.post(AFRICAS_TALKING[:-1], data=form)).status_code == 404
    assert (await sent.row())["receipt_state"] is None
    assert (await client.post(AFRICAS_TALKING, data=form)).status_code == 204
    row = await sent.row()
    assert (row["receipt_state"], row["receipt_reason"]) == ("delivered", None)
    assert row["delivered_at"] is not None


@pytest.mark.parametrize("signature", ["", "AAAA", "é"])
async def test_a_stranger_changes_nothing(client: httpx.AsyncClient, db: PostgresDatabase, signature: str) -> None:
    """Without Twilio's signature a receipt is refused."""
    sent = await sent_by(db, "twilio")
    form = {"MessageSid": sent.message_id, "MessageStatus": "failed"}
    assert (await post_twilio(client, form, signature)).status_code == 401
    assert (await sent.row())["receipt_state"] is None


async def test_unknown_messages_are_answered_alike(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """Nobody learns from the answer whether a message is known, or what was made of it."""
    sent = await sent_by(db, "twilio")
    answers = [
        await post_twilio(client, {"MessageSid": message_id, "MessageStatus": status})
        for message_id in (sent.message_id, "SM-unknown", "x" * 600, "")
        for status in ("sent", "something new")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(204, b"")}


async def test_another_providers_id_is_not_this_ones(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """A receipt counts only for messages that this very provider took."""
    sent = await sent_by(db, "africas_talking")
    await post_twilio(client, {"MessageSid": sent.message_id, "MessageStatus": "failed"})
    assert (await sent.row())["receipt_state"] is None


@pytest.mark.parametrize("order", list(itertools.permutations(["sent", "delivered", "undelivered"])))
async def test_neither_order_nor_repetition_matters(
    client: httpx.AsyncClient, db: PostgresDatabase, order: tuple[str, ...]
) -> None:
    """However receipts come, and however often, the delivery ends alike and each is logged once."""
    sent = await sent_by(db, "twilio")
    for status in (*order, *order):
        await post_twilio(client, {"MessageSid": sent.message_id, "MessageStatus": status})
    row = await sent.row()
    assert (row["receipt_state"], row["receipt_reason"]) == ("undelivered", Reason.UNDELIVERED)
    assert row["delivered_at"] is not None
    assert await sent.reports() == ["delivered", "on_the_way", "undelivered"]


async def test_a_receipt_before_its_message_is_known_harms_nothing(client: httpx.AsyncClient) -> None:
    """A receipt that overtakes the note that the message was sent is answered as any other."""
    form = {"MessageSid": str(new_id()), "MessageStatus": "delivered"}
    assert (await post_twilio(client, form)).status_code == 204


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"Type": 1}', b"\xff"])
async def test_what_is_no_message_of_sns_is_refused(client: httpx.AsyncClient, content: bytes) -> None:
    """Whatever is posted, it is refused as a stranger's and breaks nothing."""
    assert (await client.post(SES, content=content)).status_code == 401


async def test_only_forms_are_forms(client: httpx.AsyncClient) -> None:
    """Another kind of body, or far too many fields, is refused by name."""
    assert (await client.post(TWILIO, json={})).status_code == 422
    many = await client.post(TWILIO, data={f"a{number}": "1" for number in range(200)})
    assert many.status_code == 400


async def test_receipts_that_are_not_set_up_are_not_there(database_url: str, tmp_path: Path) -> None:
    """Without keys each route answers 404, whatever is posted."""
    async with make_client(settings_for(database_url, tmp_path)) as client:
        for path in (TWILIO, AFRICAS_TALKING):
            assert (await client.post(path, data={"a": "b"})).status_code == 404
        assert (await client.post(SES, json={})).status_code == 404


# -- SES through SNS --


class SesRoutes:
    """The routes over a fake SNS."""

    def __init__(self, db: PostgresDatabase) -> None:
        self.sns = FakeSns()
        app = FastAPI()
        app.include_router(receipts.router)
        install_problems(app)
        reports = DeliveryReports(db, SystemClock(), ReceiptKeys(ses_topic=TOPIC), self.sns)
        app.state.services = type("Services", (), {"delivery_reports": reports})()
        self._app = app

    async def post(self, document: Any) -> int:
        """Post what SNS posts; return the status."""
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://schoolos.test") as client:
            body = json.dumps(document).encode()
            answer = await client.post(SES, content=body, headers={"Content-Type": "text/plain; charset=UTF-8"})
        return answer.status_code


@pytest.fixture
def ses(db: PostgresDatabase) -> SesRoutes:
    """The routes over a fake SNS."""
    return SesRoutes(db)


def event(kind: str, message_id: str, **about: Any) -> dict[str, Any]:
    """Return an event of SES."""
    return {"eventType": kind, "mail": {"messageId": message_id}, kind.lower(): about}


async def test_a_bounce_is_kept_with_its_reason(ses: SesRoutes, db: PostgresDatabase) -> None:
    """A mail that came back after it was delivered is told as undelivered, at the event's own time before."""
    sent = await sent_by(db, "ses")
    delivered = event("Delivery", sent.message_id, timestamp="2027-12-02T00:54:06.655Z")
    assert await ses.post(ses.sns.notification(delivered)) == 204
    bounced = event("Bounce", sent.message_id, bounceType="Permanent", bounceSubType="General")
    assert await ses.post(ses.sns.notification(bounced)) == 204
    row = await sent.row()
    assert (row["receipt_state"], row["receipt_reason"]) == ("undelivered", Reason.BAD_ADDRESS)
    assert row["delivered_at"].isoformat() == "2027-12-02T00:54:06.655000+00:00"
    assert len(ses.sns.fetched) == 1, "the certificate is kept"


async def test_a_forged_event_is_refused(ses: SesRoutes, db: PostgresDatabase) -> None:
    """A message that another key signed, or that was changed, changes nothing."""
    sent = await sent_by(db, "ses")
    genuine = ses.sns.notification(event("Delivery", sent.message_id))
    forged = FakeSns().notification(event("Complaint", sent.message_id))
    assert await ses.post(forged) == 401
    assert await ses.post(genuine | {"Message": json.dumps(event("Complaint", sent.message_id))}) == 401
    assert (await sent.row())["receipt_state"] is None


async def test_our_own_subscription_is_confirmed_once_signed(ses: SesRoutes) -> None:
    """The subscription of our topic is confirmed at Amazon's address and at no other."""
    assert await ses.post(ses.sns.confirmation()) == 204
    assert ses.sns.confirmed == [CONFIRM]
    assert await ses.post(ses.sns.confirmation(SubscribeURL="https://evil.example/")) == 401
    assert await ses.post(ses.sns.confirmation(TopicArn="arn:aws:sns:eu-west-1:999999999999:other")) == 401
    assert ses.sns.confirmed == [CONFIRM]


async def test_amazon_is_asked_to_come_again_while_its_certificate_is_away(ses: SesRoutes) -> None:
    """Where the certificate can't be had the answer is 503, so that SNS posts the event again."""
    ses.sns.away = True
    assert await ses.post(ses.sns.notification(event("Delivery", "x"))) == 503
    ses.sns.away = False
    assert await ses.post(ses.sns.notification(event("Delivery", "x"))) == 204


async def test_a_receipt_that_comes_before_our_note_is_not_lost(
    client: httpx.AsyncClient, db: PostgresDatabase
) -> None:
    """A provider may report sooner than its id is written down: the receipt waits for that, and then counts."""
    sent = await sent_by(db, "africas_talking")
    async with db.tenant(sent.school.id) as tx:
        await tx.execute("UPDATE deliveries SET provider_message_id = NULL WHERE id = $1", sent.id)
    for status in ("Sent", "Success", "Success"):
        assert (await client.post(AFRICAS_TALKING, data={"id": sent.message_id, "status": status})).status_code == 204
    now = SystemClock().now()
    async with db.dispatch() as tx:
        assert await report_store.apply_early(tx, now) == 0
    async with db.tenant(sent.school.id) as tx:
        await tx.execute("UPDATE deliveries SET provider_message_id = $2 WHERE id = $1", sent.id, sent.message_id)
    async with db.dispatch() as tx:
        assert await report_store.apply_early(tx, now) == 2
        assert await report_store.apply_early(tx, now) == 0
    row = await sent.row()
    assert (row["receipt_state"], row["delivered_at"] is not None) == ("delivered", True)
    assert await sent.reports() == ["delivered", "on_the_way"]


async def test_a_receipt_of_no_message_of_ours_is_forgotten(client: httpx.AsyncClient, db: PostgresDatabase) -> None:
    """What is still unknown after an hour is dropped, so that strangers' receipts don't pile up."""
    await client.post(AFRICAS_TALKING, data={"id": "ATXid_of_another_system", "status": "Success"})
    kept = "SELECT count(*) FROM early_reports WHERE provider_message_id = 'ATXid_of_another_system'"
    now = SystemClock().now()
    async with db.dispatch() as tx:
        assert await report_store.apply_early(tx, now) == 0
        assert await tx.fetchval(kept) == 1
        await report_store.apply_early(tx, now + timedelta(hours=2))
        assert await tx.fetchval(kept) == 0


async def test_strangers_are_slowed_down(client: httpx.AsyncClient) -> None:
    """Who posts receipts that are not a provider's is soon told when to come back; the provider is not."""
    answers = [await client.post(TWILIO, data={"MessageSid": "SM1"}) for _ in range(STRANGERS_BURST + 2)]
    assert [each.status_code for each in answers[:2]] == [401, 401]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1
    good = await client.post(AFRICAS_TALKING, data={"id": "ATXid_none", "status": "Success"})
    assert good.status_code == 204


KINDS = {TWILIO: FORM, AFRICAS_TALKING: FORM, SES: "text/plain"}


@pytest.mark.parametrize("path", KINDS)
async def test_a_receipt_is_small(client: httpx.AsyncClient, path: str) -> None:
    """A body that is no receipt's is not read."""
    body = b"a=" + b"x" * (MAX_RECEIPT_BYTES - 1)
    answer = await client.post(path, content=body, headers={"Content-Type": KINDS[path]})
    assert answer.status_code == 413


@pytest.mark.parametrize("path", KINDS)
async def test_a_receipt_of_no_stated_length_is_read_up_to_the_limit(client: httpx.AsyncClient, path: str) -> None:
    """A body in chunks is refused at the first that goes past it, and the rest is not asked for."""
    asked = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal asked
        for _ in range(64):
            asked += 1
            yield b"a" * 65_536

    answer = await client.post(path, content=chunks(), headers={"Content-Type": KINDS[path]})
    assert (answer.status_code, answer.json()["detail"]) == (413, "a receipt has 256 kB at most")
    assert asked == MAX_RECEIPT_BYTES // 65_536 + 1
