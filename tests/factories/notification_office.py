"""The office of a school that asks what became of its messages, and the messages it asks about."""

from typing import Any

import httpx

from core.access.principal import Principal
from core.adapters.postgres import PostgresDatabase
from core.errors import Fault, InvalidInput
from core.notifications.model import Channel, OutgoingMessage, Reason
from tests.factories.http import bearer
from tests.factories.notifications import (
    attendance_marked,
    delivering,
    fanned_out,
    settled,
)
from tests.factories.school import MadeSchool
from tests.factories.senders import FakeSender

NOT_THERE = "603 not on the network"


def refusing(reason: Reason = Reason.NOT_ON_NETWORK) -> FakeSender:
    """Return a provider that refuses every message for good."""

    def trouble(_: OutgoingMessage) -> InvalidInput:
        return InvalidInput(NOT_THERE, [Fault("/address", NOT_THERE, reason)])

    return FakeSender(trouble)


async def told(db: PostgresDatabase, school: MadeSchool, sender: FakeSender, *students: int) -> None:
    """Let students be marked absent and their guardians be told by SMS."""
    absent = tuple(school.students[each] for each in students or (0, 1))
    await fanned_out(db, school, attendance_marked(school, absent=absent), channels=frozenset({Channel.SMS}))
    await delivered(db, school, sender)


async def delivered(db: PostgresDatabase, school: MadeSchool, sender: FakeSender) -> None:
    """Let what is queued be sent."""
    async with delivering(db, {Channel.SMS: sender}):
        await settled(db, school)


class Office:
    """Someone of the school who asks."""

    def __init__(self, client: httpx.AsyncClient, who: Principal) -> None:
        self.client = client
        self.headers = bearer(who)

    async def get(self, path: str, **query: object) -> httpx.Response:
        """Read something."""
        return await self.client.get(
            f"/api/notifications{path}", headers=self.headers, params={name: str(each) for name, each in query.items()}
        )

    async def post(self, path: str, body: object = None, key: str | None = None) -> httpx.Response:
        """Do something."""
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        return await self.client.post(f"/api/notifications{path}", headers=headers, json=body)

    async def delete(self, path: str) -> httpx.Response:
        """Remove something."""
        return await self.client.delete(f"/api/notifications{path}", headers=self.headers)

    async def deliveries(self, **query: object) -> list[dict[str, Any]]:
        """Return deliveries, by who got them."""
        found: list[dict[str, Any]] = (await self.get("/deliveries", **query)).json()["items"]
        return sorted(found, key=lambda each: str(each["recipientName"]))
