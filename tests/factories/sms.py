"""What a school has settled about its SMS, for tests of their cost."""

from typing import Any

from core.ids import DeliveryId
from core.notifications.model import OutgoingMessage, Receipt
from core.ports import Database
from core.school import policy_store
from core.school.model import PolicyKind
from core.school.policies import as_body, parse_policy
from core.school.policy_store import NewPolicy
from tests.factories.school import MadeSchool
from tests.factories.senders import FakeSender

SEGMENT_KOBO = 100


async def settle(db: Database, school: MadeSchool, kind: PolicyKind, **body: Any) -> None:
    """Let a policy hold from now on."""
    whole = as_body(parse_policy(kind, body))
    async with db.tenant(school.id) as tx:
        await policy_store.add(tx, school.id, [NewPolicy(kind=kind, stage=None, name="of a test", body=whole)])


async def keep_budget(db: Database, school: MadeSchool, monthly_kobo: int, *, hard_stop: bool = True) -> None:
    """Let the school keep a budget, with segments at a naira each by the tests' provider."""
    await price(db, school)
    await settle(db, school, PolicyKind.SMS_BUDGET, monthlyKobo=monthly_kobo, hardStop=hard_stop)


async def price(db: Database, school: MadeSchool, segment_kobo: int = SEGMENT_KOBO) -> None:
    """Set the price of the tests' provider."""
    prices = [{"provider": "fake", "segmentKobo": segment_kobo}]
    await settle(db, school, PolicyKind.SMS_PRICING, prices=prices)


async def spent(db: Database, school: MadeSchool) -> dict[str, tuple[int, int, int]]:
    """Return messages, segments and kobo by month, as the account has them."""
    async with db.tenant(school.id) as tx:
        rows = await tx.fetch("SELECT month::text, messages, segments, spent_kobo FROM sms_spend ORDER BY month")
    return {row["month"][:7]: (row["messages"], row["segments"], row["spent_kobo"]) for row in rows}


class StatingSender(FakeSender):
    """A provider that says what each message costs."""

    def __init__(self, cost_kobo: int) -> None:
        super().__init__()
        self._cost_kobo = cost_kobo

    async def send(self, message: OutgoingMessage) -> Receipt:
        """Take a message and name its cost."""
        receipt = await super().send(message)
        return Receipt(receipt.message_id, cost_kobo=self._cost_kobo)


def texts(sender: FakeSender) -> dict[DeliveryId, str]:
    """Return what a provider was given to send."""
    return {key: message.text.body for key, message in sender.taken.items()}
