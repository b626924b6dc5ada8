"""Builds the limits of the providers' accounts, as the settings name them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cluster.settings import Settings
from core.errors import InvalidInput
from core.notifications.limits import Limited, RateLimiter
from core.notifications.model import Channel
from core.notifications.ports import MessageSender

if TYPE_CHECKING:
    from core.adapters.redis_limiter import RedisRateLimiter


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """The limits of the accounts, and of each channel that of the provider asked first."""

    of_account: Mapping[str, "RedisRateLimiter"]
    of_channel: dict[Channel, RateLimiter] = field(default_factory=dict)

    def guarded(self, channel: Channel, senders: Sequence[MessageSender]) -> list[MessageSender]:
        """Note the limit of the sender asked first, which its channel keeps, and let the others keep their own."""
        first, *others = senders
        if first.provider in self.of_account:
            self.of_channel[channel] = self.of_account[first.provider]
        return [first, *(self._guarded(sender) for sender in others)]

    def _guarded(self, sender: MessageSender) -> MessageSender:
        limiter = self.of_account.get(sender.provider)
        return Limited(sender, limiter) if limiter else sender


@asynccontextmanager
async def open_limits(settings: Settings) -> AsyncIterator[AccountLimits]:
    """Open the limit of each account that has one."""
    limiters = {
        provider: _limiter(settings, provider, who, rate) for provider, who, rate in _accounts(settings) if rate
    }
    try:
        yield AccountLimits(limiters)
    finally:
        for limiter in limiters.values():
            await limiter.close()


def channel_rates(settings: Settings) -> Mapping[Channel, float]:
    """Return how many messages a second the accounts of each channel take together; one without a limit is left out."""
    rates = {provider: rate for provider, _, rate in _accounts(settings)}
    ways = {Channel.SMS: settings.sms.providers, Channel.EMAIL: settings.mail.providers}
    summed = {}
    for channel, providers in ways.items():
        own = [rates[name.replace("-", "_")] for name in providers if _is_set(settings, name)]
        if own and all(own):
            summed[channel] = sum(rate for rate in own if rate)
    return summed


def _accounts(settings: Settings) -> list[tuple[str, str, float | None]]:
    sms, twilio, mail, ses = settings.sms, settings.twilio, settings.mail, settings.ses
    return [
        ("africas_talking", sms.username, sms.rate_per_s),
        ("twilio", twilio.account_sid or "", twilio.rate_per_s),
        ("smtp", mail.host or "", mail.rate_per_s),
        ("ses", ses.region or "", ses.rate_per_s),
    ]


def _is_set(settings: Settings, provider: str) -> bool:
    return {
        "africas-talking": settings.sms.endpoint is not None,
        "twilio": settings.twilio.account_sid is not None,
        "smtp": settings.mail.host is not None,
        "ses": settings.ses.is_set,
    }[provider]


def _limiter(settings: Settings, provider: str, who: str, rate_per_s: float) -> "RedisRateLimiter":
    if settings.redis.url is None:
        raise InvalidInput("SCHOOLOS_REDIS_URL is not set and no embedded Redis runs; start with `schoolos up`")
    from core.adapters.redis_limiter import RedisRateLimiter  # noqa: PLC0415 - 20 MB that only notifiers need

    return RedisRateLimiter(
        settings.redis.url.get_secret_value(), f"{provider}:{who}", rate_per_s, key_prefix=settings.redis.key_prefix
    )
