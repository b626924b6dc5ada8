"""What a segment costs by provider and route, and what a month comes to."""

from datetime import UTC, date, datetime, timedelta

import pytest

from core.adapters.africas_talking import _kobo as stated_kobo
from core.money import Kobo
from core.notifications.sms.budget import Month, Standing, Use, left, standing
from core.notifications.sms.pricing import SmsRules, Terms, segment_price
from core.school.policies import SmsBudgetPolicy, SmsPrice, SmsPricingPolicy, SmsRoute

DND, PLAIN = SmsRoute.DND, SmsRoute.TRANSACTIONAL


def pricing(route: SmsRoute, *prices: tuple[str, SmsRoute, int]) -> SmsPricingPolicy:
    """Return a price list."""
    listed = tuple(SmsPrice(provider=name, route=way, segment_kobo=kobo) for name, way, kobo in prices)
    return SmsPricingPolicy(route=route, prices=listed)


@pytest.mark.parametrize(
    ("policy", "provider", "kobo"),
    [
        (pricing(PLAIN, ("at", PLAIN, 210)), "at", 210),
        (pricing(DND, ("at", PLAIN, 210)), "at", 420),
        (pricing(DND, ("at", PLAIN, 210), ("at", DND, 390)), "at", 390),
        (pricing(PLAIN, ("at", DND, 420)), "at", 210),
        (pricing(PLAIN, ("at", PLAIN, 210), ("tw", PLAIN, 5_000)), None, 210),
        (pricing(PLAIN, ("at", PLAIN, 210), ("tw", PLAIN, 5_000)), "unknown", 5_000),
    ],
)
def test_price_of_a_segment(policy: SmsPricingPolicy, provider: str | None, kobo: int) -> None:
    """The DND route is two units; no provider means the usual one; an unknown one is taken for the dearest."""
    assert segment_price(policy, provider) == kobo


def test_a_promotional_kind_costs_that_route_where_it_has_a_price() -> None:
    """Without one the school's own price holds, as its usual sender may take it; other kinds never change."""
    both = SmsRules(pricing(DND, ("at", PLAIN, 210), ("at", SmsRoute.PROMOTIONAL, 150)))
    assert both.of_kind(promotional=True).price() == 150
    assert both.of_kind(promotional=False) == both
    one = SmsRules(pricing(DND, ("at", PLAIN, 210))).of_kind(promotional=True)
    assert (one.price(), one.as_json()["promotional"]) == (420, True)


@pytest.mark.parametrize(
    ("said", "kobo"),
    [("NGN 2.2000", 220), ("NGN 4", 400), ("NGN 0.0151", 2), ("KES 0.8000", None), ("0", None), ("", None)],
)
def test_the_gateways_own_price(said: str, kobo: int | None) -> None:
    """What the gateway says in naira is read in kobo; another currency says nothing."""
    assert stated_kobo(said) == kobo


def test_a_delivery_carries_what_it_takes_to_price_it() -> None:
    """The stored copy gives the same cost as the rules, also for a provider that is not in it."""
    rules = SmsRules(pricing(DND, ("at", PLAIN, 210), ("tw", DND, 5_000)))
    terms = Terms.of(rules.as_json())
    assert (terms.cost(3, "at"), terms.cost(2, "tw"), terms.cost(1, "new")) == (1_260, 10_000, 5_000)
    assert Terms.of(None) == Terms.of(SmsRules().as_json())


@pytest.mark.parametrize(
    ("moment", "zone", "first"),
    [
        (datetime(2027, 11, 30, 22, 59, 59, tzinfo=UTC), "Africa/Lagos", date(2027, 11, 1)),
        (datetime(2027, 11, 30, 23, 0, tzinfo=UTC), "Africa/Lagos", date(2027, 12, 1)),
        (datetime(2027, 12, 31, 23, 0, tzinfo=UTC), "Africa/Lagos", date(2028, 1, 1)),
        (datetime(2027, 12, 1, 2, 0, tzinfo=UTC), "America/New_York", date(2027, 11, 1)),
    ],
)
def test_a_month_is_the_schools(moment: datetime, zone: str, first: date) -> None:
    """A moment belongs to the month that the school's calendar shows, which begins at its own midnight."""
    month = Month.at(moment, zone)
    assert month.first == first
    assert month.starts_at <= moment < month.ends_at


def test_months_follow_each_other_without_a_gap() -> None:
    """Each month ends where the next begins, over years, summer time and leap days."""
    month = Month.of(date(2027, 1, 1), "Europe/London")
    for _ in range(40):
        following = Month.at(month.ends_at, "Europe/London")
        assert following.starts_at == month.ends_at
        assert Month.at(month.ends_at - timedelta(microseconds=1), "Europe/London") == month
        month = following


def test_forecast() -> None:
    """A third of the month's days gone means three times what was spent; a past month keeps its sum."""
    month = Month.of(date(2027, 11, 1), "Africa/Lagos")
    assert month.forecast(Kobo(1_000), month.starts_at + timedelta(days=10)) == 3_000
    assert month.forecast(Kobo(1_000), month.starts_at + timedelta(minutes=5)) == 30_000
    assert month.forecast(Kobo(1_000), month.ends_at) == 1_000


@pytest.mark.parametrize(
    ("spent", "reserved", "stand", "remains"),
    [
        (0, 0, Standing.OPEN, 1_000),
        (700, 99, Standing.OPEN, 201),
        (700, 100, Standing.WARNING, 200),
        (1_000, 0, Standing.USED_UP, 0),
        (900, 400, Standing.USED_UP, 0),
    ],
)
def test_standing(spent: int, reserved: int, stand: Standing, remains: int) -> None:
    """A budget warns at its share and is used up by what is spent and promised together."""
    policy, use = SmsBudgetPolicy(monthly_kobo=1_000, warn_at_percent=80), Use(spent, reserved)
    assert (standing(policy, use), left(policy, use)) == (stand, remains)
