"""Routes of what SMS cost: the price of a text before it is sent, and a month's spending."""

from datetime import date
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import Field

from core.errors import Fault, InvalidInput
from core.ids import ClassArmId
from core.notifications.sms.budget import Standing
from core.notifications.sms.segments import Encoding
from core.notifications.spend import BudgetState, Draft, MonthSpend, Part, Preview, Reach
from core.school.model import Language
from core.school.policies import SmsRoute
from deployments.ground.problem import PROBLEMS
from deployments.ground.security import Caller
from deployments.ground.wire import Wire, WireRequest
from deployments.services import ServicesDep

router = APIRouter(prefix="/api/notifications", tags=["notifications"], responses=PROBLEMS)

_LONGEST = 1600
"""What the larger providers take in one message, e.g. Twilio (error 21617)."""


class SmsDraft(WireRequest):
    """A text to be priced: `text`, or what the template of `eventType` makes of `sample`."""

    text: Annotated[str | None, Field(min_length=1, max_length=_LONGEST)] = None
    event_type: Annotated[str | None, Field(max_length=50, examples=["scores.published"])] = None
    language: Annotated[Language, Field(description="The readers' language.")] = Language.EN
    sample: Annotated[
        dict[Annotated[str, Field(max_length=50)], Annotated[str, Field(max_length=200)]],
        Field(max_length=20, description="Values of the template; what is left out is filled in."),
    ] = Field(default_factory=dict)
    class_arm_id: Annotated[ClassArmId | None, Field(description="A class that is counted beside all.")] = None

    def as_draft(self) -> Draft:
        """Return the draft that is meant."""
        return Draft(
            text=self.text,
            event_type=self.event_type,
            language=self.language,
            sample=self.sample,
            class_arm_id=self.class_arm_id,
        )


class SmsReach(Wire):
    """Who would get it by SMS today, and what that would cost."""

    recipients: int = Field(description="Guardians with a number and consent.")
    messages: int = Field(description="One a guardian; of an event, one a guardian and child.")
    cost_kobo: int

    @classmethod
    def of(cls, reach: Reach) -> Self:
        """Return who is reached, as it is sent."""
        return cls(recipients=reach.recipients, messages=reach.messages, cost_kobo=reach.cost_kobo)


class Replacement(Wire):
    """A character that was replaced by one that costs less and says the same."""

    was: str
    now: str


class SmsPreview(Wire):
    """A text as it would be sent, and its price."""

    text: str
    encoding: Encoding
    units: int = Field(description="Places taken; some characters take two.")
    segments: int
    characters_left: int = Field(description="Places free before there would be one segment more.")
    replaced: list[Replacement]
    costly: list[str] = Field(description="Characters that make every segment hold 70 instead of 160 places.")
    provider: str
    route: SmsRoute
    price_per_recipient_kobo: int
    all_guardians: SmsReach
    class_arm: SmsReach | None


class SpendPart(Wire):
    """A part of a month's spending."""

    messages: int
    segments: int
    spent_kobo: int


class EventTypeSpend(SpendPart):
    """What one kind of message cost."""

    event_type: str


class DaySpend(SpendPart):
    """What one day cost."""

    day: date


class ClassSpend(SpendPart):
    """What the messages about one class's students cost."""

    class_arm_id: ClassArmId | None = Field(description="Null for students of no class that day.")
    class_arm_name: str | None


class SpendBudget(Wire):
    """How the month's budget stands."""

    monthly_kobo: int
    hard_stop: bool
    warn_at_percent: int
    left_kobo: int = Field(description="Neither spent nor promised to messages on their way.")
    standing: Standing


class SpendReport(Wire):
    """What SMS cost in one month of the school's calendar."""

    month: str = Field(examples=["2027-11"])
    time_zone: str
    messages: int
    segments: int
    spent_kobo: int
    reserved_kobo: int = Field(description="Promised to messages on their way; nothing where no budget is kept.")
    forecast_kobo: int = Field(description="What the month comes to if it goes on as it began.")
    budget: SpendBudget | None
    by_event_type: list[EventTypeSpend]
    by_day: list[DaySpend]
    by_class: list[ClassSpend]


@router.post("/sms/preview", operation_id="previewSms", summary="What a text would cost as an SMS")
async def preview_sms(services: ServicesDep, caller: Caller, body: SmsDraft) -> SmsPreview:
    """Return the text as it would be sent, its segments and its price. Needs `notifications:manage`."""
    return _preview(await services.notifications.spend.preview(caller, draft=body.as_draft()))


@router.get("/spend", operation_id="getSmsSpend", summary="What SMS cost in a month, and on what")
async def get_spend(
    services: ServicesDep,
    caller: Caller,
    month: Annotated[
        str | None, Query(pattern=r"^\d{4}-\d{2}$", description="Such as 2027-11; left out for the present one.")
    ] = None,
) -> SpendReport:
    """Return a month's spending, its budget and a forecast. Needs `notifications:manage` or `fees:read`."""
    return _report(await services.notifications.spend.month(caller, first=_first(month)))


def _first(month: str | None) -> date | None:
    if month is None:
        return None
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError as error:
        what = "there is no such month"
        raise InvalidInput(what, [Fault("/query/month", what, "unknown")]) from error
    if not 2000 <= first.year <= 2100:
        what = "the month must lie between 2000 and 2100"
        raise InvalidInput(what, [Fault("/query/month", what, "out_of_range")])
    return first


def _preview(preview: Preview) -> SmsPreview:
    return SmsPreview(
        text=preview.cleaned.text,
        encoding=preview.size.encoding,
        units=preview.size.units,
        segments=preview.size.segments,
        characters_left=preview.size.left,
        replaced=[Replacement(was=was, now=now) for was, now in preview.cleaned.replaced.items()],
        costly=list(preview.cleaned.costly),
        provider=preview.provider,
        route=preview.route,
        price_per_recipient_kobo=preview.price_kobo,
        all_guardians=SmsReach.of(preview.everyone),
        class_arm=SmsReach.of(preview.class_arm) if preview.class_arm else None,
    )


def _report(spend: MonthSpend) -> SpendReport:
    return SpendReport(
        month=f"{spend.month:%Y-%m}",
        time_zone=spend.time_zone,
        messages=spend.messages,
        segments=spend.segments,
        spent_kobo=spend.use.spent_kobo,
        reserved_kobo=spend.use.reserved_kobo,
        forecast_kobo=spend.forecast_kobo,
        budget=_budget(spend.budget),
        by_event_type=[EventTypeSpend(event_type=part.key, **_figures(part)) for part in spend.by_event_type],
        by_day=[DaySpend(day=part.key, **_figures(part)) for part in spend.by_day],
        by_class=[
            ClassSpend(class_arm_id=part.key, class_arm_name=part.name, **_figures(part)) for part in spend.by_class
        ],
    )


def _budget(state: BudgetState | None) -> SpendBudget | None:
    if state is None:
        return None
    policy = state.policy
    return SpendBudget(
        monthly_kobo=policy.monthly_kobo,
        hard_stop=policy.hard_stop,
        warn_at_percent=policy.warn_at_percent,
        left_kobo=state.left_kobo,
        standing=state.standing,
    )


def _figures(part: Part) -> dict[str, int]:
    return {"messages": part.messages, "segments": part.segments, "spent_kobo": part.spent_kobo}
