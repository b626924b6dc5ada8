"""SMS through Twilio, in its own wire format (https://www.twilio.com/docs/messaging/api/message-resource)."""

from collections.abc import Mapping
from datetime import timedelta

import aiohttp

from core.adapters.provider_http import Answer, ProviderHttp
from core.errors import SchoolOSError
from core.notifications.model import OutgoingMessage, Reason, Receipt
from core.notifications.ports import NotTaken, refusal

_ABOUT_MESSAGE: Mapping[int, tuple[str, Reason]] = {
    21211: ("invalid number", Reason.BAD_ADDRESS),
    21214: ("number can't be reached", Reason.BAD_ADDRESS),
    21217: ("number does not look valid", Reason.BAD_ADDRESS),
    21265: ("short code", Reason.BAD_ADDRESS),
    21610: ("the recipient has replied STOP", Reason.RECIPIENT_BLOCKED),
    21614: ("not a mobile number", Reason.BAD_ADDRESS),
    21617: ("longer than 1,600 characters", Reason.REJECTED),
    21619: ("empty text", Reason.REJECTED),
    21635: ("landline", Reason.BAD_ADDRESS),
    30006: ("landline or unreachable carrier", Reason.BAD_ADDRESS),
}
"""Codes that stay true of this message and number (https://www.twilio.com/docs/api/errors)."""
_ABOUT_ACCOUNT: Mapping[int, str] = {
    21408: "the account may not send to this country",
    21603: "a sender is required",
    21606: "the sender can't send SMS",
    21608: "a trial account sends to verified numbers only",
    21609: "invalid status callback",
    21611: "the sender's queue is full",
    21612: "no route between sender and number",
    21659: "the sender is not of this account",
    21660: "the sender is of another account",
    21703: "the messaging service has no sender",
    30002: "account suspended",
}
"""Codes about the account or its sender: nothing was taken, and no message is to blame."""


class TwilioSms:
    """Sends SMS. Twilio has no idempotency key for it: a message in doubt after a crash can arrive twice."""

    provider = "twilio"

    def __init__(
        self,
        endpoint: str,
        *,
        account_sid: str,
        auth_token: str,
        sender: str,
        promotional_sender: str | None = None,
        status_callback: str | None = None,
        timeout: timedelta = timedelta(seconds=10),
        connections: int = 50,
    ) -> None:
        """Send as a number or alphanumeric sender, or as a messaging service (``MG...``).

        What is promotional has a sender or service of its own, where one is named: Twilio has a messaging service for
        each use case (https://www.twilio.com/docs/messaging/services).
        """
        self._url = f"{endpoint.rstrip('/')}/2010-04-01/Accounts/{account_sid}/Messages.json"
        told = {} if status_callback is None else {"StatusCallback": status_callback}
        self._form = _sent_as(sender) | told
        self._promotional_form = _sent_as(promotional_sender or sender) | told
        headers = {"Authorization": aiohttp.encode_basic_auth(account_sid, auth_token)}
        self._http = ProviderHttp(timeout=timeout, connections=connections, headers=headers)

    async def send(self, message: OutgoingMessage) -> Receipt:
        """Hand one message over; return its SID."""
        begin = self._promotional_form if message.promotional else self._form
        form = {**begin, "To": message.address, "Body": message.text.body}
        answer = await self._http.post(self._url, data=form)
        if not answer.ok:
            raise _meaning(answer)
        taken = answer.document()
        return Receipt(message_id=str(taken.get("sid", "")), detail=str(taken.get("status", "")))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _sent_as(sender: str) -> dict[str, str]:
    return {"MessagingServiceSid" if sender.startswith("MG") else "From": sender}


def _meaning(answer: Answer) -> SchoolOSError:
    code = answer.document().get("code")
    if not isinstance(code, int):
        return answer.error()
    if code in _ABOUT_MESSAGE:
        words, reason = _ABOUT_MESSAGE[code]
        return refusal(f"{code} {words}", reason)
    if code in _ABOUT_ACCOUNT:
        return NotTaken(f"{code} {_ABOUT_ACCOUNT[code]}")
    return answer.error(str(code))
