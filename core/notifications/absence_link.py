"""The signed link by which a guardian says why a child was not there: short enough for an SMS, good for one week.

``/a/`` and 47 characters of base64url: which delivery (16 bytes), until when (3 bytes, hours since 2020), and
HMAC-SHA256 over both, cut to 16 bytes (RFC 2104, 5). A delivery is of one school, student, guardian and day, so that
the signature holds them all. The key serves this purpose alone.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

from core.access.keys import stretched
from core.errors import NotFound, SchoolOSError
from core.events.types import AttendanceMarked
from core.ids import DeliveryId
from core.notifications.model import Delivery

PATH = "/a/"
HOLDS_FOR = timedelta(days=7)

_SINCE = datetime(2020, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_ID_BYTES, _HOURS_BYTES, _MAC_BYTES = 16, 3, 16


class LinkExpired(SchoolOSError):
    """The link was ours and its time is over."""


class AbsenceLinks:
    """Makes and reads links."""

    def __init__(self, key: bytes, base_url: str) -> None:
        """Take the installation's key, from which the links' own is derived, and where the pages are."""
        self._key = stretched(key, "absence link 1")
        self._base_url = base_url.rstrip("/")

    def of(self, delivery: Delivery) -> Mapping[str, str]:
        """Return what a message's template gets beside its content: ``link``, where it is about an absence."""
        if delivery.event_type != AttendanceMarked.event_type:
            return {}
        # From the delivery's own time, so that every attempt says the same; one that is resent gets longer.
        expires_at = delivery.created_at + HOLDS_FOR * (1 + delivery.resends)
        return {"link": self._base_url + PATH + self.token(delivery.id, expires_at)}

    def token(self, delivery_id: DeliveryId, expires_at: datetime) -> str:
        """Return the token of a delivery, good until the hour after a moment."""
        hours = -((_SINCE - expires_at) // _HOUR)  # rounded up
        signed = delivery_id.bytes + hours.to_bytes(_HOURS_BYTES, "big")
        return base64.urlsafe_b64encode(signed + self._mac(signed)).decode().rstrip("=")

    def read(self, token: str, now: datetime) -> DeliveryId:
        """Return whose token it is. Raises ``NotFound`` for one that is not ours, ``LinkExpired`` for an old one."""
        signed = self._signed(token)
        hours = int.from_bytes(signed[_ID_BYTES:], "big")
        if now >= _SINCE + hours * _HOUR:
            raise LinkExpired("this link has expired")
        return DeliveryId(UUID(bytes=signed[:_ID_BYTES]))

    def delivery_of(self, token: str) -> DeliveryId:
        """Return whose token it is or was. Raises ``NotFound`` for one that is not ours."""
        return DeliveryId(UUID(bytes=self._signed(token)[:_ID_BYTES]))

    def _signed(self, token: str) -> bytes:
        signed, mac = _parts(token)
        if not hmac.compare_digest(mac, self._mac(signed)):
            raise NotFound("there is no such page")
        return signed

    def _mac(self, signed: bytes) -> bytes:
        return hmac.digest(self._key, signed, "sha256")[:_MAC_BYTES]


def _parts(token: str) -> tuple[bytes, bytes]:
    whole = _ID_BYTES + _HOURS_BYTES + _MAC_BYTES
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotFound("there is no such page") from error
    # Written the one way only, so that a token has no second spelling.
    if len(raw) != whole or base64.urlsafe_b64encode(raw).decode().rstrip("=") != token:
        raise NotFound("there is no such page")
    return raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
