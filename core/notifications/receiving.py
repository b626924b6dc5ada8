"""The use cases of those who post receipts: providers, who have no token but a signature."""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.clock import Clock
from core.errors import NotAuthenticated, NotFound
from core.notifications import report_store, sns
from core.notifications.receipts import (
    DeliveryReport,
    read_africas_talking,
    read_ses,
    read_twilio,
    same,
    twilio_signature,
)
from core.ports import Database
from core.telemetry import get_logger

log = get_logger("notifications")

_MAX_TEXT = 500
_CERTIFICATES = 4
"""Amazon changes its certificate about once a year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptKeys:
    """By what each provider is known; None where its receipts are not set up."""

    twilio_token: str | None = field(default=None, repr=False)
    twilio_url: str = ""
    """The callback's address as Twilio was told it: the signature covers it."""
    africas_talking_secret: str | None = field(default=None, repr=False)
    """Part of the callback's path; the provider signs nothing."""
    ses_topic: str | None = None
    """ARN of the SNS topic the configuration set publishes to."""


class DeliveryReports:
    """Takes receipts in. What is not known here is taken all the same, so that nobody learns what is."""

    def __init__(self, db: Database, clock: Clock, keys: ReceiptKeys, service: sns.SnsService) -> None:
        self._db = db
        self._clock = clock
        self._keys = keys
        self._sns = service
        self._certificates: OrderedDict[str, bytes] = OrderedDict()

    async def twilio(self, form: Sequence[tuple[str, str]], signature: str) -> None:
        """Take Twilio's status callback. Raises ``NotFound`` where not set up, ``NotAuthenticated`` for a stranger."""
        token = self._keys.twilio_token
        if token is None:
            raise NotFound("receipts of Twilio are not taken here")
        if not same(signature, twilio_signature(token, self._keys.twilio_url, form)):
            raise NotAuthenticated("the signature is not right")
        await self._take(read_twilio(dict(form), self._clock.now()))

    async def africas_talking(self, form: Sequence[tuple[str, str]], secret: str) -> None:
        """Take Africa's Talking's delivery report. Raises ``NotFound`` unless the path holds the secret."""
        expected = self._keys.africas_talking_secret
        if expected is None or not same(secret, expected):
            raise NotFound("there is nothing here")
        await self._take(read_africas_talking(dict(form), self._clock.now()))

    async def ses(self, body: bytes) -> None:
        """Take what SNS posts of SES. Raises ``NotFound`` where not set up, ``NotAuthenticated`` for a stranger."""
        topic = self._keys.ses_topic
        if topic is None:
            raise NotFound("receipts of SES are not taken here")
        document = _json_object(body)
        certificate = await self._certificate(sns.certificate_url(document, topic))
        sns.check_signature(document, certificate, self._clock.now())
        if document["Type"] == "SubscriptionConfirmation":
            await self._confirm(str(document.get("SubscribeURL", "")), topic)
        elif document["Type"] == "Notification":
            await self._take(read_ses(_json_object(str(document.get("Message", "")).encode()), self._clock.now()))

    async def _confirm(self, url: str, topic: str) -> None:
        if not sns.is_at(url, sns.host_of(topic)):
            raise NotAuthenticated("the subscription's address is not Amazon's")
        await self._sns.confirm(url)
        log.info("receipts_subscribed", topic=topic)

    async def _certificate(self, url: str) -> bytes:
        if url not in self._certificates:
            self._certificates[url] = await self._sns.certificate(url)
            if len(self._certificates) > _CERTIFICATES:
                self._certificates.popitem(last=False)
        return self._certificates[url]

    async def _take(self, report: DeliveryReport | None) -> None:
        if report is None or len(report.message_id) > _MAX_TEXT:
            return
        async with self._db.dispatch() as tx:
            changed = await report_store.apply(tx, [report], self._clock.now())
        log.info("receipt_taken", provider=report.provider, state=report.state, changed=changed)


def _json_object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise NotAuthenticated("the message can't be read")
    return found
