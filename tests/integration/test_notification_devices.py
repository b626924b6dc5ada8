"""Devices: who registers them, who sees them, and a message on its way to a real browser's subscription."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from cluster.settings import FcmSettings, PushSettings
from core.access.principal import Principal, Role
from core.adapters.fcm import FcmPush, ServiceAccount
from core.adapters.postgres import PostgresDatabase
from core.adapters.web_push_crypto import from_b64url, generate_vapid_key
from core.clock import SystemClock
from core.errors import Fault, InvalidInput, SchoolOSError, Unavailable
from core.ids import DeliveryId
from core.notifications.device_push import DevicePush
from core.notifications.devices import MOST_DEVICES, DeviceKind, Registration
from core.notifications.model import Channel, OutgoingMessage, Reason, Text
from core.notifications.registering import Devices
from core.ports import Row
from tests.factories.http import bearer, make_client, settings_for
from tests.factories.notifications import attendance_marked, delivering, fanned_out, scores_published, settled
from tests.factories.providers import Browser, LoopbackFcm, answering, make_web_push
from tests.factories.school import MadeSchool, make_school
from tests.factories.senders import FakeSender

PATH = "/api/notifications/devices"
BROWSER = Browser()
SERVICE = "https://push.example"


@pytest.fixture(scope="module")
async def client(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application with push set up."""
    state: Path = tmp_path_factory.mktemp("state")
    push = PushSettings(vapid_key=SecretStr(generate_vapid_key()), hosts=("push.example",))
    fcm = FcmSettings(service_account=SecretStr(LoopbackFcm().account(SERVICE)))
    async with make_client(settings_for(database_url, state, push=push, fcm=fcm)) as made:
        yield made


@pytest.fixture
async def school(db: PostgresDatabase) -> MadeSchool:
    """A school with two guardians."""
    return await make_school(db, students=2)


def guardian(school: MadeSchool, number: int = 0) -> Principal:
    """Return one of the school's guardians."""
    return school.guardian(school.guardians[number])


def subscription(endpoint: str = f"{SERVICE}/1", **more: Any) -> dict[str, Any]:
    """Return a browser's request."""
    keys = json.loads(BROWSER.address(SERVICE).written())["keys"]
    whole = {"endpoint": endpoint, "expirationTime": None, "keys": keys}
    return {"kind": "web", "name": "Chrome", "subscription": whole} | more


async def register(client: httpx.AsyncClient, who: Principal, body: dict[str, Any]) -> httpx.Response:
    """Register a device as someone."""
    return await client.post(PATH, json=body, headers=bearer(who))


async def listed(client: httpx.AsyncClient, who: Principal) -> list[dict[str, Any]]:
    """Return someone's devices."""
    items: list[dict[str, Any]] = (await client.get(PATH, headers=bearer(who))).json()["items"]
    return items


async def test_a_person_sees_and_removes_only_their_own(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """A registered device is its owner's alone, and nobody, not even the owner, reads its address."""
    mine, other = guardian(school), guardian(school, 1)
    made = await register(client, mine, subscription())
    assert (made.status_code, made.headers["Location"]) == (201, f"{PATH}/{made.json()['id']}")
    assert await listed(client, mine) == [made.json()]
    assert set(made.json()) == {"id", "kind", "name", "createdAt", "seenAt"}
    assert await listed(client, other) == []
    path = made.headers["Location"]
    assert (await client.delete(path, headers=bearer(other))).status_code == 404
    assert (await client.delete(path, headers=bearer(mine))).status_code == 204
    assert (await client.delete(path, headers=bearer(mine))).status_code == 404


async def test_another_school_does_not_see_it(
    client: httpx.AsyncClient, db: PostgresDatabase, school: MadeSchool
) -> None:
    """A device of one school is not there for another's, its admin included."""
    made = await register(client, guardian(school), subscription())
    stranger = await make_school(db, students=1)
    answer = await client.delete(made.headers["Location"], headers=bearer(stranger.as_(Role.SCHOOL_ADMIN)))
    assert answer.status_code == 404
    assert len(await listed(client, guardian(school))) == 1


async def test_the_same_device_again_is_one_device(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """A browser that registers at every visit stays one device with one id, and can change its name."""
    first = await register(client, guardian(school), subscription())
    again = await register(client, guardian(school), subscription(name="Mama's phone"))
    assert first.json()["id"] == again.json()["id"]
    (device,) = await listed(client, guardian(school))
    assert device["name"] == "Mama's phone"


async def test_a_phone_that_changes_hands_changes_its_owner(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """Who logs in last on a device gets its messages, and the one before no longer does."""
    body = {"kind": "fcm", "token": f"token-{uuid4().hex}"}
    first = await register(client, guardian(school), body)
    second = await register(client, guardian(school, 1), body)
    assert first.json()["id"] != second.json()["id"]
    assert await listed(client, guardian(school)) == []
    assert len(await listed(client, guardian(school, 1))) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "web"},
        {"kind": "fcm"},
        {"kind": "fcm", "token": "a b"},
        {"kind": "telex", "token": "a"},
        subscription(token="a"),
        subscription("https://169.254.169.254/latest"),
        subscription("http://push.example/1"),
    ],
)
async def test_what_is_no_device_is_refused(
    client: httpx.AsyncClient, school: MadeSchool, body: dict[str, Any]
) -> None:
    """A device needs an address of its kind, at a push service that is known."""
    answer = await register(client, guardian(school), body)
    assert answer.status_code == 422
    assert await listed(client, guardian(school)) == []


