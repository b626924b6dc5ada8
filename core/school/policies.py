"""The bodies of policies: what each may say, and what it works out."""

from collections.abc import Mapping
from datetime import time
from enum import StrEnum
from itertools import pairwise
from typing import Any, Self

from pydantic import Field, ValidationError, field_serializer, field_validator, model_validator

from core.access.principal import ROLE_SCOPES, Role, Scope
from core.errors import Fault, InvalidInput
from core.events.types import PAYLOADS, AttendanceMarked
from core.school.model import Channel, Language, PolicyKind
from core.school.policy_base import PolicyBase as _Body
from core.school.policy_base import refuse_repeats as _refuse_repeats
from core.school.report_policies import ReportPolicy, ReportReleasePolicy
from core.school.wording import LONGEST, faults_of

APPROVERS = frozenset(role for role, scopes in ROLE_SCOPES.items() if Scope.MARKS_APPROVE in scopes)
"""Roles that may stand in an approval chain."""


class Component(_Body):
    """One part of a subject's mark, such as the exam."""

    code: str = Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")
    name: str = Field(min_length=1, max_length=40)
    max: int = Field(ge=1, le=100)
    """The highest mark of this part."""


class AssessmentPolicy(_Body):
    """The parts a subject's mark is made of; their maxima sum to 100."""

    components: tuple[Component, ...] = Field(min_length=1, max_length=12)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _refuse_repeats("code", [component.code for component in self.components])
        _refuse_repeats("name", [component.name.casefold() for component in self.components])
        total = sum(component.max for component in self.components)
        if total != 100:
            raise ValueError(f"the maxima sum to {total}; they must sum to 100")
        return self

    def component(self, code: str) -> Component | None:
        """Return the component of a code, or None."""
        return next((component for component in self.components if component.code == code), None)


class Band(_Body):
    """A grade and the lowest total that earns it; it reaches up to the next band."""

    grade: str = Field(min_length=1, max_length=8)
    from_: int = Field(alias="from", ge=0, le=100)
    remark: str = Field(default="", max_length=60)


class GradingPolicy(_Body):
    """The bands of totals, highest first, and the lowest total that passes."""

    bands: tuple[Band, ...] = Field(min_length=2, max_length=20)
    pass_mark: int = Field(alias="pass", ge=0, le=100)

    @field_validator("bands")
    @classmethod
    def _cover(cls, bands: tuple[Band, ...]) -> tuple[Band, ...]:
        _refuse_repeats("grade", [band.grade for band in bands])
        floors = [band.from_ for band in bands]
        if any(higher <= lower for higher, lower in pairwise(floors)):
            raise ValueError("each band must begin below the one before it, so that no two overlap")
        if floors[-1] != 0:
            raise ValueError(
                f"the lowest band begins at {floors[-1]}; it must begin at 0, so that no total is left out"
            )
        return bands


class ApprovalPolicy(_Body):
    """The roles that approve a mark sheet, in order."""

    steps: tuple[Role, ...] = Field(min_length=1, max_length=4)

    @field_validator("steps")
    @classmethod
    def _approvers(cls, steps: tuple[Role, ...]) -> tuple[Role, ...]:
        _refuse_repeats("step", list(steps))
        strangers = [role for role in steps if role not in APPROVERS]
        if strangers:
            raise ValueError(f"{', '.join(strangers)} can't approve marks; allowed: {', '.join(sorted(APPROVERS))}")
        return steps


