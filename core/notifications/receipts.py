"""Delivery receipts: what a provider tells after it took a message, and how one knows that it is the provider.

Receipts come again, late and in any order. So a delivery keeps the one that says most, by ``RANK``: whatever the
order, the end is the same.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.notifications.model import Reason


class ReceiptState(StrEnum):
    """What became of a message that a provider took."""

    ON_THE_WAY = "on_the_way"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    """After ``delivered`` too: a mail server may take a mail and send it back later."""
    COMPLAINED = "complained"
    """The recipient called it spam."""


RANK: Mapping[ReceiptState, int] = {state: rank for rank, state in enumerate(ReceiptState)}


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """One receipt."""

    provider: str
    message_id: str
    state: ReceiptState
    occurred_at: datetime
    reason: Reason | None = None
    detail: str = ""
    """The provider's own word, without personal data."""


def twilio_signature(auth_token: str, url: str, form: Sequence[tuple[str, str]]) -> str:
    """Return what ``X-Twilio-Signature`` must be: HMAC-SHA1 over address and parameters, these sorted by name.

    The address is the one that Twilio was told (https://www.twilio.com/docs/usage/security).
    """
    values: dict[str, set[str]] = {}
    for name, value in form:
        values.setdefault(name, set()).add(value)
    text = url + "".join(name + value for name in sorted(values) for value in sorted(values[name]))
    return base64.b64encode(hmac.new(auth_token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def same(one: str, other: str) -> bool:
    """Compare two secrets in a time that tells nothing of either."""
    return hmac.compare_digest(one.encode(), other.encode())


_TWILIO_STATES: Mapping[str, ReceiptState] = {
    "accepted": ReceiptState.ON_THE_WAY,
    "queued": ReceiptState.ON_THE_WAY,
    "sending": ReceiptState.ON_THE_WAY,
    "sent": ReceiptState.ON_THE_WAY,
    "delivered": ReceiptState.DELIVERED,
    "read": ReceiptState.DELIVERED,
    "undelivered": ReceiptState.UNDELIVERED,
    "failed": ReceiptState.UNDELIVERED,
    "canceled": ReceiptState.UNDELIVERED,
}
_TWILIO_REASONS: Mapping[str, Reason] = {
    "21610": Reason.RECIPIENT_BLOCKED,
    "21614": Reason.BAD_ADDRESS,
    "30003": Reason.UNREACHABLE,
    "30004": Reason.RECIPIENT_BLOCKED,
    "30005": Reason.NOT_ON_NETWORK,
    "30006": Reason.BAD_ADDRESS,
    "30007": Reason.FILTERED,
}
"""https://www.twilio.com/docs/api/errors"""


def read_twilio(form: Mapping[str, str], now: datetime) -> DeliveryReport | None:
    """Read a status callback; None for a status that says nothing new."""
    state = _TWILIO_STATES.get(form.get("MessageStatus", ""))
    if state is None or not form.get("MessageSid"):
        return None
    code = form.get("ErrorCode", "")
    reason = (_TWILIO_REASONS.get(code) or Reason.UNDELIVERED) if state is ReceiptState.UNDELIVERED else None
    detail = " ".join([form["MessageStatus"], code]).strip()
    return DeliveryReport("twilio", form["MessageSid"], state, now, reason, detail)


_AFRICAS_TALKING_STATES: Mapping[str, ReceiptState] = {
    "Sent": ReceiptState.ON_THE_WAY,
    "Submitted": ReceiptState.ON_THE_WAY,
    "Buffered": ReceiptState.ON_THE_WAY,
    "Success": ReceiptState.DELIVERED,
    "Rejected": ReceiptState.UNDELIVERED,
    "Failed": ReceiptState.UNDELIVERED,
    "AbsentSubscriber": ReceiptState.UNDELIVERED,
    "Expired": ReceiptState.UNDELIVERED,
}
_AFRICAS_TALKING_REASONS: Mapping[str, Reason] = {
    "UserIsInactive": Reason.NOT_ON_NETWORK,
    "UserAccountSuspended": Reason.NOT_ON_NETWORK,
    "NotNetworkSubscriber": Reason.NOT_ON_NETWORK,
    "NotNetworkSubcriber": Reason.NOT_ON_NETWORK,  # so in the provider's own table
    "UserDoesNotExist": Reason.BAD_ADDRESS,
    "UserInBlackList": Reason.RECIPIENT_BLOCKED,
    "DoNotDisturbRejection": Reason.DO_NOT_DISTURB,
    "AbsentSubscriber": Reason.UNREACHABLE,
    "Expired": Reason.UNREACHABLE,
}
"""http://docs.africastalking.com/sms/deliveryreports"""


def read_africas_talking(form: Mapping[str, str], now: datetime) -> DeliveryReport | None:
    """Read a delivery report; None for a status that is not documented."""
    status, failure = form.get("status", ""), form.get("failureReason", "")
    state = _AFRICAS_TALKING_STATES.get(status)
    if state is None or not form.get("id"):
        return None
    reason = None
    if state is ReceiptState.UNDELIVERED:
        known = _AFRICAS_TALKING_REASONS
        reason = known.get(failure) or known.get(status) or Reason.UNDELIVERED
    return DeliveryReport("africas_talking", form["id"], state, now, reason, " ".join([status, failure]).strip())


_BOUNCES: Mapping[str, Reason] = {
    "MailboxFull": Reason.UNREACHABLE,
    "ContentRejected": Reason.FILTERED,
    "AttachmentRejected": Reason.FILTERED,
    "MessageTooLarge": Reason.FILTERED,
}


def read_ses(event: Mapping[str, Any], now: datetime) -> DeliveryReport | None:
    """Read an event of SES (https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns.html).

    None for one that tells nothing of a delivery, such as an opened mail.
    """
    kind, mail = str(event.get("eventType") or event.get("notificationType") or ""), event.get("mail")
    message_id = str(mail.get("messageId", "")) if isinstance(mail, dict) else ""
    about = event.get(kind[:1].lower() + kind[1:])
    about = about if isinstance(about, dict) else {}
    found = _ses_meaning(kind, about)
    if found is None or not message_id:
        return None
    state, reason = found
    words = [kind, about.get("bounceType"), about.get("bounceSubType"), about.get("reason")]
    detail = " ".join(str(word) for word in words if word)
    return DeliveryReport("ses", message_id, state, _time(about.get("timestamp")) or now, reason, detail)


def _ses_meaning(kind: str, about: Mapping[str, Any]) -> tuple[ReceiptState, Reason | None] | None:
    match kind:
        case "Send" | "DeliveryDelay":
            return ReceiptState.ON_THE_WAY, None
        case "Delivery":
            return ReceiptState.DELIVERED, None
        case "Bounce":
            lasting = Reason.BAD_ADDRESS if about.get("bounceType") == "Permanent" else Reason.UNREACHABLE
            return ReceiptState.UNDELIVERED, _BOUNCES.get(str(about.get("bounceSubType")), lasting)
        case "Reject":
            return ReceiptState.UNDELIVERED, Reason.FILTERED
        case "Complaint":
            return ReceiptState.COMPLAINED, Reason.RECIPIENT_BLOCKED
    return None


def _time(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None