async def test_a_kind_that_is_not_set_up_is_told(database_url: str, school: MadeSchool, tmp_path: Path) -> None:
    """Without keys there is no push: registering says so, and there is no key to subscribe with."""
    async with make_client(settings_for(database_url, tmp_path)) as client:
        assert (await register(client, guardian(school), subscription())).status_code == 409
        assert (await client.get(f"{PATH}/vapid-key", headers=bearer(guardian(school)))).status_code == 404


async def test_the_key_to_subscribe_with_is_a_point(client: httpx.AsyncClient, school: MadeSchool) -> None:
    """A browser gets the 65 bytes it needs, and nothing without a token."""
    answer = await client.get(f"{PATH}/vapid-key", headers=bearer(guardian(school)))
    assert len(from_b64url(answer.json()["publicKey"])) == 65
    assert (await client.get(f"{PATH}/vapid-key")).status_code == 401


async def test_past_the_most_the_longest_unseen_goes(db: PostgresDatabase, school: MadeSchool) -> None:
    """A person's devices are bounded; the newest stay."""
    devices = Devices(db, SystemClock(), kinds=frozenset(DeviceKind))
    for number in range(MOST_DEVICES + 2):
        await devices.register(
            guardian(school), registration=Registration(DeviceKind.FCM, f"{school.code}-{number}", name=str(number))
        )
    names = [device.name for device in await devices.own(guardian(school))]
    assert names == [str(number) for number in reversed(range(2, MOST_DEVICES + 2))]


# -- on the way --


class House:
    """A school whose first guardian has registered devices at loopback services."""

    def __init__(self, db: PostgresDatabase, school: MadeSchool, browser_url: str, fcm: LoopbackFcm, url: str) -> None:
        self.db, self.school, self.fcm, self._browser_url = db, school, fcm, browser_url
        self._devices = Devices(db, SystemClock(), kinds=frozenset(DeviceKind), hosts=(browser_url,))
        account = ServiceAccount.read(fcm.account(url))
        self.sender = DevicePush(
            db,
            {
                DeviceKind.WEB: make_web_push(browser_url),
                DeviceKind.FCM: FcmPush(account, clock=SystemClock(), endpoint=url),
            },
        )

    async def add_browser(self, browser: Browser) -> None:
        """Register a browser."""
        await self._devices.register(guardian(self.school), registration=browser.registration(self._browser_url))

    async def add_phone(self, token: str) -> None:
        """Register a phone."""
        await self._devices.register(guardian(self.school), registration=Registration(DeviceKind.FCM, token))

    async def devices(self) -> set[str]:
        """Return the kinds that are still registered."""
        return {device.kind.value for device in await self._devices.own(guardian(self.school))}

    async def tell(self) -> dict[tuple[str, str], int]:
        """Publish the marks of the first student and deliver."""
        await fanned_out(self.db, self.school, scores_published(self.school, self.school.students[:1]))
        async with delivering(self.db, {Channel.SMS: FakeSender(), Channel.DEVICE: self.sender}):
            return await settled(self.db, self.school)

    async def row(self) -> Row:
        """Return the delivery to the devices."""
        async with self.db.tenant(self.school.id) as tx:
            row = await tx.fetchrow("SELECT * FROM deliveries WHERE channel = 'device'")
        assert row is not None
        return row


@asynccontextmanager
async def opened(db: PostgresDatabase, browser: Browser) -> AsyncIterator[House]:
    """Open the services and a school."""
    fcm = LoopbackFcm()
    async with answering(browser.answer) as browser_url, answering(fcm.answer) as url:
        house = House(db, await make_school(db, students=1), browser_url, fcm, url)
        try:
            yield house
        finally:
            await house.sender.close()


async def test_a_message_reaches_bell_browser_and_phone(db: PostgresDatabase) -> None:
    """Beside the bell, every device of the guardian shows the bell's words; one delivery tells of all of them."""
    browser = Browser()
    async with opened(db, browser) as house:
        await house.add_browser(browser)
        await house.add_phone("good-phone")
        assert await house.tell() == {("push", "sent"): 1, ("sms", "sent"): 1, ("device", "sent"): 1}
        row = await house.row()
    (shown,) = browser.waiting.values()
    assert (shown["title"], shown["tag"]) == ("Mathematics results of Tọ́lá", row["id"].hex)
    assert [message["notification"]["title"] for message in house.fcm.messages] == [shown["title"]]
    assert row["address"] == str(house.school.users[house.school.guardians[0]])
    assert row["provider"] in {"web_push", "fcm"}


