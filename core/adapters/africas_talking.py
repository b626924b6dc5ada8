"""SMS through Africa's Talking, in its own wire format (https://developers.africastalking.com/docs/sms/sending/bulk)."""

import re
from collections.abc import Mapping
from datetime import time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus, urlencode

from yarl import URL

from core.adapters.provider_http import ProviderHttp
from core.clock import Clock, SystemClock
from core.errors import SchoolOSError, TooMany, Unavailable
from core.notifications.model import OutgoingMessage, Reason, Receipt
from core.notifications.ports import NotTaken, refusal
from core.notifications.quiet_hours import Night

_ACCEPTED = frozenset({100, 101, 102})  # processed, sent, queued
_REFUSED: Mapping[int, str] = {
    401: "risk hold",
    403: "invalid phone number",
    404: "unsupported number type",
    406: "the recipient has blocked this sender",
    407: "no route to this number",
    409: "the recipient's do-not-disturb list refuses it",
    502: "rejected by the gateway",
}
"""What stays true of this message and this number, so that trying again only costs."""
_REASONS: Mapping[int, Reason] = {
    403: Reason.BAD_ADDRESS,
    404: Reason.BAD_ADDRESS,
    406: Reason.RECIPIENT_BLOCKED,
    409: Reason.DO_NOT_DISTURB,
}
_BARRED = 409
"""Says two things: the recipient is on the do-not-disturb list, or a promotional sender id may not send now."""
_NIGHT = Night(time(19, 50), time(8, 10), "Africa/Lagos")
"""When it may be the hour alone: Nigeria's 20:00 to 08:00, and ten minutes on either side, as clocks differ."""
_NIGERIA = "+234"
_ABOUT_ACCOUNT = frozenset({402, 405})
"""Nothing was taken, so that another provider may be asked at once."""
_OUT_OF_ORDER: Mapping[int, str] = {
    402: "invalid sender id",
    405: "insufficient balance",
    500: "internal server error",
    501: "gateway error",
}
"""What is wrong with the account or the provider, and may be mended while retries last."""


class AfricasTalkingSms:
    """Sends SMS; one session of kept-alive connections, opened at the first message.

    The provider documents no idempotency key for SMS. One is sent all the same: a gateway in between, such as the
    development stand-in, honours it. At the provider itself a message in doubt after a crash can arrive twice.

    A sender id is registered as transactional or as promotional, and in Nigeria a promotional one carries nothing
    from 20:00 to 08:00 (https://status.africastalking.com/incident/538/). So what is promotional has its own. The
    refusal of that hour has the code of a do-not-disturb list's: one by night is asked again in the morning.
    """

    provider = "africas_talking"

    def __init__(
        self,
        endpoint: str,
        *,
        username: str,
        api_key: str,
        sender_id: str | None = None,
        promotional_sender_id: str | None = None,
        timeout: timedelta = timedelta(seconds=10),
        connections: int = 50,
        clock: Clock | None = None,
    ) -> None:
        self._url = URL(f"{endpoint.rstrip('/')}/version1/messaging")
        # Encoded here, which takes a third of the time that aiohttp's own forms do.
        self._clock = clock or SystemClock()
        self._form = _form(username, sender_id)
        self._promotional_form = _form(username, promotional_sender_id or sender_id)
        headers = {
            "apiKey": api_key,
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self._http = ProviderHttp(timeout=timeout, connections=connections, headers=headers)

    async def send(self, message: OutgoingMessage) -> Receipt:
        """Hand one message over; return the provider's message id."""
        begin = self._promotional_form if message.promotional else self._form
        form = f"{begin}&to={quote_plus(message.address)}&message={quote_plus(message.text.body)}"
        headers = {"Idempotency-Key": str(message.key)}
        answer = await self._http.post(self._url, data=form.encode(), headers=headers)
        # 409 is what the gateway answers to a key it knows, with the first answer's body.
        if not (answer.ok or answer.status == 409):
            raise answer.error()
        code, recipient = _recipient(answer.document())
        if code in _ACCEPTED:
            return _receipt(code, recipient)
        raise self._refused_by_night(code, message.address) or _meaning(code)

    def _refused_by_night(self, code: int, address: str) -> TooMany | None:
        """Return what puts a message off to the morning, where it is perhaps only the hour that refuses it."""
        now = self._clock.now()
        morning = _NIGHT.until(now) if code == _BARRED and address.startswith(_NIGERIA) else None
        return TooMany(f"{code} by night, asked again from 08:10", (morning - now).total_seconds()) if morning else None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _form(username: str, sender_id: str | None) -> str:
    return urlencode({"username": username} | ({"from": sender_id} if sender_id else {}))


def _recipient(answer: Any) -> tuple[int, Mapping[str, Any]]:
    """Return the status code of one message's recipient, and what else is said of it. Raises where there is none."""
    try:
        data = answer["SMSMessageData"]
        recipients = data["Recipients"]
        # With no recipient taken, the reason stands where the summary otherwise does: {"Message": "InvalidSenderId"}.
        if not recipients:
            raise _without_recipients(str(data["Message"]))
        first = recipients[0]
        return int(first["statusCode"]), first
    except (KeyError, TypeError, IndexError) as error:
        raise Unavailable("the provider's answer is not in its documented form") from error


def _receipt(code: int, recipient: Mapping[str, Any]) -> Receipt:
    cost = str(recipient.get("cost", ""))
    return Receipt(
        message_id=str(recipient.get("messageId", "")), detail=f"{code}, {cost}".rstrip(", "), cost_kobo=_kobo(cost)
    )


def _meaning(code: int) -> SchoolOSError:
    """Return what a status code that is no acceptance means."""
    said = f"{code} {_REFUSED.get(code) or _OUT_OF_ORDER.get(code) or 'unknown status'}"
    if code in _REFUSED:
        return refusal(said, _REASONS.get(code, Reason.REJECTED))
    return NotTaken(said) if code in _ABOUT_ACCOUNT else Unavailable(said)


@lru_cache(maxsize=256)  # one price for each number of segments
def _kobo(cost: str) -> int | None:
    # "NGN 2.2000"; an account kept in another currency says nothing about naira.
    stated = re.fullmatch(r"NGN (\d{1,6}(?:\.\d{1,4})?)", cost)
    return round(Decimal(stated[1]) * 100) if stated else None


def _without_recipients(said: str) -> SchoolOSError:
    if said.startswith("Sent to 0/") or "phone" in said.lower():
        return refusal("no valid recipient", Reason.BAD_ADDRESS)
    return NotTaken(said[:100])
