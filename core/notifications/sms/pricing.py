"""What an SMS costs: segments times the price of the provider and route that carried it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.money import Kobo
from core.notifications.sms.cleaning import keeps_letters
from core.school.policies import SmsLetters, SmsPrice, SmsPricingPolicy, SmsRoute, SmsTextPolicy

UNITS: Mapping[SmsRoute, int] = {SmsRoute.PROMOTIONAL: 1, SmsRoute.TRANSACTIONAL: 1, SmsRoute.DND: 2}
"""Nigerian gateways sell units: one a segment, two by the route that reaches do-not-disturb numbers."""

DEFAULT_PRICING = SmsPricingPolicy(prices=(SmsPrice(provider="africas_talking", segment_kobo=220),))
"""Until a school enters its own: a little above what Nigerian gateways list, NGN 1.60 to 2.10 a unit by volume
(https://www.20kobosms.com/pricing/, which also has the two units by the DND route)."""
DEFAULT_TEXT = SmsTextPolicy()


@dataclass(frozen=True, slots=True)
class SmsRules:
    """What a school has settled about its SMS. A delivery carries a copy, so that sending asks nobody."""

    pricing: SmsPricingPolicy = DEFAULT_PRICING
    text: SmsTextPolicy = DEFAULT_TEXT
    promotional: bool = False

    def of_kind(self, *, promotional: bool) -> "SmsRules":
        """Return what holds for a kind of message: a promotional one costs what that route does, where it has a price.

        Without one it may go by the school's usual sender, whose price then holds.
        """
        if not promotional:
            return self
        priced = any(price.route is SmsRoute.PROMOTIONAL for price in self.pricing.prices)
        pricing = self.pricing.model_copy(update={"route": SmsRoute.PROMOTIONAL}) if priced else self.pricing
        return replace(self, pricing=pricing, promotional=True)

    def price(self, provider: str | None = None) -> Kobo:
        """Return the price of a segment by the school's route; without a provider by its usual one."""
        return segment_price(self.pricing, provider)

    def keeps_letters(self, language: str) -> bool:
        """Tell whether a message to a reader of this language keeps its marked letters."""
        return keeps_letters(self.text.letters, language)

    def as_json(self) -> dict[str, Any]:
        """Return the copy that is stored: the route's price by provider, the letters, and what is promotional."""
        providers = dict.fromkeys(price.provider for price in self.pricing.prices)
        copy: dict[str, Any] = {
            "rates": {each: self.price(each) for each in providers},
            "letters": self.text.letters.value,
        }
        return copy | ({"promotional": True} if self.promotional else {})


def segment_price(pricing: SmsPricingPolicy, provider: str | None = None) -> Kobo:
    """Return what a segment costs by the school's route.

    A route without a price of its own is derived from another of the provider, by units. A provider without any is
    taken for the dearest: where a price is not known, a budget had better end early than late.
    """
    named = provider or pricing.prices[0].provider
    own = [price for price in pricing.prices if price.provider == named]
    if own:
        return _by_route(own, pricing.route)
    return max(_by_route([price], pricing.route) for price in pricing.prices)


def _by_route(prices: list[SmsPrice], route: SmsRoute) -> Kobo:
    exact = next((price for price in prices if price.route is route), None)
    known = exact or prices[0]
    return Kobo(known.segment_kobo * UNITS[route] // UNITS[known.route])


@dataclass(frozen=True, slots=True)
class Terms:
    """The copy of a school's rules that a delivery carries."""

    rates: Mapping[str, int]
    letters: SmsLetters

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> "Terms":
        """Return what is stored with a delivery; where nothing is, what holds by default."""
        return cls(stored["rates"], SmsLetters(stored["letters"])) if stored else _DEFAULT

    def cost(self, segments: int, provider: str) -> Kobo:
        """Return what a message costs; a provider without a price is taken for the dearest."""
        rate = self.rates.get(provider)
        return Kobo(segments * (max(self.rates.values()) if rate is None else rate))


_DEFAULT = Terms.of(SmsRules().as_json())