async def test_without_a_device_there_is_no_delivery(db: PostgresDatabase) -> None:
    """Who has registered nothing has the bell alone."""
    async with opened(db, Browser()) as house:
        assert await house.tell() == {("push", "sent"): 1, ("sms", "sent"): 1}


async def test_devices_follow_the_preference_for_push(db: PostgresDatabase) -> None:
    """Who switches push off for a kind of message gets it on no device either."""
    browser = Browser()
    async with opened(db, browser) as house:
        await house.add_browser(browser)
        async with db.tenant(house.school.id) as tx:
            await tx.execute(
                "INSERT INTO notification_preferences (id, school_id, user_id, channel, event_type, enabled)"
                " VALUES (gen_random_uuid(), app_school(), $1, 'push', 'scores.published', false)",
                house.school.users[house.school.guardians[0]],
            )
        assert await house.tell() == {("push", "skipped"): 1, ("sms", "sent"): 1}
    assert browser.waiting == {}


async def test_a_device_that_is_gone_is_forgotten_and_the_others_get_it(db: PostgresDatabase) -> None:
    """One that accepts is enough; a subscription that has ended is removed."""
    browser = Browser()
    browser.unsubscribed = True
    async with opened(db, browser) as house:
        await house.add_browser(browser)
        await house.add_phone("good-phone")
        await house.tell()
        row = await house.row()
        assert (row["state"], row["provider"]) == ("sent", "fcm")
        assert await house.devices() == {"fcm"}


async def test_with_every_device_gone_it_is_dead_with_the_reason(db: PostgresDatabase) -> None:
    """Nothing is retried where no device is left, and the trail says why."""
    browser = Browser()
    browser.unsubscribed = True
    async with opened(db, browser) as house:
        await house.add_browser(browser)
        await house.add_phone("old-phone")
        assert (await house.tell())["device", "dead"] == 1
        assert (await house.row())["reason"] == Reason.NO_DEVICE
        assert await house.devices() == set()


async def test_a_retry_shows_no_second_message(db: PostgresDatabase) -> None:
    """The same delivery again takes the place of what the browser has not yet fetched."""
    browser = Browser()
    async with opened(db, browser) as house:
        await house.add_browser(browser)
        user = str(house.school.users[house.school.guardians[0]])
        out = OutgoingMessage(DeliveryId(uuid4()), user, Text("title", "text"))
        await house.sender.send(out)
        await house.sender.send(out)
    assert len(browser.requests) == 2
    assert len(browser.waiting) == 1


async def test_what_may_pass_is_tried_again(db: PostgresDatabase) -> None:
    """While one device may still be reached the delivery is not given up, though another refuses it for good."""
    school = await make_school(db, students=1)
    devices = Devices(db, SystemClock(), kinds=frozenset(DeviceKind))
    for number in range(2):
        await devices.register(guardian(school), registration=Registration(DeviceKind.FCM, f"{school.code}-{number}"))

    def trouble(message: OutgoingMessage) -> SchoolOSError:
        refused = InvalidInput("refused", [Fault("/address", "refused", Reason.REJECTED)])
        return refused if message.address.endswith("0") else Unavailable("down")

    sender = DevicePush(db, {DeviceKind.FCM: FakeSender(trouble)})
    with pytest.raises(Unavailable):
        await sender.send(OutgoingMessage(DeliveryId(uuid4()), str(guardian(school).user_id), Text("", "x")))


async def test_a_slow_device_does_not_hold_the_others(db: PostgresDatabase) -> None:
    """Every device is asked at the same time."""
    school = await make_school(db, students=1)
    devices = Devices(db, SystemClock(), kinds=frozenset(DeviceKind))
    for number in range(5):
        await devices.register(guardian(school), registration=Registration(DeviceKind.FCM, f"{school.code}-{number}"))
    fake = FakeSender()
    fake.hold()
    sender = DevicePush(db, {DeviceKind.FCM: fake})
    sending = asyncio.create_task(
        sender.send(OutgoingMessage(DeliveryId(uuid4()), str(guardian(school).user_id), Text("", "x")))
    )
    async with asyncio.timeout(60):
        await fake.until_asked(5)
    fake.let_go()
    assert (await sending).detail == "5 of 5 devices"


async def test_attendance_goes_to_devices_too(db: PostgresDatabase) -> None:
    """Every kind of message has words for devices: those of the bell."""
    browser = Browser()
    async with opened(db, browser) as house:
        await house.add_browser(browser)
        await fanned_out(db, house.school, attendance_marked(house.school, absent=house.school.students))
        async with delivering(db, {Channel.SMS: FakeSender(), Channel.DEVICE: house.sender}):
            await settled(db, house.school)
    (shown,) = browser.waiting.values()
    assert "absent" in shown["body"]
