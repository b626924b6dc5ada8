"""How webhooks are signed (Standard Webhooks 1.0.0, https://www.standardwebhooks.com): HMAC-SHA256, scheme ``v1``.

A secret is derived from the installation's key, the endpoint and its generation, so that none is kept anywhere; a
rotation counts the generation up, and for a while both sign.
"""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from core.access.keys import stretched
from core.ids import SchoolId, WebhookEndpointId

_PREFIX = "whsec_"


class WebhookSecrets:
    """Derives each endpoint's secrets."""

    def __init__(self, key: bytes) -> None:
        """Take the installation's key."""
        self._key = stretched(key, "webhooks 1")

    def secret(self, school_id: SchoolId, endpoint_id: WebhookEndpointId, generation: int) -> str:
        """Return a secret as receivers are given it: ``whsec_`` and 32 bytes in base64."""
        derived = stretched(self._key, f"{school_id} {endpoint_id} {generation}")
        return _PREFIX + base64.b64encode(derived).decode()


def signature(secret: str, message_id: str, at: datetime, body: bytes) -> str:
    """Return the signature of a body: ``v1,`` and base64."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = f"{message_id}.{int(at.timestamp())}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def headers_of(message_id: str, at: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers by which a receiver knows who sent a body, and when; each secret signs."""
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signature(secret, message_id, at, body) for secret in secrets),
    }


def body_of(event_type: str, occurred_at: datetime, data: Mapping[str, Any]) -> bytes:
    """Return a payload: its type, when it happened, and its data. Every attempt sends the same bytes."""
    moment = occurred_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {"type": event_type, "timestamp": moment, "data": dict(data)}
    return json.dumps(told, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
