"""Push to browsers: the Web Push protocol (RFC 8030) to whatever service the browser's maker runs."""

import json
from datetime import timedelta

from core.adapters.provider_http import Answer, ProviderHttp
from core.adapters.web_push_crypto import MAX_PLAIN_BYTES, Vapid, encrypt, from_b64url
from core.errors import SchoolOSError
from core.notifications.devices import WebAddress, allowed
from core.notifications.model import OutgoingMessage, Reason, Receipt, Text
from core.notifications.ports import refusal

_TTL = timedelta(days=1)
"""How long a push service keeps a message for a browser that is not running; the bell has it anyway."""
_GONE = frozenset({404, 410})
"""The subscription has ended (RFC 8030, 7.3; some services answer 404)."""


class WebPush:
    """Sends to one subscription, whose JSON is the address.

    The delivery's id is the topic: sent again, it takes the place of what the browser has not yet fetched.
    """

    provider = "web_push"

    def __init__(
        self,
        vapid: Vapid,
        *,
        hosts: tuple[str, ...],
        timeout: timedelta = timedelta(seconds=10),
        connections: int = 50,
    ) -> None:
        """Send in the name of a key, to push services of these hosts only: subscriptions come from users."""
        self._vapid = vapid
        self._hosts = hosts
        self._http = ProviderHttp(timeout=timeout, connections=connections)

    async def send(self, message: OutgoingMessage) -> Receipt:
        """Hand one message over; return where the push service keeps it."""
        address = WebAddress.read(message.address)
        if not allowed(address.endpoint, self._hosts):
            raise refusal("the subscription is of no known push service", Reason.NO_DEVICE)
        try:
            body = _sealed(address, message)  # 0.15 ms, less than a thread's hand-over and back is worth
        except ValueError as error:
            raise refusal("the subscription's keys are no keys", Reason.NO_DEVICE) from error
        headers = {
            "Authorization": self._vapid.authorization(address.endpoint),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(int(_TTL.total_seconds())),
            "Urgency": "normal",
            "Topic": message.key.hex,  # 32 characters of base64url, just what is allowed
        }
        answer = await self._http.post(address.endpoint, data=body, headers=headers)
        if not answer.ok:
            raise _meaning(answer)
        return Receipt(message_id=answer.headers.get("Location", ""), detail=f"HTTP {answer.status}")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _meaning(answer: Answer) -> SchoolOSError:
    return refusal(f"HTTP {answer.status}", Reason.NO_DEVICE) if answer.status in _GONE else answer.error()


def _sealed(address: WebAddress, message: OutgoingMessage) -> bytes:
    plain = _payload(message.text, message.key.hex)
    return encrypt(plain, p256dh=from_b64url(address.p256dh), auth=from_b64url(address.auth))


def _payload(text: Text, tag: str) -> bytes:
    """Return what the portal's service worker shows, cut to what fits."""
    body, cut = text.body, len(text.body)
    while True:
        shown = {"title": text.title[:120], "body": body, "tag": tag}
        plain = json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
        if len(plain) <= MAX_PLAIN_BYTES:
            return plain
        cut = min(cut - 1, cut * MAX_PLAIN_BYTES // len(plain))
        body = text.body[:cut] + "…"
