"""What SMS cost a school: the price of a text before it is sent, and what a month came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from core.access.principal import Principal, Scope
from core.clock import Clock, local_date
from core.errors import Fault, InvalidInput, NotFound
from core.events.types import PAYLOADS
from core.ids import ClassArmId
from core.money import Kobo
from core.notifications import spend_store
from core.notifications.message_rules import MessageRules, message_rules
from core.notifications.model import Channel
from core.notifications.rendering import Templates
from core.notifications.sms.budget import Month, Standing, Use, left, standing
from core.notifications.sms.cleaning import Cleaned, explained
from core.notifications.sms.segments import Size, size_of
from core.notifications.spend_plan import SchoolSms, school_sms
from core.ports import Database, Row, Transaction
from core.school.model import Language
from core.school.policies import SmsBudgetPolicy, SmsRoute

_SAMPLE: Mapping[str, str] = {
    "student": "Tọ́lá",
    "subject": "Mathematics",
    "class_arm": "JSS 2 Ruby",
    "term": "First Term",
    "status": "absent",
    "date": "06/12/2027",
    "fee": "School fees",
    "amount": "NGN 45,000.00",
    "due_date": "10/01/2028",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A text to be priced: one's own, or what an event's template makes of sample values."""

    text: str | None = None
    event_type: str | None = None
    language: Language = Language.EN
    sample: Mapping[str, str] = field(default_factory=dict)
    """Values of the template; what is left out is filled in."""
    class_arm_id: ClassArmId | None = None
    """A class whose guardians are counted beside all."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Who would get a text by SMS today, and what that would cost."""

    recipients: int
    """Guardians with a number and consent."""
    messages: int
    """One a guardian; of an event, one a guardian and child."""
    cost_kobo: Kobo


@dataclass(frozen=True, slots=True)
class Preview:
    """A text as it would be sent, and its price."""

    cleaned: Cleaned
    size: Size
    provider: str
    route: SmsRoute
    price_kobo: Kobo
    """For one recipient."""
    everyone: Reach
    class_arm: Reach | None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a month's spending."""

    key: Any
    """The event type, the day, or the class's id; None for students of no class that day."""
    name: str | None
    messages: int
    segments: int
    spent_kobo: Kobo


@dataclass(frozen=True, slots=True)
class BudgetState:
    """How a month's budget stands."""

    policy: SmsBudgetPolicy
    left_kobo: Kobo
    standing: Standing


@dataclass(frozen=True, slots=True)
class MonthSpend:
    """What SMS cost in one month of the school's calendar."""

    month: date
    time_zone: str
    messages: int
    segments: int
    use: Use
    forecast_kobo: Kobo
    budget: BudgetState | None
    """By the policy that held when the month ended; None where there was none."""
    by_event_type: Sequence[Part]
    by_day: Sequence[Part]
    by_class: Sequence[Part]


class Spend:
    """The use cases of what SMS cost."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._templates = Templates()

    async def preview(self, principal: Principal, *, draft: Draft) -> Preview:
        """Return a text as it would be sent, and its price. Raises ``InvalidInput``; ``NotFound`` for the class."""
        principal.require(Scope.NOTIFICATIONS_MANAGE)
        async with self._db.tenant(principal.school, read_only=True) as tx:
            school = await school_sms(tx)
            written = self._written(draft, await message_rules(tx))
            result = explained(written, keep_letters=school.rules.keeps_letters(draft.language))
            size = size_of(result.text)
            price = Kobo(size.segments * school.rules.price())
            pricing = school.rules.pricing
            return Preview(
                cleaned=result,
                size=size,
                provider=pricing.prices[0].provider,
                route=pricing.route,
                price_kobo=price,
                everyone=await self._reach(tx, school, draft, price, None),
                class_arm=await self._reach_of_class(tx, school, draft, price),
            )

    async def month(self, principal: Principal, *, first: date | None = None) -> MonthSpend:
        """Return what a month came to; without its first day, the present one's so far."""
        principal.require(Scope.NOTIFICATIONS_MANAGE, Scope.FEES_READ)
        now = self._clock.now()
        async with self._db.tenant(principal.school, read_only=True) as tx:
            school = await school_sms(tx)
            zone = school.time_zone
            month = Month.of(first, zone) if first else Month.at(now, zone)
            present = month.starts_at <= now < month.ends_at
            budget = school.budget if now < month.ends_at else (await school_sms(tx, month.ends_at)).budget
            use = await spend_store.use(tx, month.first)
            use = use if present else Use(use.spent_kobo, 0)  # what is on its way will be paid for in the present month
            total = await spend_store.month_total(tx, month.first)
            rows = await spend_store.parts(tx, month.starts_at, month.ends_at, zone)
        return MonthSpend(
            month=month.first,
            time_zone=zone,
            messages=total["messages"] if total else 0,
            segments=total["segments"] if total else 0,
            use=use,
            forecast_kobo=month.forecast(Kobo(use.spent_kobo), now),
            budget=BudgetState(budget, left(budget, use), standing(budget, use)) if budget else None,
            by_event_type=_parts(rows, "event_type"),
            by_day=_parts(rows, "day"),
            by_class=_parts(rows, "class_arm"),
        )

    def _written(self, draft: Draft, rules: MessageRules) -> str:
        if draft.text is not None and draft.event_type is None:
            return draft.text
        if draft.text is not None or draft.event_type is None:
            what = "give either a text or the eventType whose template is meant"
            raise InvalidInput(what, [Fault("/text", what, "missing")])
        if draft.event_type not in PAYLOADS:
            what = f"no such kind of message; there are {', '.join(PAYLOADS)}"
            raise InvalidInput(what, [Fault("/eventType", what, "unknown")])
        own = rules.words_for(draft.event_type).get(draft.language, {})
        values = {"school": rules.school_name, **_SAMPLE, **draft.sample, "templates": own}
        return self._templates.render(draft.event_type, Channel.SMS, draft.language, values).body

    async def _reach_of_class(self, tx: Transaction, school: SchoolSms, draft: Draft, price: Kobo) -> Reach | None:
        if draft.class_arm_id is None:
            return None
        if not await spend_store.has_arm(tx, draft.class_arm_id):
            raise NotFound("there is no such class")
        return await self._reach(tx, school, draft, price, draft.class_arm_id)

    async def _reach(
        self, tx: Transaction, school: SchoolSms, draft: Draft, price: Kobo, class_arm_id: ClassArmId | None
    ) -> Reach:
        today = local_date(self._clock.now(), school.time_zone)
        recipients, pairs = await spend_store.audience(tx, class_arm_id, today)
        messages = recipients if draft.event_type is None else pairs
        return Reach(recipients, messages, Kobo(messages * price))


def _parts(rows: Sequence[Row], by: str) -> list[Part]:
    key = "class_arm_id" if by == "class_arm" else by
    return [
        Part(row[key], row["class_arm_name"], row["messages"], row["segments"], Kobo(row["kobo"]))
        for row in rows
        if row["by"] == by
    ]
