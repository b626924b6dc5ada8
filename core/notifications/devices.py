"""The devices a person has registered for push: what one is, and whose address may be trusted."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from core.errors import Fault, InvalidInput
from core.ids import PushDeviceId
from core.notifications.model import Reason
from core.notifications.ports import refusal

MOST_DEVICES = 20
"""A person's; past it the one not seen for longest goes."""
_POINT_BYTES, _AUTH_BYTES = 65, 16
_MAX_TOKEN = 2048


class DeviceKind(StrEnum):
    """How a device is reached."""

    WEB = "web"
    """A browser's push subscription."""
    FCM = "fcm"
    """A phone with the portal's app, by its registration token."""


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A browser's push subscription (W3C Push API)."""

    endpoint: str = field(repr=False)
    """Whoever knows it can send, so it is as secret as a token."""
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)

    def written(self) -> str:
        """Return the subscription as a browser writes it."""
        return json.dumps({"endpoint": self.endpoint, "keys": {"p256dh": self.p256dh, "auth": self.auth}})

    @classmethod
    def read(cls, written: str) -> "WebAddress":
        """Read a subscription. Raises ``InvalidInput`` for what is none."""
        try:
            found = json.loads(written)
            return cls(str(found["endpoint"]), str(found["keys"]["p256dh"]), str(found["keys"]["auth"]))
        except (ValueError, LookupError, TypeError) as error:
            raise refusal("the address is no push subscription", Reason.NO_DEVICE) from error


@dataclass(frozen=True, slots=True)
class Registration:
    """What a device says of itself when it asks for push."""

    kind: DeviceKind
    endpoint: str = field(repr=False)
    p256dh: str | None = field(default=None, repr=False)
    auth: str | None = field(default=None, repr=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A registered device, as its owner sees it: never its address."""

    id: PushDeviceId
    kind: DeviceKind
    name: str
    created_at: datetime
    seen_at: datetime


def allowed(endpoint: str, hosts: tuple[str, ...]) -> bool:
    """Tell whether an endpoint is of a push service.

    It comes from a user and this system will call it, so only hosts of the list are called, over TLS on its own port:
    no address of the inside can be named. ``*.example.org`` stands for every host below; a host that is listed with
    ``http://`` and its port is taken as it stands, for a push service of one's own.
    """
    try:
        parts = urlsplit(endpoint)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    if parts.username or parts.password or f"{parts.scheme}://{parts.netloc}" in hosts:
        return not (parts.username or parts.password)
    if parts.scheme != "https" or port not in {None, 443}:
        return False
    return any(host == each or (each.startswith("*.") and host.endswith(each[1:])) for each in hosts)


def check(registration: Registration, hosts: tuple[str, ...]) -> None:
    """Raise ``InvalidInput`` with each fault of a registration."""
    if registration.kind is DeviceKind.FCM:
        faults = _token_faults(registration.endpoint)
    else:
        faults = _subscription_faults(registration, hosts)
    if faults:
        raise InvalidInput("the device can't be registered", faults)


def _token_faults(token: str) -> list[Fault]:
    fits = 0 < len(token) <= _MAX_TOKEN and token.isascii() and token.isprintable() and " " not in token
    return [] if fits else [Fault("/token", "send the registration token the app got from FCM", "invalid")]


def _subscription_faults(registration: Registration, hosts: tuple[str, ...]) -> list[Fault]:
    faults = []
    if not registration.endpoint.isascii() or not allowed(registration.endpoint, hosts):
        faults.append(Fault("/subscription/endpoint", "it is of no push service that is known here", "unknown"))
    lengths: Mapping[str, tuple[str | None, int]] = {
        "p256dh": (registration.p256dh, _POINT_BYTES),
        "auth": (registration.auth, _AUTH_BYTES),
    }
    for name, (value, length) in lengths.items():
        if _length(value) != length:
            what = f"send the {length} bytes of the browser's subscription in base64url"
            faults.append(Fault(f"/subscription/keys/{name}", what, "invalid"))
    return faults


def _length(value: str | None) -> int:
    try:
        return len(base64.b64decode((value or "") + "=" * (-len(value or "") % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return -1
