"""What the fan-out of an event must know of SMS: the school's rules, what a message will cost, what may be spent."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from core.errors import InvalidInput
from core.notifications import spend_store
from core.notifications.message_rules import MessageRules
from core.notifications.model import Channel
from core.notifications.rendering import Templates
from core.notifications.sms.budget import Month, Standing, left, standing
from core.notifications.sms.cleaning import cleaned
from core.notifications.sms.pricing import DEFAULT_PRICING, DEFAULT_TEXT, SmsRules
from core.notifications.sms.segments import size_of
from core.ports import Transaction
from core.school.model import Language, PolicyKind
from core.school.policies import (
    PolicyBody,
    SmsBudgetPolicy,
    SmsPricingPolicy,
    SmsTextPolicy,
    parse_policy,
)
from core.telemetry import get_logger

log = get_logger("notifications")

_USUAL_NAMES: Mapping[Language, str] = {
    Language.EN: "Oluwaseun",
    Language.PCM: "Oluwaseun",
    Language.YO: "Olúwáṣeun",
    Language.IG: "Chịdịebere",
    Language.HA: "Muhammad",
}
"""A name of common length in each language's own letters: estimates are made with it."""
_UNKNOWN_SEGMENTS = 2
"""What a text is taken for that can't be written before its student is known."""


@dataclass(frozen=True, slots=True)
class SchoolSms:
    """A school, its rules for SMS and its budget, where it keeps one."""

    name: str
    time_zone: str
    rules: SmsRules
    budget: SmsBudgetPolicy | None


@dataclass(frozen=True, slots=True)
class SmsPlan:
    """What of an event's SMS may be sent."""

    rules: Mapping[str, Any] | None = None
    """The copy that each delivery carries."""
    cost_kobo: Mapping[str, int] | None = None
    """What a message is expected to cost, by language; None where no budget is kept."""
    left_kobo: int | None = None
    """What all of them together may cost; None where nothing bounds them."""
    hard_stop: bool = False
    """False: past it, SMS still goes to those whom no email reaches."""


async def school_sms(tx: Transaction, until: datetime | None = None) -> SchoolSms:
    """Return the school's rules and budget as they hold now, or held at a moment."""
    row = await spend_store.rules(tx, until)
    bodies: Mapping[str, Any] = row["bodies"]
    pricing = _settled(bodies, PolicyKind.SMS_PRICING, SmsPricingPolicy) or DEFAULT_PRICING
    text = _settled(bodies, PolicyKind.SMS_TEXT, SmsTextPolicy) or DEFAULT_TEXT
    return SchoolSms(
        name=row["name"],
        time_zone=row["time_zone"],
        rules=SmsRules(pricing, text),
        budget=_settled(bodies, PolicyKind.SMS_BUDGET, SmsBudgetPolicy),
    )


_Body = TypeVar("_Body", bound=PolicyBody)


def _settled(bodies: Mapping[str, Any], kind: PolicyKind, body: type[_Body]) -> _Body | None:
    policy = parse_policy(kind, bodies[kind]) if kind in bodies else None
    return policy if isinstance(policy, body) else None


async def plan_sms(
    tx: Transaction,
    templates: Templates,
    event_type: str,
    facts: Mapping[str, str],
    *,
    rules: MessageRules,
    now: datetime,
) -> SmsPlan:
    """Return what of an event's SMS may be sent.

    Where a budget is kept, the school's other events wait until this one's messages are written, so that together
    they never promise more than is left. What a school calls urgent is not held back.
    """
    school = await school_sms(tx)
    school = replace(school, rules=school.rules.of_kind(promotional=event_type in rules.policy.promotional))
    if school.budget is None:
        return SmsPlan(school.rules.as_json())
    words = rules.words_for(event_type)
    expected = {
        each.value: _expected(school, templates, event_type, {**facts, "templates": words.get(each, {})}, each)
        for each in Language
    }
    await spend_store.take_turn(tx)
    if event_type in rules.policy.urgent:
        return SmsPlan(school.rules.as_json(), expected)
    use = await spend_store.use(tx, Month.at(now, school.time_zone).first)
    stands = standing(school.budget, use)
    if stands is not Standing.OPEN:
        log.warning("sms_budget_low", standing=stands, left_kobo=left(school.budget, use))
    return SmsPlan(school.rules.as_json(), expected, left(school.budget, use), school.budget.hard_stop)


def _expected(
    school: SchoolSms, templates: Templates, event_type: str, facts: Mapping[str, Any], language: Language
) -> int:
    content = {"status": "absent", **facts, "school": school.name, "student": _USUAL_NAMES[language]}
    try:
        body = templates.render(event_type, Channel.SMS, language, content).body
    except InvalidInput:
        return _UNKNOWN_SEGMENTS * school.rules.price()
    sent = cleaned(body, keep_letters=school.rules.keeps_letters(language))
    return size_of(sent).segments * school.rules.price()
