"""The signed address of a calendar that programs fetch without logging in.

``/calendars/`` and 64 characters of base64url: the school (16 bytes), the link (16 bytes), and HMAC-SHA256 over both,
cut to 16 bytes (RFC 2104, 5). It has no end: the link's row is what ends it. The key serves this purpose alone.
"""

import base64
import binascii
import hmac
from uuid import UUID

from core.access.keys import stretched
from core.errors import NotFound
from core.ids import CalendarLinkId, SchoolId

PATH = "/calendars/"
SUFFIX = ".ics"
NO_CALENDAR = "there is no such calendar"

_ID_BYTES, _MAC_BYTES = 16, 16


class CalendarTokens:
    """Makes and reads addresses."""

    def __init__(self, key: bytes, base_url: str) -> None:
        """Take the installation's key, from which the addresses' own is derived, and where the calendars are."""
        self._key = stretched(key, "calendar link 1")
        self._base_url = base_url.rstrip("/")

    def url(self, school: SchoolId, link: CalendarLinkId) -> str:
        """Return the address of a link."""
        return self._base_url + PATH + self.token(school, link) + SUFFIX

    def token(self, school: SchoolId, link: CalendarLinkId) -> str:
        """Return the token of a link."""
        signed = school.bytes + link.bytes
        return base64.urlsafe_b64encode(signed + self._mac(signed)).decode()

    def read(self, token: str) -> tuple[SchoolId, CalendarLinkId]:
        """Return which link of which school it names. Raises ``NotFound`` for a token that is not ours."""
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise NotFound(NO_CALENDAR) from error
        signed, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        whole = len(raw) == 2 * _ID_BYTES + _MAC_BYTES and "+" not in token and "/" not in token  # one spelling only
        if not whole or not hmac.compare_digest(mac, self._mac(signed)):
            raise NotFound(NO_CALENDAR)
        return SchoolId(UUID(bytes=signed[:_ID_BYTES])), CalendarLinkId(UUID(bytes=signed[_ID_BYTES:]))

    def _mac(self, signed: bytes) -> bytes:
        return hmac.digest(self._key, signed, "sha256")[:_MAC_BYTES]