class FeeReminderPolicy(_Body):
    """On which days around a fee's due date, and at which hour of the school's day, reminders go out."""

    days_before: tuple[int, ...] = Field(max_length=10)
    days_after: tuple[int, ...] = Field(max_length=10)
    at_hour: int = Field(ge=0, le=23)

    @field_validator("days_before", "days_after")
    @classmethod
    def _days(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        _refuse_repeats("day", [str(day) for day in days])
        if any(not 0 <= day <= 90 for day in days):
            raise ValueError("days are counted from 0 to 90")
        return days


class SmsBudgetPolicy(_Body):
    """What a school spends on SMS in a month of its own calendar, and what happens when that is used up."""

    monthly_kobo: int = Field(ge=0, le=10_000_000_000)
    hard_stop: bool = True
    """True: no SMS past it but urgent ones. False: past it, SMS goes only to those whom no email reaches."""
    warn_at_percent: int = Field(default=80, ge=1, le=100)


class SmsRoute(StrEnum):
    """The ways into Nigeria's networks; which one a school's sender id may take is agreed with the provider."""

    PROMOTIONAL = "promotional"
    TRANSACTIONAL = "transactional"
    DND = "dnd"
    """Reaches numbers on the do-not-disturb list too."""


class SmsPrice(_Body):
    """What one segment costs by one provider and route."""

    provider: str = Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")
    route: SmsRoute = SmsRoute.TRANSACTIONAL
    segment_kobo: int = Field(ge=0, le=1_000_000)


class SmsPricingPolicy(_Body):
    """The prices a school pays for SMS, and its route. The first price is its usual provider's."""

    route: SmsRoute = SmsRoute.TRANSACTIONAL
    prices: tuple[SmsPrice, ...] = Field(min_length=1, max_length=40)

    @field_validator("prices")
    @classmethod
    def _once(cls, prices: tuple[SmsPrice, ...]) -> tuple[SmsPrice, ...]:
        _refuse_repeats("provider and route", [f"{price.provider} {price.route}" for price in prices])
        return prices


class SmsLetters(StrEnum):
    """What becomes of letters with marks (ọ, ṣ, ị, ɗ) in an SMS: kept, they make it two or three times as dear."""

    BY_LANGUAGE = "by_language"
    """Kept for readers of Yoruba, Igbo and Hausa; plain for others, to whom a name without its marks is readable."""
    KEEP = "keep"
    PLAIN = "plain"


class SmsTextPolicy(_Body):
    """How a school writes its SMS."""

    letters: SmsLetters = SmsLetters.BY_LANGUAGE


_EVENING, _NOON = time(16), time(12)


class QuietHours(_Body):
    """The night of a school, in its own time zone: nothing that makes a sound is sent in it."""

    from_: time = Field(default=time(20), alias="from")
    to: time = time(8)
    """Both to the minute; it runs over midnight."""

    @model_validator(mode="after")
    def _night(self) -> Self:
        if self.from_ < _EVENING or self.to > _NOON:
            raise ValueError("quiet hours are of a night: they begin at 16:00 or later and end at 12:00 or before")
        if any(each.second or each.microsecond or each.tzinfo for each in (self.from_, self.to)):
            raise ValueError("write times as 20:00, without seconds and zone")
        return self

    @field_serializer("from_", "to")
    def _to_the_minute(self, moment: time) -> str:
        return f"{moment:%H:%M}"


class NotificationPolicy(_Body):
    """When a school's messages leave, and what leaves together."""

    hold_back_minutes: int = Field(default=15, ge=0, le=240)
    """How long published results wait for others, and for second thoughts, before guardians are told."""
    digest: bool = True
    """False: what waits is sent subject by subject; a new publication of a subject still takes the old one's place."""
    quiet_hours: QuietHours | None = QuietHours()
    urgent: tuple[str, ...] = (AttendanceMarked.event_type,)
    """Kinds of messages that neither wait nor heed the night."""
    promotional: tuple[str, ...] = ()
    """Kinds that networks count as promotional: no SMS from 20:00 to 08:00, none to do-not-disturb numbers."""

    @field_validator("urgent", "promotional")
    @classmethod
    def _kinds(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        _refuse_repeats("kind of message", list(kinds))
        strangers = [kind for kind in kinds if kind not in PAYLOADS]
        if strangers:
            raise ValueError(f"no such kind of message: {', '.join(strangers)}; there are {', '.join(PAYLOADS)}")
        return kinds

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        both = sorted({*self.urgent} & {*self.promotional})
        if both:
            raise ValueError(f"{', '.join(both)} can't be urgent and promotional: networks bar the one at night")
        return self


class MessageTemplate(_Body):
    """A school's own words for one kind of message, channel and language."""

    event_type: str
    channel: Channel
    language: Language
    text: str = Field(min_length=1, max_length=max(LONGEST.values()))

    @model_validator(mode="after")
    def _usable(self) -> Self:
        faults = faults_of(self.event_type, self.channel, self.text)
        if faults:
            raise ValueError("; ".join(faults))
        return self


class MessageTemplatesPolicy(_Body):
    """A school's own words; what is not here is said in the words that come with the system."""

    templates: tuple[MessageTemplate, ...] = Field(max_length=100)

    @field_validator("templates")
    @classmethod
    def _once(cls, templates: tuple[MessageTemplate, ...]) -> tuple[MessageTemplate, ...]:
        _refuse_repeats("template", [f"{each.event_type} {each.channel} {each.language}" for each in templates])
        return templates


class MessageRetentionPolicy(_Body):
    """How long what was sent is kept: first with address and words, then without, then not at all."""

    strip_after_days: int = Field(default=180, ge=7, le=3650)
    """Two terms: as long as a guardian may ask what they were told."""
    delete_after_days: int = Field(default=730, ge=7, le=3650)
    webhooks_after_days: int = Field(default=90, ge=7, le=3650)
    """What was told to other systems, with the log of its attempts."""
    absence_reasons_after_days: int = Field(default=730, ge=7, le=3650)
    events_after_days: int = Field(default=90, ge=30, le=3650)
    """Events that are handled: the links of absence messages, which hold for four weeks at most, look into them."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.delete_after_days < self.strip_after_days:
            raise ValueError("messages can't be deleted before they are stripped")
        return self


PolicyBody = (
    AssessmentPolicy
    | GradingPolicy
    | ApprovalPolicy
    | FeeReminderPolicy
    | SmsBudgetPolicy
    | SmsPricingPolicy
    | SmsTextPolicy
    | NotificationPolicy
    | MessageTemplatesPolicy
    | MessageRetentionPolicy
    | ReportPolicy
    | ReportReleasePolicy
)

_BODIES: Mapping[PolicyKind, type[PolicyBody]] = {
    PolicyKind.ASSESSMENT: AssessmentPolicy,
    PolicyKind.GRADING: GradingPolicy,
    PolicyKind.APPROVAL: ApprovalPolicy,
    PolicyKind.FEE_REMINDER: FeeReminderPolicy,
    PolicyKind.SMS_BUDGET: SmsBudgetPolicy,
    PolicyKind.SMS_PRICING: SmsPricingPolicy,
    PolicyKind.SMS_TEXT: SmsTextPolicy,
    PolicyKind.NOTIFICATION: NotificationPolicy,
    PolicyKind.MESSAGE_TEMPLATES: MessageTemplatesPolicy,
    PolicyKind.MESSAGE_RETENTION: MessageRetentionPolicy,
    PolicyKind.REPORT: ReportPolicy,
    PolicyKind.REPORT_RELEASE: ReportReleasePolicy,
}


def parse_policy(kind: PolicyKind, body: Mapping[str, Any]) -> PolicyBody:
    """Return the body of a policy, checked. Raises ``InvalidInput`` with a fault for each place."""
    try:
        return _BODIES[kind].model_validate(dict(body))
    except ValidationError as error:
        faults = _faults(error)
        raise InvalidInput(f"this is no {kind.replace('_', ' ')} policy: {faults[0].what}", faults) from error


def as_body(policy: PolicyBody) -> dict[str, Any]:
    """Return the body as it is stored and sent."""
    return policy.model_dump(mode="json", by_alias=True)


def _faults(error: ValidationError) -> list[Fault]:
    """Return the innermost faults: a whole can't be judged while a part of it is wrong."""
    found = error.errors(include_url=False, include_context=False)
    outer = {fault["loc"][:depth] for fault in found for depth in range(len(fault["loc"]))}
    return [
        Fault(
            "/".join(["/body", *map(str, fault["loc"])]),
            fault["msg"].removeprefix("Value error, "),
            fault["type"],
        )
        for fault in found
        if fault["loc"] not in outer
    ]
